//! The simulator finds bugs that are there: each is planted, and some of few seeds shows it.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use sim::{Load, Mutation, Plan, Violation, Wake};

const SEEDS: u64 = 40;

/// The first violation of these seeds, and that it comes again at the same step.
fn found(mutation: Mutation) -> Violation {
    let plan = |seed| Plan {
        seed,
        minutes: 30,
        load: Load::Everything,
        mutation: Some(mutation),
    };
    let mut outcomes = (0..SEEDS).map(|seed| (seed, sim::run(plan(seed)).unwrap()));
    let (seed, first) = outcomes
        .find(|(_, outcome)| outcome.violation.is_some())
        .unwrap_or_else(|| panic!("{mutation:?} was not found in {SEEDS} seeds"));
    assert_eq!(sim::run(plan(seed)).unwrap(), first, "it does not replay");
    first.violation.unwrap()
}

#[test]
fn two_placements_from_one_stale_snapshot_are_found() {
    let violation = found(Mutation::DoublePlacement);
    assert_eq!(violation.invariant, 2, "{violation}");
}

#[test]
fn a_report_of_stopped_that_was_not_applied_is_found() {
    let violation = found(Mutation::ForgottenRelease);
    assert_eq!(violation.invariant, 1, "{violation}");
}

#[test]
fn an_acknowledgement_before_its_task_was_kept_is_found() {
    let violation = found(Mutation::LostAcknowledgement);
    assert_eq!(violation.invariant, 1, "{violation}");
}

#[test]
fn writes_of_a_request_that_failed_are_found() {
    let violation = found(Mutation::KeptRefusal);
    assert_eq!(violation.invariant, 1, "{violation}");
}

#[test]
fn a_service_that_stops_its_old_tasks_too_early_is_found() {
    let violation = found(Mutation::HealthyAtOnce);
    assert_eq!(violation.invariant, 3, "{violation}");
}

#[test]
fn that_a_lost_host_still_runs_its_tasks_and_was_forgotten_is_found() {
    let violation = found(Mutation::ForgottenHost);
    assert_eq!(violation.invariant, 2, "{violation}");
}

#[test]
fn a_scheduler_that_is_not_woken_is_found() {
    for wake in [Wake::Task, Wake::Instance, Wake::Service, Wake::Time] {
        let violation = found(Mutation::MissedWake(wake));
        assert_eq!(violation.invariant, 9, "{wake:?}: {violation}");
        assert!(
            violation.what.starts_with("nothing woke service"),
            "{wake:?}: {violation}"
        );
    }
}
