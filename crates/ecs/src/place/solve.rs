//! Chooses instances for tasks: filter, rank, choose, once per task.
//!
//! Pure; never over-commits; ties are broken by id, so equal input gives an equal answer. A refusal
//! is a result with its reason, not an error.
//! Rule: ECS developer guide, "Task placement": resources, then attributes, then the spread.

use super::problem::{Candidate, Problem, Requirement, Standing};
use crate::records::container_instance::InstanceId;

/// Where the tasks go, and why the rest goes nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// One entry per task that found room.
    pub placements: Vec<Placement>,
    /// When some task found no room: why each instance refused it, in order of id.
    pub refusals: Vec<Refusal>,
}

/// One task's instance, and what made it the first choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The instance.
    pub instance: InstanceId,
    /// Tasks of the same group that it had.
    pub tasks_of_group: u32,
    /// Tasks that it had.
    pub tasks: u32,
    /// Instances that had room as well.
    pub alternatives: u32,
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
    /// A TCP port is taken.
    Ports(u16),
    /// A UDP port is taken.
    PortsUdp(u16),
    /// An attribute is missing, or has another value.
    Attribute(String),
}

impl Reason {
    /// AWS's word for a failure's `reason`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Agent => "AGENT",
            Self::Inactive => "INACTIVE",
            Self::Cpu { .. } => "RESOURCE:CPU",
            Self::Memory { .. } => "RESOURCE:MEMORY",
            Self::Ports(_) => "RESOURCE:PORTS",
            Self::PortsUdp(_) => "RESOURCE:PORTS_UDP",
            Self::Attribute(_) => "ATTRIBUTE",
        }
    }
}

/// Places as many of the tasks as there is room for.
#[must_use]
pub fn solve(problem: &Problem) -> Decision {
    let mut candidates = problem.candidates.clone();
    let mut placements = Vec::new();
    for _ in 0..problem.count {
        let Some(placement) = place_one(&mut candidates, &problem.requirement) else {
            break;
        };
        placements.push(placement);
    }
    let refusals = match placements.len() < problem.count as usize {
        true => refusals(&candidates, &problem.requirement),
        false => Vec::new(),
    };
    Decision {
        placements,
        refusals,
    }
}

/// Why this instance refuses the task; `None` when it takes it.
#[must_use]
pub fn refuses(candidate: &Candidate, requirement: &Requirement) -> Option<Reason> {
    match candidate.standing {
        Standing::Ready => {}
        Standing::AgentAway => return Some(Reason::Agent),
        Standing::Draining | Standing::Inactive => return Some(Reason::Inactive),
    }
    lacks_resource(candidate, requirement).or_else(|| lacks_attribute(candidate, requirement))
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
    let tcp = wanted.tcp.iter().find(|port| free.tcp_used.contains(port));
    let udp = wanted.udp.iter().find(|port| free.udp_used.contains(port));
    tcp.map(|port| Reason::Ports(*port))
        .or_else(|| udp.map(|port| Reason::PortsUdp(*port)))
}

fn lacks_attribute(candidate: &Candidate, requirement: &Requirement) -> Option<Reason> {
    let lacking = requirement.attributes.iter().find(|(name, value)| {
        match (candidate.attributes.get(name), value) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(has), Some(value)) => has.as_ref() != Some(value),
        }
    });
    lacking.map(|(name, _)| Reason::Attribute(name.clone()))
}

/// Spread over instances: fewest tasks of the group, then fewest tasks, then the lowest id.
fn place_one(candidates: &mut [Candidate], requirement: &Requirement) -> Option<Placement> {
    let open = |c: &&mut Candidate| refuses(c, requirement).is_none();
    let mut open: Vec<&mut Candidate> = candidates.iter_mut().filter(open).collect();
    let alternatives = u32::try_from(open.len())
        .unwrap_or(u32::MAX)
        .saturating_sub(1);
    open.sort_by(|a, b| rank(a).cmp(&rank(b)));
    let chosen = open.into_iter().next()?;
    let placement = Placement {
        instance: chosen.instance.clone(),
        tasks_of_group: chosen.tasks_of_group,
        tasks: chosen.tasks,
        alternatives,
    };
    chosen.free.take(&requirement.reserved);
    chosen.tasks_of_group += 1;
    chosen.tasks += 1;
    Some(placement)
}

fn rank(candidate: &Candidate) -> (u32, u32, &InstanceId) {
    (
        candidate.tasks_of_group,
        candidate.tasks,
        &candidate.instance,
    )
}

