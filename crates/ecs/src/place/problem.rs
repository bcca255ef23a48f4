//! What a placement may look at: the task's requirement and every instance's free resources.
//!
//! Plain data, so that a decision can be tested, replayed and explained.
//! Rule: ECS developer guide, "Task placement".

use crate::instance::load::{self, Load};
use crate::records::ClusterKey;
use crate::records::container_instance::{
    CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceId, InstanceStatus,
};
use crate::records::task::Reserved;
use std::collections::{BTreeMap, BTreeSet};
use store::{TableKey, World};

/// A task to be placed some number of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What one task needs.
    pub requirement: Requirement,
    /// How many tasks.
    pub count: u32,
    /// Every instance of the cluster that is not INACTIVE, in order of id.
    pub candidates: Vec<Candidate>,
}

/// What one task needs of its instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// CPU, memory and static host ports.
    pub reserved: Reserved,
    /// Attributes that the instance must have; with a value, exactly that one.
    pub attributes: Vec<(String, Option<String>)>,
}

/// An instance as a placement sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The instance.
    pub instance: InstanceId,
    /// Whether it takes tasks at all.
    pub standing: Standing,
    /// What is left of it.
    pub free: Free,
    /// Its attributes.
    pub attributes: BTreeMap<String, Option<String>>,
    /// Tasks of the same group on it.
    pub tasks_of_group: u32,
    /// Tasks on it.
    pub tasks: u32,
}

/// Whether an instance takes tasks at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Ready,
    /// Its agent is away, or came back and has not yet confirmed what it stopped.
    AgentAway,
    /// It is being drained.
    Draining,
    /// It was deregistered.
    Inactive,
}

/// What is left of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Free {
    /// 1,024 units are one vCPU.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// TCP ports in use.
    pub tcp_used: BTreeSet<u16>,
    /// UDP ports in use.
    pub udp_used: BTreeSet<u16>,
}

impl Free {
    /// Takes a task's reservation away. Never below zero: [`super::solve`] takes only what fits.
    pub fn take(&mut self, reserved: &Reserved) {
        self.cpu_units = self.cpu_units.saturating_sub(reserved.cpu_units);
        self.memory_mib = self.memory_mib.saturating_sub(reserved.memory_mib);
        self.tcp_used.extend(&reserved.tcp);
        self.udp_used.extend(&reserved.udp);
    }
}

/// What a placement of `count` such tasks may look at: the cluster's instances as they are now.
#[must_use]
pub fn build(
    world: &World,
    cluster: &ClusterKey,
    group: &str,
    requirement: Requirement,
    count: u32,
) -> Problem {
    let prefix = cluster.encode();
    let instances = world.scan_prefix(&CONTAINER_INSTANCES, &prefix, None);
    let registered = instances.filter(|(_, i)| i.status != InstanceStatus::Inactive);
    Problem {
        requirement,
        count,
        candidates: registered
            .map(|(_, i)| candidate(world, i, group))
            .collect(),
    }
}

/// One instance as a placement of a task of `group` sees it.
#[must_use]
pub fn candidate(world: &World, instance: &ContainerInstanceRecord, group: &str) -> Candidate {
    let load = load::of(world, instance);
    let attributes = instance.attributes.iter();
    Candidate {
        instance: instance.key.id.clone(),
        standing: standing(instance, &load),
        free: load.free,
        attributes: attributes
            .map(|a| (a.name.clone(), a.value.clone()))
            .collect(),
        tasks_of_group: load::of_group(world, &instance.key, group),
        tasks: load.held,
    }
}

fn standing(instance: &ContainerInstanceRecord, load: &Load) -> Standing {
    match instance.status {
        InstanceStatus::Inactive => Standing::Inactive,
        InstanceStatus::Draining => Standing::Draining,
        // Tasks that were counted as stopped while their host was lost may still run there.
        InstanceStatus::Active if !instance.is_connected() || load.unconfirmed > 0 => {
            Standing::AgentAway
        }
        InstanceStatus::Active => Standing::Ready,
    }
}
