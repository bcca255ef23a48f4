//! The health of containers as their hosts report it, and the task's that follows from it.
//!
//! Rule: API reference, Task `healthStatus` and HealthCheck: only essential containers count; one
//! UNHEALTHY makes the task UNHEALTHY, else one UNKNOWN, which a container without a check is, makes
//! it UNKNOWN. A task that no service runs is not stopped for it.

use super::reference;
use super::status::TaskStatus;
use crate::records::container_instance::InstanceKey;
use crate::records::task::{ContainerRecord, TASKS, TaskKey, TaskRecord};
use aws_api::agent::TaskHealth;
use serde::{Deserialize, Serialize};
use store::{Txn, World};

/// `healthStatus`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HealthStatus {
    /// Not checked, or no check has said anything yet.
    #[default]
    Unknown,
    /// Its check passed.
    Healthy,
    /// Its check failed, often enough.
    Unhealthy,
}

impl HealthStatus {
    /// AWS's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
        }
    }

    /// The status that a host's report names.
    #[must_use]
    pub fn reported(name: &str) -> Self {
        match name {
            "HEALTHY" => Self::Healthy,
            "UNHEALTHY" => Self::Unhealthy,
            _ => Self::Unknown,
        }
    }
}

/// A task's health, by that of its containers.
#[must_use]
pub fn of_task(containers: &[ContainerRecord]) -> HealthStatus {
    let essential = || containers.iter().filter(|c| c.essential).map(|c| c.health);
    if essential().any(|health| health == HealthStatus::Unhealthy) {
        HealthStatus::Unhealthy
    } else if essential().all(|health| health == HealthStatus::Healthy) && !containers.is_empty() {
        HealthStatus::Healthy
    } else {
        HealthStatus::Unknown
    }
}

/// What a host reported that is new, of the tasks that are placed on it and are not over: mostly
/// nothing, since hosts repeat everything they know.
#[must_use]
pub fn news(world: &World, instance: &InstanceKey, reported: &[TaskHealth]) -> Vec<TaskHealth> {
    let is_new = |task: &&TaskHealth| {
        let record = key(instance, task).and_then(|key| world.get(&TASKS, &key));
        record.is_some_and(|record| changed(record.as_ref(), instance, task).is_some())
    };
    reported.iter().filter(is_new).cloned().collect()
}

/// Writes down what [`news`] gave.
pub fn apply(txn: &mut Txn, instance: &InstanceKey, reported: &[TaskHealth]) {
    for task in reported {
        let record = key(instance, task).and_then(|key| txn.get(&TASKS, &key));
        if let Some(changed) = record.and_then(|record| changed(record.as_ref(), instance, task)) {
            txn.put(&TASKS, changed);
        }
    }
}

fn key(instance: &InstanceKey, task: &TaskHealth) -> Option<TaskKey> {
    reference::task_arn(&instance.scope, task.task_arn.as_deref()?)
}

/// The record with the report in it; `None` where that changes nothing.
fn changed(record: &TaskRecord, instance: &InstanceKey, task: &TaskHealth) -> Option<TaskRecord> {
    if record.instance_key() != *instance || record.last_status == TaskStatus::Stopped {
        return None;
    }
    let mut changed = record.clone();
    for reported in task.containers.iter().flatten() {
        let name = reported.container_name.as_deref().unwrap_or_default();
        let status = reported.health_status.as_deref().unwrap_or_default();
        if let Some(container) = changed.containers.iter_mut().find(|c| c.name == name) {
            container.health = HealthStatus::reported(status);
        }
    }
    if changed == *record {
        return None;
    }
    changed.version += 1;
    Some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_as_healthy_as_its_essential_containers() {
        use HealthStatus::{Healthy, Unhealthy, Unknown};
        for (containers, expected) in [
            (&[][..], Unknown),
            (&[(true, Unknown)], Unknown),
            (&[(true, Healthy)], Healthy),
            (&[(true, Unhealthy)], Unhealthy),
            (&[(true, Healthy), (false, Unhealthy)], Healthy),
            (&[(true, Healthy), (false, Unknown)], Healthy),
            (&[(true, Healthy), (true, Unknown)], Unknown),
            (&[(true, Unknown), (true, Unhealthy)], Unhealthy),
            (&[(true, Healthy), (true, Healthy)], Healthy),
        ] {
            let record = |&(essential, health): &(bool, HealthStatus)| ContainerRecord {
                health,
                ..ContainerRecord::pending("app", "id".into(), essential)
            };
            let records: Vec<_> = containers.iter().map(record).collect();
            assert_eq!(of_task(&records), expected, "{containers:?}");
        }
    }
}
