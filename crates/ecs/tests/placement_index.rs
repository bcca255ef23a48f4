//! The placement index against a plain look at every instance: the same tasks find room, and each
//! goes to one of the best instances. And a decision looks at as few instances of many as of few.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use ecs::place::choose::{Question, choose};
use ecs::place::constraint::{Constraint, expression};
use ecs::place::index::{Attributes, Cluster, Hold, Seat};
use ecs::place::problem::{Requirement, Standing};
use ecs::place::query::Expression;
use ecs::place::strategy::Criterion;
use ecs::place::tree::Amounts;
use ecs::place::visited;
use ecs::records::task::Reserved;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::BTreeMap;

/// More than are compared one by one, so that the orders decide too.
const HOSTS: usize = 80;
const ZONE: &str = "zone";

/// A host as a plain list of what it was told.
#[derive(Clone, Debug, Default)]
struct Host {
    seat: Option<Seat>,
    holds: Vec<Hold>,
}

impl Host {
    fn free(&self) -> Option<Amounts> {
        let seat = self.seat.as_ref()?;
        let sum = |of: fn(&Hold) -> u32| self.holds.iter().map(of).sum::<u32>();
        Some(Amounts {
            cpu_units: seat
                .size
                .cpu_units
                .saturating_sub(sum(|h| h.size.cpu_units)),
            memory_mib: seat
                .size
                .memory_mib
                .saturating_sub(sum(|h| h.size.memory_mib)),
            gpus: seat.gpus.iter().filter(|gpu| !self.has_gpu(gpu)).count() as u32,
            interfaces: seat
                .size
                .interfaces
                .saturating_sub(sum(|h| h.size.interfaces)),
        })
    }

    fn has_gpu(&self, gpu: &String) -> bool {
        self.holds.iter().any(|hold| hold.gpus.contains(gpu))
    }

    fn of_group(&self, group: &str) -> u64 {
        let of = self
            .holds
            .iter()
            .filter(|h| h.is_active && &*h.group == group);
        of.count() as u64
    }

