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
//! * a signal follows a start, and SIGKILL follows the stop signal;
//! * a container starts after those it depends on, and is signalled after those who depend on it.
//!
//! Rules: agent-protocol 4 and 5, semantics 4.

use super::deadline;
use super::definition::Desired;
pub use super::event::{Command, Event, Timer};
use super::finish::{clean_up, clear_ended, never_ran, report};
use super::interface;
use super::order::{self, Turn};
use super::report::container_change;
use super::restart;
use super::state::{ContainerIndex, ContainerState, End, Image, Logs, Made, Run, TaskState};
use aws_types::Timestamp;
use std::time::Duration;

/// STOPPED waits this long for the delivery of the last lines, so that who waits for STOPPED can
/// read them; then it is reported without.
pub const LOG_WAIT: Duration = Duration::from_secs(2);
/// SIGKILL is sent again after this long: a process in the kernel's hands may take its time.
const KILL_AGAIN: Duration = Duration::from_secs(10);
/// What the public agent reports of a container that waits for what will never be: as if it had
/// been asked to end.
const NEVER_STARTED_CODE: i32 = 143;

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
        Event::Begin => refuse_cycle(task),
        Event::StopRequested => task.desired = Desired::Stopped,
        Event::CgroupMade => task.cgroup = Made::Yes,
        Event::CgroupFailed(reason) => {
            // A part of it may be there: removed as a whole one is. Nothing starts in it any more.
            task.cgroup = Made::Yes;
            refuse(task, reason);
        }
        Event::ImageReady {
            container,
            digest,
            stop_signal,
            pulled,
        } => {
            note_pull(task, pulled);
            let container = &mut task.containers[container];
            if container.image == Image::Ensuring {
                container.image = Image::Ready { digest };
                container.stop_signal = stop_signal;
            }
        }
        Event::ImageFailed(container, reason) => {
            task.containers[container].image = Image::Gone;
            end_unless_ended(task, container, End::failed(reason, now));
        }
        Event::NetworkMade(container, bindings) => {
            task.containers[container].network = Made::Yes;
            task.containers[container].bindings = bindings;
        }
        Event::NetworkFailed(container, reason) => {
            task.containers[container].network = Made::Gone;
            end_unless_ended(task, container, End::failed(reason, now));
        }
        Event::NetworkGone(container) => task.containers[container].network = Made::Gone,
        Event::InterfaceMade | Event::InterfaceFailed(_) | Event::InterfaceGone => {
            note_interface(task, event, now, commands);
        }
        Event::StartFailed(container, reason) => {
            end_unless_ended(task, container, End::failed(reason, now));
        }
        Event::LogsFinished(container) => task.containers[container].logs = Logs::Finished,
        Event::ContainerGone(container) => task.containers[container].bundle = Made::Gone,
        Event::CgroupGone => task.cgroup = Made::Gone,
        Event::TimerFired(timer) => fired(task, timer, now, commands),
        Event::ReportAcknowledged => {
            let taken = task.submitting.min(task.outbox.len());
            task.outbox.drain(..taken);
            task.submitting = 0;
        }
        Event::Started(..)
        | Event::Exited { .. }
        | Event::Cleared(_)
        | Event::HealthChecked { .. } => note_run(task, event, now, commands),
    }
}

fn fired(task: &mut TaskState, timer: Timer, now: Timestamp, commands: &mut Vec<Command>) {
    match timer {
        Timer::Kill(container) => kill(task, container, now, commands),
        Timer::LogWait => task.logs_waited_for = true,
        Timer::Attached => interface::tell(task),
        Timer::Start(container) => commands.extend(deadline::passed(task, container, now)),
        Timer::StartTimeout(_) => {} // Looked at after every event.
    }
}

fn note_pull(task: &mut TaskState, pulled: Option<(Timestamp, Timestamp)>) {
    if let Some((began, ended)) = pulled {
        task.pull_started_at = Some(task.pull_started_at.map_or(began, |t| t.min(began)));
        task.pull_stopped_at = Some(task.pull_stopped_at.map_or(ended, |t| t.max(ended)));
    }
}

