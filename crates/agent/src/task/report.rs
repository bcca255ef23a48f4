//! What the control plane is told of a task: changes in order, several joined into one call.
//!
//! SubmitTaskStateChange, agent-protocol 4: a call's container list is applied from its first to
//! its last entry and may name a container twice.

use super::state::{Binding, ContainerState, Run, TaskState};
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest reason that the operation takes, in characters.
pub const REASON_CHARS_MAX: usize = 1024;

/// A status as the agent reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Not yet running.
    Pending,
    /// Running.
    Running,
    /// Ended.
    Stopped,
}

impl Status {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "PENDING",
            Status::Running => "RUNNING",
            Status::Stopped => "STOPPED",
        }
    }
}

/// A change of one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerChange {
    /// Its name.
    pub name: String,
    /// Absent when nothing was created.
    pub runtime_id: Option<String>,
    /// Its new status.
    pub status: Status,
    /// How it exited.
    pub exit_code: Option<i32>,
    /// `Name: text`.
    pub reason: Option<String>,
    /// Of the image's manifest.
    pub image_digest: Option<String>,
    /// Its host ports.
    pub bindings: Vec<Binding>,
}

/// A change of a task and of some of its containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskChange {
    /// The task's status.
    pub status: Status,
    /// Of the task; empty for failures of containers.
    pub reason: String,
    /// In the order in which they happened.
    pub containers: Vec<ContainerChange>,
    /// First pull's begin.
    pub pull_started_at: Option<Timestamp>,
    /// Last pull's end.
    pub pull_stopped_at: Option<Timestamp>,
    /// First end of an essential container.
    pub execution_stopped_at: Option<Timestamp>,
    /// ARN of an attachment that is now there.
    #[serde(default)]
    pub attached: Option<String>,
}

/// The change that says how `container` stands now.
#[must_use]
pub fn container_change(container: &ContainerState) -> ContainerChange {
    let (status, exit_code, reason) = match &container.run {
        Run::No | Run::Starting => (Status::Pending, None, None),
        Run::Running | Run::Restarting { .. } | Run::Stopping => (Status::Running, None, None),
        Run::Ended(end) => (Status::Stopped, end.exit_code, end.reason.clone()),
    };
    let was_created = container.bundle != super::state::Made::No;
    ContainerChange {
        name: container.name.clone(),
        runtime_id: was_created.then(|| container.runtime_id.clone()),
        status,
        exit_code,
        reason: reason.map(|text| text.chars().take(REASON_CHARS_MAX).collect()),
        image_digest: match &container.image {
            super::state::Image::Ready { digest } => digest.clone(),
            super::state::Image::No | super::state::Image::Ensuring | super::state::Image::Gone => {
                None
            }
        },
        bindings: container.bindings.clone(),
    }
}

/// The change that says how `task` stands now, with the container changes that led there.
#[must_use]
pub fn task_change(
    task: &TaskState,
    status: Status,
    containers: Vec<ContainerChange>,
) -> TaskChange {
    TaskChange {
        status,
        reason: task
            .reason
            .iter()
            .flat_map(|text| text.chars())
            .take(REASON_CHARS_MAX)
            .collect(),
        containers,
        pull_started_at: task.pull_started_at,
        pull_stopped_at: task.pull_stopped_at,
        execution_stopped_at: task.execution_stopped_at,
        attached: None,
    }
}

/// Several changes as one: all container changes in order, the rest as the last has it.
#[must_use]
pub fn join(changes: &[TaskChange]) -> Option<TaskChange> {
    let mut joined = changes.last()?.clone();
    joined.containers = changes
        .iter()
        .flat_map(|change| change.containers.clone())
        .collect();
    joined.attached = changes.iter().find_map(|change| change.attached.clone());
    Some(joined)
}