    fn zone(&self) -> Option<&Option<String>> {
        self.seat.as_ref()?.attributes.get(ZONE)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Seat(usize, Option<Seat>),
    Take(usize, Hold),
    Release(usize, usize),
    Ask(Ask),
}

#[derive(Clone, Debug)]
struct Ask {
    wanted: Amounts,
    port: Option<u16>,
    zone: Option<&'static str>,
    group: &'static str,
    distinct: bool,
    member: Option<&'static str>,
    strategy: Vec<Criterion>,
    seed: u64,
}

fn amounts(most: u32) -> impl Strategy<Value = Amounts> {
    let all = (0..most, 0..most, 0..most);
    all.prop_map(|(cpu_units, memory_mib, interfaces)| Amounts {
        cpu_units,
        memory_mib,
        gpus: 0,
        interfaces,
    })
}

/// Of many sizes, or often of the same three.
fn task_sizes(often: u32, most: u32) -> impl Strategy<Value = Amounts> {
    let of = |cpu_units, memory_mib| Amounts {
        cpu_units,
        memory_mib,
        gpus: 0,
        interfaces: 0,
    };
    let few = prop::sample::select(vec![of(4, 4), of(4, 9), of(9, 9)]);
    prop_oneof![often => few, 1 => amounts(most)]
}

fn seats() -> impl Strategy<Value = Option<Seat>> {
    let standing = prop_oneof![
        6 => Just(Standing::Ready),
        1 => Just(Standing::AgentAway),
        1 => Just(Standing::Draining),
    ];
    let zone = prop_oneof![
        4 => prop::sample::select(vec!["a", "b"]).prop_map(|zone| Some(Some(zone.to_owned()))),
        1 => Just(Some(None)),
        1 => Just(None),
    ];
    let seat = (
        standing,
        zone,
        amounts(60),
        0usize..3,
        prop::option::of(1u16..4),
    )
        .prop_map(|(standing, zone, size, gpus, port)| Seat {
            standing,
            attributes: zone
                .map(|zone| (ZONE.to_owned(), zone))
                .into_iter()
                .collect::<Attributes>(),
            size,
            gpus: (0..gpus).map(|n| format!("gpu-{n}")).collect(),
            tcp: port.into_iter().collect(),
            udp: Vec::new(),
        });
    prop::option::weighted(0.9, seat)
}

fn steps(often: u32, most: usize) -> impl Strategy<Value = Vec<Step>> {
    let group = || prop::sample::select(vec!["web", "db"]);
    let hold = (
        group(),
        any::<bool>(),
        0u32..8,
        task_sizes(often, 8),
        prop::option::of(1u16..4),
    )
        .prop_map(|(group, is_active, unconfirmed, size, port)| Hold {
            group: group.into(),
            is_active,
            is_unconfirmed: unconfirmed == 0,
            size,
            gpus: Vec::new(),
            tcp: port.into_iter().collect(),
            udp: Vec::new(),
        });
    let criterion = prop::sample::select(vec![
        Criterion::BinpackCpu,
        Criterion::BinpackMemory,
        Criterion::SpreadAttribute(ZONE.into()),
        Criterion::SpreadAttribute("none".into()),
        Criterion::SpreadInstance,
        Criterion::Random,
    ]);
    let member = prop::sample::select(vec!["attribute:zone == a", "ec2InstanceId =~ '[0-3]'"]);
    let ask = (
        (
            task_sizes(often, 12),
            0u32..3,
            prop::option::weighted(0.3, 1u16..4),
        ),
        prop::option::weighted(0.3, prop::sample::select(vec!["a", "b"])),
        group(),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.2, member),
        prop::collection::vec(criterion, 0..4),
        any::<u64>(),
    )
        .prop_map(
            |((wanted, gpus, port), zone, group, distinct, member, strategy, seed)| Ask {
                wanted: Amounts {
                    gpus: gpus / 2,
                    ..wanted
                },
                port,
                zone,
                group,
                distinct,
                member,
                strategy,
                seed,
            },
        );
    let one = prop_oneof![
        2 => (0..HOSTS, seats()).prop_map(|(host, seat)| Step::Seat(host, seat)),
        1 => (0..HOSTS, hold).prop_map(|(host, hold)| Step::Take(host, hold)),
        1 => (0..HOSTS, 0usize..9).prop_map(|(host, at)| Step::Release(host, at)),
        5 => ask.prop_map(Step::Ask),
    ];
    prop::collection::vec(one, 1..most)
}

fn is_member(id: &str, asked: &Expression) -> bool {
    assert!(
        !asked.asks_attributes_only(),
        "asked of classes, not of each"
    );
    ["0", "1", "2", "3"].contains(&id)
}

/// The figures of each instance that takes the task; where chance decides, they end.
fn admissible(hosts: &[Host], ask: &Ask) -> Vec<(usize, Vec<u64>)> {
    let same_zone = |host: &Host, other: &Host| {
        let value = |host: &Host| host.zone().cloned().flatten();
        other.seat.is_some() && value(host) == value(other)
    };
    let takes = |at: usize, host: &Host| {
        let Some((seat, free)) = host.seat.as_ref().zip(host.free()) else {
            return false;
        };
        let zone = host.zone().cloned().flatten();
        let used = |port: u16| {
            seat.tcp.contains(&port) || host.holds.iter().any(|hold| hold.tcp.contains(&port))
        };
        seat.standing == Standing::Ready
            && !host.holds.iter().any(|hold| hold.is_unconfirmed)
            && free.covers(ask.wanted)
            && !ask.port.is_some_and(used)
            && ask
                .zone
                .is_none_or(|wanted| zone.as_deref() == Some(wanted))
            && !(ask.distinct && host.of_group(ask.group) > 0)
            && ask.member.is_none_or(|asked| match asked {
                "attribute:zone == a" => zone.as_deref() == Some("a"),
                _ => at < 4,
            })
    };
    let figure = |host: &Host, criterion: &Criterion| match criterion {
        Criterion::BinpackCpu => u64::from(host.free().unwrap().cpu_units),
        Criterion::BinpackMemory => u64::from(host.free().unwrap().memory_mib),
        Criterion::SpreadInstance => host.of_group(ask.group),
        Criterion::SpreadAttribute(name) => {
            let shares = |other: &&Host| match name.as_str() {
                ZONE => same_zone(host, other),
                _ => other.seat.is_some(),
            };
            let sharing = hosts.iter().filter(shares);
            sharing.map(|other| other.of_group(ask.group)).sum()
        }
        Criterion::Random => 0,
    };
    let told = ask.strategy.iter();
    let mut strategy: Vec<_> = told
        .take_while(|c| **c != Criterion::Random)
        .cloned()
        .collect();
    if ask.strategy.is_empty() {
        strategy.push(Criterion::SpreadInstance);
    }
    let taking = hosts
        .iter()
        .enumerate()
        .filter(|(at, host)| takes(*at, host));
    taking
        .map(|(at, host)| (at, strategy.iter().map(|c| figure(host, c)).collect()))
        .collect()
}