/// The part of [`note`] that is about the task's interface.
fn note_interface(task: &mut TaskState, event: Event, now: Timestamp, commands: &mut Vec<Command>) {
    match event {
        Event::InterfaceMade => interface::made(task, now, commands),
        Event::InterfaceFailed(reason) => {
            interface::gone(task);
            refuse(task, reason);
        }
        _ => interface::gone(task),
    }
}

/// The part of [`note`] that is about runs of programs.
fn note_run(task: &mut TaskState, event: Event, now: Timestamp, commands: &mut Vec<Command>) {
    match event {
        Event::Started(container, at) => started(task, container, at, commands),
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
            let end = End {
                exit_code,
                reason,
                at,
            };
            exited(task, container, end);
        }
        Event::Cleared(container) => cleared(task, container, now, commands),
        Event::HealthChecked {
            container,
            run,
            began,
            probe,
        } => {
            if let Some(next) = restart::health_checked(task, container, run, (began, now), probe) {
                commands.push(next);
            }
        }
        _ => {}
    }
}

/// A cycle cannot come from our control plane; nothing of it is ever started.
fn refuse_cycle(task: &mut TaskState) {
    if task.desired == Desired::Running && order::has_cycle(task) {
        let arn = &task.arn;
        let reason = format!("Task dependencies cannot be resolved, taskArn: {arn}");
        refuse(task, reason);
    }
}

/// The task as a whole cannot run.
fn refuse(task: &mut TaskState, reason: String) {
    task.desired = Desired::Stopped;
    task.reason.get_or_insert(reason);
}

fn started(
    task: &mut TaskState,
    index: ContainerIndex,
    at: Timestamp,
    commands: &mut Vec<Command>,
) {
    let container = &mut task.containers[index];
    if container.run != Run::Starting {
        return;
    }
    container.run = Run::Running;
    let is_first = container.started_at.is_none();
    restart::started(container, at);
    commands.extend(restart::next_check(index, container, at));
    // A further run is nobody's business: the container was RUNNING and is.
    if is_first {
        let change = container_change(container);
        task.held.push(change);
    }
    commands.extend(start_timer(task, index));
}

fn exited(task: &mut TaskState, index: ContainerIndex, end: End) {
    let was_running = task.containers[index].run == Run::Running;
    if was_running && restart::is_due(task, index, end.exit_code, end.at) {
        let container = &mut task.containers[index];
        container.run = Run::Restarting { clearing: false };
        container.last_end = Some(end);
    } else {
        end_unless_ended(task, index, end);
    }
}

/// The way is free for the next run.
fn cleared(
    task: &mut TaskState,
    index: ContainerIndex,
    now: Timestamp,
    commands: &mut Vec<Command>,
) {
    let container = &mut task.containers[index];
    if container.run != (Run::Restarting { clearing: true }) {
        return;
    }
    match task.desired {
        Desired::Running => start(index, container, now, commands),
        Desired::Stopped => container.run = Run::Restarting { clearing: false },
    }
}

/// The end of others' waiting for a container that just started.
pub(super) fn start_timer(task: &TaskState, index: ContainerIndex) -> Option<Command> {
    let due = order::start_timeout_at(&task.containers[index])?;
    order::is_waited_for(task, index).then_some(Command::SetTimer(Timer::StartTimeout(index), due))
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
    if task.desired == Desired::Running {
        give_up_waiting(task, now);
    }
    match task.desired {
        Desired::Running => bring_up(task, now, commands),
        Desired::Stopped => bring_down(task, now, commands),
    }
    for (index, container) in task.containers.iter_mut().enumerate() {
        clear_ended(index, container, commands);
    }
    interface::remove_unused(task, commands);
    report(task, now, commands);
    clean_up(task, commands);
}

