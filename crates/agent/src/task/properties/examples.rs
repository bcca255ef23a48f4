//! Single histories that say what each rule means.

use super::host::{Host, Turn, asked, begin, exits, play, quiet, running, task, task_of};
use crate::task::deadline::START_TIMED_OUT;
use crate::task::definition::Desired;
use crate::task::health::HealthStatus;
use crate::task::machine::{Command, Event, Timer, step};
use crate::task::report::Status;
use crate::task::state::{Run, TaskState};
use aws_types::Timestamp;
use serde_json::json;

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

/// Semantics 4.3: three minutes, and the public agent's words.
#[test]
fn a_start_without_an_answer_is_given_up_after_three_minutes() {
    let (state, mut host) = begin(&task("host", &[true]));
    let mut state = state;
    // All but the start is answered.
    let is_open = |c: &Command| matches!(c, Command::Start(_) | Command::SetTimer(..));
    while let Some(which) = host.asked.iter().position(|c| !is_open(c)) {
        let fails = false;
        state = play(state, &mut host, &Turn::Answer { which, fails });
    }
    let due = state.containers[0].start_due.unwrap();
    assert_eq!(due, Timestamp::from_millis(host.now + 180_000));
    let fired = Event::TimerFired(Timer::Start(0));
    // An earlier run's timer says nothing of this start.
    let (same, commands) = step(&state, fired.clone(), Timestamp::from_millis(host.now + 1));
    assert_eq!((same, commands), (state.clone(), vec![]));
    let (state, commands) = step(&state, fired.clone(), due);
    assert_eq!(commands, [Command::GiveUpStart(0)]);
    let failed = Event::StartFailed(0, START_TIMED_OUT.into());
    let (ended, commands) = step(&state, failed, due);
    assert!(commands.contains(&Command::FinishLogs(0)));
    let Run::Ended(end) = &ended.containers[0].run else {
        panic!("not ended")
    };
    let words = "DockerTimeoutError: Could not transition to started; timed out after waiting 3m0s";
    assert_eq!((end.exit_code, end.reason.as_deref()), (None, Some(words)));
    // One that began at the last moment runs on.
    let (runs, _) = step(&state, Event::Started(0, due), due);
    let (_, commands) = step(&runs, fired, due);
    assert_eq!(commands, []);
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
    let words = "TaskStoppedBeforePullBeginError: Task stopped before image pull could begin for task: arn:aws:ecs:r:0:task/c/abc";
    assert_eq!(change.containers[0].reason.as_deref(), Some(words));
}

#[test]
fn a_task_that_is_stopped_while_its_image_comes_gives_no_reason() {
    let (state, mut host) = begin(&task("host", &[true]));
    let state = play(state, &mut host, &Turn::Stop);
    quiet(state, &mut host);
    let last = host.reported.last().unwrap();
    assert_eq!(
        (last.status, &last.containers[0].reason),
        (Status::Stopped, &None)
    );
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
    let mut change = host.reported.iter().flat_map(|change| &change.containers);
    let end = change.rfind(|c| c.name == "c1").unwrap();
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
