//! Single histories that say what each rule means.

use super::host::{Host, Turn, begin, play, quiet, statuses, task, task_of};
use crate::task::definition::Desired;
use crate::task::health::HealthStatus;
use crate::task::machine::{Command, Event, Timer, step};
use crate::task::report::Status;
use crate::task::resume::{Found, resume};
use crate::task::state::{Run, TaskState};
use aws_types::Timestamp;
use serde_json::json;

fn running(task: &TaskState) -> (TaskState, Host) {
    let (state, mut host) = begin(task);
    (quiet(state, &mut host), host)
}

#[test]
fn image_network_and_cgroup_are_asked_for_at_once() {
    let (_, commands) = step(&task("bridge", &[true]), Event::Begin, Timestamp::EPOCH);
    let expected = [
        Command::MakeCgroup,
        Command::EnsureImage(0),
        Command::AttachNetwork(0),
    ];
    assert_eq!(commands, expected);
}

#[test]
fn an_essential_exit_stops_the_others_and_a_non_essential_one_does_not() {
    let (state, mut host) = running(&task("host", &[true, false, false]));
    assert_eq!(host.reported.last().unwrap().status, Status::Running);
    host.running.remove(&2);
    let at = Timestamp::from_millis(9);
    let exited = |container| Event::Exited {
        container,
        exit_code: Some(3),
        out_of_memory: false,
        at,
        reason: None,
    };
    let (state, commands) = step(&state, exited(2), at);
    assert!(!commands.iter().any(|c| matches!(c, Command::Signal(..))));
    assert_eq!(state.desired, Desired::Running);
    let (state, commands) = step(&state, exited(0), at);
    assert!(commands.contains(&Command::Signal(1, 15)));
    let due = Timestamp::from_millis(9 + 5_000);
    assert!(commands.contains(&Command::SetTimer(Timer::Kill(1), due)));
    assert_eq!(state.execution_stopped_at, Some(at));
    let (_, commands) = step(&state, Event::TimerFired(Timer::Kill(1)), due);
    assert_eq!(commands[0], Command::Signal(1, 9));
}

#[test]
fn out_of_memory_is_told_with_its_code() {
    let (state, mut host) = running(&task("none", &[true]));
    let state = play(
        state,
        &mut host,
        &Turn::Exit {
            which: 0,
            exit_code: 137,
        },
    );
    quiet(state, &mut host);
    let last = host.reported.last().unwrap();
    assert_eq!(last.status, Status::Stopped);
    assert_eq!(last.containers[0].exit_code, Some(137));
    let words = "OutOfMemoryError: Container killed due to memory usage";
    assert_eq!(last.containers[0].reason.as_deref(), Some(words));
}

#[test]
fn a_failed_pull_has_no_runtime_id_and_a_failed_start_has_one_without_exit_code() {
    for (failing, has_runtime_id) in [("pull", false), ("start", true)] {
        let (mut state, mut host) = begin(&task("host", &[true]));
        while let Some(command) = host.asked.first() {
            let fails = match command {
                Command::EnsureImage(_) => failing == "pull",
                Command::Start(_) => failing == "start",
                _ => false,
            };
            state = play(state, &mut host, &Turn::Answer { which: 0, fails });
        }
        let change = &host.reported.last().unwrap().containers[0];
        assert_eq!(change.runtime_id.is_some(), has_runtime_id, "{failing}");
        assert_eq!(change.exit_code, None);
        assert!(change.reason.is_some());
        assert!(state.done);
    }
}

#[test]
fn an_unknown_task_that_is_to_be_stopped_is_reported_stopped() {
    let mut state = task("host", &[true]);
    state.desired = Desired::Stopped;
    let (_, commands) = step(&state, Event::Begin, Timestamp::EPOCH);
    let [Command::Submit(change)] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(change.status, Status::Stopped);
    assert_eq!(change.containers[0].runtime_id, None);
}

/// `waits` (c1) depends on c0 by `condition`; c0 is not essential and others wait 10 s for it.
fn pair(condition: &str) -> TaskState {
    let health = r#"{"Healthcheck":{"Test":["CMD","x"],"Retries":1}}"#;
    task_of(
        "host",
        vec![
            json!({"essential": false, "startTimeout": 10, "healthCheckType": "docker",
                   "dockerConfig": {"config": health}}),
            json!({"essential": true,
                   "dependsOn": [{"containerName": "c0", "condition": condition}]}),
        ],
    )
}

fn exits(state: TaskState, host: &mut Host, exit_code: i32) -> TaskState {
    let which = 0;
    let state = play(state, host, &Turn::Exit { which, exit_code });
    quiet(state, host)
}

fn asked(host: &Host, wanted: impl Fn(&Command) -> bool) -> usize {
    host.asked
        .iter()
        .position(wanted)
        .expect("it was asked for")
}

