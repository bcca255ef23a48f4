//! A host that answers in any order and fails anywhere, and an agent that is killed in between.

pub use super::given::{task, task_of};
use crate::task::definition::Condition;
use crate::task::health::Probe;
use crate::task::machine::{Command, Event, step};
use crate::task::report::{Status, TaskChange};
use crate::task::resume::{Found, resume, to_look_for};
use crate::task::state::{ContainerIndex, DependsOn, TaskState};
use aws_types::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A host as the machine sees it, and everything that must hold of what it is asked.
#[derive(Debug, Default)]
pub struct Host {
    pub now: i64,
    /// Who waits for whom.
    pub depends_on: Vec<(ContainerIndex, DependsOn)>,
    /// Asked and not yet answered.
    pub asked: Vec<Command>,
    pub running: BTreeSet<ContainerIndex>,
    /// Every container that ran.
    pub ran: BTreeSet<ContainerIndex>,
    /// Ended and not cleared away, by exit code.
    pub ended: BTreeMap<ContainerIndex, i32>,
    pub healthy: BTreeSet<ContainerIndex>,
    pub attached: BTreeSet<ContainerIndex>,
    /// The task has one, and it is there.
    pub interface: bool,
    pub needs_interface: bool,
    pub bundles: BTreeSet<ContainerIndex>,
    pub cgroup: bool,
    pub stop_requested: bool,
    pub reported: Vec<TaskChange>,
    pub forgotten: bool,
}

impl Host {
    /// Each event takes a second.
    pub fn now(&mut self) -> Timestamp {
        self.now += 1000;
        Timestamp::from_millis(self.now)
    }

