//! Short runs of many seeds; and that a run replays.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use sim::{Load, Plan, Statistics};

const SEEDS: u64 = 100;

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        minutes: 15,
        load: Load::Everything,
        mutation: None,
    }
}

#[test]
fn no_seed_of_the_first_half_violates_an_invariant() {
    no_seed_violates_an_invariant(0..SEEDS / 2);
}

#[test]
fn no_seed_of_the_second_half_violates_an_invariant() {
    no_seed_violates_an_invariant(SEEDS / 2..SEEDS);
}

fn no_seed_violates_an_invariant(seeds: std::ops::Range<u64>) {
    let mut all = Statistics::default();
    let at_least = (seeds.end - seeds.start) / 10;
    for seed in seeds {
        let outcome = sim::run(plan(seed)).unwrap();
        if let Some(violation) = outcome.violation {
            panic!("seed {seed}: {violation}");
        }
        all = all.plus(outcome.statistics);
    }
    // Faults and load were there at all.
    let counts = [
        all.tasks,
        all.refused,
        all.containers,
        all.server_kills,
        all.agent_kills,
        all.lost,
        all.twice,
        all.hosts_lost,
        all.failed,
        all.services,
        all.deployments,
        all.task_sets,
        all.unhealthy,
        all.interfaces,
        all.syncs,
        all.full_subnets,
    ];
    assert!(counts.iter().all(|count| *count >= at_least), "{all:?}");
    // What needs a rollout at the right stage comes in few of the short runs.
    let rare = [all.rollouts_stopped, all.rollbacks, all.hooks, all.alarmed];
    assert!(rare.iter().all(|count| *count > 0), "{all:?}");
}

#[test]
fn a_seed_replays_to_the_last_step_and_another_differs() {
    let first = sim::run(plan(7)).unwrap();
    assert_eq!(sim::run(plan(7)).unwrap(), first);
    assert_ne!(sim::run(plan(8)).unwrap().trace, first.trace);
}
