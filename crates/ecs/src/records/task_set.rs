//! Task sets: the parts of a service whose deployments an external controller makes.
//!
//! Rule: API reference, TaskSet.

use super::Tags;
use super::service::{ServiceRecord, ServiceStatus, Throttle, Workload, deployment_id};
use super::task_table::definition_parts;
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};
use store::Index;

/// `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskSetStatus {
    /// It serves production traffic.
    Primary,
    /// It does not.
    Active,
    /// Deleted; some task is not yet stopped.
    Draining,
}

impl TaskSetStatus {
    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
        }
    }
}

/// One task set of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSet {
    /// The number of its id, `ecs-svc/NUMBER`, which is also `startedBy` of its tasks.
    pub number: u64,
    /// `status`.
    pub status: TaskSetStatus,
    /// `externalId`.
    #[serde(default)]
    pub external_id: Option<String>,
    /// `startedBy`.
    #[serde(default)]
    pub started_by: Option<String>,
    /// What its tasks are made from.
    pub workload: Workload,
    /// `scale.value` in hundredths of a percent of the service's desired count.
    pub scale_hundredths: u32,
    /// `createdAt`.
    pub created: Timestamp,
    /// `updatedAt`.
    pub updated: Timestamp,
    /// Since when it is in STEADY_STATE.
    #[serde(default)]
    pub steady: Option<Timestamp>,
    /// When its stability last changed.
    pub stability_at: Timestamp,
    /// How its starts are held back.
    #[serde(default)]
    pub throttle: Throttle,
    /// `tags`.
    #[serde(default)]
    pub tags: Tags,
    /// The token of its creation, with the digest of what was asked.
    #[serde(default)]
    pub token: Option<(String, String)>,
}

impl TaskSet {
    /// A new ACTIVE task set at this scale.
    #[must_use]
    pub fn new(number: u64, workload: Workload, scale_hundredths: u32, now: Timestamp) -> Self {
        Self {
            number,
            status: TaskSetStatus::Active,
            external_id: None,
            started_by: None,
            workload,
            scale_hundredths,
            created: now,
            updated: now,
            steady: None,
            stability_at: now,
            throttle: Throttle::default(),
            tags: Tags::default(),
            token: None,
        }
    }

    /// `ecs-svc/NUMBER`.
    #[must_use]
    pub fn id(&self) -> String {
        deployment_id(self.number)
    }

    /// `computedDesiredCount`: the desired count times the scale, rounded up.
    #[must_use]
    pub fn computed_desired(&self, desired: u32) -> u32 {
        let scaled = u64::from(desired) * u64::from(self.scale_hundredths);
        u32::try_from(scaled.div_ceil(10_000)).unwrap_or(u32::MAX)
    }
}

/// Services by the definitions of their task sets, so that none is deleted under one.
pub static BY_TASK_SET_DEFINITION: Index<ServiceRecord> = Index {
    name: "by_task_set_definition",
    keys: |service| match service.status {
        ServiceStatus::Inactive => Vec::new(),
        ServiceStatus::Active | ServiceStatus::Draining => {
            let workloads = service.task_sets.iter().map(|set| &set.workload);
            workloads
                .map(|workload| {
                    definition_parts(&service.key.scope, &workload.family, workload.revision)
                })
                .collect()
        }
    },
};
