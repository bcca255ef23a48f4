//! Continues a task of an agent that is gone, from its last written state.
//!
//! Pure. The executor first asks the runtime how each container stands whose end is not written
//! down; then everything that was under way is asked for again. Each request may be made twice:
//! whoever carries it out finds it done.

use super::definition::Desired;
use super::docker::SIGKILL;
use super::interface;
use super::machine::{Command, Event, LOG_WAIT, Timer, kill_at, start_timer, step};
use super::state::{ContainerIndex, Image, Logs, Made, Run, TaskState};
use aws_types::Timestamp;

/// How the runtime found a container that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It runs, since then.
    Running(Timestamp),
    /// It ended while no agent looked.
    Exited {
        /// When that run began, if it is known.
        started_at: Option<Timestamp>,
        /// Absent when nobody knows.
        exit_code: Option<i32>,
        /// The kernel killed a process of it for lack of memory.
        out_of_memory: bool,
        /// When.
        at: Timestamp,
        /// Why the code is missing.
        reason: Option<String>,
    },
    /// Nothing was started.
    Nothing,
}

/// Containers whose end is not written down, although a start was asked for.
#[must_use]
pub fn to_look_for(task: &TaskState) -> Vec<ContainerIndex> {
    let open = |run: &Run| match run {
        Run::Starting | Run::Running | Run::Stopping => true,
        Run::No | Run::Restarting { .. } | Run::Ended(_) => false,
    };
    (0..task.containers.len())
        .filter(|index| open(&task.containers[*index].run))
        .collect()
}

/// The state to continue with, and everything that must be asked for again.
#[must_use]
pub fn resume(
    task: &TaskState,
    found: &[(ContainerIndex, Found)],
    now: Timestamp,
) -> (TaskState, Vec<Command>) {
    let mut state = task.clone();
    forget_what_was_under_way(&mut state);
    let mut known = Vec::new();
    for (index, found) in found {
        let container = &mut state.containers[*index];
        if *found == Found::Nothing && container.run == Run::Starting {
            container.run = match container.started_at {
                None => Run::No,
                Some(_) => Run::Restarting { clearing: false },
            };
        } else {
            known.push((index, found));
        }
    }
    let mut commands = detach_unstarted(&mut state);
    for (index, found) in known {
        let event = match found {
            Found::Running(at) => Event::Started(*index, *at),
            Found::Nothing => Event::Exited {
                container: *index,
                exit_code: None,
                out_of_memory: false,
                at: now,
                reason: Some("ContainerVanishedError: the container is gone".into()),
            },
            Found::Exited {
                started_at,
                exit_code,
                out_of_memory,
                at,
                reason,
            } => {
                if state.containers[*index].run == Run::Starting {
                    let started = Event::Started(*index, started_at.unwrap_or(*at));
                    apply(&mut state, started, now, &mut commands);
                }
                Event::Exited {
                    container: *index,
                    exit_code: *exit_code,
                    out_of_memory: *out_of_memory,
                    at: *at,
                    reason: reason.clone(),
                }
            }
        };
        apply(&mut state, event, now, &mut commands);
    }
    apply(&mut state, Event::Begin, now, &mut commands);
    ask_again_for_timers(&state, now, &mut commands);
    (state, commands)
}

/// A container that is still to be started gets a fresh attachment: the earlier agent alone knew
/// the old one whole.
fn detach_unstarted(state: &mut TaskState) -> Vec<Command> {
    let mut commands = Vec::new();
    for (index, container) in state.containers.iter_mut().enumerate() {
        if container.run == Run::No && container.network == Made::Yes {
            container.network = Made::Removing;
            container.bindings.clear();
            commands.push(Command::DetachNetwork(index));
        }
    }
    commands
}

fn apply(state: &mut TaskState, event: Event, now: Timestamp, commands: &mut Vec<Command>) {
    let (next, more) = step(state, event, now);
    *state = next;
    commands.extend(more);
}

/// What was asked for and not answered counts as not asked for.
fn forget_what_was_under_way(state: &mut TaskState) {
    let earlier = |made: Made| match made {
        Made::Making => Made::No,
        Made::Removing => Made::Yes,
        Made::No | Made::Yes | Made::Gone => made,
    };
    state.submitting = 0;
    state.cgroup = match (state.cgroup, state.desired) {
        // It may be there, and nobody will ask for it again: to be removed.
        (Made::Making, Desired::Stopped) => Made::Yes,
        (cgroup, _) => earlier(cgroup),
    };
    if let Some(interface) = &mut state.interface {
        interface.made = match (interface.made, state.desired) {
            (Made::Making, Desired::Stopped) => Made::Yes,
            (made, _) => earlier(made),
        };
    }
    for container in &mut state.containers {
        container.network = earlier(container.network);
        container.bundle = earlier(container.bundle);
        if container.image == Image::Ensuring {
            container.image = Image::No;
        }
        if container.logs == Logs::Finishing {
            container.logs = Logs::Open;
        }
        if container.run == (Run::Restarting { clearing: true }) {
            container.run = Run::Restarting { clearing: false };
        }
    }
}

fn ask_again_for_timers(state: &TaskState, now: Timestamp, commands: &mut Vec<Command>) {
    for (index, container) in state.containers.iter().enumerate() {
        let timer = Timer::Kill(index);
        let asked = commands
            .iter()
            .any(|c| matches!(c, Command::SetTimer(t, _) if *t == timer));
        if container.run == Run::Stopping && !asked {
            // The signal itself may not have been sent before the agent went.
            let due = kill_at(container, now);
            let signal = if due <= now {
                SIGKILL
            } else {
                container.stop_signal
            };
            commands.push(Command::Signal(index, signal));
            commands.push(Command::SetTimer(timer, due));
        }
    }
    for (index, container) in state.containers.iter().enumerate() {
        if container.run != Run::Running {
            continue;
        }
        let asked = |command: &Command| match command {
            Command::CheckHealth { container, .. } => *container == index,
            _ => false,
        };
        if container.health.is_some() && !commands.iter().any(asked) {
            // At once: nobody looked while there was no agent.
            commands.push(Command::CheckHealth {
                container: index,
                run: container.restarts,
                at: now,
            });
        }
        commands.extend(start_timer(state, index));
    }
    commands.extend(interface::timer(state, now));
    let waits = state.all_ended_at.is_some() && !state.logs_waited_for && !state.stop_reported;
    if waits && state.containers.iter().any(|c| c.logs == Logs::Finishing) {
        commands.push(Command::SetTimer(Timer::LogWait, now.plus(LOG_WAIT)));
    }
}