fn refusals(candidates: &[Candidate], requirement: &Requirement) -> Vec<Refusal> {
    let why = |candidate: &Candidate| {
        refuses(candidate, requirement).map(|reason| Refusal {
            instance: candidate.instance.clone(),
            reason,
        })
    };
    candidates.iter().filter_map(why).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::problem::Free;
    use crate::records::task::Reserved;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn candidate(id: &str, cpu: u32, memory: u32) -> Candidate {
        Candidate {
            instance: InstanceId(id.into()),
            standing: Standing::Ready,
            free: Free {
                cpu_units: cpu,
                memory_mib: memory,
                tcp_used: BTreeSet::from([22]),
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
            attributes: Vec::new(),
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
            (|_, r| r.reserved.udp = vec![53], Some("RESOURCE:PORTS_UDP")),
            (|_, r| r.reserved.udp = vec![22], None),
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
        ] {
            assert_eq!(with(change), expected);
        }
    }

    #[test]
    fn tasks_are_spread_over_instances_and_ties_go_to_the_lowest_id() {
        let mut busy = candidate("a", 100, 100);
        busy.tasks = 5;
        let problem = Problem {
            requirement: needs(10, 10),
            count: 4,
            candidates: vec![busy, candidate("b", 100, 100), candidate("c", 100, 100)],
        };
        let chosen: Vec<_> = solve(&problem)
            .placements
            .into_iter()
            .map(|p| p.instance.0)
            .collect();
        assert_eq!(chosen, ["b", "c", "a", "b"]);
    }

    #[test]
    fn a_part_is_placed_and_the_rest_refused_once_per_instance() {
        let problem = Problem {
            requirement: needs(60, 10),
            count: 3,
            candidates: vec![candidate("a", 100, 100), candidate("b", 50, 5)],
        };
        let decision = solve(&problem);
        assert_eq!(decision.placements.len(), 1);
        let refusals: Vec<_> = decision
            .refusals
            .iter()
            .map(|r| (r.instance.0.as_str(), r.reason.name()))
            .collect();
        assert_eq!(refusals, [("a", "RESOURCE:CPU"), ("b", "RESOURCE:CPU")]);
    }

    fn problems() -> impl Strategy<Value = Problem> {
        let one = (
            0u32..500,
            0u32..500,
            0u32..4,
            0u32..9,
            0usize..3,
            prop::collection::btree_set(1u16..6, 0..4),
        );
        let candidates = prop::collection::vec(one, 0..6);
        (
            candidates,
            0u32..200,
            0u32..200,
            prop::collection::vec(1u16..6, 0..3),
            1u32..11,
        )
            .prop_map(|(candidates, cpu, memory, tcp, count)| Problem {
                requirement: Requirement {
                    reserved: Reserved {
                        cpu_units: cpu,
                        memory_mib: memory,
                        tcp,
                        udp: vec![],
                    },
                    attributes: vec![("cap".into(), None)],
                },
                count,
                candidates: candidates
                    .into_iter()
                    .enumerate()
                    .map(
                        |(i, (cpu, memory, of_group, tasks, standing, tcp_used))| Candidate {
                            standing: [Standing::Ready, Standing::Ready, Standing::AgentAway]
                                [standing],
                            free: Free {
                                tcp_used,
                                ..candidate("", cpu, memory).free
                            },
                            tasks_of_group: of_group,
                            tasks: tasks + of_group,
                            ..candidate(&format!("i{i}"), cpu, memory)
                        },
                    )
                    .collect(),
            })
    }

    proptest! {
        #[test]
        fn nothing_is_ever_over_committed(problem in problems()) {
            let decision = solve(&problem);
            let wanted = &problem.requirement.reserved;
            for candidate in &problem.candidates {
                let placed = decision.placements.iter().filter(|p| p.instance == candidate.instance).count() as u32;
                prop_assert!(placed * wanted.cpu_units <= candidate.free.cpu_units);
                prop_assert!(placed * wanted.memory_mib <= candidate.free.memory_mib);
                if placed > 0 {
                    prop_assert!(wanted.tcp.iter().all(|port| !candidate.free.tcp_used.contains(port)));
                    prop_assert_eq!(candidate.standing, Standing::Ready);
                }
                if !wanted.tcp.is_empty() {
                    prop_assert!(placed <= 1, "a static port fits once");
                }
            }
        }

        #[test]
        fn a_task_is_refused_only_when_every_instance_refuses_it(problem in problems()) {
            let decision = solve(&problem);
            if decision.placements.len() < problem.count as usize {
                prop_assert_eq!(decision.refusals.len(), problem.candidates.len());
            } else {
                prop_assert!(decision.refusals.is_empty());
            }
        }

        #[test]
        fn equal_input_gives_an_equal_answer_in_any_order(problem in problems()) {
            let mut turned = problem.clone();
            turned.candidates.reverse();
            prop_assert_eq!(solve(&problem).placements, solve(&turned).placements);
        }
    }
}