fn question(ask: &Ask) -> (Requirement, Vec<Constraint>) {
    let requirement = Requirement {
        reserved: Reserved {
            cpu_units: ask.wanted.cpu_units,
            memory_mib: ask.wanted.memory_mib,
            tcp: ask.port.into_iter().collect(),
            ..Reserved::default()
        },
        attributes: ask
            .zone
            .map(|zone| (ZONE.to_owned(), Some(zone.to_owned())))
            .into_iter()
            .collect(),
        platform: Vec::new(),
        gpus: ask.wanted.gpus,
        interfaces: ask.wanted.interfaces,
        zones: None,
    };
    let distinct = ask.distinct.then_some(Constraint::DistinctInstance);
    let member = ask
        .member
        .map(|text| Constraint::MemberOf(expression(text).unwrap()));
    (requirement, distinct.into_iter().chain(member).collect())
}

fn play(step: Step, cluster: &mut Cluster, hosts: &mut [Host]) -> Result<(), TestCaseError> {
    match step {
        Step::Seat(at, seat) => {
            cluster.seat(&at.to_string(), seat.clone());
            hosts[at].seat = seat;
        }
        Step::Take(at, hold) => {
            cluster.take(&at.to_string(), &hold);
            hosts[at].holds.push(hold);
        }
        Step::Release(at, which) => {
            if which < hosts[at].holds.len() {
                let hold = hosts[at].holds.remove(which);
                cluster.release(&at.to_string(), &hold);
            }
        }
        Step::Ask(ask) => {
            let (requirement, constraints) = question(&ask);
            let asked = Question {
                requirement: &requirement,
                group: ask.group,
                constraints: &constraints,
                strategy: &ask.strategy,
                seed: ask.seed,
            };
            let chosen = choose(cluster, &asked, &is_member);
            let admissible = admissible(hosts, &ask);
            let least = admissible.iter().map(|(_, figures)| figures).min();
            let Some(chosen) = chosen else {
                prop_assert_eq!(least, None, "{:?}", &ask);
                return Ok(());
            };
            let at: usize = chosen.instance.0.parse().unwrap();
            let figures = admissible.iter().find(|(of, _)| *of == at).map(|(_, f)| f);
            prop_assert!(figures.is_some(), "{:?} on {}", &ask, at);
            prop_assert_eq!(figures, least, "{:?} on {}", &ask, at);
            prop_assert_eq!(chosen.gpus.len(), ask.wanted.gpus as usize);
            prop_assert!(chosen.gpus.iter().all(|gpu| !hosts[at].has_gpu(gpu)));
            let hold = Hold {
                group: ask.group.into(),
                is_active: true,
                is_unconfirmed: false,
                size: Amounts {
                    gpus: 0,
                    ..ask.wanted
                },
                gpus: chosen.gpus,
                tcp: requirement.reserved.tcp,
                udp: Vec::new(),
            };
            cluster.take(&at.to_string(), &hold);
            hosts[at].holds.push(hold);
        }
    }
    let seated = hosts.iter().filter(|host| host.seat.is_some()).count();
    prop_assert_eq!(cluster.len(), seated);
    Ok(())
}

