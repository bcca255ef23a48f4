//! Places tasks one by one, and says why an instance refuses one.
//!
//! A refusal is a result with its reason, not an error. What refuses is asked of every instance,
//! and only when no instance takes the task.
//! Rule: ECS developer guide, "Task placement": resources, then attributes, then constraints; "API
//! failure reasons".

use super::choose::Member;
pub use super::choose::Placement;
use super::constraint::Constraint;
use super::index::Cluster;
use super::ports;
use super::problem::{Candidate, Requirement, Standing};
use crate::records::container_instance::InstanceId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// As many of the nearest refusals are told apart.
const CLOSEST_LEN: usize = 8;

/// Where the tasks go, and why the rest goes nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// One entry per task that found room.
    pub placements: Vec<Placement>,
    /// When some task found no room: why.
    pub refused: Option<Refused>,
}

/// Why no instance takes a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// How many instances refused it, by AWS's word for the reason.
    pub counts: BTreeMap<&'static str, u32>,
    /// Those that came closest to taking it, the closest first.
    pub closest: Vec<Refusal>,
    /// Every instance's refusal, in order of id.
    pub refusals: Vec<Refusal>,
}

/// Why one instance refused a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The instance.
    pub instance: InstanceId,
    /// Why.
    pub reason: Reason,
}

/// Why an instance refuses a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its agent is away.
    Agent,
    /// It was deregistered, or is being drained.
    Inactive,
    /// Too little CPU left, in units.
    Cpu {
        /// What the task needs.
        wanted: u32,
        /// What is left.
        free: u32,
    },
    /// Too little memory left, in MiB.
    Memory {
        /// What the task needs.
        wanted: u32,
        /// What is left.
        free: u32,
    },
    /// Too few GPUs left.
    Gpu {
        /// What the task needs.
        wanted: u32,
        /// What is left.
        free: u32,
    },
    /// Too few interfaces left.
    Eni {
        /// What the task needs.
        wanted: u32,
        /// What is left.
        free: u32,
    },
    /// A TCP port is taken.
    Ports(u16),
    /// A UDP port is taken.
    PortsUdp(u16),
    /// Too few host ports left of those that an instance may have.
    PortCount {
        /// What the task needs.
        wanted: u32,
        /// What is left.
        free: u32,
    },
    /// It is in none of the Availability Zones of the task's subnets.
    Location,
    /// No subnet that it could be in has an address left.
    Addresses,
    /// Its interface could not be made, for this reason.
    Interface(String),
    /// No host lends FARGATE capacity for it, for this reason.
    Capacity(String),
    /// An attribute is missing, or has another value.
    Attribute(String),
    /// It is not what this expression asks for.
    MemberOf(String),
    /// It has a task of the group.
    DistinctInstance,
}

/// [`Reason::Capacity`] by name.
pub const CAPACITY: &str = "RESOURCE:FARGATE";

impl Reason {
    /// AWS's word for a failure's `reason`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Agent => "AGENT",
            Self::Inactive => "INACTIVE",
            Self::Cpu { .. } => "RESOURCE:CPU",
            Self::Memory { .. } => "RESOURCE:MEMORY",
            Self::Gpu { .. } => "RESOURCE:GPU",
            Self::Ports(_) | Self::PortCount { .. } => "RESOURCE:PORTS",
            Self::PortsUdp(_) => "RESOURCE:PORTS_UDP",
            Self::Location => "LOCATION",
            Self::Eni { .. } | Self::Addresses | Self::Interface(_) => "RESOURCE:ENI",
            Self::Capacity(_) => CAPACITY,
            Self::Attribute(_) => "ATTRIBUTE",
            Self::MemberOf(_) => "MemberOf placement constraint unsatisfied.",
            Self::DistinctInstance => "DistinctInstance placement constraint unsatisfied.",
        }
    }

    /// What was asked for and not found, in words.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Agent => "its agent is away, or has not yet confirmed what it stopped".into(),
            Self::Inactive => "it is being drained, or was deregistered".into(),
            Self::Cpu { wanted, free } => format!("needs {wanted} CPU units, {free} are left"),
            Self::Memory { wanted, free } => {
                format!("needs {wanted} MiB of memory, {free} are left")
            }
            Self::Gpu { wanted, free } => format!("needs {wanted} GPUs, {free} are left"),
            Self::Eni { wanted, free } => {
                format!("needs {wanted} network interfaces, {free} are left")
            }
            Self::PortCount { wanted, free } => {
                format!("needs {wanted} host ports, {free} are left")
            }
            Self::Ports(port) => format!("TCP port {port} is in use"),
            Self::PortsUdp(port) => format!("UDP port {port} is in use"),
            Self::Location => "is in none of the Availability Zones of the subnets".into(),
            Self::Addresses => {
                "the specified subnet does not have enough free addresses to satisfy the request"
                    .into()
            }
            Self::Interface(why) | Self::Capacity(why) => why.clone(),
            Self::Attribute(name) => format!("lacks the attribute {name}, or has another value"),
            Self::MemberOf(asked) => format!("is not {asked}"),
            Self::DistinctInstance => "has a task of the group".into(),
        }
    }

    /// How near the instance came: what is asked later is nearer, then a smaller part lacking (in
    /// thousandths of what is wanted).
    fn nearness(&self) -> (u8, Reverse<u64>) {
        match self {
            Self::Inactive => (0, Reverse(0)),
            Self::Agent => (1, Reverse(0)),
            Self::Cpu { wanted, free }
            | Self::Memory { wanted, free }
            | Self::Gpu { wanted, free }
            | Self::PortCount { wanted, free }
            | Self::Eni { wanted, free } => {
                let lacking = u64::from(wanted.saturating_sub(*free)) * 1000;
                (2, Reverse(lacking / u64::from(*wanted).max(1)))
            }
            Self::Ports(_) | Self::PortsUdp(_) => (3, Reverse(0)),
            Self::Location
            | Self::Addresses
            | Self::Interface(_)
            | Self::Capacity(_)
            | Self::Attribute(_) => (4, Reverse(0)),
            Self::MemberOf(_) | Self::DistinctInstance => (5, Reverse(0)),
        }
    }
}

