//! The machine under random histories: a host that answers in any order, fails anywhere, and an
//! agent that is killed in between.

use super::definition::{Desired, TaskDefinition};
use super::machine::{Command, Event, Timer, step};
use super::report::{Status, TaskChange};
use super::resume::{Found, resume, to_look_for};
use super::state::{ContainerIndex, TaskState};
use aws_types::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A task of `essential.len()` containers.
fn task(mode: &str, essential: &[bool]) -> TaskState {
    let containers: Vec<_> = essential
        .iter()
        .enumerate()
        .map(|(n, essential)| {
            serde_json::json!({"name": format!("c{n}"), "image": "i", "essential": essential,
                               "stopTimeout": 5})
        })
        .collect();
    let json = serde_json::json!({"arn": "arn:aws:ecs:r:0:task/c/abc", "desiredStatus": "RUNNING",
                                  "networkMode": mode, "containers": containers});
    let definition = TaskDefinition::parse(&json).unwrap();
    let ids = (0..essential.len()).map(|n| format!("{n:064}")).collect();
    TaskState::new(&definition, ids, 30_000)
}

/// A host as the machine sees it, and everything that must hold of what it is asked.
#[derive(Debug, Default)]
struct Host {
    now: i64,
    /// Asked and not yet answered.
    asked: Vec<Command>,
    running: BTreeSet<ContainerIndex>,
    ended: BTreeSet<ContainerIndex>,
    attached: BTreeSet<ContainerIndex>,
    bundles: BTreeSet<ContainerIndex>,
    cgroup: bool,
    stop_requested: bool,
    reported: Vec<TaskChange>,
    forgotten: bool,
}

impl Host {
    fn now(&mut self) -> Timestamp {
        self.now += 1;
        Timestamp::from_millis(self.now)
    }

    fn take(&mut self, commands: Vec<Command>) {
        for command in commands {
            assert!(!self.forgotten, "nothing follows Forget: {command:?}");
            match &command {
                Command::Start(_) => assert!(!self.stop_requested, "started after the stop"),
                Command::Signal(..) => continue,
                Command::Forget => {
                    self.forgotten = true;
                    continue;
                }
                Command::Submit(change) => {
                    let under_way = self.asked.iter().any(|c| matches!(c, Command::Submit(_)));
                    assert!(!under_way, "two reports at once");
                    if change.status == Status::Stopped {
                        assert!(self.running.is_empty(), "STOPPED while a container runs");
                        assert!(self.attached.is_empty(), "STOPPED while ports are held");
                    }
                }
                _ => {}
            }
            self.asked.push(command);
        }
    }

    /// Answers one request; `fails` where it can fail.
    fn answer(&mut self, which: usize, fails: bool) -> Event {
        let command = self.asked.remove(which % self.asked.len());
        match command {
            Command::MakeCgroup if fails => {
                self.cgroup = true;
                Event::CgroupFailed("ResourceError: a limit was refused".into())
            }
            Command::MakeCgroup => {
                self.cgroup = true;
                Event::CgroupMade
            }
            Command::EnsureImage(container) if fails => {
                Event::ImageFailed(container, "CannotPullContainerError: no".into())
            }
            Command::EnsureImage(container) => Event::ImageReady {
                container,
                digest: None,
                stop_signal: 15,
                pulled: None,
            },
            Command::AttachNetwork(container) if fails => {
                Event::NetworkFailed(container, "CannotStartContainerError: port".into())
            }
            Command::AttachNetwork(container) => {
                self.attached.insert(container);
                Event::NetworkMade(container, Vec::new())
            }
            Command::Start(container) if fails => {
                self.bundles.insert(container);
                Event::StartFailed(container, "CannotStartContainerError: no".into())
            }
            Command::Start(container) => {
                assert!(self.cgroup, "started without a cgroup");
                assert!(self.running.insert(container), "started twice");
                self.bundles.insert(container);
                Event::Started(container)
            }
            Command::SetTimer(timer, _) => Event::TimerFired(timer),
            Command::FinishLogs(container) => Event::LogsFinished(container),
            Command::DetachNetwork(container) => {
                self.attached.remove(&container);
                Event::NetworkGone(container)
            }
            Command::RemoveContainer(container) => {
                self.bundles.remove(&container);
                Event::ContainerGone(container)
            }
            Command::RemoveCgroup => {
                assert!(self.bundles.is_empty(), "cgroup removed around containers");
                self.cgroup = false;
                Event::CgroupGone
            }
            Command::Submit(change) => {
                self.reported.push(change);
                Event::ReportAcknowledged
            }
            Command::Signal(..) | Command::Forget => unreachable!("not answered"),
        }
    }

    fn exit(&mut self, which: usize, exit_code: i32) -> Option<Event> {
        let container = *self.running.iter().nth(which % self.running.len().max(1))?;
        self.running.remove(&container);
        self.ended.insert(container);
        let at = self.now();
        Some(Event::Exited {
            container,
            exit_code: Some(exit_code),
            out_of_memory: exit_code == 137,
            at,
            reason: None,
        })
    }