fn plays(seated: Vec<Option<Seat>>, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut cluster, mut hosts) = (Cluster::default(), vec![Host::default(); HOSTS]);
    let first = seated.into_iter().enumerate();
    let first = first.map(|(at, seat)| Step::Seat(at, seat));
    for step in first.chain(steps) {
        play(step, &mut cluster, &mut hosts)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_index_chooses_as_a_look_at_every_instance_would(
        seated in prop::collection::vec(seats(), 0..HOSTS), steps in steps(1, 90)
    ) {
        plays(seated, steps)?;
    }

    /// So that sizes get sets of their own, and lose them.
    #[test]
    fn and_where_many_tasks_are_of_the_same_few_sizes(
        seated in prop::collection::vec(seats(), HOSTS), steps in steps(40, 300)
    ) {
        plays(seated, steps)?;
    }
}

/// A cluster of as many equal hosts, of which the first tenth has no CPU left.
fn cluster_of(hosts: usize) -> Cluster {
    let mut cluster = Cluster::default();
    for at in 0..hosts {
        let zone = ["a", "b", "c"][at % 3].to_owned();
        let seat = Seat {
            standing: Standing::Ready,
            attributes: [(ZONE.to_owned(), Some(zone))].into_iter().collect(),
            size: Amounts {
                cpu_units: if at < hosts / 10 { 0 } else { 4096 },
                memory_mib: 8192,
                gpus: 0,
                interfaces: 0,
            },
            gpus: Vec::new(),
            tcp: vec![22],
            udp: Vec::new(),
        };
        cluster.seat(&format!("{at:032x}"), Some(seat));
    }
    cluster
}

/// How many instances are asked for, by an expression that admits each.
fn asked_by_one_decision(hosts: usize, strategy: &[Criterion]) -> usize {
    let cluster = cluster_of(hosts);
    let requirement = Requirement {
        reserved: Reserved {
            cpu_units: 256,
            memory_mib: 512,
            ..Reserved::default()
        },
        ..Requirement::default()
    };
    let constraints = [Constraint::MemberOf(
        expression("agentConnected == true").unwrap(),
    )];
    let question = Question {
        requirement: &requirement,
        group: "web",
        constraints: &constraints,
        strategy,
        seed: 7,
    };
    let asked = Cell::new(0);
    let member = |_: &str, _: &Expression| {
        asked.set(asked.get() + 1);
        true
    };
    assert!(choose(&cluster, &question, &member).is_some());
    asked.get()
}

#[test]
fn a_decision_asks_as_few_of_many_instances_as_of_few() {
    for strategy in [
        vec![],
        vec![Criterion::BinpackMemory],
        vec![Criterion::BinpackCpu],
        vec![Criterion::SpreadInstance],
        vec![
            Criterion::SpreadAttribute(ZONE.into()),
            Criterion::BinpackMemory,
        ],
        vec![Criterion::Random],
    ] {
        let of = |hosts| asked_by_one_decision(hosts, &strategy);
        assert_eq!(of(5000), of(300), "{strategy:?}");
        assert!(of(5000) <= 60, "twenty of each zone: {strategy:?}");
    }
}

/// How many of 200 decisions of different seeds each host of an empty cluster gets.
fn random_counts(hosts: usize, strategy: &[Criterion]) -> BTreeMap<String, u32> {
    let cluster = cluster_of(hosts);
    let requirement = Requirement {
        reserved: Reserved {
            cpu_units: 256,
            memory_mib: 512,
            ..Reserved::default()
        },
        ..Requirement::default()
    };
    let mut counts = BTreeMap::new();
    for seed in 0..200 {
        let question = Question {
            requirement: &requirement,
            group: "web",
            constraints: &[],
            strategy,
            seed,
        };
        let chosen = choose(&cluster, &question, &|_, _| true).unwrap();
        *counts.entry(chosen.instance.0).or_default() += 1;
    }
    counts
}

#[test]
fn random_chooses_each_host_at_times_and_none_most_times() {
    let zone = Criterion::SpreadAttribute(ZONE.into());
    for strategy in [
        vec![Criterion::Random],
        vec![zone, Criterion::Random],
        vec![Criterion::BinpackCpu, Criterion::Random],
        vec![Criterion::SpreadInstance, Criterion::Random],
    ] {
        for hosts in [2, 9] {
            let counts = random_counts(hosts, &strategy);
            assert_eq!(counts.len(), hosts, "{strategy:?}: {counts:?}");
            let most = counts.values().max().unwrap();
            let share = 200 / hosts as u32;
            assert!(*most <= share + 60, "{strategy:?}: {counts:?}");
        }
    }
}

