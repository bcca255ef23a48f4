//! What tasks take of an instance, and what is left.
//!
//! A reservation counts from placement until the task's host said STOPPED, or the instance is gone.
//! Rule: ECS developer guide, "Container instance resources"; issue of this project: never
//! over-commit.

use crate::place::problem::Free;
use crate::records::container_instance::{ContainerInstanceRecord, InstanceKey};
use crate::records::instance_load::{INSTANCE_LOADS, InstanceLoadRecord};
use crate::records::task::TaskRecord;
use crate::records::task_table::{
    BY_INSTANCE, Count, HOLDS_PORTS, INTERFACES, OF_INSTANCE, TASKS, group_parts, held_by, measure,
};
use std::sync::Arc;
use store::{Txn, World};

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
pub fn held<'w>(
    world: &'w World,
    instance: &InstanceKey,
) -> impl Iterator<Item = &'w Arc<TaskRecord>> + use<'w> {
    world.find_after(&TASKS, &BY_INSTANCE, &held_by(instance), None)
}

/// Whether a task of this instance is not STOPPED.
#[must_use]
pub fn is_busy(world: &World, instance: &InstanceKey) -> bool {
    let unfinished = measure(instance, Count::Unfinished.name());
    world.sum(&TASKS, &OF_INSTANCE, &unfinished) > 0
}

/// Whether a task holds anything of this instance: one that is not STOPPED, or that counts as STOPPED while its host,
/// which was lost, has not said so and may still run it.
#[must_use]
pub fn is_held(world: &World, instance: &InstanceKey) -> bool {
    let held = measure(instance, Count::Held.name());
    world.sum(&TASKS, &OF_INSTANCE, &held) > 0
}

/// Sums up an instance's tasks. Of these it visits only those that hold static ports or
/// GPUs.
#[must_use]
pub fn of(world: &World, instance: &ContainerInstanceRecord) -> Load {
    let registered = &instance.registered;
    let sum = |name: &str| {
        let sum = world.sum(&TASKS, &OF_INSTANCE, &measure(&instance.key, name));
        u32::try_from(sum).unwrap_or(u32::MAX)
    };
    let mut free = Free {
        cpu_units: registered.cpu_units.saturating_sub(sum("cpu")),
        memory_mib: registered.memory_mib.saturating_sub(sum("memory")),
        gpus: registered.gpus.clone(),
        interfaces: registered
            .interfaces
            .map_or(u32::MAX, |all| all.saturating_sub(sum(INTERFACES))),
        tcp_used: registered.tcp.iter().copied().collect(),
        udp_used: registered.udp.iter().copied().collect(),
    };
    for task in world.find(&TASKS, &HOLDS_PORTS, &held_by(&instance.key)) {
        free.gpus.retain(|gpu| !task.reserved.gpus.contains(gpu));
        free.tcp_used.extend(&task.reserved.tcp);
        free.udp_used.extend(&task.reserved.udp);
    }
    Load {
        free,
        running: sum(Count::Running.name()),
        pending: sum(Count::Pending.name()),
        held: sum(Count::Held.name()),
        unconfirmed: sum(Count::Unconfirmed.name()),
    }
}

/// `version`: it grows with each change of the instance and of its resources. Rule: semantics 12.
#[must_use]
pub fn version(world: &World, instance: &ContainerInstanceRecord) -> u64 {
    let load = world.get(&INSTANCE_LOADS, &instance.key);
    instance.version + load.map_or(0, |load| load.changes)
}

/// Tasks took or freed resources of the instance, whose record is as it was.
pub fn changed(txn: &mut Txn, key: &InstanceKey) {
    let before = txn.get(&INSTANCE_LOADS, key).map_or(0, |load| load.changes);
    txn.put(
        &INSTANCE_LOADS,
        InstanceLoadRecord {
            key: key.clone(),
            changes: before + 1,
        },
    );
}

/// Tasks of this group on the instance that are not asked to stop.
#[must_use]
pub fn of_group(world: &World, instance: &InstanceKey, group: &str) -> u32 {
    let sum = world.sum(&TASKS, &OF_INSTANCE, &group_parts(instance, group));
    u32::try_from(sum).unwrap_or(u32::MAX)
}