    /// What is left when the agent is killed: requests are forgotten; what was begun may be done.
    fn agent_is_killed(&mut self, begun: bool) {
        for command in std::mem::take(&mut self.asked) {
            match command {
                Command::Start(container) if begun => {
                    self.running.insert(container);
                    self.bundles.insert(container);
                }
                Command::MakeCgroup if begun => self.cgroup = true,
                Command::DetachNetwork(container) if begun => {
                    self.attached.remove(&container);
                }
                // A report whose acknowledgement was lost comes again, whole: the control plane
                // drops the repeat, so it counts once, when it is acknowledged.
                _ => {}
            }
        }
    }

    fn look(&self, container: ContainerIndex) -> Found {
        if self.running.contains(&container) {
            Found::Running
        } else if self.ended.contains(&container) {
            let at = Timestamp::from_millis(self.now);
            Found::Exited {
                exit_code: Some(0),
                out_of_memory: false,
                at,
                reason: None,
            }
        } else {
            Found::Nothing
        }
    }
}

#[derive(Debug, Clone)]
enum Turn {
    Answer { which: usize, fails: bool },
    Exit { which: usize, exit_code: i32 },
    Stop,
    KillAgent { begun: bool },
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        12 => (any::<usize>(), prop::bool::weighted(0.1))
            .prop_map(|(which, fails)| Turn::Answer { which, fails }),
        2 => (any::<usize>(), prop_oneof![Just(0), Just(1), Just(137)])
            .prop_map(|(which, exit_code)| Turn::Exit { which, exit_code }),
        1 => Just(Turn::Stop),
        1 => any::<bool>().prop_map(|begun| Turn::KillAgent { begun }),
    ]
}

fn play(state: TaskState, host: &mut Host, turn: &Turn) -> TaskState {
    let event = match turn {
        Turn::Answer { .. } if host.asked.is_empty() => return state,
        Turn::Answer { which, fails } => host.answer(*which, *fails),
        Turn::Exit { which, exit_code } => match host.exit(*which, *exit_code) {
            Some(event) => event,
            None => return state,
        },
        Turn::Stop => {
            host.stop_requested = true;
            Event::StopRequested
        }
        Turn::KillAgent { .. } if state.done => return state,
        Turn::KillAgent { begun } => {
            host.agent_is_killed(*begun);
            let found: Vec<_> = to_look_for(&state)
                .into_iter()
                .map(|index| (index, host.look(index)))
                .collect();
            let now = host.now();
            let (next, commands) = resume(&state, &found, now);
            // The network is adopted by what the state keeps: the rest is swept.
            host.attached
                .retain(|index| next.containers[*index].network.is_owed_removal());
            host.take(commands);
            return next;
        }
    };
    let now = host.now();
    let (next, commands) = step(&state, event, now);
    host.take(commands);
    next
}

/// Stops the task, answers everything, lets every container exit.
fn settle(mut state: TaskState, host: &mut Host) -> TaskState {
    state = play(state, host, &Turn::Stop);
    for _ in 0..1000 {
        if state.done {
            break;
        }
        state = play(
            state,
            host,
            &Turn::Exit {
                which: 0,
                exit_code: 143,
            },
        );
        // Timers last: they are the deadline of what is asked.
        let is_timer = |c: &Command| matches!(c, Command::SetTimer(..));
        let which = host.asked.iter().position(|c| !is_timer(c)).unwrap_or(0);
        state = play(
            state,
            host,
            &Turn::Answer {
                which,
                fails: false,
            },
        );
    }
    state
}

/// Each container's statuses as the control plane sees them.
fn statuses(reported: &[TaskChange], name: &str) -> Vec<Status> {
    let changes = reported.iter().flat_map(|change| &change.containers);
    changes
        .filter(|change| change.name == name)
        .map(|change| change.status)
        .collect()
}

proptest! {
    #[test]
    fn every_history_ends_stopped_in_order_with_nothing_left(
        mode in prop_oneof![Just("host"), Just("bridge"), Just("none")],
        essential in prop::collection::vec(any::<bool>(), 1..4),
        turns in prop::collection::vec(turn(), 0..60),
    ) {
        let mut host = Host::default();
        let state = task(mode, &essential);
        let now = host.now();
        let (mut state, commands) = step(&state, Event::Begin, now);
        host.take(commands);
        for turn in &turns {
            if host.forgotten {
                break;
            }
            state = play(state, &mut host, turn);
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
            prop_assert_eq!(seen.last(), Some(&Status::Stopped));
        }
    }
}

/// Answers everything but timers until nothing is asked.
fn quiet(mut state: TaskState, host: &mut Host) -> TaskState {
    while let Some(which) = host
        .asked
        .iter()
        .position(|c| !matches!(c, Command::SetTimer(..)))
    {
        state = play(
            state,
            host,
            &Turn::Answer {
                which,
                fails: false,
            },
        );
    }
    state
}

fn running(mode: &str, essential: &[bool]) -> (TaskState, Host) {
    let mut host = Host::default();
    let (state, commands) = step(&task(mode, essential), Event::Begin, Timestamp::EPOCH);
    host.take(commands);
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
    let (state, mut host) = running("host", &[true, false, false]);
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
    let (state, mut host) = running("none", &[true]);
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
        let mut host = Host::default();
        let (mut state, commands) = step(&task("host", &[true]), Event::Begin, Timestamp::EPOCH);
        host.take(commands);
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
