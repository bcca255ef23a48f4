//! A further process in the container: same namespaces, groups, filter and capabilities as its program.
//!
//! Two short forks: the first enters the container's control groups and namespaces, the second is born in its pid
//! namespace as a child of the shim.

use super::start::{self, Container};
use super::streams;
use crate::failure::{At, Failure, Stage};
use crate::init::launch::become_program;
use crate::init::streams::Streams;
use crate::init::{launch_of, mapped, report};
use crate::record::now_ms;
use crate::spec::{ExecResult, ExecSpec, FirstProcess};
use crate::sys::{self, Side};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Read at once from an output pipe.
const CHUNK_BYTES: usize = 16 * 1024;

/// A running exec.
#[derive(Debug)]
pub struct Exec {
    pub agent: u64,
    pub number: u64,
    pid: Pid,
    pidfd: OwnedFd,
    stdout: Capture,
    stderr: Capture,
    deadline_ms: i64,
    is_killed: bool,
}

#[derive(Debug)]
struct Capture {
    pipe: OwnedFd,
    kept: Vec<u8>,
    bytes_max: usize,
    is_open: bool,
}

impl Exec {
    pub fn start(
        container: &Container,
        agent: u64,
        number: u64,
        spec: ExecSpec,
    ) -> Result<Self, Failure> {
        let at = Stage::Process;
        let pipe = || pipe_with(PipeFlags::CLOEXEC).at(at, || "making a pipe");
        let ((errors, errors_child), (id, id_child)) = (pipe()?, pipe()?);
        let ((stdout, stdout_child), (stderr, stderr_child)) = (pipe()?, pipe()?);
        let streams = Streams::of_exec(stdout_child, stderr_child, errors_child);
        let first = match sys::fork().at(at, || "forking")? {
            Side::Child => enter(container, &spec, streams, id_child),
            Side::Parent { pid, .. } => pid,
        };
        drop((streams, id_child));
        let pid = start::told_id(id)?;
        if let Some(first) = Pid::from_raw(first) {
            // It ends at once after its fork; its status says nothing.
            let _ = waitid(WaitId::Pid(first), WaitIdOptions::EXITED);
        }
        let failure = streams::failure(&errors)?;
        let Some(pid) = pid else {
            return Err(
                failure.unwrap_or_else(|| Failure::text(at, "the exec ended before it started"))
            );
        };
        if let Some(failure) = failure {
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
            return Err(failure);
        }
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).at(at, || "opening the exec's pidfd")?;
        let bytes_max = spec.output_bytes_max as usize;
        let deadline_ms =
            now_ms().saturating_add(i64::try_from(spec.timeout_ms).unwrap_or(i64::MAX));
        Ok(Self {
            agent,
            number,
            pid,
            pidfd,
            stdout: Capture {
                pipe: stdout,
                kept: Vec::new(),
                bytes_max,
                is_open: true,
            },
            stderr: Capture {
                pipe: stderr,
                kept: Vec::new(),
                bytes_max,
                is_open: true,
            },
            deadline_ms,
            is_killed: false,
        })
    }

    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let pipes = [&self.stdout, &self.stderr]
            .into_iter()
            .filter(|c| c.is_open)
            .map(|c| c.pipe.as_fd());
        pipes.chain([self.pidfd.as_fd()])
    }

    pub fn remaining_ms(&self) -> i64 {
        if self.is_killed {
            i64::MAX / 2_000_000
        } else {
            (self.deadline_ms - now_ms()).max(0)
        }
    }

    /// Reads what is there; the result once the process has ended.
    pub fn advance(&mut self) -> Option<Result<ExecResult, Failure>> {
        let ended = waitid(
            WaitId::PidFd(self.pidfd.as_fd()),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
        );
        // After looking for the end, so that all it wrote is read; children that still write are not waited for.
        self.stdout.read();
        self.stderr.read();
        match ended {
            Ok(Some(status)) => {
                let code = status
                    .exit_status()
                    .or(status.terminating_signal().map(|signal| 128 + signal));
                Some(Ok(ExecResult {
                    exit_code: code.unwrap_or(-1),
                    timed_out: self.is_killed,
                    stdout: String::from_utf8_lossy(&self.stdout.kept).into_owned(),
                    stderr: String::from_utf8_lossy(&self.stderr.kept).into_owned(),
                }))
            }
            Ok(None) => {
                if !self.is_killed && self.remaining_ms() == 0 {
                    self.is_killed = true;
                    // It leads a session of its own: its whole group goes.
                    let _ = rustix::process::kill_process_group(
                        self.pid,
                        rustix::process::Signal::KILL,
                    );
                }
                None
            }
            Err(error) => Some(Err(error).at(Stage::Process, || "waiting for the exec")),
        }
    }
}

impl Capture {
    fn read(&mut self) {
        let mut buffer = [0u8; CHUNK_BYTES];
        while self.is_open && self.has_data() {
            match rustix::io::read(&self.pipe, &mut buffer[..]) {
                Ok(0) => self.is_open = false,
                Ok(n) => {
                    let room = self.bytes_max.saturating_sub(self.kept.len()).min(n);
                    self.kept.extend_from_slice(&buffer[..room]);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => self.is_open = false,
            }
        }
    }

    fn has_data(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, poll};
        let mut fds = [PollFd::new(&self.pipe, PollFlags::IN)];
        let now = rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&now)).is_ok() && !fds[0].revents().is_empty()
    }
}

/// The first fork: enters, forks the second, writes its id and ends.
fn enter(container: &Container, spec: &ExecSpec, streams: Streams, id: OwnedFd) -> ! {
    let entered = join(container, &streams)
        .and_then(|()| sys::clone_sibling().at(Stage::Process, || "forking in the container"));
    match entered {
        Err(failure) => report(streams.errors, &failure),
        Ok(Side::Parent { pid, .. }) => {
            let _ = rustix::io::write(&id, &pid.to_ne_bytes());
            sys::exit_now(0)
        }
        Ok(Side::Child) => {
            drop(id);
            sys::reset_signals();
            let _ = rustix::process::setsid();
            let own = &container.spec;
            let mut launch = launch_of(own, container.capabilities, container.filter.clone());
            launch.first = FirstProcess::Program;
            launch.args = &spec.args;
            launch.env.extend(spec.env.iter().cloned());
            launch.cwd = spec.cwd.as_deref().unwrap_or(&own.cwd);
            launch.user = spec
                .user
                .as_deref()
                .or(own.user.as_deref())
                .unwrap_or_default();
            let (errors, failure) = become_program(&launch, streams);
            report(errors, &failure)
        }
    }
}

fn join(container: &Container, streams: &Streams) -> Result<(), Failure> {
    let spec = &container.spec;
    container
        .cgroups
        .join_container(&spec.task_id, &spec.id, 0)
        .at(Stage::Cgroup, || "joining the container's control group")?;
    let mut namespaces = libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWCGROUP;
    // Raising is always allowed; the container's processes have 0.
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
    if let Some(range) = spec.linux.ids {
        mapped::take_along(range, spec, streams)?;
        namespaces |= libc::CLONE_NEWUSER;
    }
    sys::setns(container.pidfd.as_fd(), namespaces)
        .at(Stage::Process, || "entering the container's namespaces")?;
    if spec.linux.ids.is_some() {
        // What is not of the range is nobody here.
        sys::set_ids(0, 0, &[]).at(Stage::Process, || "becoming root of the container")?;
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    Ok(())
}
