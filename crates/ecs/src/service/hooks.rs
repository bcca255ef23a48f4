//! AWS_LAMBDA hooks: which targets are to be asked now, and what their answers mean.
//!
//! The calls are the edge's (`control`); here is what is called with what, and what becomes of the
//! hook. A target is called at least once: a server that was killed calls again.
//! Rule: developer guide, "Lambda hooks for Amazon ECS service deployments"; semantics 6.7.

use super::side_by_side;
use super::waits::earliest;
use crate::ops::run_task::run_task;
use crate::records::deployment_stage::{
    HOOK_DETAILS_LEN_MAX, Hook, HookStatus, Staged, WEIGHT_WHOLE,
};
use crate::records::service::{OPEN_HOOKS, Rollout, SERVICES, ServiceKey, ServiceRecord};
use crate::records::service_deployment::ServiceDeploymentKey;
use crate::records::service_revision::RevisionKey;
use crate::records::target::{TargetKind, TargetRecord};
use crate::records::task::{TASKS, TaskKey, TaskRecord};
use crate::targets;
use crate::task::launch;
use crate::task::status::TaskStatus;
use aws_api::ecs::{ContainerOverride, KeyValuePair, RunTaskRequest, TaskOverride};
use aws_types::{Ctx, Timestamp};
use serde_json::{Map, Value, json};
use std::time::Duration;
use store::{Key, Txn, World};

/// Developer guide: a hook IN_PROGRESS is asked again after 30 seconds.
const CALL_BACK_DEFAULT: Duration = Duration::from_secs(30);
/// The longest that an answer may put the next call off.
const CALL_BACK_MAX_SECONDS: u64 = 24 * 3600;
/// Calls that fail one after another: the fifth fails the hook.
const FAILURES_MAX: u32 = 5;
/// A task that found no room is tried again.
const PLACE_AGAIN: Duration = Duration::from_secs(15);
/// The variable in which a task reads what a URL is posted.
const PAYLOAD_VARIABLE: &str = "LONGSHORE_HOOK";

/// A hook whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its service.
    pub service: ServiceKey,
    /// `hookId`.
    pub hook: String,
    /// What is to be done.
    pub call: Call,
}

/// What is to be done for a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// POST this JSON text to this URL.
    Post {
        /// Where.
        url: String,
        /// What.
        body: String,
    },
    /// Start its task ([`start`]).
    Start,
    /// Nothing is left to be asked: this is the answer.
    Concluded(Answer),
}

/// What a target said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The deployment goes on.
    Succeeded,
    /// The deployment is rolled back.
    Failed,
    /// Ask again after this time, giving back these `hookDetails` (JSON text).
    InProgress(Duration, Option<String>),
    /// It could not be asked, or could not answer.
    Unavailable,
}

/// Every hook whose turn it is at `now`, and when the next one's is.
#[must_use]
pub fn due(world: &World, now: Timestamp) -> (Vec<Due>, Option<Timestamp>) {
    let (mut due, mut next) = (Vec::new(), None);
    for service in world.find(&SERVICES, &OPEN_HOOKS, &open_parts()) {
        for hook in open(service) {
            match hook.run.next.filter(|at| *at > now) {
                Some(later) => next = earliest(next, Some(later)),
                None => due.extend(call(world, service, hook).map(|call| Due {
                    service: service.key.clone(),
                    hook: hook.id.clone(),
                    call,
                })),
            }
        }
    }
    (due, next)
}

/// The index key of services with a hook that is to be asked.
#[must_use]
pub fn open_parts() -> Key {
    Key::of(&["open"])
}

/// The hooks of a service whose targets are being asked.
pub fn open(service: &ServiceRecord) -> impl Iterator<Item = &Hook> {
    let staged = service.primary().and_then(side_by_side::kept_beside);
    let present = staged.into_iter().flat_map(Staged::present_hooks);
    present.filter(|hook| hook.status == HookStatus::InProgress)
}

/// The hook of this id of the deployment under way, while it is open.
pub fn open_one<'s>(service: &'s mut ServiceRecord, id: &str) -> Option<&'s mut Hook> {
    let primary = service.deployments.first_mut()?;
    if primary.rollout != Rollout::InProgress {
        return None;
    }
    let staged = primary.staged.as_mut()?;
    let stage = staged.stage;
    let mut hooks = staged.hooks.iter_mut();
    hooks.find(|hook| hook.stage == stage && hook.id == id && hook.status.is_open())
}

