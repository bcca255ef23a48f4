//! What a service did, in the words of its `ECS Service Action` events.
//!
//! What becomes of a deployment is told here as well as in events of its own (`ECS Deployment State
//! Change`); what has no name, such as a failed health check, in the service's messages alone.
//! Rule: semantics 12; developer guide, "Amazon ECS service action events", "Track Amazon ECS Availability
//! Zone rebalancing".

use super::events::{Message, TaskSetNews, protected};
use crate::records::service::Rollout;
use crate::records::task::TaskId;
use serde::{Deserialize, Serialize};

/// One action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// `eventName`.
    pub name: String,
    /// `reason`.
    #[serde(default)]
    pub reason: Option<String>,
    /// `taskArns`.
    #[serde(default)]
    pub tasks: Vec<TaskId>,
    /// `taskSetArns`: the task set's number.
    #[serde(default)]
    pub task_set: Option<u64>,
    /// `desiredCount`.
    #[serde(default)]
    pub desired: Option<u32>,
}

impl Action {
    fn of(name: &str) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    fn on(name: &str, tasks: &[TaskId]) -> Self {
        Self {
            tasks: tasks.to_vec(),
            ..Self::of(name)
        }
    }

    /// The scheduler computed another count of tasks for the service, or for this task set of it.
    #[must_use]
    pub fn desired_count_updated(task_set: Option<u64>, desired: u32) -> Self {
        Self {
            desired: Some(desired),
            task_set,
            ..Self::of("SERVICE_DESIRED_COUNT_UPDATED")
        }
    }

    /// A deployment is now in this state.
    #[must_use]
    pub fn of_rollout(rollout: Rollout) -> Self {
        Self::of(match rollout {
            Rollout::InProgress => "SERVICE_DEPLOYMENT_IN_PROGRESS",
            Rollout::Completed => "SERVICE_DEPLOYMENT_COMPLETED",
            Rollout::Failed => "SERVICE_DEPLOYMENT_FAILED",
        })
    }

