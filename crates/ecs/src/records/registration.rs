//! A task's place in a service registry: what was asked for when the task was made, so that nothing that
//! changes later leaves an instance behind.

use serde::{Deserialize, Serialize};

/// Where a task is registered while it runs and is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationRecord {
    /// The Cloud Map service, `srv-…`.
    pub service: String,
    /// What `AWS_INSTANCE_PORT` is.
    #[serde(default)]
    pub port: Option<RegisteredPort>,
    /// Essential containers with a health check, whose health is the instance's.
    #[serde(default)]
    pub checked: Vec<String>,
    /// `externalId` of the task set.
    #[serde(default)]
    pub external_id: Option<String>,
}

/// The port of a registered task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegisteredPort {
    /// Known before the task runs.
    Fixed(i32),
    /// The port of the host at which this port of a container lies.
    Bound {
        /// The container's name.
        container: String,
        /// The container's port.
        port: i32,
    },
}
