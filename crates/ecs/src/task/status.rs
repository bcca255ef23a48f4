//! The states of a task and of a container, and which may follow which.
//!
//! A task only moves forward. Rule: ECS developer guide, "Task lifecycle".

use serde::{Deserialize, Serialize};

/// `lastStatus` of a task, in the order in which a task passes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TaskStatus {
    /// Waiting for an interface or for capacity.
    Provisioning,
    /// Placed; waiting for its host.
    Pending,
    /// Its containers run; registrations are being made.
    Activating,
    /// All its essential containers run.
    Running,
    /// Registrations are being taken back.
    Deactivating,
    /// Its containers are being stopped.
    Stopping,
    /// Its interface is being removed.
    Deprovisioning,
    /// Over.
    Stopped,
}

impl TaskStatus {
    /// AWS's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Provisioning,
            Self::Pending,
            Self::Activating,
            Self::Running,
            Self::Deactivating,
            Self::Stopping,
            Self::Deprovisioning,
            Self::Stopped,
        ]
        .into_iter()
        .find(|status| status.name() == name)
    }

    /// Whether `next` may follow: only forward, and nothing follows STOPPED.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        next > self
    }

    /// Whether the API counts the task as pending.
    #[must_use]
    pub fn counts_as_pending(self) -> bool {
        match self {
            Self::Provisioning | Self::Pending | Self::Activating => true,
            Self::Running
            | Self::Deactivating
            | Self::Stopping
            | Self::Deprovisioning
            | Self::Stopped => false,
        }
    }
}

/// `desiredStatus`: the API knows no other value, and it never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DesiredStatus {
    /// The task should run.
    Running,
    /// The task should stop.
    Stopped,
}

impl DesiredStatus {
    /// AWS's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// `lastStatus` of a container. The agent's internal states before RUNNING all show as PENDING.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ContainerStatus {
    /// Not started yet.
    Pending,
    /// Started.
    Running,
    /// Ended, or never going to start.
    Stopped,
}

impl ContainerStatus {
    /// AWS's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }

    /// The status that an agent's report names; its internal ones count as PENDING.
    #[must_use]
    pub fn reported(name: &str) -> Self {
        match name {
            "RUNNING" => Self::Running,
            "STOPPED" => Self::Stopped,
            _ => Self::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_only_moves_forward() {
        use TaskStatus::{Activating, Pending, Running, Stopped};
        for (from, to, allowed) in [
            (Pending, Running, true),
            (Pending, Stopped, true),
            (Running, Stopped, true),
            (Running, Pending, false),
            (Running, Running, false),
            (Stopped, Running, false),
            (Pending, Activating, true),
        ] {
            assert_eq!(from.may_become(to), allowed, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn names_read_back() {
        for name in ["PENDING", "RUNNING", "STOPPED", "DEPROVISIONING"] {
            assert_eq!(TaskStatus::parse(name).map(TaskStatus::name), Some(name));
        }
        assert_eq!(TaskStatus::parse("running"), None);
        assert_eq!(
            ContainerStatus::reported("PULLED"),
            ContainerStatus::Pending
        );
    }
}
