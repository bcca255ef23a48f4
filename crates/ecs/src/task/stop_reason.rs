//! Why a task stopped: `stopCode` and `stoppedReason`, with AWS's wording, in one place.
//!
//! The agent reports what its containers did; which of these texts that makes is decided here.
//! Rule: ECS developer guide, "Stopped task error codes"; texts as recorded.

use crate::fargate;
use crate::records::task::ContainerRecord;
use serde::{Deserialize, Serialize};

/// `stopCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StopCode {
    /// It never ran.
    TaskFailedToStart,
    /// An essential container ended.
    EssentialContainerExited,
    /// StopTask, or a forced deregistration.
    UserInitiated,
    /// A service's scheduler.
    ServiceSchedulerInitiated,
    /// Its host went away.
    TerminationNotice,
}

impl StopCode {
    /// AWS's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
            Self::TerminationNotice => "TerminationNotice",
        }
    }
}

/// Why a task is asked to stop, or stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReason {
    /// `stopCode`.
    pub code: StopCode,
    /// `stoppedReason`.
    pub text: String,
}

impl StopReason {
    /// StopTask: the caller's reason verbatim, or AWS's default.
    #[must_use]
    pub fn by_user(reason: Option<&str>) -> Self {
        Self::new(
            StopCode::UserInitiated,
            reason
                .filter(|text| !text.is_empty())
                .unwrap_or("Task stopped by user"),
        )
    }

    /// An essential container ended.
    #[must_use]
    pub fn essential_container_exited() -> Self {
        Self::new(
            StopCode::EssentialContainerExited,
            "Essential container in task exited",
        )
    }

    /// The host did not come back in time.
    #[must_use]
    pub fn host_lost(ec2_instance_id: &str) -> Self {
        Self::new(
            StopCode::TerminationNotice,
            &format!("Host EC2 (instance {ec2_instance_id}) terminated."),
        )
    }

    /// The container instance was deregistered by force.
    #[must_use]
    pub fn deregistration_forced() -> Self {
        Self::new(
            StopCode::UserInitiated,
            "Container instance deregistration forced by user",
        )
    }

    /// The service of a deployment has a task too many, or replaces it.
    #[must_use]
    pub fn scaling(deployment: &str) -> Self {
        Self::new(
            StopCode::ServiceSchedulerInitiated,
            &format!("Scaling activity initiated by (deployment {deployment})"),
        )
    }

    /// The service of a deployment has more tasks in its zone than in another. Rule: developer guide, "Track
    /// Amazon ECS Availability Zone rebalancing".
    #[must_use]
    pub fn rebalancing(deployment: &str) -> Self {
        Self::new(
            StopCode::ServiceSchedulerInitiated,
            &format!("Availability-zone rebalancing initiated by (deployment {deployment})"),
        )
    }

    /// Its service replaces it because its containers' health checks failed.
    #[must_use]
    pub fn failed_health_checks() -> Self {
        Self::new(
            StopCode::ServiceSchedulerInitiated,
            "Task failed container health checks",
        )
    }

    /// What a task that nobody asked to stop stopped for, judged by what the agent said.
    ///
    /// `ran`: the task was RUNNING at some time. `reason`: the report's own, task-level reason. A task
    /// of FARGATE that failed to start says which error of a container's was the cause; one of EC2
    /// leaves that to the container (developer guide, "Stopped task error codes").
    #[must_use]
    pub fn from_report(
        ran: bool,
        launch_type: &str,
        reason: Option<&str>,
        containers: &[ContainerRecord],
    ) -> Self {
        let reason = reason.filter(|text| !text.is_empty());
        if !ran && (reason.is_some() || failed_to_start(containers)) {
            let of_container = || {
                let is_shown = fargate::is(launch_type);
                is_shown.then(|| error_of_container(containers)).flatten()
            };
            let text = reason.or_else(of_container);
            return Self::new(
                StopCode::TaskFailedToStart,
                text.unwrap_or("Task failed to start"),
            );
        }
        match reason {
            Some(text) => Self::new(StopCode::EssentialContainerExited, text),
            None => Self::essential_container_exited(),
        }
    }

