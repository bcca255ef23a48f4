//! The shim's loop: agents come and go, execs run, the container ends, the agent releases the shim.

use super::exec::Exec;
use super::spill::Spill;
use super::start::Container;
use crate::record;
use crate::spec::{ExecSpec, ExitRecord, StreamMode};
use crate::wire::{self, Event, Request};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Connections at once; a further one is closed.
const AGENTS_MAX: usize = 8;
/// How often an ended shim without an agent looks whether its directory still exists.
const ORPHAN_CHECK_MS: i64 = 60_000;

struct Shim {
    container: Container,
    agents: Vec<Agent>,
    next_agent: u64,
    execs: Vec<Exec>,
    stdout: Spill,
    stderr: Spill,
    exit: Option<ExitRecord>,
    is_released: bool,
}

struct Agent {
    key: u64,
    socket: OwnedFd,
}

/// What a descriptor in the poll set is.
enum Source {
    Listener,
    Agent(u64),
    Container,
    /// An exec, a terminal or an unread stream: both are looked at after every round.
    Other,
}

pub fn serve(container: Container, control: OwnedFd) {
    let started = Event::Started {
        pid: container.pid,
        started_at_ms: container.started_at_ms,
    };
    let descriptors = [
        container.pidfd.as_fd(),
        container.stdout.as_fd(),
        container.stderr.as_fd(),
    ];
    // An agent that has gone is replaced by one that attaches.
    let _ = wire::send(&control, &started, &descriptors);
    let (stdout, stderr) = (container.spec.stdout, container.spec.stderr);
    let dir = container.spec.dir.clone();
    let mut shim = Shim {
        container,
        agents: vec![Agent {
            key: 0,
            socket: control,
        }],
        next_agent: 1,
        execs: Vec::new(),
        stdout: Spill::new(dir.join(record::SPILL_STDOUT_FILE), limit(stdout)),
        stderr: Spill::new(dir.join(record::SPILL_STDERR_FILE), limit(stderr)),
        exit: None,
        is_released: false,
    };
    while shim.turn() {}
    let _ = std::fs::remove_file(dir.join(record::SOCKET_FILE));
}

fn limit(mode: StreamMode) -> Option<u64> {
    match mode {
        StreamMode::Blocking => None,
        StreamMode::NonBlocking { spill_bytes } => Some(spill_bytes),
    }
}

impl Shim {
    /// Waits for one round of events and serves them. False when the shim's work is done.
    fn turn(&mut self) -> bool {
        let ready = self.wait();
        for source in ready {
            match source {
                Source::Listener => self.accept(),
                Source::Agent(key) => self.hear(key),
                Source::Container => self.end(),
                Source::Other => {}
            }
        }
        self.advance_execs();
        self.copy_terminal();
        if self.agents.is_empty() {
            self.stdout.drain(self.container.stdout.as_fd());
            self.stderr.drain(self.container.stderr.as_fd());
        }
        let is_orphan =
            self.exit.is_some() && self.agents.is_empty() && !self.container.spec.dir.exists();
        !(self.exit.is_some() && self.is_released || is_orphan)
    }