#[test]
fn a_container_starts_when_its_condition_is_met_and_the_task_runs_then() {
    for (condition, exit_code, is_checked) in [
        ("START", None, false),
        ("COMPLETE", Some(9), false),
        ("SUCCESS", Some(0), false),
        ("HEALTHY", None, true),
    ] {
        let (mut state, mut host) = begin(&pair(condition));
        assert_eq!(
            host.asked
                .iter()
                .filter(|c| matches!(c, Command::EnsureImage(_)))
                .count(),
            2
        );
        state = quiet(state, &mut host);
        let first = host.reported.first().map(|change| change.status);
        if condition != "START" {
            assert!(!host.running.contains(&1), "{condition}");
            assert_eq!(first, Some(Status::Pending), "{condition}");
        }
        if let Some(exit_code) = exit_code {
            state = exits(state, &mut host, exit_code);
        }
        if is_checked {
            let which = asked(&host, |c| matches!(c, Command::CheckHealth { .. }));
            let fails = false;
            state = play(state, &mut host, &Turn::Answer { which, fails });
            assert_eq!(
                state.containers[0].health.as_ref().unwrap().status,
                HealthStatus::Healthy
            );
            quiet(state, &mut host);
        }
        assert!(host.running.contains(&1), "{condition}");
        let last = host.reported.last().map(|change| change.status);
        assert_eq!(last, Some(Status::Running), "{condition}");
    }
}

/// What the task's end says of c1: reason and exit code.
fn end_of_waiter(host: &Host) -> (String, Option<i32>, Option<String>) {
    let change = host.reported.iter().flat_map(|change| &change.containers);
    let end = change.filter(|c| c.name == "c1").next_back().unwrap();
    assert_eq!(end.status, Status::Stopped);
    (
        end.reason.clone().unwrap(),
        end.exit_code,
        end.runtime_id.clone(),
    )
}

#[test]
fn what_can_never_be_ends_the_waiter_in_the_public_agents_words() {
    let failed = "CannotStartContainerError: dependency graph: failed to resolve container ordering dependency";
    let target = "for target [c1(i) (NONE->RUNNING)]";
    for (condition, exit_code) in [("SUCCESS", 3), ("HEALTHY", 3)] {
        let (state, mut host) = running(&pair(condition));
        let state = exits(state, &mut host, exit_code);
        let reason = format!(
            "{failed} [c0(i) (STOPPED->RUNNING) - Exit: 3] {target} as dependency did not exit successfully."
        );
        assert_eq!(end_of_waiter(&host), (reason, Some(143), None));
        assert_eq!(state.desired, Desired::Stopped, "an essential one");
    }
    for condition in ["START", "COMPLETE", "SUCCESS", "HEALTHY"] {
        let (state, mut host) = begin(&pair(condition));
        let which = asked(&host, |c| *c == Command::EnsureImage(0));
        let fails = true;
        let state = play(state, &mut host, &Turn::Answer { which, fails });
        quiet(state, &mut host);
        let reason = format!(
            "{failed} [c0(i) (STOPPED->RUNNING)] {target} because dependency will never start"
        );
        assert_eq!(
            end_of_waiter(&host),
            (reason, Some(143), None),
            "{condition}"
        );
    }
}

#[test]
fn who_is_waited_for_too_long_ends_the_waiting() {
    for condition in ["COMPLETE", "SUCCESS", "HEALTHY"] {
        let (state, mut host) = running(&pair(condition));
        let started = state.containers[0].started_at.unwrap();
        let due = Timestamp::from_millis(started.millis() + 10_000);
        let timer = Timer::StartTimeout(0);
        asked(&host, |c| *c == Command::SetTimer(timer, due));
        let before = Timestamp::from_millis(due.millis() - 1);
        let (state, commands) = step(&state, Event::TimerFired(timer), before);
        assert_eq!(commands, []);
        let (state, commands) = step(&state, Event::TimerFired(timer), due);
        host.take(commands);
        let state = exits(state, &mut host, 143);
        let reason = "CannotStartContainerError: dependency graph: container ordering dependency \
                      [c0(i) (RUNNING->RUNNING)] for target [c1(i) (NONE->RUNNING)] has timed out.";
        assert_eq!(end_of_waiter(&host), (reason.into(), Some(143), None));
        assert!(state.stop_reported);
    }
    let (_, host) = running(&pair("START"));
    let is_timer = |c: &&Command| matches!(c, Command::SetTimer(Timer::StartTimeout(_), _));
    assert_eq!(
        host.asked.iter().find(is_timer),
        None,
        "nobody waits for it"
    );
}

#[test]
fn containers_stop_in_the_reverse_order() {
    let on = |name: &str| json!({"dependsOn": [{"containerName": name, "condition": "START"}]});
    let (state, mut host) = running(&task_of("host", vec![json!({}), on("c0"), on("c1")]));
    let mut state = play(state, &mut host, &Turn::Stop);
    for last in [2, 1, 0] {
        let stopping =
            |(_, c): &(usize, &crate::task::state::ContainerState)| c.run == Run::Stopping;
        let found: Vec<_> = state
            .containers
            .iter()
            .enumerate()
            .filter(stopping)
            .map(|(n, _)| n)
            .collect();
        assert_eq!(found, [last]);
        let exit_code = 0;
        state = play(
            state,
            &mut host,
            &Turn::Exit {
                which: last,
                exit_code,
            },
        );
    }
}