    fn new(code: StopCode, text: &str) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

/// A container that says why it ended but has no exit code never ran; a task in which no container
/// has an exit code did not either.
fn failed_to_start(containers: &[ContainerRecord]) -> bool {
    error_of_container(containers).is_some() || containers.iter().all(|c| c.exit_code.is_none())
}

/// What kept a container from running: an essential one's before another's.
fn error_of_container(containers: &[ContainerRecord]) -> Option<&str> {
    let never_ran = |c: &&ContainerRecord| c.exit_code.is_none() && c.reason.is_some();
    let failed = || containers.iter().filter(never_ran);
    let first = failed().find(|c| c.essential).or_else(|| failed().next());
    first.and_then(|c| c.reason.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(exit_code: Option<i32>, reason: Option<&str>) -> ContainerRecord {
        ContainerRecord {
            exit_code,
            reason: reason.map(Into::into),
            ..ContainerRecord::pending("app", "id".into(), true)
        }
    }

    #[test]
    fn the_reason_of_a_stop_nobody_asked_for() {
        const STARTED: &str = "Essential container in task exited";
        const FAILED: &str = "Task failed to start";
        let pull = "CannotPullContainerError: not found";
        let oom = "OutOfMemoryError: Container killed due to memory usage";
        for (ran, reason, containers, code, text) in [
            (
                true,
                None,
                vec![container(Some(0), None)],
                "EssentialContainerExited",
                STARTED,
            ),
            (
                true,
                None,
                vec![container(None, None)],
                "EssentialContainerExited",
                STARTED,
            ),
            (
                true,
                Some(""),
                vec![container(Some(137), Some(oom))],
                "EssentialContainerExited",
                STARTED,
            ),
            (
                false,
                None,
                vec![container(Some(1), None)],
                "EssentialContainerExited",
                STARTED,
            ),
            (
                false,
                None,
                vec![container(Some(1), None), container(None, None)],
                "EssentialContainerExited",
                STARTED,
            ),
            (
                false,
                None,
                vec![container(None, Some(pull))],
                "TaskFailedToStart",
                FAILED,
            ),
            (
                false,
                None,
                vec![container(Some(143), None), container(None, Some(pull))],
                "TaskFailedToStart",
                FAILED,
            ),
            (
                false,
                Some("ResourceInitializationError: x"),
                vec![container(None, None)],
                "TaskFailedToStart",
                "ResourceInitializationError: x",
            ),
            (false, None, vec![], "TaskFailedToStart", FAILED),
        ] {
            let got = StopReason::from_report(ran, "EC2", reason, &containers);
            assert_eq!(
                (got.code.name(), got.text.as_str()),
                (code, text),
                "{ran} {reason:?} {containers:?}"
            );
        }
    }

    /// Semantics 4.3: on Fargate the task says what its container says.
    #[test]
    fn a_task_of_fargate_that_failed_to_start_says_why() {
        let pull = "CannotPullContainerError: not found";
        let start = "CannotStartContainerError: no such file";
        let side = |reason: &str| ContainerRecord {
            essential: false,
            ..container(None, Some(reason))
        };
        for (reason, containers, text) in [
            (None, vec![container(None, Some(pull))], pull),
            (
                None,
                vec![container(Some(143), None), container(None, Some(pull))],
                pull,
            ),
            (None, vec![side(pull), container(None, Some(start))], start),
            (None, vec![side(pull), container(None, None)], pull),
            (
                Some("ResourceInitializationError: x"),
                vec![container(None, Some(pull))],
                "ResourceInitializationError: x",
            ),
            (None, vec![container(None, None)], "Task failed to start"),
        ] {
            let got = StopReason::from_report(false, "FARGATE", reason, &containers);
            assert_eq!(
                (got.code, got.text.as_str()),
                (StopCode::TaskFailedToStart, text),
                "{reason:?} {containers:?}"
            );
        }
        let ran = StopReason::from_report(true, "FARGATE", None, &[container(None, Some(pull))]);
        assert_eq!(ran, StopReason::essential_container_exited());
    }

    #[test]
    fn a_users_reason_is_kept_verbatim() {
        assert_eq!(StopReason::by_user(None).text, "Task stopped by user");
        assert_eq!(StopReason::by_user(Some("")).text, "Task stopped by user");
        assert_eq!(StopReason::by_user(Some(" nightly ")).text, " nightly ");
    }
}
