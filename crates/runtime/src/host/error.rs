//! What can go wrong, and in which of ECS's two phases.

use crate::failure::{Failure, Stage};
use std::path::{Path, PathBuf};

/// Which of ECS's reasons an error belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `CannotCreateContainerError`.
    Create,
    /// `CannotStartContainerError`.
    Start,
    /// Neither: the container runs or has run.
    Running,
}

/// An error of the runtime; each names the container's directory, the file or the step.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The container could not be made or its program not started. Nothing of it is left.
    #[error("{0}")]
    Failed(Failure),
    /// The record directory belongs to a container already.
    #[error("{}: a container was started here before", .0.display())]
    InUse(PathBuf),
    /// There is no container with this record directory.
    #[error("{}: no such container", .0.display())]
    NotFound(PathBuf),
    /// The container's shim has gone, so this cannot be asked any more.
    #[error("{}: the container's shim is gone", .0.display())]
    ShimLost(PathBuf),
    /// A file, group or process could not be used.
    #[error("{what} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
}

impl RuntimeError {
    /// Which of ECS's reasons this belongs to.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Failed(failure) => phase_of(failure.stage),
            Self::InUse(_) | Self::Io { .. } => Phase::Create,
            Self::NotFound(_) | Self::ShimLost(_) => Phase::Running,
        }
    }

    /// The step that failed, where a container was being made.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Failed(failure) => Some(failure.stage),
            Self::InUse(_) | Self::NotFound(_) | Self::ShimLost(_) | Self::Io { .. } => None,
        }
    }
}

/// Docker makes layers and groups when it creates; all that its runtime does belongs to its start.
fn phase_of(stage: Stage) -> Phase {
    match stage {
        Stage::Request | Stage::RootFilesystem | Stage::UserMount => Phase::Create,
        Stage::Cgroup
        | Stage::Process
        | Stage::Network
        | Stage::SystemMount
        | Stage::Device
        | Stage::Hostname
        | Stage::Limit
        | Stage::User
        | Stage::WorkingDirectory
        | Stage::Program
        | Stage::Seccomp
        | Stage::Capability => Phase::Start,
    }
}

/// Gives an I/O error its place.
pub(crate) trait InPlace<T> {
    fn place(self, what: &'static str, path: &Path) -> Result<T, RuntimeError>;
}

impl<T, E: Into<std::io::Error>> InPlace<T> for Result<T, E> {
    fn place(self, what: &'static str, path: &Path) -> Result<T, RuntimeError> {
        self.map_err(|error| RuntimeError::Io {
            what,
            path: path.to_path_buf(),
            source: error.into(),
        })
    }
}