fn call(world: &World, service: &ServiceRecord, hook: &Hook) -> Option<Call> {
    let Some(target) = target(world, service, hook) else {
        // It was declared when the hook was asked for.
        return Some(Call::Concluded(Answer::Failed));
    };
    match (&target.does, &hook.run.task) {
        (TargetKind::Url(url), _) => Some(Call::Post {
            url: url.clone(),
            body: payload(service, hook)?,
        }),
        (TargetKind::Task { .. }, None) => Some(Call::Start),
        (TargetKind::Task { .. }, Some(task)) => match world.get(&TASKS, task) {
            None => Some(Call::Concluded(Answer::Failed)),
            Some(task) => concluded(task).map(Call::Concluded),
        },
    }
}

fn target<'w>(world: &'w World, service: &ServiceRecord, hook: &Hook) -> Option<&'w TargetRecord> {
    let arn = hook.target.as_deref()?;
    targets::function(world, &service.key.scope, arn).map(AsRef::as_ref)
}

/// What a task's end says; `None` while it has not ended.
fn concluded(task: &TaskRecord) -> Option<Answer> {
    if task.last_status != TaskStatus::Stopped {
        return None;
    }
    let essential = || task.containers.iter().filter(|c| c.essential);
    let passed = essential().all(|container| container.exit_code == Some(0));
    Some(match passed && essential().next().is_some() {
        true => Answer::Succeeded,
        false => Answer::Failed,
    })
}

/// What a target is told.
fn payload(service: &ServiceRecord, hook: &Hook) -> Option<String> {
    let primary = service.primary()?;
    let staged = primary.staged.as_ref()?;
    let arn = |number| {
        let service = service.key.clone();
        RevisionKey { service, number }.arn()
    };
    let earlier = service.deployments.iter();
    let blue = earlier
        .clone()
        .find(|one| staged.blue == Some(one.number))
        .map(|blue| arn(blue.revision));
    let green = arn(primary.revision);
    let weights = |of_green: u32, of_blue: u32| {
        let percent = |tenths: u32| f64::from(tenths) / 10.0;
        let mut weights = Map::new();
        if let Some(blue) = &blue {
            weights.insert(blue.clone(), json!(percent(of_blue)));
        }
        weights.insert(green.clone(), json!(percent(of_green)));
        weights
    };
    let deployment = ServiceDeploymentKey {
        service: service.key.clone(),
        id: primary.part_of.clone()?,
    };
    let production = staged.production_weight;
    let mut told = json!({
        "serviceArn": service.key.arn(),
        "targetServiceRevisionArn": green,
        "testTrafficWeights": weights(staged.test_weight, 0),
        "productionTrafficWeights": weights(production, WEIGHT_WHOLE - production),
        "lifecycleStage": hook.stage.name(),
        "resourceArn": deployment.arn(),
        "executionId": hook.id,
    });
    let details = hook.run.details.as_deref();
    if let Some(details) = details.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        told["hookDetails"] = details;
    }
    Some(told.to_string())
}

/// What an HTTP answer says. Rule: an invalid answer fails the hook; one that says that the target
/// is out of order (429, 5xx) is asked for again.
#[must_use]
pub fn read(status: u16, body: &[u8]) -> Answer {
    match status {
        200..=299 => {}
        429 | 500..=599 => return Answer::Unavailable,
        _ => return Answer::Failed,
    }
    let Ok(said) = serde_json::from_slice::<Value>(body) else {
        return Answer::Failed;
    };
    match said["hookStatus"].as_str() {
        Some("SUCCEEDED") => Answer::Succeeded,
        Some("IN_PROGRESS") => {
            let seconds = said["callBackDelay"].as_u64();
            let seconds = seconds.map(|seconds| seconds.clamp(1, CALL_BACK_MAX_SECONDS));
            let delay = seconds.map_or(CALL_BACK_DEFAULT, Duration::from_secs);
            let details = said["hookDetails"]
                .as_object()
                .map(|_| &said["hookDetails"]);
            let details = details.map(Value::to_string);
            Answer::InProgress(
                delay,
                details.filter(|text| text.len() <= HOOK_DETAILS_LEN_MAX),
            )
        }
        _ => Answer::Failed,
    }
}

