//! UpdateServicePrimaryTaskSet: another task set serves production traffic; the one until now is
//! ACTIVE.
//!
//! Rule: API reference, UpdateServicePrimaryTaskSet.

use crate::records::service::SERVICES;
use crate::records::task_set::TaskSetStatus;
use crate::rules;
use crate::service::{authorised, reference, shape};
use aws_api::ecs::{UpdateServicePrimaryTaskSetRequest, UpdateServicePrimaryTaskSetResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:UpdateServicePrimaryTaskSet` on the service.
#[must_use]
pub fn authorisation(
    input: &UpdateServicePrimaryTaskSetRequest,
    _world: &World,
    ctx: &Ctx,
) -> Vec<Ask> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let action = "ecs:UpdateServicePrimaryTaskSet";
    vec![authorised::on_service(action, ctx, cluster, service)]
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`, `ServiceNotFoundException`, `ServiceNotActiveException`,
/// `TaskSetNotFoundException`, `InvalidParameterException`.
pub fn update_service_primary_task_set(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateServicePrimaryTaskSetRequest,
) -> Result<UpdateServicePrimaryTaskSetResponse, AwsError> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let mut record = reference::require_active(txn, ctx, cluster, service)?;
    rules::task_set::check_controller(record.controller)?;
    let at = reference::require_task_set(&record, input.primary_task_set.as_deref())?;
    for (place, set) in record.task_sets.iter_mut().enumerate() {
        let status = match (place == at, set.status) {
            (true, _) => TaskSetStatus::Primary,
            (false, TaskSetStatus::Primary) => TaskSetStatus::Active,
            (false, other) => other,
        };
        if status != set.status {
            set.status = status;
            set.updated = ctx.now;
        }
    }
    txn.put(&SERVICES, record.clone());
    let set = shape::task_set(txn, &record, &record.task_sets[at], false);
    Ok(UpdateServicePrimaryTaskSetResponse {
        task_set: Some(set),
    })
}