/// How full a cluster is when it is asked.
#[derive(Clone, Copy, Debug)]
enum Filled {
    No,
    /// Every instance has two tasks of the group, and room for more.
    Half,
    /// As before, and only the last of each zone has room.
    ButThree,
    Wholly,
}

/// What one decision looks at, in nodes of the index.
fn visits_of_one_decision(hosts: usize, filled: Filled, strategy: &[Criterion]) -> u64 {
    let mut cluster = cluster_of(hosts);
    for at in 0..hosts {
        let left = match filled {
            Filled::No => break,
            Filled::Half => 1024,
            Filled::ButThree if at + 3 >= hosts => 256,
            Filled::ButThree | Filled::Wholly => 64 * (at as u32 % 4),
        };
        for (number, group) in ["web", "web", "db"].into_iter().enumerate() {
            let used = if at < hosts / 10 { 0 } else { 4096 - left };
            let hold = Hold {
                group: group.into(),
                is_active: true,
                is_unconfirmed: false,
                size: Amounts {
                    cpu_units: if number == 0 { used } else { 0 },
                    memory_mib: 64 * (1 + at as u32 % 3),
                    gpus: 0,
                    interfaces: 0,
                },
                gpus: Vec::new(),
                tcp: Vec::new(),
                udp: Vec::new(),
            };
            cluster.take(&format!("{at:032x}"), &hold);
        }
    }
    let requirement = Requirement {
        reserved: Reserved {
            cpu_units: 256,
            memory_mib: 512,
            ..Reserved::default()
        },
        ..Requirement::default()
    };
    let question = Question {
        requirement: &requirement,
        group: "web",
        constraints: &[],
        strategy,
        seed: 7,
    };
    let (placement, visits) = visited(|| choose(&cluster, &question, &|_, _| true));
    let expected = !matches!(filled, Filled::Wholly);
    assert_eq!(placement.is_some(), expected, "{filled:?} {strategy:?}");
    visits
}

#[test]
fn a_decision_looks_at_hardly_more_of_5000_instances_than_of_ten() {
    let zone = || Criterion::SpreadAttribute(ZONE.into());
    for filled in [Filled::No, Filled::Half, Filled::ButThree, Filled::Wholly] {
        for strategy in [
            vec![],
            vec![Criterion::BinpackMemory],
            vec![Criterion::BinpackCpu],
            vec![Criterion::SpreadInstance],
            vec![zone(), Criterion::SpreadInstance],
            vec![zone(), Criterion::BinpackMemory],
            vec![Criterion::Random],
        ] {
            let of = |hosts| visits_of_one_decision(hosts, filled, &strategy);
            // What is more is the depth of three trees and the first short ways.
            let (few, many) = (of(10), of(5000));
            assert!(
                many <= few + 120,
                "{filled:?} {strategy:?}: {few}, then {many}"
            );
        }
    }
}

const fn amounts_of(cpu_units: u32, memory_mib: u32) -> Amounts {
    Amounts {
        cpu_units,
        memory_mib,
        gpus: 0,
        interfaces: 0,
    }
}

fn hold_of(group: &str, size: Amounts) -> Hold {
    Hold {
        group: group.into(),
        is_active: true,
        is_unconfirmed: false,
        size,
        gpus: Vec::new(),
        tcp: Vec::new(),
        udp: Vec::new(),
    }
}

/// What else there is while a cluster fills up.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Beside {
    Nothing,
    /// The first half of the instances is full of another group's tasks, and the rest has one of each.
    Crowd,
    /// As before, and more sizes than are minded, none of them smaller than those that come.
    CrowdOfSizes,
}

