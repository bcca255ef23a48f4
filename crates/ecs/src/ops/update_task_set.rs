//! UpdateTaskSet: another scale. Rule: API reference, UpdateTaskSet.

use crate::records::service::SERVICES;
use crate::rules::{self, invalid_parameter};
use crate::service::{authorised, reference, shape, wanted};
use aws_api::ecs::{UpdateTaskSetRequest, UpdateTaskSetResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:UpdateTaskSet` on the task set.
#[must_use]
pub fn authorisation(input: &UpdateTaskSetRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let set = input.task_set.as_deref().unwrap_or_default();
    let action = "ecs:UpdateTaskSet";
    vec![authorised::on_task_set(action, ctx, cluster, service, set)]
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`, `ServiceNotFoundException`, `ServiceNotActiveException`,
/// `TaskSetNotFoundException`, `InvalidParameterException`.
pub fn update_task_set(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateTaskSetRequest,
) -> Result<UpdateTaskSetResponse, AwsError> {
    if input.scale.is_none() {
        return Err(invalid_parameter("Scale cannot be empty."));
    }
    let scale = rules::task_set::scale(input.scale.as_ref())?;
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let mut record = reference::require_active(txn, ctx, cluster, service)?;
    rules::task_set::check_controller(record.controller)?;
    let at = reference::require_task_set(&record, input.task_set.as_deref())?;
    wanted::scale(&mut record.task_sets[at], scale, ctx.now);
    txn.put(&SERVICES, record.clone());
    let set = shape::task_set(txn, &record, &record.task_sets[at], false);
    Ok(UpdateTaskSetResponse {
        task_set: Some(set),
    })
}