    /// `eventType`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.name.as_str() {
            "SERVICE_TASK_START_IMPAIRED" => "WARN",
            "SERVICE_TASK_PLACEMENT_FAILURE"
            | "SERVICE_TASK_CONFIGURATION_FAILURE"
            | "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"
            | "SERVICE_DEPLOYMENT_FAILED" => "ERROR",
            _ => "INFO",
        }
    }

    /// The action that a message tells of, if it has a name.
    #[must_use]
    pub fn of_message(message: &Message) -> Option<Self> {
        Some(match message {
            Message::Started(tasks) | Message::StartedIn(_, tasks) => {
                Self::on("TASKS_STARTED", tasks)
            }
            Message::Stopped(tasks) | Message::StoppedIn(_, tasks) => {
                Self::on("TASKS_STOPPED", tasks)
            }
            Message::OfTaskSet(set, news) => Self {
                task_set: Some(*set),
                ..match news {
                    TaskSetNews::Started(tasks) => Self::on("TASKS_STARTED", tasks),
                    TaskSetNews::Stopped(tasks) => Self::on("TASKS_STOPPED", tasks),
                    TaskSetNews::Steady => Self::of("TASKSET_STEADY_STATE"),
                    TaskSetNews::Impaired => Self::of("SERVICE_TASK_START_IMPAIRED"),
                }
            },
            Message::Steady => Self::of("SERVICE_STEADY_STATE"),
            Message::Unplaced(unplaced) => Self {
                reason: unplaced.reason.map(Into::into),
                ..Self::of("SERVICE_TASK_PLACEMENT_FAILURE")
            },
            Message::UnplacedIn(_, reason) => Self {
                reason: reason.map(Into::into),
                ..Self::of("SERVICE_TASK_PLACEMENT_FAILURE")
            },
            Message::Misconfigured(why) => Self {
                reason: Some(why.clone()),
                ..Self::of("SERVICE_TASK_CONFIGURATION_FAILURE")
            },
            Message::Impaired => Self::of("SERVICE_TASK_START_IMPAIRED"),
            Message::Violated(task) => Self::on(
                "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED",
                std::slice::from_ref(task),
            ),
            Message::Rebalancing(_) => Self::of("SERVICE_REBALANCING_STARTED"),
            Message::Rebalanced(_) => Self::of("SERVICE_REBALANCING_COMPLETED"),
            Message::RebalancingStopped => Self::of("SERVICE_REBALANCING_STOPPED"),
            Message::Unevened(_, tasks) => Self {
                reason: Some(protected(*tasks)),
                ..Self::of("TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION")
            },
            Message::Completed(_)
            | Message::Failed(..)
            | Message::RollingBack(_)
            | Message::Blocked
            | Message::Unhealthy(_)
            | Message::Protected(..) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::events::Unplaced;

    #[test]
    fn messages_have_the_names_of_the_guide() {
        let task = TaskId("t".into());
        let unplaced = Unplaced {
            why: "why".into(),
            reason: Some("RESOURCE:CPU"),
        };
        for (message, expected) in [
            (Message::Steady, Some(("INFO", "SERVICE_STEADY_STATE"))),
            (
                Message::OfTaskSet(1, TaskSetNews::Steady),
                Some(("INFO", "TASKSET_STEADY_STATE")),
            ),
            (
                Message::OfTaskSet(1, TaskSetNews::Impaired),
                Some(("WARN", "SERVICE_TASK_START_IMPAIRED")),
            ),
            (
                Message::StartedIn("us-east-1a".into(), vec![task.clone()]),
                Some(("INFO", "TASKS_STARTED")),
            ),
            (
                Message::Started(vec![task.clone()]),
                Some(("INFO", "TASKS_STARTED")),
            ),
            (
                Message::Stopped(vec![task.clone()]),
                Some(("INFO", "TASKS_STOPPED")),
            ),
            (
                Message::Unplaced(unplaced.clone()),
                Some(("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE")),
            ),
            (
                Message::Impaired,
                Some(("WARN", "SERVICE_TASK_START_IMPAIRED")),
            ),
            (
                Message::Violated(task.clone()),
                Some(("ERROR", "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED")),
            ),
            (
                Message::Rebalancing(vec![]),
                Some(("INFO", "SERVICE_REBALANCING_STARTED")),
            ),
            (
                Message::Rebalanced(vec![]),
                Some(("INFO", "SERVICE_REBALANCING_COMPLETED")),
            ),
            (
                Message::StoppedIn("us-east-1a".into(), vec![task.clone()]),
                Some(("INFO", "TASKS_STOPPED")),
            ),
            (
                Message::UnplacedIn("us-east-1a".into(), None),
                Some(("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE")),
            ),
            (
                Message::Misconfigured("why".into()),
                Some(("ERROR", "SERVICE_TASK_CONFIGURATION_FAILURE")),
            ),
            (
                Message::RebalancingStopped,
                Some(("INFO", "SERVICE_REBALANCING_STOPPED")),
            ),
            (
                Message::Unevened(1, 2),
                Some(("INFO", "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION")),
            ),
            (Message::Completed(1), None),
            (Message::Blocked, None),
        ] {
            let action = Action::of_message(&message);
            let found = action
                .as_ref()
                .map(|action| (action.kind(), action.name.as_str()));
            assert_eq!(found, expected, "{message:?}");
        }
        let action = Action::of_message(&Message::Unplaced(unplaced)).unwrap();
        assert_eq!(action.reason.as_deref(), Some("RESOURCE:CPU"));
        let action = Action::of_message(&Message::Unevened(1, 2)).unwrap();
        assert_eq!(action.reason.as_deref(), Some("2 tasks under protection"));
        let refused = Message::UnplacedIn("us-east-1a".into(), Some("RESOURCE:MEMORY"));
        let action = Action::of_message(&refused).unwrap();
        assert_eq!(action.reason.as_deref(), Some("RESOURCE:MEMORY"));
        let action =
            Action::of_message(&Message::OfTaskSet(7, TaskSetNews::Stopped(vec![task]))).unwrap();
        assert_eq!((action.task_set, action.tasks.len()), (Some(7), 1));
    }
}
