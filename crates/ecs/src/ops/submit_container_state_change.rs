//! SubmitContainerStateChange: a host's word about one container. Agents of today send it along
//! with the task's; older ones by itself.
//!
//! Rule: API reference, SubmitContainerStateChange.

use super::submit_task_state_change::{ACCEPTED, apply_to, binding, said};
use crate::cluster;
use crate::task::reference;
use crate::task::report::{ContainerReport, TaskReport};
use crate::task::status::ContainerStatus;
use aws_api::ecs::{SubmitContainerStateChangeRequest, SubmitContainerStateChangeResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// What the caller needs.
#[must_use]
pub fn authorisation(
    input: &SubmitContainerStateChangeRequest,
    _world: &World,
    ctx: &Ctx,
) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let task = input.task.as_deref().unwrap_or_default();
    let arn = reference::shown_arn(&ctx.scope, &cluster, "task", task);
    vec![Ask::new("ecs:SubmitContainerStateChange", arn)]
}

/// Applies a report about one container.
///
/// # Errors
/// None.
pub fn submit_container_state_change(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &SubmitContainerStateChangeRequest,
) -> Result<SubmitContainerStateChangeResponse, AwsError> {
    let container = ContainerReport {
        name: input.container_name.clone().unwrap_or_default(),
        status: ContainerStatus::reported(input.status.as_deref().unwrap_or_default()),
        runtime_id: said(input.runtime_id.as_ref()),
        image_digest: None,
        exit_code: input.exit_code,
        reason: said(input.reason.as_ref()),
        bindings: input
            .network_bindings
            .iter()
            .flatten()
            .map(binding)
            .collect(),
    };
    let report = TaskReport {
        containers: vec![container],
        ..TaskReport::default()
    };
    let named = (input.cluster.as_deref(), input.task.as_deref());
    apply_to(txn, ctx, named, &report);
    Ok(SubmitContainerStateChangeResponse {
        acknowledgment: Some(ACCEPTED.into()),
    })
}
