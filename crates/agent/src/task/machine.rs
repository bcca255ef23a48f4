//! Decides what a task on this host needs next.
//!
//! Pure. An event changes facts; then [`advance`] looks at all the facts and asks for whatever is
//! now possible and not yet asked for. So the order in which outcomes arrive does not matter, and
//! a restarted agent continues from the facts alone (`resume`).
//!
//! What always holds:
//! * nothing is started once the task is to stop;
//! * what was made is taken away: network before STOPPED is reported (its host ports are free when
//!   the control plane gives them to the next task), everything else when STOPPED is acknowledged;
//! * changes are reported in order, one call at a time, each until it is acknowledged;
//! * a signal follows a start, and SIGKILL follows the stop signal.
//!
//! Rules: agent-protocol 4 and 5, semantics 4.

use super::definition::Desired;
use super::report::{Status, TaskChange, container_change, join, task_change};
use super::state::{
    Binding, ContainerIndex, ContainerState, End, Image, Logs, Made, Run, TaskState,
};
use aws_types::Timestamp;
use std::time::Duration;

/// STOPPED waits this long for the delivery of the last lines, so that who waits for STOPPED can
/// read them; then it is reported without.
pub const LOG_WAIT: Duration = Duration::from_secs(2);
/// SIGKILL is sent again after this long: a process in the kernel's hands may take its time.
const KILL_AGAIN: Duration = Duration::from_secs(10);

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
    /// The program runs.
    Started(ContainerIndex),
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
}

/// What the executor must do. Each is answered by an [`Event`], but for signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Make the task's cgroup.
    MakeCgroup,
    /// Get a container's image.
    EnsureImage(ContainerIndex),
    /// Attach a container to the bridge.
    AttachNetwork(ContainerIndex),
    /// Start a container; its exit follows by itself.
    Start(ContainerIndex),
    /// Send a signal.
    Signal(ContainerIndex, i32),
    /// Wake the machine then.
    SetTimer(Timer, Timestamp),
    /// Read and deliver what is left of a container's output.
    FinishLogs(ContainerIndex),
    /// Take the attachment away.
    DetachNetwork(ContainerIndex),
    /// Take away what the runtime keeps of a container.
    RemoveContainer(ContainerIndex),
    /// Take the task's cgroup away.
    RemoveCgroup,
    /// Tell the control plane, until it acknowledges.
    Submit(TaskChange),
    /// The task is over and acknowledged: drop its records.
    Forget,
}

/// The next state, and what to do about it.
#[must_use]
pub fn step(task: &TaskState, event: Event, now: Timestamp) -> (TaskState, Vec<Command>) {
    let mut next = task.clone();
    let mut commands = Vec::new();
    note(&mut next, event, now, &mut commands);
    advance(&mut next, now, &mut commands);
    (next, commands)
}

