//! Single histories of containers that are started again.

use super::host::{Turn, asked, exits, play, quiet, running, statuses, task_of};
use crate::task::health::HealthStatus;
use crate::task::machine::Command;
use crate::task::report::Status;
use crate::task::resume::{Found, resume};
use crate::task::state::{Run, TaskState};
use aws_types::Timestamp;
use serde_json::json;

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
