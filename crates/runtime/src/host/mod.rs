//! The agent's side: starts the zygote, asks for containers, takes them over after a restart, cleans up after losses.

mod attach;
mod end;
mod error;
mod link;
mod lost;
mod mount_points;
mod namespaces;
mod probe;
mod runtime;
mod spare;
mod start;
mod sweep;
mod zygote;

pub use error::{Phase, RuntimeError};
pub use probe::{Capabilities, KernelFeature};
pub use runtime::{Runtime, RuntimeConfig};

use crate::spec::{
    ContainerSpec, ExecResult, ExecSpec, ExitRecord, IdRange, Stats, TaskCgroupSpec,
};
use async_trait::async_trait;
use std::fmt::Debug;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A container whose program runs. The pipes are read by the caller alone; they are blocking descriptors.
#[derive(Debug)]
pub struct Started {
    /// Its first process in the host's pid namespace.
    pub pid: u32,
    /// Milliseconds since 1970.
    pub started_at_ms: i64,
    /// Read end of standard output.
    pub stdout: OwnedFd,
    /// Read end of standard error.
    pub stderr: OwnedFd,
}

/// What an agent finds of a container that an earlier agent started.
#[derive(Debug)]
pub enum Attached {
    /// It runs.
    Running {
        /// Its process and pipes. Spill files, where there are any, are older than what the pipes hold.
        started: Started,
    },
    /// It has ended; the pipes, if their shim still has them, hold what was not read.
    Exited(ExitRecord, Option<(OwnedFd, OwnedFd)>),
    /// Its shim is gone and its end is not recorded. It may still run, without pipes: `wait` tells when it has ended.
    Lost {
        /// In words for a stopped reason.
        reason: String,
    },
    /// Nothing was started with this directory, or nothing of it is left.
    NotFound,
}

/// What a sweep removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Ids of containers whose control groups were removed.
    pub containers: Vec<String>,
    /// Ids of tasks whose control groups were removed.
    pub tasks: Vec<String>,
    /// Shims that were killed.
    pub shims: Vec<u32>,
}

/// Containers of one host. Directories are the containers' record directories.
#[async_trait]
pub trait ContainerRuntime: Send + Sync + Debug {
    /// Makes a task's control group. Must precede the starts of its containers.
    async fn create_task(&self, spec: &TaskCgroupSpec) -> Result<(), RuntimeError>;
    /// Makes a user namespace with these ids, and in it a network namespace, which is given back: whoever keeps that keeps
    /// both. Must precede the starts of containers that have these ids, in that network.
    async fn make_namespaces(&self, ids: IdRange) -> Result<OwnedFd, RuntimeError>;
    /// Makes a container and starts its program. On an error nothing is left of it.
    async fn start(&self, spec: ContainerSpec) -> Result<Started, RuntimeError>;
    /// After the future of a start was dropped: undoes what it began. Where none is under way, nothing is done.
    async fn give_up(&self, dir: &Path) -> Result<(), RuntimeError>;
    /// Takes over a container that another agent started.
    async fn attach(&self, dir: &Path) -> Result<Attached, RuntimeError>;
    /// Resolves when the container has ended.
    async fn wait(&self, dir: &Path) -> Result<ExitRecord, RuntimeError>;
    /// Sends a signal to its first process. One that has ended is not an error.
    async fn signal(&self, dir: &Path, signal: i32) -> Result<(), RuntimeError>;
    /// Runs a further process in it.
    async fn exec(&self, dir: &Path, spec: ExecSpec) -> Result<ExecResult, RuntimeError>;
    /// After its end, when its output has been read: makes room for another start in the same directory. Files that it
    /// wrote stay; shim, control group and records of the ended run go. Where there is nothing, nothing is done.
    async fn clear(&self, dir: &Path) -> Result<(), RuntimeError>;
    /// After its end, when its output has been read: removes shim, scratch directory, control group, socket and state.
    /// The exit record stays. A container that still runs is killed.
    async fn remove(&self, dir: &Path) -> Result<(), RuntimeError>;
    /// Removes a task's control group.
    async fn remove_task(&self, task_id: &str) -> Result<(), RuntimeError>;
    /// What the container uses now.
    async fn stats(&self, dir: &Path) -> Result<Stats, RuntimeError>;
    /// Removes groups and processes of this data directory that belong to none of the `known` record directories. The
    /// groups of these `tasks` stay in any case: their containers may be still to come.
    async fn sweep(&self, known: &[PathBuf], tasks: &[String])
    -> Result<SweepReport, RuntimeError>;
}
