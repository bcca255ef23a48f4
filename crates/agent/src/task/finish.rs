//! What follows from an end: output and network, what the control plane is told, what is taken away.

use super::definition::Desired;
use super::event::{Command, Timer};
use super::interface;
use super::machine::LOG_WAIT;
use super::report::{ContainerChange, Status, join, task_change};
use super::state::{ContainerIndex, ContainerState, End, Image, Logs, Made, TaskState};
use aws_types::Timestamp;

/// The end of a container that was not started. One whose image nobody began to get says so in the public
/// agent's words.
pub(super) fn never_ran(task: &TaskState, container: &ContainerState, now: Timestamp) -> End {
    let arn = &task.arn;
    let unpulled = format!(
        "TaskStoppedBeforePullBeginError: Task stopped before image pull could begin for task: {arn}"
    );
    End {
        exit_code: None,
        reason: (container.image == Image::No).then_some(unpulled),
        at: now,
    }
}

/// An ended container's output is finished and its network taken away at once.
pub(super) fn clear_ended(
    index: ContainerIndex,
    container: &mut ContainerState,
    commands: &mut Vec<Command>,
) {
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
pub(super) fn report(task: &mut TaskState, now: Timestamp, commands: &mut Vec<Command>) {
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
        push(task, Status::Stopped, held);
        task.stop_reported = true;
    } else if !all_ended && !task.held.is_empty() {
        let held = std::mem::take(&mut task.held);
        let all_started = task.containers.iter().all(ContainerState::has_started);
        let status = if all_started {
            Status::Running
        } else {
            Status::Pending
        };
        push(task, status, held);
    }
    if task.submitting == 0
        && let Some(change) = join(&task.outbox)
    {
        task.submitting = task.outbox.len();
        commands.push(Command::Submit(change));
    }
}

/// A change of the task, with what else was not told.
fn push(task: &mut TaskState, status: Status, held: Vec<ContainerChange>) {
    let attached = interface::untold(task);
    let mut change = task_change(task, status, held);
    change.attached = attached;
    task.outbox.push(change);
}

fn may_say_stopped(task: &TaskState) -> bool {
    let logs_done = task.containers.iter().all(|c| c.logs != Logs::Finishing);
    let network_gone = task.containers.iter().all(|c| !c.network.is_owed_removal());
    let interface_gone = !interface::is_owed_removal(task);
    !task.stop_reported && network_gone && interface_gone && (logs_done || task.logs_waited_for)
}

/// After the acknowledgement of STOPPED: containers, then the cgroup around them, then the records.
pub(super) fn clean_up(task: &mut TaskState, commands: &mut Vec<Command>) {
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
