//! A failed step of a start or an exec, as it travels from the init through its error pipe to the agent.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The request itself or the record directory.
    Request,
    /// Creating or joining control groups.
    Cgroup,
    /// Making processes, pipes or namespaces.
    Process,
    /// Entering or making the network namespace.
    Network,
    /// Mounting the layers and changing root.
    RootFilesystem,
    /// A mount that every container has.
    SystemMount,
    /// A bind asked for by the caller.
    UserMount,
    /// Device nodes.
    Device,
    /// Host name.
    Hostname,
    /// Resource limits.
    Limit,
    /// The user or group is not known in the container.
    User,
    /// The working directory.
    WorkingDirectory,
    /// The program is missing or may not be run.
    Program,
    /// The system call filter.
    Seccomp,
    /// Capabilities and ids.
    Capability,
}

/// A step that failed, with what the kernel said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step.
    pub stage: Stage,
    /// The kernel's error number; 0 where the text alone says it.
    pub errno: i32,
    /// What was being done, or the whole message where `errno` is 0.
    pub detail: String,
}

impl Failure {
    /// A failure that is told by its text alone.
    pub fn text(stage: Stage, detail: impl Into<String>) -> Self {
        Self {
            stage,
            errno: 0,
            detail: detail.into(),
        }
    }

    /// A failure of a system call.
    pub fn io(stage: Stage, detail: impl Into<String>, error: &std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self {
                stage,
                errno,
                detail: detail.into(),
            },
            None => Self::text(stage, format!("{}: {error}", detail.into())),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.errno == 0 {
            return f.write_str(&self.detail);
        }
        write!(f, "{}: {}", self.detail, errno_words(self.errno))
    }
}

impl std::error::Error for Failure {}

/// The kernel's words for an error number, in lower case and without the number.
pub fn errno_words(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// Gives an error its stage and what was being done.
pub trait At<T> {
    /// Names the step in which the error arose; `detail` is only made when there is one.
    fn at<D: Into<String>>(self, stage: Stage, detail: impl FnOnce() -> D) -> Result<T, Failure>;
}

impl<T, E: Into<std::io::Error>> At<T> for Result<T, E> {
    fn at<D: Into<String>>(self, stage: Stage, detail: impl FnOnce() -> D) -> Result<T, Failure> {
        self.map_err(|error| Failure::io(stage, detail(), &error.into()))
    }
}
