//! One deployment of a service: tasks of one revision, and how far it is.

use super::deployment_stage::Staged;
use super::service_deployment::ServiceDeploymentId;
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};

/// `rolloutState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rollout {
    /// Its tasks are being started, and those before it stopped.
    InProgress,
    /// The service was steady with it.
    Completed,
    /// It starts no task any more.
    Failed,
}

impl Rollout {
    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// One deployment of a service: tasks of one revision, started by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The number of its id, `ecs-svc/NUMBER`, which is also `startedBy` of its tasks.
    pub number: u64,
    /// The revision that it runs.
    pub revision: u64,
    /// `desiredCount`.
    pub desired: u32,
    /// `createdAt`.
    pub created: Timestamp,
    /// `updatedAt`.
    pub updated: Timestamp,
    /// `rolloutState`.
    pub rollout: Rollout,
    /// `rolloutStateReason`.
    pub reason: String,
    /// `failedTasks`: tasks that failed one after another, as the circuit breaker counts them.
    pub failed_tasks: u32,
    /// Whether a task of it was ever RUNNING: from then on only failed health checks count.
    pub has_run: bool,
    /// How its starts are held back.
    pub throttle: Throttle,
    /// The service deployment that it is part of.
    #[serde(default)]
    pub part_of: Option<ServiceDeploymentId>,
    /// Whether it takes the place of one that failed.
    #[serde(default)]
    pub is_rollback: bool,
    /// How far it is, where it has stages.
    #[serde(default)]
    pub staged: Option<Staged>,
}

impl Deployment {
    /// `ecs-svc/NUMBER`.
    #[must_use]
    pub fn id(&self) -> String {
        deployment_id(self.number)
    }
}

/// The id of a deployment or a task set of this number.
#[must_use]
pub fn deployment_id(number: u64) -> String {
    format!("ecs-svc/{number}")
}

/// Starts of tasks that fail are tried again later and later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    /// How many times in a row tasks failed to start.
    pub rounds: u32,
    /// No task is started before.
    pub until: Option<Timestamp>,
    /// When a task last failed.
    #[serde(default)]
    pub last: Option<Timestamp>,
}