/// What becomes of a hook by this answer; nothing, where it is no longer open.
pub fn answered(txn: &mut Txn, ctx: &Ctx, service: &ServiceKey, id: &str, answer: Answer) {
    change(txn, service, id, |hook| match answer {
        Answer::Succeeded => hook.status = HookStatus::Succeeded,
        Answer::Failed => hook.status = HookStatus::Failed,
        Answer::InProgress(delay, details) => {
            hook.run.failures = 0;
            hook.run.next = Some(ctx.now.plus(delay));
            if details.is_some() {
                hook.run.details = details;
            }
        }
        Answer::Unavailable => {
            hook.run.failures += 1;
            match hook.run.failures {
                FAILURES_MAX.. => hook.status = HookStatus::Failed,
                failures => {
                    let wait = Duration::from_secs(1 << (failures - 1));
                    hook.run.next = Some(ctx.now.plus(wait));
                }
            }
        }
    });
}

/// Starts the task that decides a hook; one that finds no room is started later.
pub fn start(txn: &mut Txn, ctx: &mut Ctx, key: &ServiceKey, id: &str) {
    let Some(service) = txn.get(&SERVICES, key).cloned() else {
        return;
    };
    let due = open(&service).find(|hook| hook.id == id && hook.run.task.is_none());
    let Some(hook) = due else { return };
    let asked = target(txn, &service, hook).map(|target| target.does.clone());
    let Some(TargetKind::Task {
        cluster,
        definition,
    }) = asked
    else {
        return;
    };
    let request = RunTaskRequest {
        cluster: Some(cluster.clone()),
        overrides: payload(&service, hook).and_then(|told| overrides(txn, ctx, &definition, &told)),
        task_definition: Some(definition),
        started_by: Some(id.into()),
        ..RunTaskRequest::default()
    };
    let started = run_task(txn, ctx, &request);
    let now = ctx.now;
    change(txn, key, id, |hook| match started {
        Err(_) => hook.status = HookStatus::Failed,
        Ok(answer) => {
            let arn = answer
                .tasks
                .iter()
                .flatten()
                .find_map(|task| task.task_arn.as_deref());
            let task = arn.and_then(|arn| arn.rsplit('/').next());
            match task {
                Some(task) => hook.run.task = Some(TaskKey::new(&key.scope, &cluster, task)),
                None => hook.run.next = Some(now.plus(PLACE_AGAIN)),
            }
        }
    });
}

/// The payload in the environment of every container.
fn overrides(world: &World, ctx: &Ctx, definition: &str, payload: &str) -> Option<TaskOverride> {
    let definition = launch::definition(world, ctx, Some(definition)).ok()?;
    let containers = definition.definition.container_definitions.iter().flatten();
    let told = KeyValuePair {
        name: Some(PAYLOAD_VARIABLE.into()),
        value: Some(payload.into()),
    };
    let with = |name: &String| ContainerOverride {
        name: Some(name.clone()),
        environment: Some(vec![told.clone()]),
        ..ContainerOverride::default()
    };
    let names = containers.filter_map(|container| container.name.as_ref());
    Some(TaskOverride {
        container_overrides: Some(names.map(with).collect()),
        ..TaskOverride::default()
    })
}

fn change(txn: &mut Txn, service: &ServiceKey, id: &str, with: impl FnOnce(&mut Hook)) {
    let record = txn.get(&SERVICES, service);
    let Some(mut record) = record.map(|record| record.as_ref().clone()) else {
        return;
    };
    let Some(hook) = open_one(&mut record, id) else {
        return;
    };
    with(hook);
    txn.put(&SERVICES, record);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_lambda_hooks_give_them() {
        let seconds = Duration::from_secs;
        for (status, body, expected) in [
            (200, r#"{"hookStatus": "SUCCEEDED"}"#, Answer::Succeeded),
            (200, r#"{"hookStatus": "FAILED"}"#, Answer::Failed),
            (
                202,
                r#"{"hookStatus": "IN_PROGRESS"}"#,
                Answer::InProgress(seconds(30), None),
            ),
            (
                200,
                r#"{"hookStatus": "IN_PROGRESS", "callBackDelay": 60, "hookDetails": {"a": [1]}}"#,
                Answer::InProgress(seconds(60), Some(r#"{"a":[1]}"#.into())),
            ),
            (
                200,
                r#"{"hookStatus": "IN_PROGRESS", "callBackDelay": 0, "hookDetails": 7}"#,
                Answer::InProgress(seconds(1), None),
            ),
            (200, r#"{"hookStatus": "DONE"}"#, Answer::Failed),
            (200, "fine", Answer::Failed),
            (404, r#"{"hookStatus": "SUCCEEDED"}"#, Answer::Failed),
            (302, "", Answer::Failed),
            (429, "", Answer::Unavailable),
            (503, r#"{"hookStatus": "SUCCEEDED"}"#, Answer::Unavailable),
        ] {
            assert_eq!(read(status, body.as_bytes()), expected, "{status} {body}");
        }
    }
}
