//! What a placement may look at: the task's requirement and an instance's free resources.
//!
//! Plain data, so that a decision can be tested, replayed and explained.
//! Rule: ECS developer guide, "Task placement".

use crate::instance::load::{self, Load};
use crate::records::container_instance::{ContainerInstanceRecord, InstanceId, InstanceStatus};
use crate::records::task::Reserved;
use std::collections::{BTreeMap, BTreeSet};
use store::World;

/// What one task needs of its instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// CPU, memory and static host ports.
    pub reserved: Reserved,
    /// Attributes that the instance must have; with a value, exactly that one.
    pub attributes: Vec<(String, Option<String>)>,
    /// Attributes that the instance, where it has them, must have with this value. AWS's own agent
    /// says its architecture on external machines alone, and is not to be shut out for that.
    pub platform: Vec<(String, String)>,
    /// How many GPUs.
    pub gpus: u32,
    /// How many interfaces of its own.
    pub interfaces: u32,
    /// Availability Zones of its subnets, where it has an interface of its own: one of these.
    pub zones: Option<BTreeSet<String>>,
}

/// The attribute that names an instance's Availability Zone.
pub const ZONE: &str = "ecs.availability-zone";
/// The attribute that names its processor: `x86_64` or `arm64`.
pub const ARCHITECTURE: &str = "ecs.cpu-architecture";
/// The attribute that names its operating system: `linux` or `windows`.
pub const OS_TYPE: &str = "ecs.os-type";

impl Requirement {
    /// Whether an instance with these attributes is in one of the zones. One without a zone, which only
    /// lends FARGATE capacity, serves all.
    #[must_use]
    pub fn is_located(&self, attributes: &BTreeMap<String, Option<String>>) -> bool {
        let zone = attributes.get(ZONE).and_then(Option::as_ref);
        let is_one = |zones: &BTreeSet<String>| match zone {
            Some(zone) => zones.contains(zone),
            None => !zones.is_empty(),
        };
        self.zones.as_ref().is_none_or(is_one)
    }

    /// The first attribute that an instance with these lacks, or has with another value.
    #[must_use]
    pub fn lacks(&self, has: &BTreeMap<String, Option<String>>) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let lacking = attributes.find(|(name, wanted)| match has.get(name) {
            None => true,
            Some(value) => wanted.is_some() && value != wanted,
        });
        let mut platform = self.platform.iter();
        let is_other = |(name, wanted): &&(String, String)| {
            let value = has.get(name).and_then(Option::as_ref);
            value.is_some_and(|value| value != wanted)
        };
        lacking
            .map(|(name, _)| name.as_str())
            .or_else(|| platform.find(is_other).map(|(name, _)| name.as_str()))
    }
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
    /// Active tasks of the same group on it.
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
    /// GPUs, by id, that no task holds.
    pub gpus: Vec<String>,
    /// Interfaces that tasks may still have; the greatest number without a limit.
    pub interfaces: u32,
    /// TCP ports in use.
    pub tcp_used: BTreeSet<u16>,
    /// UDP ports in use.
    pub udp_used: BTreeSet<u16>,
}

/// One instance as a placement of a task of `group` sees it.
#[must_use]
pub fn candidate(world: &World, instance: &ContainerInstanceRecord, group: &str) -> Candidate {
    let load = load::of(world, instance);
    Candidate {
        instance: instance.key.id.clone(),
        standing: standing(instance, &load),
        free: load.free,
        attributes: super::feed::attributes(instance),
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