/// Writes down what happened.
fn note(task: &mut TaskState, event: Event, now: Timestamp, commands: &mut Vec<Command>) {
    match event {
        Event::Begin => {}
        Event::StopRequested => task.desired = Desired::Stopped,
        Event::CgroupMade => task.cgroup = Made::Yes,
        Event::CgroupFailed(reason) => {
            // A part of it may be there: removed as a whole one is. Nothing starts in it any more.
            task.cgroup = Made::Yes;
            task.desired = Desired::Stopped;
            task.reason.get_or_insert(reason);
        }
        Event::ImageReady {
            container,
            digest,
            stop_signal,
            pulled,
        } => {
            if let Some((began, ended)) = pulled {
                task.pull_started_at = Some(task.pull_started_at.map_or(began, |t| t.min(began)));
                task.pull_stopped_at = Some(task.pull_stopped_at.map_or(ended, |t| t.max(ended)));
            }
            let container = &mut task.containers[container];
            if container.image == Image::Ensuring {
                container.image = Image::Ready { digest };
                container.stop_signal = stop_signal;
            }
        }
        Event::ImageFailed(container, reason) => {
            task.containers[container].image = Image::Gone;
            end_unless_ended(
                task,
                container,
                End {
                    exit_code: None,
                    reason: Some(reason),
                    at: now,
                },
            );
        }
        Event::NetworkMade(container, bindings) => {
            task.containers[container].network = Made::Yes;
            task.containers[container].bindings = bindings;
        }
        Event::NetworkFailed(container, reason) => {
            task.containers[container].network = Made::Gone;
            end_unless_ended(
                task,
                container,
                End {
                    exit_code: None,
                    reason: Some(reason),
                    at: now,
                },
            );
        }
        Event::NetworkGone(container) => task.containers[container].network = Made::Gone,
        Event::Started(container) => started(task, container),
        Event::StartFailed(container, reason) => {
            end_unless_ended(
                task,
                container,
                End {
                    exit_code: None,
                    reason: Some(reason),
                    at: now,
                },
            );
        }
        Event::Exited {
            container,
            exit_code,
            out_of_memory,
            at,
            reason,
        } => {
            let reason = if out_of_memory {
                Some("OutOfMemoryError: Container killed due to memory usage".to_owned())
            } else {
                reason
            };
            end_unless_ended(
                task,
                container,
                End {
                    exit_code,
                    reason,
                    at,
                },
            );
        }
        Event::LogsFinished(container) => task.containers[container].logs = Logs::Finished,
        Event::ContainerGone(container) => task.containers[container].bundle = Made::Gone,
        Event::CgroupGone => task.cgroup = Made::Gone,
        Event::TimerFired(Timer::Kill(container)) => kill(task, container, now, commands),
        Event::TimerFired(Timer::LogWait) => task.logs_waited_for = true,
        Event::ReportAcknowledged => {
            let taken = task.submitting.min(task.outbox.len());
            task.outbox.drain(..taken);
            task.submitting = 0;
        }
    }
}

fn started(task: &mut TaskState, index: ContainerIndex) {
    let container = &mut task.containers[index];
    if container.run != Run::Starting {
        return;
    }
    container.run = Run::Running;
    let change = container_change(container);
    task.held.push(change);
}

fn end_unless_ended(task: &mut TaskState, index: ContainerIndex, end: End) {
    let container = &mut task.containers[index];
    if container.is_ended() {
        return;
    }
    if container.essential {
        task.desired = Desired::Stopped;
        if container.has_started() {
            task.execution_stopped_at.get_or_insert(end.at);
        }
    }
    container.run = Run::Ended(end);
    let change = container_change(container);
    task.held.push(change);
}

fn kill(task: &mut TaskState, index: ContainerIndex, now: Timestamp, commands: &mut Vec<Command>) {
    if task.containers[index].run == Run::Stopping {
        commands.push(Command::Signal(index, super::docker::SIGKILL));
        commands.push(Command::SetTimer(Timer::Kill(index), now.plus(KILL_AGAIN)));
    }
}

/// Asks for everything that the facts allow and that was not asked for yet.
fn advance(task: &mut TaskState, now: Timestamp, commands: &mut Vec<Command>) {
    match task.desired {
        Desired::Running => bring_up(task, commands),
        Desired::Stopped => bring_down(task, now, commands),
    }
    for (index, container) in task.containers.iter_mut().enumerate() {
        clear_ended(index, container, commands);
    }
    report(task, now, commands);
    clean_up(task, commands);
}

fn bring_up(task: &mut TaskState, commands: &mut Vec<Command>) {
    if task.cgroup == Made::No {
        task.cgroup = Made::Making;
        commands.push(Command::MakeCgroup);
    }
    for (index, container) in task.containers.iter_mut().enumerate() {
        if container.run != Run::No {
            continue;
        }
        if container.image == Image::No {
            container.image = Image::Ensuring;
            commands.push(Command::EnsureImage(index));
        }
        // Gone: that of an earlier agent. One that failed has ended its container.
        if container.has_network && matches!(container.network, Made::No | Made::Gone) {
            container.network = Made::Making;
            commands.push(Command::AttachNetwork(index));
        }
        let has_image = matches!(container.image, Image::Ready { .. });
        let has_network = !container.has_network || container.network == Made::Yes;
        if has_image && has_network && task.cgroup == Made::Yes {
            container.run = Run::Starting;
            container.bundle = Made::Yes;
            container.logs = Logs::Open;
            commands.push(Command::Start(index));
        }
    }
}

