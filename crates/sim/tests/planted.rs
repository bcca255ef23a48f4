//! The simulator finds bugs that are there: each is planted, and some of few seeds shows it.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use sim::{Load, Mutation, Plan, Violation, Wake};

const SEEDS: u64 = 40;

/// The first violation of these seeds, and that it comes again at the same step.
fn found(mutation: Mutation) -> Violation {
    found_under(Load::Everything, mutation)
}

/// The same where users do nothing but change services.
fn found_among_services(mutation: Mutation) -> Violation {
    found_under(Load::Services, mutation)
}

fn found_under(load: Load, mutation: Mutation) -> Violation {
    let seeds = SEEDS;
    let plan = |seed| Plan {
        seed,
        minutes: 30,
        load,
        mutation: Some(mutation),
    };
    let mut outcomes = (0..seeds).map(|seed| (seed, sim::run(plan(seed)).unwrap()));
    let (seed, first) = outcomes
        .find(|(_, outcome)| outcome.violation.is_some())
        .unwrap_or_else(|| panic!("{mutation:?} was not found in {seeds} seeds"));
    assert_eq!(sim::run(plan(seed)).unwrap(), first, "it does not replay");
    first.violation.unwrap()
}

#[test]
fn two_placements_from_one_stale_snapshot_are_found() {
    // Room or an address is given twice.
    let violation = found(Mutation::DoublePlacement);
    assert!([2, 5].contains(&violation.invariant), "{violation}");
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
fn a_host_that_is_told_to_stop_what_still_gets_requests_is_found() {
    let violation = found(Mutation::TargetForgotten);
    assert!(violation.what.contains("is still a target"), "{violation}");
}

#[test]
fn tasks_that_run_and_have_no_name_are_found() {
    let violation = found(Mutation::Nameless);
    assert!(violation.what.starts_with("names lead to"), "{violation}");
}

#[test]
fn that_a_lost_host_still_runs_its_tasks_and_was_forgotten_is_found() {
    let violation = found(Mutation::ForgottenHost);
    assert!([2, 5].contains(&violation.invariant), "{violation}");
}

#[test]
fn a_scheduler_that_is_not_woken_is_found() {
    for wake in [
        Wake::Task,
        Wake::Instance,
        Wake::Service,
        Wake::Alarm,
        Wake::Time,
    ] {
        let violation = found_among_services(Mutation::MissedWake(wake));
        assert_eq!(violation.invariant, 9, "{wake:?}: {violation}");
        assert!(
            violation.what.starts_with("nothing woke service"),
            "{wake:?}: {violation}"
        );
    }
}

#[test]
fn addresses_of_a_lost_host_that_are_given_again_too_early_are_found() {
    let violation = found(Mutation::FreedWhenLost);
    assert_eq!(violation.invariant, 5, "{violation}");
}

#[test]
fn an_interface_that_is_said_to_be_gone_and_is_not_is_found() {
    let violation = found(Mutation::SaidGoneTooEarly);
    assert_eq!(violation.invariant, 5, "{violation}");
}

#[test]
fn a_device_that_a_killed_agent_had_only_begun_and_that_stays_is_found() {
    let violation = found(Mutation::AdoptedAll);
    assert_eq!(violation.invariant, 5, "{violation}");
}

#[test]
fn rows_that_are_not_taken_back_are_found() {
    let violation = found(Mutation::KeptRows);
    assert_eq!(violation.invariant, 5, "{violation}");
}

#[test]
fn a_change_that_no_host_hears_of_is_found() {
    let violation = found(Mutation::UntoldRules);
    assert_eq!(violation.invariant, 9, "{violation}");
    assert!(
        violation.what.starts_with("nothing made host"),
        "{violation}"
    );
}

#[test]
fn a_grace_period_that_is_ignored_is_found() {
    let violation = found_among_services(Mutation::GraceIgnored);
    assert_eq!(violation.invariant, 3, "{violation}");
}

#[test]
fn a_task_set_above_its_share_is_found() {
    let violation = found_among_services(Mutation::ScaledTwice);
    assert_eq!(violation.invariant, 3, "{violation}");
}

#[test]
fn a_task_set_that_is_gone_before_its_tasks_is_found() {
    let violation = found_among_services(Mutation::ForgottenSet);
    assert_eq!(violation.invariant, 4, "{violation}");
}

#[test]
fn a_rollback_that_does_not_come_is_found() {
    let violation = found_among_services(Mutation::NoRollback);
    assert_eq!(violation.invariant, 3, "{violation}");
    assert!(violation.what.contains("rolled back"), "{violation}");
}

#[test]
fn a_protected_task_that_is_stopped_is_found() {
    let violation = found_among_services(Mutation::ProtectionIgnored);
    assert_eq!(violation.invariant, 3, "{violation}");
    assert!(violation.what.contains("is protected"), "{violation}");
}

#[test]
fn tasks_that_are_not_spread_by_the_weights_are_found() {
    let violation = found_among_services(Mutation::WeightsExchanged);
    assert_eq!(violation.invariant, 3, "{violation}");
    assert!(violation.what.contains("by their weights"), "{violation}");
}

#[test]
fn a_trouble_that_is_told_without_end_is_found() {
    let violation = found_among_services(Mutation::ForgottenTellings);
    assert_eq!(violation.invariant, 9, "{violation}");
    assert!(violation.what.contains("again and again"), "{violation}");
}

#[test]
fn a_hook_that_holds_nothing_up_is_found() {
    let violation = found_among_services(Mutation::HooksPassed);
    assert_eq!(violation.invariant, 3, "{violation}");
    assert!(violation.what.contains("open hook"), "{violation}");
}

#[test]
fn a_stop_of_a_deployment_that_nobody_obeys_is_found() {
    let violation = found_among_services(Mutation::StopIgnored);
    assert_eq!(violation.invariant, 9, "{violation}");
    assert!(violation.what.contains("not obeyed"), "{violation}");
}

#[test]
fn an_alarm_that_ends_no_deployment_is_found() {
    let violation = found_among_services(Mutation::AlarmIgnored);
    assert_eq!(violation.invariant, 3, "{violation}");
    assert!(violation.what.contains("alarm"), "{violation}");
}

#[test]
fn a_service_above_its_maximum_is_found() {
    let violation = found_among_services(Mutation::MaximumDoubled);
    assert_eq!(violation.invariant, 3, "{violation}");
    assert!(violation.what.contains("started beside"), "{violation}");
    assert!(violation.what.contains("at most"), "{violation}");
}

#[test]
fn a_second_task_of_a_daemon_on_one_instance_is_found() {
    let violation = found_among_services(Mutation::TakenSeat);
    assert_eq!(violation.invariant, 3, "{violation}");
    let what = "started where one of its tasks is";
    assert!(violation.what.contains(what), "{violation}");
}

#[test]
fn an_agent_that_ignores_a_stop_is_found() {
    let violation = found(Mutation::StopUnheard);
    assert_eq!(violation.invariant, 4, "{violation}");
    assert!(violation.what.contains("nobody wants it"), "{violation}");
}
