//! StopTask: asks a task to stop; its host confirms later. Stopping twice is no error.
//!
//! Rule: API reference, StopTask.

use crate::cluster;
use crate::decisions::StopAsked;
use crate::records::task::{TASKS, TaskKey};
use crate::rules::invalid_parameter;
use crate::task::report::ask_to_stop;
use crate::task::stop_reason::StopReason;
use crate::task::{reference, shape};
use aws_api::ecs::{StopTaskRequest, StopTaskResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// API reference, StopTask, `reason`: characters.
const REASON_LEN_MAX: usize = 1024;

/// What the caller needs.
#[must_use]
pub fn authorisation(input: &StopTaskRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let task = input.task.as_deref().unwrap_or_default();
    let arn = reference::shown_arn(&ctx.scope, &cluster, "task", task);
    vec![Ask::new("ecs:StopTask", arn)]
}

/// Asks a task to stop.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for a task that is not there.
pub fn stop_task(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &StopTaskRequest,
) -> Result<StopTaskResponse, AwsError> {
    let cluster = cluster::require(txn, &ctx.scope, input.cluster.as_deref())?;
    let reason = input.reason.as_deref();
    if reason.is_some_and(|reason| reason.chars().count() > REASON_LEN_MAX) {
        return Err(invalid_parameter(format!(
            "Reason cannot be longer than {REASON_LEN_MAX} characters."
        )));
    }
    let key = named(
        ctx,
        &cluster.name,
        input.task.as_deref().unwrap_or_default(),
    )?;
    let not_found = || invalid_parameter("The referenced task was not found.");
    let mut record = txn
        .get(&TASKS, &key)
        .ok_or_else(not_found)?
        .as_ref()
        .clone();
    let reason = StopReason::by_user(reason);
    let is_first = ask_to_stop(&mut record, reason.clone(), ctx.now);
    if is_first {
        txn.put(&TASKS, record.clone());
    }
    ctx.decided(StopAsked {
        task: record.key.id.clone(),
        reason,
        is_first,
    });
    Ok(StopTaskResponse {
        task: Some(shape::task(txn, &record, true)),
    })
}

fn named(ctx: &Ctx, cluster: &str, text: &str) -> Result<TaskKey, AwsError> {
    if !text.starts_with("arn:") && !matches!(text.len(), 32 | 36) {
        return Err(invalid_parameter("taskId length should be one of [32,36]"));
    }
    reference::task(&ctx.scope, cluster, text)
        .ok_or_else(|| invalid_parameter("The referenced task was not found."))
}