    pub fn take(&mut self, commands: Vec<Command>) {
        for command in commands {
            assert!(!self.forgotten, "nothing follows Forget: {command:?}");
            match &command {
                Command::Start(container) => {
                    assert!(!self.stop_requested, "started after the stop");
                    self.check_order_of_start(*container);
                }
                Command::Signal(container, _) => {
                    let on = *container;
                    let mut others = self.depends_on.iter().filter(|(_, d)| d.on == on);
                    let late = others.find(|(other, _)| self.running.contains(other));
                    assert_eq!(late, None, "stopped before who depends on it");
                    continue;
                }
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
                        assert!(!self.interface, "STOPPED while the address is held");
                    }
                }
                _ => {}
            }
            self.asked.push(command);
        }
    }

    fn check_order_of_start(&self, container: ContainerIndex) {
        // A further run waits for nobody.
        if self.ran.contains(&container) {
            return;
        }
        for (_, d) in self.depends_on.iter().filter(|(who, _)| *who == container) {
            let is_met = match d.condition {
                Condition::Start => self.ran.contains(&d.on),
                Condition::Complete => self.ended.contains_key(&d.on),
                Condition::Success => self.ended.get(&d.on) == Some(&0),
                Condition::Healthy => self.healthy.contains(&d.on),
            };
            assert!(is_met, "{container} started before its turn: {d:?}");
        }
    }

    /// Answers one request; `fails` where it can fail.
    pub fn answer(&mut self, which: usize, fails: bool) -> Event {
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
            Command::Start(_) | Command::Clear(_) | Command::CheckHealth { .. } => {
                self.answer_of_run(command, fails)
            }
            Command::AttachInterface | Command::DetachInterface => {
                self.answer_of_interface(&command, fails)
            }
            Command::SetTimer(timer, _) => Event::TimerFired(timer),
            Command::GiveUpStart(container) => self.give_up(container),
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

    /// A start that is still under way fails; nothing is said of one that came to an end before.
    fn give_up(&mut self, container: ContainerIndex) -> Event {
        let is_start = |c: &Command| *c == Command::Start(container);
        match self.asked.iter().position(is_start) {
            Some(which) => {
                let start = self.asked.remove(which);
                self.answer_of_run(start, true)
            }
            None => Event::Begin,
        }
    }

    fn answer_of_interface(&mut self, command: &Command, fails: bool) -> Event {
        match command {
            Command::AttachInterface if fails => {
                self.interface = false;
                Event::InterfaceFailed("ResourceInitializationError: no".into())
            }
            Command::AttachInterface => {
                self.interface = true;
                Event::InterfaceMade
            }
            _ => {
                assert!(
                    self.running.is_empty(),
                    "the network of a running container"
                );
                self.interface = false;
                Event::InterfaceGone
            }
        }
    }

    fn answer_of_run(&mut self, command: Command, fails: bool) -> Event {
        match command {
            Command::Start(container) if fails => {
                self.bundles.insert(container);
                // What ran before has then come to its end, and without success.
                let has_run = self.ran.contains(&container);
                self.ended.extend(has_run.then_some((container, 1)));
                Event::StartFailed(container, "CannotStartContainerError: no".into())
            }
            Command::Start(container) => {
                assert!(self.cgroup, "started without a cgroup");
                let has_network = self.interface || !self.needs_interface;
                assert!(has_network, "started without its interface");
                assert!(!self.ended.contains_key(&container), "not cleared away");
                self.run(container);
                let at = self.now();
                Event::Started(container, at)
            }
            Command::Clear(container) => {
                assert!(!self.running.contains(&container), "cleared while it runs");
                self.ended.remove(&container);
                Event::Cleared(container)
            }
            Command::CheckHealth { container, run, .. } => {
                let is_healthy = !fails && self.running.contains(&container);
                let probe = match is_healthy {
                    true => Probe::Passed("fine".into()),
                    false => Probe::failed(1, "ill"),
                };
                if is_healthy {
                    self.healthy.insert(container);
                }
                let began = self.now();
                Event::HealthChecked {
                    container,
                    run,
                    began,
                    probe,
                }
            }
            _ => unreachable!("not about a run"),
        }
    }

    fn run(&mut self, container: ContainerIndex) {
        assert!(self.running.insert(container), "started twice");
        self.ran.insert(container);
        self.bundles.insert(container);
    }

    pub fn exit(&mut self, which: usize, exit_code: i32) -> Option<Event> {
        let container = *self.running.iter().nth(which % self.running.len().max(1))?;
        self.running.remove(&container);
        self.ended.insert(container, exit_code);
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
    pub fn agent_is_killed(&mut self, begun: bool) {
        for command in std::mem::take(&mut self.asked) {
            match command {
                Command::Start(container) if begun => self.run(container),
                Command::Clear(container) if begun => {
                    self.ended.remove(&container);
                }
                Command::MakeCgroup if begun => self.cgroup = true,
                Command::DetachNetwork(container) if begun => {
                    self.attached.remove(&container);
                }
                Command::AttachInterface if begun => self.interface = true,
                Command::DetachInterface if begun => self.interface = false,
                // A report whose acknowledgement was lost comes again, whole: the control plane
                // drops the repeat, so it counts once, when it is acknowledged.
                _ => {}
            }
        }
    }

    pub fn look(&self, container: ContainerIndex) -> Found {
        let at = Timestamp::from_millis(self.now);
        if self.running.contains(&container) {
            Found::Running(at)
        } else if let Some(exit_code) = self.ended.get(&container) {
            Found::Exited {
                started_at: None,
                exit_code: Some(*exit_code),
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
pub enum Turn {
    Answer { which: usize, fails: bool },
    Exit { which: usize, exit_code: i32 },
    Stop,
    KillAgent { begun: bool },
}

pub fn play(state: TaskState, host: &mut Host, turn: &Turn) -> TaskState {
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

/// The host of a task, which has begun.
pub fn begin(task: &TaskState) -> (TaskState, Host) {
    let containers = task.containers.iter().enumerate();
    let depends_on =
        containers.flat_map(|(who, c)| c.depends_on.iter().map(move |d| (who, d.clone())));
    let mut host = Host {
        depends_on: depends_on.collect(),
        needs_interface: task.interface.is_some(),
        ..Host::default()
    };
    let now = host.now();
    let (state, commands) = step(task, Event::Begin, now);
    host.take(commands);
    (state, host)
}

/// Answers everything but timers and checks until nothing is asked.
pub fn quiet(mut state: TaskState, host: &mut Host) -> TaskState {
    let is_later = |c: &Command| matches!(c, Command::SetTimer(..) | Command::CheckHealth { .. });
    while let Some(which) = host.asked.iter().position(|c| !is_later(c)) {
        let fails = false;
        state = play(state, host, &Turn::Answer { which, fails });
    }
    state
}

/// Each container's statuses as the control plane sees them.
pub fn statuses(reported: &[TaskChange], name: &str) -> Vec<Status> {
    let changes = reported.iter().flat_map(|change| &change.containers);
    changes
        .filter(|change| change.name == name)
        .map(|change| change.status)
        .collect()
}

/// A task whose containers run.
pub fn running(task: &TaskState) -> (TaskState, Host) {
    let (state, mut host) = begin(task);
    (quiet(state, &mut host), host)
}

pub fn exits(state: TaskState, host: &mut Host, exit_code: i32) -> TaskState {
    let which = 0;
    let state = play(state, host, &Turn::Exit { which, exit_code });
    quiet(state, host)
}

pub fn asked(host: &Host, wanted: impl Fn(&Command) -> bool) -> usize {
    host.asked
        .iter()
        .position(wanted)
        .expect("it was asked for")
}