/// Why no instance of the cluster takes the task. Asks every instance.
#[must_use]
pub fn refused(
    cluster: &Cluster,
    requirement: &Requirement,
    constraints: &[Constraint],
    group: &str,
    member: Member<'_>,
) -> Refused {
    let refusals = cluster.ids().filter_map(|id| {
        let candidate = cluster.candidate(id, group)?;
        let reason = refuses(&candidate, requirement)
            .or_else(|| violates(&candidate, constraints, member))?;
        let instance = candidate.instance;
        Some(Refusal { instance, reason })
    });
    Refused::of(refusals.collect())
}

impl Refused {
    /// What these refusals, in order of id, come to.
    #[must_use]
    pub fn of(refusals: Vec<Refusal>) -> Self {
        let mut counts = BTreeMap::new();
        for refusal in &refusals {
            *counts.entry(refusal.reason.name()).or_default() += 1;
        }
        let mut closest: Vec<&Refusal> = refusals.iter().collect();
        closest.sort_by_key(|refusal| Reverse(refusal.reason.nearness()));
        Self {
            counts,
            closest: closest.into_iter().take(CLOSEST_LEN).cloned().collect(),
            refusals,
        }
    }
}

/// The first constraint that the instance violates.
fn violates(
    candidate: &Candidate,
    constraints: &[Constraint],
    member: Member<'_>,
) -> Option<Reason> {
    constraints.iter().find_map(|constraint| match constraint {
        Constraint::DistinctInstance if candidate.tasks_of_group > 0 => {
            Some(Reason::DistinctInstance)
        }
        Constraint::MemberOf(asked) if !member(&candidate.instance.0, asked) => {
            Some(Reason::MemberOf(asked.to_string()))
        }
        Constraint::DistinctInstance | Constraint::MemberOf(_) => None,
    })
}

/// Why this instance refuses the task; `None` when it takes it.
#[must_use]
pub fn refuses(candidate: &Candidate, requirement: &Requirement) -> Option<Reason> {
    match candidate.standing {
        Standing::Ready => {}
        Standing::AgentAway => return Some(Reason::Agent),
        Standing::Draining | Standing::Inactive => return Some(Reason::Inactive),
    }
    let elsewhere = || {
        let is_full = requirement.zones.as_ref().is_some_and(BTreeSet::is_empty);
        match requirement.is_located(&candidate.attributes) {
            true => None,
            false if is_full => Some(Reason::Addresses),
            false => Some(Reason::Location),
        }
    };
    lacks_resource(candidate, requirement)
        .or_else(elsewhere)
        .or_else(|| lacks_attribute(candidate, requirement))
}

fn lacks_resource(candidate: &Candidate, requirement: &Requirement) -> Option<Reason> {
    let (free, wanted) = (&candidate.free, &requirement.reserved);
    if wanted.cpu_units > free.cpu_units {
        return Some(Reason::Cpu {
            wanted: wanted.cpu_units,
            free: free.cpu_units,
        });
    }
    if wanted.memory_mib > free.memory_mib {
        return Some(Reason::Memory {
            wanted: wanted.memory_mib,
            free: free.memory_mib,
        });
    }
    let gpus = u32::try_from(free.gpus.len()).unwrap_or(u32::MAX);
    if requirement.gpus > gpus {
        return Some(Reason::Gpu {
            wanted: requirement.gpus,
            free: gpus,
        });
    }
    let tcp = wanted.tcp.iter().find(|port| free.tcp_used.contains(port));
    let udp = wanted.udp.iter().find(|port| free.udp_used.contains(port));
    let ports = wanted.tcp.len() + wanted.udp.len();
    let left = ports::left(&free.tcp_used, &free.udp_used);
    let too_many = || Reason::PortCount {
        wanted: u32::try_from(ports).unwrap_or(u32::MAX),
        free: u32::try_from(left).unwrap_or(u32::MAX),
    };
    let lacking = Reason::Eni {
        wanted: requirement.interfaces,
        free: free.interfaces,
    };
    tcp.map(|port| Reason::Ports(*port))
        .or_else(|| udp.map(|port| Reason::PortsUdp(*port)))
        .or_else(|| (ports > 0 && ports > left).then(too_many))
        .or_else(|| (requirement.interfaces > free.interfaces).then_some(lacking))
}

