//! What a caller of RunTask or StartTask overrode, as given. Nothing here is merged yet.

use aws_api::Stored;
use aws_api::ecs::{EnvironmentFile, ResourceRequirement};
use serde::{Deserialize, Serialize};

/// What the caller overrode at task level, and per container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskOverrides {
    /// `cpu`, as given.
    #[serde(default)]
    pub cpu: Option<String>,
    /// `memory`, as given.
    #[serde(default)]
    pub memory: Option<String>,
    /// `executionRoleArn`.
    #[serde(default)]
    pub execution_role_arn: Option<String>,
    /// `taskRoleArn`.
    #[serde(default)]
    pub task_role_arn: Option<String>,
    /// `ephemeralStorage`, in GiB.
    #[serde(default)]
    pub ephemeral_gib: Option<u32>,
    /// Those containers that something was overridden for.
    #[serde(default)]
    pub containers: Vec<ContainerOverrides>,
}

/// What the caller overrode for one container. `None`: as the definition has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerOverrides {
    /// The container.
    pub name: String,
    /// `command`.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// `environment`: added to the definition's, and stronger.
    #[serde(default)]
    pub environment: Option<Vec<(String, String)>>,
    /// `environmentFiles`: instead of the definition's.
    #[serde(default)]
    pub environment_files: Option<Vec<Stored<EnvironmentFile>>>,
    /// `resourceRequirements`: instead of the definition's.
    #[serde(default)]
    pub resource_requirements: Option<Vec<Stored<ResourceRequirement>>>,
    /// `cpu`, in units.
    #[serde(default)]
    pub cpu_units: Option<i32>,
    /// `memory`, in MiB.
    #[serde(default)]
    pub memory_mib: Option<i32>,
    /// `memoryReservation`, in MiB.
    #[serde(default)]
    pub memory_reservation_mib: Option<i32>,
}