    fn wait(&self) -> Vec<Source> {
        let mut sources = vec![Source::Listener];
        let mut fds = vec![PollFd::new(&self.container.listener, PollFlags::IN)];
        for agent in &self.agents {
            sources.push(Source::Agent(agent.key));
            fds.push(PollFd::new(&agent.socket, PollFlags::IN));
        }
        if self.exit.is_none() {
            sources.push(Source::Container);
            fds.push(PollFd::new(&self.container.pidfd, PollFlags::IN));
        }
        for exec in &self.execs {
            for fd in exec.descriptors() {
                sources.push(Source::Other);
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
        }
        if let Some(terminal) = &self.container.terminal {
            let ends = [
                (terminal.readable(), PollFlags::IN),
                (terminal.writable(), PollFlags::OUT),
            ];
            for (fd, flags) in ends {
                sources.extend(fd.map(|_| Source::Other));
                fds.extend(fd.map(|fd| PollFd::from_borrowed_fd(fd, flags)));
            }
        }
        let spills: [(&Spill, &OwnedFd); 2] = [
            (&self.stdout, &self.container.stdout),
            (&self.stderr, &self.container.stderr),
        ];
        for (spill, pipe) in spills {
            if self.agents.is_empty() && spill.wants_data() {
                sources.push(Source::Other);
                fds.push(PollFd::new(pipe, PollFlags::IN));
            }
        }
        let timeout = self.timeout_ms().map(|ms| rustix::time::Timespec {
            tv_sec: ms / 1000,
            tv_nsec: (ms % 1000) * 1_000_000,
        });
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return Vec::new();
        }
        sources
            .into_iter()
            .zip(&fds)
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(source, _)| source)
            .collect()
    }

    fn timeout_ms(&self) -> Option<i64> {
        let exec = self.execs.iter().map(Exec::remaining_ms).min();
        let orphan = (self.exit.is_some() && self.agents.is_empty()).then_some(ORPHAN_CHECK_MS);
        let spills = [self.stdout.look_again_ms(), self.stderr.look_again_ms()];
        let spill = spills.into_iter().flatten().min();
        let spill = spill.filter(|_| self.agents.is_empty());
        exec.into_iter().chain(orphan).chain(spill).min()
    }

    fn accept(&mut self) {
        if let Ok(socket) = accept_with(&self.container.listener, SocketFlags::CLOEXEC)
            && self.agents.len() < AGENTS_MAX
        {
            self.agents.push(Agent {
                key: self.next_agent,
                socket,
            });
            self.next_agent += 1;
        }
    }

    fn hear(&mut self, key: u64) {
        let Some(agent) = self.agents.iter().find(|agent| agent.key == key) else {
            return;
        };
        match wire::receive::<Request>(&agent.socket) {
            Ok(Some((Request::Attach, _))) => self.attach(key),
            Ok(Some((Request::Exec { number, spec }, _))) => self.exec(key, number, spec),
            Ok(Some((Request::Release, _))) => self.is_released = true,
            // A malformed request ends the connection as hanging up does.
            Ok(None) | Err(_) => self.agents.retain(|agent| agent.key != key),
        }
    }

    fn attach(&mut self, key: u64) {
        self.stdout.finish();
        self.stderr.finish();
        let container = &self.container;
        let attached = Event::Attached {
            pid: container.pid,
            started_at_ms: container.started_at_ms,
            exit: self.exit.clone(),
        };
        let descriptors: [BorrowedFd<'_>; 3] = [
            container.pidfd.as_fd(),
            container.stdout.as_fd(),
            container.stderr.as_fd(),
        ];
        self.tell(key, &attached, &descriptors);
    }

    fn exec(&mut self, key: u64, number: u64, spec: ExecSpec) {
        match Exec::start(&self.container, key, number, spec) {
            Ok(exec) => self.execs.push(exec),
            Err(failure) => self.tell(
                key,
                &Event::Executed {
                    number,
                    result: Err(failure),
                },
                &[],
            ),
        }
    }

    fn advance_execs(&mut self) {
        let mut finished = Vec::new();
        self.execs.retain_mut(|exec| match exec.advance() {
            Some(result) => {
                finished.push((
                    exec.agent,
                    Event::Executed {
                        number: exec.number,
                        result,
                    },
                ));
                false
            }
            None => true,
        });
        for (key, event) in finished {
            self.tell(key, &event, &[]);
        }
    }

    /// The pipe ends when the terminal does.
    fn copy_terminal(&mut self) {
        let terminal = &mut self.container.terminal;
        if terminal.as_mut().is_some_and(|terminal| !terminal.copy()) {
            *terminal = None;
        }
    }

    fn tell(&self, key: u64, event: &Event, descriptors: &[BorrowedFd<'_>]) {
        if let Some(agent) = self.agents.iter().find(|agent| agent.key == key) {
            // Its end of the connection is noticed when it is read next.
            let _ = wire::send(&agent.socket, event, descriptors);
        }
    }

    /// The init has ended, and with it every process of its pid namespace.
    fn end(&mut self) {
        let status = match waitid(
            WaitId::PidFd(self.container.pidfd.as_fd()),
            WaitIdOptions::EXITED,
        ) {
            Ok(Some(status)) => status,
            Ok(None) | Err(rustix::io::Errno::INTR) => return,
            Err(_) => return self.finish(None, None),
        };
        self.finish(status.exit_status(), status.terminating_signal());
    }

    fn finish(&mut self, code: Option<i32>, signal: Option<i32>) {
        // The agent that hears of the end reads what is in the pipe by then.
        self.copy_terminal();
        let spec = &self.container.spec;
        let cgroups = &self.container.cgroups;
        // Read before the group goes.
        let oom_killed = cgroups.oom_kills(&spec.task_id, &spec.id).unwrap_or(0) > 0;
        let exit_code = code.or(signal.map(|signal| 128 + signal));
        let exit = ExitRecord {
            exit_code,
            signal,
            oom_killed,
            exited_at_ms: record::now_ms(),
            reason: exit_code
                .is_none()
                .then(|| "exit status unknown".to_owned()),
        };
        // A full disk must not keep the agent from learning the end; it writes the record again.
        let _ = record::write_exit(&spec.dir, &exit);
        for agent in &self.agents {
            let _ = wire::send(&agent.socket, &Event::Exited(exit.clone()), &[]);
        }
        // What resists is removed by the agent's sweep.
        let _ = cgroups.remove_container(&spec.task_id, &spec.id);
        self.exit = Some(exit);
    }
}
