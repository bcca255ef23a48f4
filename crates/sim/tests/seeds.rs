//! Short runs of many seeds; and that a run replays.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use sim::{Load, Plan, Statistics};
use std::ops::Range;

/// Runs in which what comes late comes too.
const LONG_MINUTES: u64 = 15;
/// Of others there can be more.
const SHORT_MINUTES: u64 = 6;

fn plan(seed: u64, minutes: u64) -> Plan {
    Plan {
        seed,
        minutes,
        load: Load::Everything,
        mutation: None,
    }
}

// Three hundred seeds, in parts that run beside each other.
#[test]
fn no_seed_below_50_violates_an_invariant() {
    long_runs(0..50);
}

#[test]
fn no_seed_from_50_on_violates_an_invariant() {
    long_runs(50..100);
}

#[test]
fn no_seed_from_100_on_violates_an_invariant() {
    short_runs(100..150);
}

#[test]
fn no_seed_from_150_on_violates_an_invariant() {
    short_runs(150..200);
}

#[test]
fn no_seed_from_200_on_violates_an_invariant() {
    short_runs(200..250);
}

#[test]
fn no_seed_from_250_on_violates_an_invariant() {
    short_runs(250..300);
}

fn long_runs(seeds: Range<u64>) {
    let at_least = (seeds.end - seeds.start) / 10;
    let all = no_seed_violates_an_invariant(seeds, LONG_MINUTES);
    had(&all, at_least);
    // What needs a rollout at the right stage comes in few of the short runs.
    let rare = [all.rollouts_stopped, all.rollbacks, all.hooks, all.alarmed];
    assert!(rare.iter().all(|count| *count > 0), "{all:?}");
}

fn short_runs(seeds: Range<u64>) {
    let all = no_seed_violates_an_invariant(seeds, SHORT_MINUTES);
    had(&all, 1);
}

fn no_seed_violates_an_invariant(seeds: Range<u64>, minutes: u64) -> Statistics {
    let mut all = Statistics::default();
    for seed in seeds {
        let outcome = sim::run(plan(seed, minutes)).unwrap();
        if let Some(violation) = outcome.violation {
            panic!("seed {seed}: {violation}");
        }
        all = all.plus(outcome.statistics);
    }
    all
}

/// Faults and load were there at all.
fn had(all: &Statistics, at_least: u64) {
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
}

/// A task that was asked to stop came of age, and its task set's starts were held back no more: a plan
/// that no moment had been named for.
#[test]
fn a_task_set_waits_for_no_task_that_stops() {
    assert_eq!(sim::run(plan(133, 8)).unwrap().violation, None);
}

#[test]
fn a_seed_replays_to_the_last_step_and_another_differs() {
    let plan = |seed| plan(seed, LONG_MINUTES);
    let first = sim::run(plan(7)).unwrap();
    assert_eq!(sim::run(plan(7)).unwrap(), first);
    assert_ne!(sim::run(plan(8)).unwrap().trace, first.trace);
}
