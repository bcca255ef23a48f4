//! The machine under random histories.

mod examples;
mod given;
mod host;
mod runs;

use super::machine::Command;
use super::report::Status;
use super::state::TaskState;
use host::{Host, Turn, begin, play, statuses, task_of};
use proptest::prelude::*;
use serde_json::{Value, json};

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        12 => (any::<usize>(), prop::bool::weighted(0.1))
            .prop_map(|(which, fails)| Turn::Answer { which, fails }),
        2 => (any::<usize>(), prop_oneof![Just(0), Just(1), Just(77), Just(137)])
            .prop_map(|(which, exit_code)| Turn::Exit { which, exit_code }),
        1 => Just(Turn::Stop),
        1 => any::<bool>().prop_map(|begun| Turn::KillAgent { begun }),
    ]
}

/// What a container may say: whom it depends on (never one before it, so that there is no cycle), and
/// whether it is started again.
fn container(index: usize) -> impl Strategy<Value = Value> {
    let condition = prop_oneof![
        Just("START"),
        Just("COMPLETE"),
        Just("SUCCESS"),
        Just("HEALTHY")
    ];
    let dependency = (0..index.max(1), condition);
    let dependencies = prop::collection::vec(dependency, 0..if index == 0 { 1 } else { 3 });
    (any::<bool>(), any::<bool>(), 0_u32..30, dependencies).prop_map(
        |(essential, restarts, start_timeout, dependencies)| {
            let one = |(on, condition)| json!({"containerName": format!("c{on}"), "condition": condition});
            let depends_on: Vec<_> = dependencies.into_iter().map(one).collect();
            let health = r#"{"Healthcheck":{"Test":["CMD","x"],"Retries":1}}"#;
            json!({"essential": essential, "startTimeout": start_timeout, "dependsOn": depends_on,
                   "healthCheckType": "docker", "dockerConfig": {"config": health},
                   "restartPolicy": {"enabled": restarts, "ignoredExitCodes": [77],
                                     "restartAttemptPeriod": 4}})
        },
    )
}

fn some_task() -> impl Strategy<Value = TaskState> {
    let mode = prop_oneof![Just("host"), Just("bridge"), Just("none"), Just("awsvpc")];
    let containers = (
        container(0),
        container(1),
        container(2),
        container(3),
        1_usize..5,
    );
    (mode, containers, any::<bool>()).prop_map(|(mode, (a, b, c, d, count), _)| {
        task_of(mode, [a, b, c, d].into_iter().take(count).collect())
    })
}

/// Answers everything and lets every container exit, for the last time.
fn settle(mut state: TaskState, host: &mut Host) -> TaskState {
    for _ in 0..2000 {
        if state.done {
            break;
        }
        let exit = Turn::Exit {
            which: 0,
            exit_code: 77,
        };
        state = play(state, host, &exit);
        // Timers last: they are the deadline of what is asked.
        let is_timer = |c: &Command| matches!(c, Command::SetTimer(..));
        let which = host.asked.iter().position(|c| !is_timer(c)).unwrap_or(0);
        let fails = false;
        state = play(state, host, &Turn::Answer { which, fails });
    }
    state
}

proptest! {
    /// Whether it is told to stop or comes to its end by itself.
    #[test]
    fn every_history_ends_stopped_in_order_with_nothing_left(
        task in some_task(),
        turns in prop::collection::vec(turn(), 0..60),
        is_stopped in any::<bool>(),
    ) {
        let (mut state, mut host) = begin(&task);
        for turn in &turns {
            if host.forgotten {
                break;
            }
            state = play(state, &mut host, turn);
        }
        if is_stopped && !host.forgotten {
            state = play(state, &mut host, &Turn::Stop);
        }
        if !host.forgotten {
            state = settle(state, &mut host);
        }
        prop_assert!(state.done && host.forgotten, "not settled: {state:?} {:?}", host.asked);
        prop_assert!(host.running.is_empty() && host.attached.is_empty());
        prop_assert!(host.bundles.is_empty() && !host.cgroup);
        prop_assert_eq!(host.reported.last().map(|change| change.status), Some(Status::Stopped));
        let order: Vec<Status> = host.reported.iter().map(|change| change.status).collect();
        prop_assert!(order.is_sorted(), "{order:?}");
        for container in &state.containers {
            let seen = statuses(&host.reported, &container.name);
            prop_assert!(seen.is_sorted(), "{seen:?}");
            let runs = seen.iter().filter(|status| **status == Status::Running);
            prop_assert!(runs.count() <= 1, "a further run was reported: {seen:?}");
            prop_assert_eq!(seen.last(), Some(&Status::Stopped));
        }
    }

    /// A state that an agent wrote down is read back whole by the next.
    #[test]
    fn a_state_survives_being_written_down(
        task in some_task(),
        turns in prop::collection::vec(turn(), 0..30),
    ) {
        let (mut state, mut host) = begin(&task);
        for turn in &turns {
            if !host.forgotten {
                state = play(state, &mut host, turn);
            }
        }
        let text = serde_json::to_vec(&state).unwrap();
        prop_assert_eq!(serde_json::from_slice::<TaskState>(&text).unwrap(), state);
    }
}
