//! Protection of a service's task from being stopped by scale-in and deployments, until a moment.
//!
//! It does not keep a task from StopTask, from failed health checks or from its instance's end.
//! Rule: API reference, UpdateTaskProtection; semantics 6.9.

use super::reference;
use crate::records::service::{GROUP_PREFIX, SERVICES, ServiceKey};
use crate::records::task::{TASKS, TaskKey, TaskRecord};
use crate::records::task_table::{BY_SERVICE, LIVE, service_parts};
use crate::rules::invalid_parameter;
use crate::task::status::{DesiredStatus, TaskStatus};
use aws_api::ecs::{Failure, ProtectedTask};
use aws_types::{AwsError, Ctx, Timestamp};
use iam::Ask;
use std::time::Duration;
use store::World;

/// API reference, `expiresInMinutes`: what holds where none is given.
const MINUTES_DEFAULT: i32 = 120;
/// API reference, `expiresInMinutes`: the most.
const MINUTES_MAX: i32 = 2880;

/// Until when the task is protected; `None` where it is not, or no longer.
#[must_use]
pub fn until(task: &TaskRecord, now: Timestamp) -> Option<Timestamp> {
    task.protected_until.filter(|until| *until > now)
}

/// The end of a protection that begins now.
///
/// # Errors
/// `InvalidParameterException` for a length out of range, or for one given to no protection.
pub fn end(
    now: Timestamp,
    enabled: bool,
    minutes: Option<i32>,
) -> Result<Option<Timestamp>, AwsError> {
    let minutes = match minutes {
        None => MINUTES_DEFAULT,
        Some(minutes @ 1..=MINUTES_MAX) => minutes,
        Some(_) => {
            return Err(invalid_parameter(format!(
                "expiresInMinutes must be between 1 and {MINUTES_MAX}."
            )));
        }
    };
    let seconds = u64::try_from(minutes).unwrap_or(0) * 60;
    Ok(enabled.then(|| now.plus(Duration::from_secs(seconds))))
}

/// The tasks of a call, one to `max`.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_named(named: Option<&[String]>, max: usize) -> Result<&[String], AwsError> {
    let named = named.unwrap_or_default();
    if named.is_empty() {
        return Err(invalid_parameter("Tasks cannot be empty."));
    }
    if named.len() > max {
        return Err(invalid_parameter(format!(
            "Tasks cannot be more than {max}."
        )));
    }
    Ok(named)
}

/// The action on each task; who names none may still learn that he has to.
#[must_use]
pub fn asks(action: &str, ctx: &Ctx, cluster: &str, named: Option<&[String]>) -> Vec<Ask> {
    let named = named.into_iter().flatten();
    let arn = |task: &String| reference::shown_arn(&ctx.scope, cluster, "task", task);
    let asks: Vec<_> = named.map(|task| Ask::new(action, arn(task))).collect();
    match asks.is_empty() {
        true => vec![Ask::any(action)],
        false => asks,
    }
}

/// The task that `text` names, if it can be protected: a service's, and not on its way to an end.
///
/// # Errors
/// The failure to answer: `MISSING` or `TASK_NOT_VALID`.
pub fn protectable(
    world: &World,
    ctx: &Ctx,
    cluster: &str,
    text: &str,
) -> Result<TaskKey, Failure> {
    let key = reference::task(&ctx.scope, cluster, text);
    let record = key.and_then(|key| world.get(&TASKS, &key));
    let reason = match record {
        None => "MISSING",
        Some(task) if is_protectable(task) => return Ok(task.key.clone()),
        Some(_) => "TASK_NOT_VALID",
    };
    Err(Failure {
        arn: Some(reference::shown_arn(&ctx.scope, cluster, "task", text)),
        reason: Some(reason.into()),
        detail: None,
    })
}

fn is_protectable(task: &TaskRecord) -> bool {
    let ends = task.desired == DesiredStatus::Stopped || task.last_status == TaskStatus::Stopped;
    task.group.starts_with(GROUP_PREFIX) && !ends
}

/// Fails where the task is to be protected anew, and more tasks of its service are protected already
/// than it wants: these hold up what it deploys, and no other joins them. One that is protected may be
/// so for longer. Rule: semantics 4.5, `DEPLOYMENT_BLOCKED`; API reference, UpdateTaskProtection.
///
/// # Errors
/// The failure to answer: `DEPLOYMENT_BLOCKED`.
pub fn check_not_blocked(world: &World, now: Timestamp, key: &TaskKey) -> Result<(), Failure> {
    let task = world.get(&TASKS, key);
    match task.filter(|task| until(task, now).is_none() && is_blocked(world, now, task)) {
        None => Ok(()),
        Some(_) => Err(Failure {
            arn: Some(key.arn()),
            reason: Some("DEPLOYMENT_BLOCKED".into()),
            detail: None,
        }),
    }
}

/// Whether more tasks of this one's service are protected than the service wants.
fn is_blocked(world: &World, now: Timestamp, task: &TaskRecord) -> bool {
    let name = task.group.strip_prefix(GROUP_PREFIX).unwrap_or_default();
    let TaskKey { scope, cluster, .. } = &task.key;
    let service = world.get(&SERVICES, &ServiceKey::new(scope, cluster, name));
    let parts = service_parts(&task.key, &task.group, LIVE);
    let live = world.find(&TASKS, &BY_SERVICE, &parts);
    let protected = live.filter(|task| is_protectable(task) && until(task, now).is_some());
    service.is_some_and(|service| protected.count() > service.desired as usize)
}

/// A task's protection as answers show it.
#[must_use]
pub fn shape(task: &TaskRecord, now: Timestamp) -> ProtectedTask {
    let until = until(task, now);
    ProtectedTask {
        task_arn: Some(task.key.arn()),
        protection_enabled: Some(until.is_some()),
        expiration_date: until,
    }
}