/// The most that a decision looks at while a cluster fills up with tasks of four sizes and five groups,
/// and while it then stays full, the oldest tasks going.
fn most_visits_while_filling(hosts: usize, beside: Beside, strategy: &[Criterion]) -> u64 {
    let mut cluster = cluster_of(hosts);
    let (amounts, hold) = (amounts_of, hold_of);
    if beside == Beside::CrowdOfSizes {
        for of in (0..50).flat_map(|of| [of; 8]) {
            cluster.take("elsewhere", &hold("other", amounts(2000 + of, 3000 - of)));
        }
    }
    if beside != Beside::Nothing {
        let (all, one) = (amounts(4000, 4000), amounts(0, 1));
        for at in 0..hosts {
            let id = format!("{at:032x}");
            match at % 6 < 3 {
                true => cluster.take(&id, &hold("other", all)),
                false => (0..5).for_each(|of| cluster.take(&id, &hold(&format!("g{of}"), one))),
            }
        }
    }
    let sizes = [(256, 256), (512, 768), (512, 1024), (1024, 1024)];
    let (mut held, mut most) = (std::collections::VecDeque::new(), 0);
    for at in 0..hosts * 16 {
        let (cpu_units, memory_mib) = sizes[at % 4];
        let requirement = Requirement {
            reserved: Reserved {
                cpu_units,
                memory_mib,
                ..Reserved::default()
            },
            ..Requirement::default()
        };
        let group = format!("g{}", at / 4 % 5);
        let question = Question {
            requirement: &requirement,
            group: &group,
            constraints: &[],
            strategy,
            seed: at as u64,
        };
        let instance = loop {
            let (placement, visits) = visited(|| choose(&cluster, &question, &|_, _| true));
            // Before a size has sixteen tasks it may have no set of its own, and then it takes a while.
            most = most.max(if at < 64 + hosts / 16 { 0 } else { visits });
            match placement {
                Some(placement) => break placement.instance.0,
                None => {
                    let (instance, hold): (String, Hold) = held.pop_front().unwrap();
                    cluster.release(&instance, &hold);
                }
            }
        };
        let hold = hold(&group, amounts(cpu_units, memory_mib));
        cluster.take(&instance, &hold);
        held.push_back((instance, hold));
    }
    most
}

#[test]
fn a_decision_looks_at_few_instances_while_a_cluster_fills_up_too() {
    for strategy in [
        vec![],
        vec![Criterion::SpreadInstance],
        vec![
            Criterion::SpreadAttribute(ZONE.into()),
            Criterion::SpreadInstance,
        ],
    ] {
        for beside in [Beside::Nothing, Beside::Crowd, Beside::CrowdOfSizes] {
            let of = |hosts| most_visits_while_filling(hosts, beside, &strategy);
            // Two hundred are more than the ways are long; what is more of 700 is the depth of trees.
            let (few, many) = (of(200), of(700));
            assert!(
                many <= few + 80 && many <= 300,
                "{beside:?} {strategy:?}: {few}, then {many}"
            );
        }
    }
}

/// What each task that is placed costs beside the decision, while jobs of as many sizes come in waves of
/// twenty tasks, each wave gone before the next: the most, and the sum of the last round.
fn visits_of_waves(hosts: usize, sizes: u32, rounds: usize) -> (u64, u64) {
    let mut cluster = cluster_of(hosts);
    let (mut most, mut last) = (0, 0);
    for _ in 0..rounds {
        last = 0;
        for size in 0..sizes {
            let hold = hold_of("wave", amounts_of(100 + size, 200));
            let ids: Vec<String> = (0..20)
                .map(|at| format!("{:032x}", hosts - 1 - at))
                .collect();
            for id in &ids {
                let ((), visits) = visited(|| cluster.take(id, &hold));
                most = most.max(visits);
                last += visits;
            }
            for id in &ids {
                assert_eq!(visited(|| cluster.release(id, &hold)).1, 0);
            }
        }
    }
    (most, last)
}

#[test]
fn a_task_looks_at_a_bounded_part_of_the_cluster_for_those_that_come_after_it() {
    // More sizes than are minded.
    let (most, _) = visits_of_waves(5000, 60, 2);
    assert!((1..=128).contains(&most), "{most}");
    let (_, last) = visits_of_waves(2000, 20, 3);
    assert_eq!(last, 0, "waves that come again find what was made for them");
}
