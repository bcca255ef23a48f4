//! The alarms that a service deployment watches, and what they said.
//!
//! Rule: API reference, ServiceDeploymentAlarms; semantics 6.5.

use super::service_deployment::{Monitor, ServiceDeploymentRecord};
use aws_types::Scope;
use serde::{Deserialize, Serialize};
use store::{Index, Key};

/// `alarms` of a service deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmWatch {
    /// `status`.
    pub status: Monitor,
    /// `alarmNames`.
    pub names: Vec<String>,
    /// `triggeredAlarmNames`.
    pub triggered: Vec<String>,
}

impl AlarmWatch {
    /// The deployment goes on, or ended, without them.
    pub fn finish(&mut self) {
        if self.status == Monitor::Monitoring {
            self.status = Monitor::Complete;
        }
    }

    /// These ended the deployment.
    pub fn trigger(&mut self, names: Vec<String>) {
        self.status = Monitor::Triggered;
        self.triggered = names;
    }
}

/// Service deployments under way, by each alarm that they watch.
pub static WATCHING: Index<ServiceDeploymentRecord> = Index {
    name: "watching",
    keys: |deployment| {
        let watch = &deployment.alarms;
        if watch.status != Monitor::Monitoring || !deployment.status.is_open() {
            return Vec::new();
        }
        let scope = &deployment.key.service.scope;
        let names = watch.names.iter();
        names.map(|name| watching_parts(scope, name)).collect()
    },
};

/// The index key of an alarm's deployments.
#[must_use]
pub fn watching_parts(scope: &Scope, name: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, name])
}
