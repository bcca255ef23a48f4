//! DeleteService: nothing is desired any more; once every task is stopped the service is INACTIVE.
//!
//! Rule: API reference, DeleteService; semantics 2.2, 6.12.

use crate::records::service::{SERVICES, Scheduling, ServiceRecord, ServiceStatus};
use crate::records::task_set::TaskSetStatus;
use crate::rules::invalid_parameter;
use crate::service::{authorised, reference, shape, wanted};
use aws_api::ecs::{DeleteServiceRequest, DeleteServiceResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:DeleteService` on the service.
#[must_use]
pub fn authorisation(input: &DeleteServiceRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    vec![authorised::on_service(
        "ecs:DeleteService",
        ctx,
        cluster,
        service,
    )]
}

/// The operation; a service that is DRAINING already stays so.
///
/// # Errors
/// `ClusterNotFoundException`, `ServiceNotFoundException`; `InvalidParameterException` for a
/// service that still runs something, unless `force` is given.
pub fn delete_service(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteServiceRequest,
) -> Result<DeleteServiceResponse, AwsError> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let mut record = reference::require(txn, ctx, cluster, service)?;
    if record.status == ServiceStatus::Active {
        if !input.force.unwrap_or(false) {
            check_unused(&record)?;
        }
        wanted::drain(txn, ctx, &mut record);
        txn.put(&SERVICES, record.clone());
    }
    Ok(DeleteServiceResponse {
        service: Some(shape::service(txn, &record, true)),
    })
}

fn check_unused(service: &ServiceRecord) -> Result<(), AwsError> {
    if service.scheduling == Scheduling::Replica && service.desired > 0 {
        return Err(invalid_parameter(
            "The service cannot be stopped while it is scaled above 0.",
        ));
    }
    let mut sets = service.task_sets.iter();
    match sets.any(|set| set.status != TaskSetStatus::Draining) {
        true => Err(invalid_parameter(
            "The service cannot be stopped while deployments are active.",
        )),
        false => Ok(()),
    }
}
