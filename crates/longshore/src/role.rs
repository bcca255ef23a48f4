//! One process per role and data directory, found again by a lock file.
//!
//! The process of a role holds an exclusive lock on `run/ROLE.lock` and has its pid written there:
//! a new supervisor adopts who holds it, and a second process of the role refuses to start.

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// The lock of a role, held for as long as this lives.
#[derive(Debug)]
pub struct RoleLock {
    _file: File,
}

/// A process of a role that someone else started.
#[derive(Debug)]
pub struct Holder {
    /// Its process id.
    pub pid: i32,
    pidfd: AsyncFd<OwnedFd>,
}

impl RoleLock {
    /// Takes the lock for this process.
    ///
    /// # Errors
    /// Another process holds it.
    pub fn claim(run_dir: &Path, role: &str) -> anyhow::Result<Self> {
        let mut file = open_lock(run_dir, role)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let pid = read_pid(&mut file)
                .map(|pid| format!(" (pid {pid})"))
                .unwrap_or_default();
            bail!(
                "a {role} runs already for {}{pid}",
                run_dir.parent().unwrap_or(run_dir).display()
            );
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

/// Who holds the lock of a role, if anyone.
pub fn holder(run_dir: &Path, role: &str) -> anyhow::Result<Option<Holder>> {
    if !run_dir.join(format!("{role}.lock")).exists() {
        return Ok(None);
    }
    let mut file = open_lock(run_dir, role)?;
    // Between a process's start and its pid in the file lies a moment.
    for _ in 0..50 {
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return Ok(None);
        }
        if let Some(pid) = read_pid(&mut file).and_then(Pid::from_raw)
            && let Ok(pidfd) = pidfd_open(pid, PidfdFlags::NONBLOCK)
        {
            #[allow(
                deprecated,
                reason = "the descriptor is owned by what is returned; its replacement is unsafe to call"
            )]
            let pidfd = AsyncFd::new(pidfd).context("cannot watch a process")?;
            return Ok(Some(Holder {
                pid: pid.as_raw_nonzero().get(),
                pidfd,
            }));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!(
        "{} is locked, but names no living process",
        run_dir.join(format!("{role}.lock")).display()
    )
}

impl Holder {
    /// Waits until the process has ended.
    pub async fn ended(&self) {
        // A pidfd becomes readable when its process ends, and stays so.
        let _ = self.pidfd.readable().await;
    }

    /// Sends a signal; a process that has ended is no error.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Asks it to end (SIGTERM), and ends it (SIGKILL) when `patience` is over.
    pub async fn stop(&self, patience: Duration) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(patience, self.ended()).await.is_err() {
            self.signal(Signal::KILL);
            self.ended().await;
        }
    }
}

fn open_lock(run_dir: &Path, role: &str) -> anyhow::Result<File> {
    let path = run_dir.join(format!("{role}.lock"));
    let fd = open(
        &path,
        OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC,
        Mode::from_raw_mode(0o600),
    )
    .with_context(|| format!("cannot open {}", path.display()))?;
    Ok(File::from(fd))
}

fn read_pid(file: &mut File) -> Option<i32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
