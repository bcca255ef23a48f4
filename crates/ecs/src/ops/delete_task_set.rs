//! DeleteTaskSet: a task set drains; once its tasks are stopped it is gone.
//!
//! Rule: API reference, DeleteTaskSet.

use crate::records::service::SERVICES;
use crate::records::task_set::TaskSetStatus;
use crate::rules::{self, invalid_parameter};
use crate::service::{authorised, reference, shape, wanted};
use aws_api::ecs::{DeleteTaskSetRequest, DeleteTaskSetResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:DeleteTaskSet` on the task set.
#[must_use]
pub fn authorisation(input: &DeleteTaskSetRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let set = input.task_set.as_deref().unwrap_or_default();
    let action = "ecs:DeleteTaskSet";
    vec![authorised::on_task_set(action, ctx, cluster, service, set)]
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`, `ServiceNotFoundException`, `ServiceNotActiveException`,
/// `TaskSetNotFoundException`; `InvalidParameterException` for one that is scaled above zero,
/// unless `force` is given.
pub fn delete_task_set(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteTaskSetRequest,
) -> Result<DeleteTaskSetResponse, AwsError> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let mut record = reference::require_active(txn, ctx, cluster, service)?;
    rules::task_set::check_controller(record.controller)?;
    let at = reference::require_task_set(&record, input.task_set.as_deref())?;
    let set = &mut record.task_sets[at];
    if set.scale_hundredths > 0 && !input.force.unwrap_or(false) {
        return Err(invalid_parameter(
            "The task set cannot be deleted while it is scaled above 0.",
        ));
    }
    wanted::scale(set, 0, ctx.now);
    set.status = TaskSetStatus::Draining;
    txn.put(&SERVICES, record.clone());
    let set = shape::task_set(txn, &record, &record.task_sets[at], false);
    Ok(DeleteTaskSetResponse {
        task_set: Some(set),
    })
}