/// Ends the containers that wait for what will never be; who waits for those may be the next.
fn give_up_waiting(task: &mut TaskState, now: Timestamp) {
    let never = |task: &TaskState| {
        (0..task.containers.len()).find_map(|index| match order::turn(task, index, now) {
            Turn::Never(why) if task.containers[index].run == Run::No => Some((index, why)),
            Turn::Never(_) | Turn::Come | Turn::Waits => None,
        })
    };
    while let Some((index, why)) = never(task) {
        let end = End {
            exit_code: Some(NEVER_STARTED_CODE),
            ..End::failed(format!("CannotStartContainerError: {why}"), now)
        };
        end_unless_ended(task, index, end);
    }
}

fn bring_up(task: &mut TaskState, now: Timestamp, commands: &mut Vec<Command>) {
    if task.cgroup == Made::No {
        task.cgroup = Made::Making;
        commands.push(Command::MakeCgroup);
    }
    interface::make(task, commands);
    for index in 0..task.containers.len() {
        match task.containers[index].run {
            Run::No => {
                make_ready(index, &mut task.containers[index], commands);
                if is_ready(task, index) && order::turn(task, index, now) == Turn::Come {
                    start(index, &mut task.containers[index], now, commands);
                }
            }
            Run::Restarting { clearing: false } => {
                task.containers[index].run = Run::Restarting { clearing: true };
                commands.push(Command::Clear(index));
            }
            Run::Restarting { clearing: true }
            | Run::Starting
            | Run::Running
            | Run::Stopping
            | Run::Ended(_) => {}
        }
    }
}

/// Image and network of a container that is still to be started.
fn make_ready(index: ContainerIndex, container: &mut ContainerState, commands: &mut Vec<Command>) {
    if container.image == Image::No {
        container.image = Image::Ensuring;
        commands.push(Command::EnsureImage(index));
    }
    // Gone: that of an earlier agent. One that failed has ended its container.
    if container.has_network && matches!(container.network, Made::No | Made::Gone) {
        container.network = Made::Making;
        commands.push(Command::AttachNetwork(index));
    }
}

fn is_ready(task: &TaskState, index: ContainerIndex) -> bool {
    let container = &task.containers[index];
    let has_image = matches!(container.image, Image::Ready { .. });
    let has_network = !container.has_network || container.network == Made::Yes;
    has_image && has_network && task.cgroup == Made::Yes && interface::is_ready(task)
}

fn start(
    index: ContainerIndex,
    container: &mut ContainerState,
    now: Timestamp,
    commands: &mut Vec<Command>,
) {
    container.run = Run::Starting;
    container.bundle = Made::Yes;
    container.logs = Logs::Open;
    commands.push(Command::Start(index));
    commands.push(deadline::set(index, container, now));
}

fn bring_down(task: &mut TaskState, now: Timestamp, commands: &mut Vec<Command>) {
    for index in 0..task.containers.len() {
        let container = &task.containers[index];
        match container.run {
            Run::No | Run::Restarting { clearing: false } => {
                let never_ran = || never_ran(task, container, now);
                let end = container.last_end.clone().unwrap_or_else(never_ran);
                end_unless_ended(task, index, end);
            }
            // What is being taken away is not to be removed meanwhile.
            Run::Restarting { clearing: true } => {}
            Run::Starting | Run::Running | Run::Stopping | Run::Ended(_) => {}
        }
    }
    for index in 0..task.containers.len() {
        // A start under way cannot be taken back: it is signalled when it has started.
        if task.containers[index].run == Run::Running && order::may_stop(task, index) {
            let container = &mut task.containers[index];
            container.run = Run::Stopping;
            container.signalled_at = Some(now);
            commands.push(Command::Signal(index, container.stop_signal));
            let due = kill_at(container, now);
            commands.push(Command::SetTimer(Timer::Kill(index), due));
        }
    }
}

/// When SIGKILL is due.
pub(super) fn kill_at(container: &ContainerState, now: Timestamp) -> Timestamp {
    let signalled = container.signalled_at.unwrap_or(now);
    signalled.plus(Duration::from_millis(container.stop_timeout_ms))
}
