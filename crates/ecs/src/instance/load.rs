//! What tasks take of an instance, and what is left.
//!
//! A reservation counts from placement until the task's host said STOPPED, or the instance is gone.
//! Rule: ECS developer guide, "Container instance resources"; issue of this project: never
//! over-commit.

use crate::place::problem::Free;
use crate::records::container_instance::{ContainerInstanceRecord, InstanceKey};
use crate::records::task::{BY_INSTANCE, TASKS, TaskRecord, held_by};
use crate::task::status::{DesiredStatus, TaskStatus};
use std::sync::Arc;
use store::World;

/// An instance's tasks, counted, and what they leave of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// What is left.
    pub free: Free,
    /// `runningTasksCount`.
    pub running: u32,
    /// `pendingTasksCount`.
    pub pending: u32,
    /// Tasks that hold resources.
    pub held: u32,
    /// Tasks counted as STOPPED whose host has not said so: while there is one, the instance takes
    /// no task.
    pub unconfirmed: u32,
}

/// The tasks that hold resources of an instance, in order of id.
#[must_use]
pub fn held<'w>(world: &'w World, instance: &InstanceKey) -> Vec<&'w Arc<TaskRecord>> {
    world
        .find(&TASKS, &BY_INSTANCE, &held_by(instance))
        .collect()
}

/// Sums up an instance's tasks.
#[must_use]
pub fn of(world: &World, instance: &ContainerInstanceRecord) -> Load {
    let registered = &instance.registered;
    let mut load = Load {
        free: Free {
            cpu_units: registered.cpu_units,
            memory_mib: registered.memory_mib,
            tcp_used: registered.tcp.iter().copied().collect(),
            udp_used: registered.udp.iter().copied().collect(),
        },
        running: 0,
        pending: 0,
        held: 0,
        unconfirmed: 0,
    };
    for task in held(world, &instance.key) {
        load.free.take(&task.reserved);
        load.held += 1;
        load.unconfirmed += u32::from(task.is_unconfirmed());
        load.pending += u32::from(task.last_status.counts_as_pending());
        let runs = task.last_status == TaskStatus::Running;
        load.running += u32::from(runs && task.desired == DesiredStatus::Running);
    }
    load
}