#[test]
fn a_cycle_stops_the_task_before_anything_is_made() {
    let on = |name: &str| json!({"dependsOn": [{"containerName": name, "condition": "START"}]});
    let (state, mut host) = begin(&task_of("host", vec![on("c1"), on("c0")]));
    quiet(state, &mut host);
    let [change] = &host.reported[..] else {
        panic!("{:?}", host.reported)
    };
    assert_eq!(change.status, Status::Stopped);
    let arn = "arn:aws:ecs:r:0:task/c/abc";
    assert_eq!(
        change.reason,
        format!("Task dependencies cannot be resolved, taskArn: {arn}")
    );
}

/// A container that is started again after a run of a second, unless it ended with 77.
fn restarting() -> TaskState {
    let policy = json!({"enabled": true, "restartAttemptPeriod": 1, "ignoredExitCodes": [77]});
    let health = r#"{"Healthcheck":{"Test":["CMD","x"],"Retries":1}}"#;
    let container = json!({"essential": true, "restartPolicy": policy, "healthCheckType": "docker",
                           "dockerConfig": {"config": health}});
    task_of("bridge", vec![container])
}

#[test]
fn a_further_run_is_unseen_and_an_ignored_code_ends_the_container() {
    let (state, mut host) = running(&restarting());
    let state = exits(state, &mut host, 3);
    assert_eq!(
        (&state.containers[0].run, state.containers[0].restarts),
        (&Run::Running, 1)
    );
    assert!(host.running.contains(&0) && host.attached.contains(&0));
    exits(state, &mut host, 77);
    assert_eq!(
        statuses(&host.reported, "c0"),
        [Status::Running, Status::Stopped]
    );
    let end = host.reported.last().unwrap().containers.last().unwrap();
    assert_eq!(end.exit_code, Some(77));
}

#[test]
fn a_stop_between_two_runs_keeps_the_code_of_the_last() {
    let (state, mut host) = running(&restarting());
    let state = play(
        state,
        &mut host,
        &Turn::Exit {
            which: 0,
            exit_code: 3,
        },
    );
    assert_eq!(state.containers[0].run, Run::Restarting { clearing: true });
    let state = play(state, &mut host, &Turn::Stop);
    assert_eq!(
        state.containers[0].run,
        Run::Restarting { clearing: true },
        "under way"
    );
    quiet(state, &mut host);
    let end = host.reported.last().unwrap().containers.last().unwrap();
    assert_eq!((end.status, end.exit_code), (Status::Stopped, Some(3)));
}

#[test]
fn an_earlier_runs_check_says_nothing_of_the_next() {
    let (state, mut host) = running(&restarting());
    let which = asked(&host, |c| matches!(c, Command::CheckHealth { .. }));
    let early = host.asked.remove(which);
    let state = exits(state, &mut host, 3);
    host.asked.insert(0, early);
    let state = play(
        state,
        &mut host,
        &Turn::Answer {
            which: 0,
            fails: false,
        },
    );
    assert_eq!(
        state.containers[0].health.as_ref().unwrap().status,
        HealthStatus::Unknown
    );
    let which = asked(&host, |c| matches!(c, Command::CheckHealth { .. }));
    let state = play(
        state,
        &mut host,
        &Turn::Answer {
            which,
            fails: false,
        },
    );
    assert_eq!(
        state.containers[0].health.as_ref().unwrap().status,
        HealthStatus::Healthy
    );
}

/// A run that began when the agent was killed, and ended after long enough, is followed by another.
#[test]
fn a_run_that_no_agent_saw_begin_counts_with_its_own_length() {
    let (state, mut host) = running(&restarting());
    let state = play(
        state,
        &mut host,
        &Turn::Exit {
            which: 0,
            exit_code: 3,
        },
    );
    let which = asked(&host, |c| *c == Command::Clear(0));
    let state = play(
        state,
        &mut host,
        &Turn::Answer {
            which,
            fails: false,
        },
    );
    assert_eq!(state.containers[0].run, Run::Starting);
    let exited = |started_ms| Found::Exited {
        started_at: Some(Timestamp::from_millis(started_ms)),
        exit_code: Some(3),
        out_of_memory: false,
        at: Timestamp::from_millis(60_000),
        reason: None,
    };
    let now = Timestamp::from_millis(61_000);
    let (next, _) = resume(&state, &[(0, exited(59_000))], now);
    assert_eq!(next.containers[0].run, Run::Restarting { clearing: true });
    let (next, _) = resume(&state, &[(0, exited(59_500))], now);
    assert!(next.containers[0].is_ended());
    let (next, commands) = resume(&state, &[(0, Found::Nothing)], now);
    assert_eq!(next.containers[0].run, Run::Restarting { clearing: true });
    assert!(commands.contains(&Command::Clear(0)));
}
