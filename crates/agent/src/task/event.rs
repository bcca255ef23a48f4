//! What the machine hears, and what it asks for.

use super::health::Probe;
use super::report::TaskChange;
use super::state::{Binding, ContainerIndex};
use aws_types::Timestamp;

/// What the host saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Look at the facts: a new task, or one of an earlier agent.
    Begin,
    /// The control plane, or the operator, wants it stopped.
    StopRequested,
    /// The task's cgroup is there.
    CgroupMade,
    /// It cannot be made as asked; what is there of it is still to be removed.
    CgroupFailed(String),
    /// A container's image is on this host.
    ImageReady {
        /// Which container.
        container: ContainerIndex,
        /// Where it came from a registry.
        digest: Option<String>,
        /// Of the definition or the image.
        stop_signal: i32,
        /// Begin and end, where bytes were fetched.
        pulled: Option<(Timestamp, Timestamp)>,
    },
    /// It cannot be had; with ECS's reason.
    ImageFailed(ContainerIndex, String),
    /// A container's attachment is there.
    NetworkMade(ContainerIndex, Vec<Binding>),
    /// It cannot be made, and nothing of it is left; with ECS's reason.
    NetworkFailed(ContainerIndex, String),
    /// The attachment is gone.
    NetworkGone(ContainerIndex),
    /// The task's interface is in its namespace.
    InterfaceMade,
    /// It cannot be, and nothing of it is left; with ECS's reason.
    InterfaceFailed(String),
    /// The interface and its namespace are gone.
    InterfaceGone,
    /// The program runs since then.
    Started(ContainerIndex, Timestamp),
    /// It was not started; with ECS's reason.
    StartFailed(ContainerIndex, String),
    /// It ended.
    Exited {
        /// Which container.
        container: ContainerIndex,
        /// Absent when nobody knows.
        exit_code: Option<i32>,
        /// The kernel killed a process of it for lack of memory.
        out_of_memory: bool,
        /// When.
        at: Timestamp,
        /// Why the code is missing.
        reason: Option<String>,
    },
    /// What an ended run left is out of the way of the next one.
    Cleared(ContainerIndex),
    /// A health check ended.
    HealthChecked {
        /// Which container.
        container: ContainerIndex,
        /// Its `restarts` when the check was asked for: a check of an earlier run says nothing.
        run: u32,
        /// When the check began.
        began: Timestamp,
        /// How it ended.
        probe: Probe,
    },
    /// All output is delivered, or was given up.
    LogsFinished(ContainerIndex),
    /// What the runtime kept of a container is gone.
    ContainerGone(ContainerIndex),
    /// The cgroup is gone.
    CgroupGone,
    /// A timer asked for by [`Command::SetTimer`].
    TimerFired(Timer),
    /// The control plane took the changes that were under way.
    ReportAcknowledged,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// SIGKILL to a container.
    Kill(ContainerIndex),
    /// STOPPED waits no longer for logs.
    LogWait,
    /// The interface is told of by itself.
    Attached,
    /// A start has taken too long.
    Start(ContainerIndex),
    /// Whoever waits for this container waits no longer.
    StartTimeout(ContainerIndex),
}

/// What the executor must do. Each is answered by an [`Event`], but for signals and for a start that is
/// given up, whose own answer that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Make the task's cgroup.
    MakeCgroup,
    /// Get a container's image.
    EnsureImage(ContainerIndex),
    /// Attach a container to the bridge.
    AttachNetwork(ContainerIndex),
    /// Make the task's namespace, with its interface.
    AttachInterface,
    /// Start a container; its exit follows by itself.
    Start(ContainerIndex),
    /// Nobody waits for a start any more that is still under way: undo it, and say that it failed. One
    /// that has come to an end is left as it is.
    GiveUpStart(ContainerIndex),
    /// Take away what stands in the way of a container's next run: its output goes on, its files
    /// and its network stay.
    Clear(ContainerIndex),
    /// Check a container's health then.
    CheckHealth {
        /// Which container.
        container: ContainerIndex,
        /// Given back in the answer.
        run: u32,
        /// Not before.
        at: Timestamp,
    },
    /// Send a signal.
    Signal(ContainerIndex, i32),
    /// Wake the machine then.
    SetTimer(Timer, Timestamp),
    /// Read and deliver what is left of a container's output.
    FinishLogs(ContainerIndex),
    /// Take the attachment away.
    DetachNetwork(ContainerIndex),
    /// Take the task's interface away, with its namespace.
    DetachInterface,
    /// Take away what the runtime keeps of a container.
    RemoveContainer(ContainerIndex),
    /// Take the task's cgroup away.
    RemoveCgroup,
    /// Tell the control plane, until it acknowledges.
    Submit(TaskChange),
    /// The task is over and acknowledged: drop its records.
    Forget,
}
