//! The hooks of a stage: made when it is entered, and what they mean for going on.
//!
//! Rule: semantics 6.7: all hooks of a stage must pass; one that fails, or is not resolved in time
//! and says so, rolls the deployment back.

use super::waits::earliest;
use crate::records::deployment_stage::{Hook, HookAction, HookRun, HookStatus, Stage, Staged};
use aws_api::ecs::{DeploymentConfiguration, DeploymentLifecycleHook};
use aws_types::{Ids, Timestamp};
use std::time::Duration;

/// API reference, DeploymentLifecycleHookTimeoutConfiguration: 24 hours.
const TIMEOUT_DEFAULT_MINUTES: u64 = 1440;

/// What the hooks of the present stage say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// All passed, or there are none.
    Passed,
    /// Some is open, at the latest until then.
    Open(Option<Timestamp>),
    /// The deployment is to be rolled back, for this reason.
    Failed(String),
}

/// Makes the hooks of the stage that was just entered; those of its last turn go.
pub fn open(staged: &mut Staged, configuration: &DeploymentConfiguration, now: Timestamp) {
    let stage = staged.stage;
    staged.hooks.retain(|hook| hook.stage != stage);
    let all = configuration.lifecycle_hooks.iter().flatten();
    let asked = all.filter(|hook| {
        let mut stages = hook.lifecycle_stages.iter().flatten();
        stages.any(|name| name == stage.name())
    });
    staged.hooks.extend(asked.map(|hook| of(hook, stage, now)));
}

fn of(asked: &DeploymentLifecycleHook, stage: Stage, now: Timestamp) -> Hook {
    let timeout = asked.timeout_configuration.as_ref();
    let minutes = timeout.and_then(|timeout| timeout.timeout_in_minutes);
    let minutes = minutes.and_then(|minutes| u64::try_from(minutes).ok());
    let wait = Duration::from_secs(minutes.unwrap_or(TIMEOUT_DEFAULT_MINUTES) * 60);
    let action = timeout.and_then(|timeout| timeout.action.as_deref());
    let is_pause = asked.target_type.as_deref() == Some("PAUSE");
    let details = asked.hook_details.as_ref().filter(|_| !is_pause);
    Hook {
        id: String::new(),
        stage,
        target: asked.hook_target_arn.clone().filter(|_| !is_pause),
        status: match is_pause {
            true => HookStatus::AwaitingAction,
            false => HookStatus::InProgress,
        },
        expires: now.plus(wait),
        on_timeout: action
            .and_then(HookAction::parse)
            .unwrap_or(HookAction::Rollback),
        run: HookRun {
            details: details.map(|details| details.value().to_string()),
            ..HookRun::default()
        },
    }
}

/// Gives an id to every hook that has none yet.
pub fn name(staged: &mut Staged, ids: &mut Ids) {
    for hook in &mut staged.hooks {
        if hook.id.is_empty() {
            hook.id = ids.uuid();
        }
    }
}

/// What the hooks of the present stage say; those whose time is over are TIMED_OUT.
pub fn resolve(staged: &mut Staged, now: Timestamp) -> Resolved {
    let stage = staged.stage;
    let present = staged.hooks.iter_mut().filter(|hook| hook.stage == stage);
    let (mut failed, mut is_open, mut until) = (None, false, None);
    for hook in present {
        if hook.status.is_open() && hook.expires <= now {
            hook.status = HookStatus::TimedOut;
        }
        match (hook.status, hook.on_timeout) {
            (HookStatus::AwaitingAction | HookStatus::InProgress, _) => {
                is_open = true;
                until = earliest(until, Some(hook.expires));
            }
            (HookStatus::Failed, _) | (HookStatus::TimedOut, HookAction::Rollback) => {
                failed.get_or_insert(reason(hook));
            }
            (HookStatus::Succeeded, _) | (HookStatus::TimedOut, HookAction::Continue) => {}
        }
    }
    match (failed, is_open) {
        (Some(reason), _) => Resolved::Failed(reason),
        (None, true) => Resolved::Open(until),
        (None, false) => Resolved::Passed,
    }
}

fn reason(hook: &Hook) -> String {
    let stage = hook.stage.name();
    match (hook.status, &hook.target) {
        (HookStatus::TimedOut, _) => {
            format!("Service deployment rolled back because a lifecycle hook timed out at {stage}.")
        }
        (_, None) => {
            "Service deployment was rolled back by a ContinueServiceDeployment request.".into()
        }
        (_, Some(_)) => {
            format!("Service deployment rolled back because a lifecycle hook failed at {stage}.")
        }
    }
}