fn lacks_attribute(candidate: &Candidate, requirement: &Requirement) -> Option<Reason> {
    let lacking = requirement.lacks(&candidate.attributes);
    lacking.map(|name| Reason::Attribute(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::problem::Free;
    use crate::records::task::Reserved;
    use std::collections::{BTreeMap, BTreeSet};

    fn candidate(id: &str, cpu: u32, memory: u32) -> Candidate {
        Candidate {
            instance: InstanceId(id.into()),
            standing: Standing::Ready,
            free: Free {
                cpu_units: cpu,
                memory_mib: memory,
                tcp_used: BTreeSet::from([22]),
                gpus: vec!["gpu-0".into()],
                interfaces: 1,
                udp_used: BTreeSet::from([53]),
            },
            attributes: BTreeMap::from([("os".into(), Some("linux".into())), ("cap".into(), None)]),
            tasks_of_group: 0,
            tasks: 0,
        }
    }

    fn needs(cpu: u32, memory: u32) -> Requirement {
        Requirement {
            reserved: Reserved {
                cpu_units: cpu,
                memory_mib: memory,
                ..Reserved::default()
            },
            ..Requirement::default()
        }
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let with = |change: fn(&mut Candidate, &mut Requirement)| {
            let (mut c, mut r) = (candidate("a", 100, 100), needs(10, 10));
            change(&mut c, &mut r);
            refuses(&c, &r).map(|reason| reason.name())
        };
        for (change, expected) in [
            ((|_, _| {}) as fn(&mut Candidate, &mut Requirement), None),
            (|c, _| c.standing = Standing::AgentAway, Some("AGENT")),
            (|c, _| c.standing = Standing::Draining, Some("INACTIVE")),
            (|_, r| r.reserved.cpu_units = 101, Some("RESOURCE:CPU")),
            (|_, r| r.reserved.cpu_units = 100, None),
            (|_, r| r.reserved.memory_mib = 101, Some("RESOURCE:MEMORY")),
            (|_, r| r.reserved.tcp = vec![80, 22], Some("RESOURCE:PORTS")),
            // With the two that are used.
            (|_, r| r.reserved.tcp = (1000..1098).collect(), None),
            (
                |_, r| r.reserved.tcp = (1000..1099).collect(),
                Some("RESOURCE:PORTS"),
            ),
            (|_, r| r.reserved.udp = vec![53], Some("RESOURCE:PORTS_UDP")),
            (|_, r| r.reserved.udp = vec![22], None),
            (|_, r| r.interfaces = 1, None),
            (|_, r| r.interfaces = 2, Some("RESOURCE:ENI")),
            (|_, r| r.gpus = 1, None),
            (|_, r| r.gpus = 2, Some("RESOURCE:GPU")),
            (
                |_, r| r.attributes = vec![("gpu".into(), None)],
                Some("ATTRIBUTE"),
            ),
            (|_, r| r.attributes = vec![("cap".into(), None)], None),
            (
                |_, r| r.attributes = vec![("os".into(), Some("windows".into()))],
                Some("ATTRIBUTE"),
            ),
            (
                |_, r| r.attributes = vec![("os".into(), Some("linux".into()))],
                None,
            ),
            (
                |_, r| r.platform = vec![("os".into(), "windows".into())],
                Some("ATTRIBUTE"),
            ),
            (
                |_, r| r.platform = vec![("os".into(), "linux".into())],
                None,
            ),
            (
                |_, r| r.platform = vec![("unsaid".into(), "x".into())],
                None,
            ),
        ] {
            assert_eq!(with(change), expected);
        }
    }

    #[test]
    fn a_reason_that_is_asked_later_or_lacks_less_is_nearer() {
        let cpu = |free| Reason::Cpu { wanted: 100, free };
        let ordered = [
            Reason::MemberOf("attribute:a exists".into()),
            Reason::Attribute("a".into()),
            Reason::Ports(80),
            cpu(99),
            cpu(1),
            Reason::Agent,
            Reason::Inactive,
        ];
        for pair in ordered.windows(2) {
            assert!(pair[0].nearness() > pair[1].nearness(), "{pair:?}");
        }
    }
}
