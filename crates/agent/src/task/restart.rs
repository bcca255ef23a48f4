//! Runs of a container: whether one that ended is followed by another in its place, and the health
//! checks of each.
//!
//! Rule: the public agent's restart policy (agent-protocol 5): same runtime id, network and files,
//! nothing reported; only while the task is to run, only with a known exit code that is not
//! ignored, and only when the run lasted as long as the policy asks.

use super::definition::Desired;
use super::event::Command;
use super::health::Probe;
use super::state::{ContainerIndex, ContainerState, Run, TaskState};
use aws_types::Timestamp;
use std::time::Duration;

/// ECS's `restartAttemptPeriod` where none is named, in seconds.
const PERIOD_S: u64 = 300;

/// Whether the container's end at `at` begins another run.
pub(super) fn is_due(
    task: &TaskState,
    index: ContainerIndex,
    exit_code: Option<i32>,
    at: Timestamp,
) -> bool {
    let container = &task.containers[index];
    let policy = &container.restart_policy;
    let period = match policy.restart_attempt_period {
        0 => PERIOD_S,
        seconds => seconds,
    };
    let lasted = |started: Timestamp| at.since(started) >= Duration::from_secs(period);
    policy.enabled
        && task.desired == Desired::Running
        && exit_code.is_some_and(|code| !policy.ignored_exit_codes.contains(&code))
        && container.started_at.is_some_and(lasted)
}

/// The container runs, for the first time or again, since `at`.
pub(super) fn started(container: &mut ContainerState, at: Timestamp) {
    if container.started_at.is_some() {
        container.restarts += 1;
    }
    container.started_at = Some(at);
    if let Some(health) = &mut container.health {
        health.start(at);
    }
}

/// A check that was asked for in run `run` ended; the next one, if there is to be one.
pub(super) fn health_checked(
    task: &mut TaskState,
    index: ContainerIndex,
    run: u32,
    (began, ended): (Timestamp, Timestamp),
    probe: Probe,
) -> Option<Command> {
    let container = &mut task.containers[index];
    // A container that is being stopped is checked no more, and an earlier run's check says nothing.
    if container.run != Run::Running || container.restarts != run {
        return None;
    }
    let (started, health) = (container.started_at?, container.health.as_mut()?);
    health.note(probe, started, began, ended);
    next_check(index, container, ended)
}

/// The next check of a container that runs, one interval after `moment`.
pub(super) fn next_check(
    index: ContainerIndex,
    container: &ContainerState,
    moment: Timestamp,
) -> Option<Command> {
    let health = container.health.as_ref()?;
    Some(Command::CheckHealth {
        container: index,
        run: container.restarts,
        at: health.due(moment),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::definition::TaskDefinition;

    #[test]
    fn a_restart_needs_policy_code_and_time() {
        let code = Some(1);
        for (policy, exit_code, ran_s, expected) in [
            (
                r#"{"enabled":true,"restartAttemptPeriod":60}"#,
                code,
                60,
                true,
            ),
            (
                r#"{"enabled":true,"restartAttemptPeriod":60}"#,
                code,
                59,
                false,
            ),
            (
                r#"{"enabled":true,"restartAttemptPeriod":60}"#,
                Some(0),
                60,
                true,
            ),
            (
                r#"{"enabled":true,"restartAttemptPeriod":60}"#,
                None,
                60,
                false,
            ),
            (
                r#"{"enabled":true,"ignoredExitCodes":[1]}"#,
                code,
                900,
                false,
            ),
            (
                r#"{"enabled":true,"ignoredExitCodes":[0]}"#,
                code,
                300,
                true,
            ),
            (
                r#"{"enabled":true,"ignoredExitCodes":null}"#,
                code,
                299,
                false,
            ),
            (r#"{"enabled":false}"#, code, 900, false),
            ("null", code, 900, false),
        ] {
            let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
            let json = serde_json::json!({
                "arn": "arn:aws:ecs:r:0:task/c/abc", "desiredStatus": "RUNNING",
                "containers": [{"name": "c", "image": "i", "restartPolicy": policy}]});
            let definition = TaskDefinition::parse(&json).unwrap();
            let mut task = TaskState::new(&definition, vec!["0".into()], 0, Timestamp::EPOCH);
            let at = Timestamp::from_millis(ran_s * 1000);
            assert!(!is_due(&task, 0, exit_code, at), "never started");
            task.containers[0].started_at = Some(Timestamp::EPOCH);
            assert_eq!(
                is_due(&task, 0, exit_code, at),
                expected,
                "{policy} {ran_s}"
            );
            task.desired = Desired::Stopped;
            assert!(!is_due(&task, 0, exit_code, at), "it is to stop");
        }
    }
}