fn bring_down(task: &mut TaskState, now: Timestamp, commands: &mut Vec<Command>) {
    for index in 0..task.containers.len() {
        match task.containers[index].run {
            Run::No => {
                end_unless_ended(
                    task,
                    index,
                    End {
                        exit_code: None,
                        reason: None,
                        at: now,
                    },
                );
            }
            Run::Running => {
                let container = &mut task.containers[index];
                container.run = Run::Stopping;
                container.signalled_at = Some(now);
                commands.push(Command::Signal(index, container.stop_signal));
                commands.push(Command::SetTimer(
                    Timer::Kill(index),
                    kill_at(container, now),
                ));
            }
            // A start under way cannot be taken back: it is signalled when it has started.
            Run::Starting | Run::Stopping | Run::Ended(_) => {}
        }
    }
}

/// When SIGKILL is due.
pub(super) fn kill_at(container: &ContainerState, now: Timestamp) -> Timestamp {
    let signalled = container.signalled_at.unwrap_or(now);
    signalled.plus(Duration::from_millis(container.stop_timeout_ms))
}

/// An ended container's output is finished and its network taken away at once.
fn clear_ended(index: ContainerIndex, container: &mut ContainerState, commands: &mut Vec<Command>) {
    if !container.is_ended() {
        return;
    }
    if container.image == Image::Ensuring || container.image == Image::No {
        container.image = Image::Gone;
    }
    if container.logs == Logs::Open {
        container.logs = Logs::Finishing;
        commands.push(Command::FinishLogs(index));
    }
    if container.network == Made::Yes {
        container.network = Made::Removing;
        commands.push(Command::DetachNetwork(index));
    }
}

/// Puts into the outbox what the control plane should know, and sends when nothing is under way.
fn report(task: &mut TaskState, now: Timestamp, commands: &mut Vec<Command>) {
    let all_ended = task.containers.iter().all(ContainerState::is_ended);
    if all_ended && task.desired == Desired::Running {
        task.desired = Desired::Stopped;
    }
    if all_ended && task.all_ended_at.is_none() {
        task.all_ended_at = Some(now);
        if task.containers.iter().any(|c| c.logs == Logs::Finishing) {
            commands.push(Command::SetTimer(Timer::LogWait, now.plus(LOG_WAIT)));
        }
    }
    if all_ended && may_say_stopped(task) {
        let held = std::mem::take(&mut task.held);
        task.outbox.push(task_change(task, Status::Stopped, held));
        task.stop_reported = true;
    } else if !all_ended && !task.held.is_empty() {
        let held = std::mem::take(&mut task.held);
        let all_started = task.containers.iter().all(ContainerState::has_started);
        let status = if all_started {
            Status::Running
        } else {
            Status::Pending
        };
        task.outbox.push(task_change(task, status, held));
    }
    if task.submitting == 0
        && let Some(change) = join(&task.outbox)
    {
        task.submitting = task.outbox.len();
        commands.push(Command::Submit(change));
    }
}

fn may_say_stopped(task: &TaskState) -> bool {
    let logs_done = task.containers.iter().all(|c| c.logs != Logs::Finishing);
    let network_gone = task.containers.iter().all(|c| !c.network.is_owed_removal());
    !task.stop_reported && network_gone && (logs_done || task.logs_waited_for)
}

/// After the acknowledgement of STOPPED: containers, then the cgroup around them, then the records.
fn clean_up(task: &mut TaskState, commands: &mut Vec<Command>) {
    if !task.stop_reported || !task.outbox.is_empty() || task.done {
        return;
    }
    for (index, container) in task.containers.iter_mut().enumerate() {
        let output_is_safe = matches!(container.logs, Logs::No | Logs::Finished);
        if container.bundle == Made::Yes && output_is_safe {
            container.bundle = Made::Removing;
            commands.push(Command::RemoveContainer(index));
        }
    }
    if task.containers.iter().any(|c| c.bundle.is_owed_removal()) {
        return;
    }
    match task.cgroup {
        Made::Yes => {
            task.cgroup = Made::Removing;
            commands.push(Command::RemoveCgroup);
        }
        Made::No | Made::Gone => {
            task.done = true;
            commands.push(Command::Forget);
        }
        Made::Making | Made::Removing => {}
    }
}
