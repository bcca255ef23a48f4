//! In which order containers start and stop: `dependsOn`.
//!
//! Rule: the public agent's dependency graph, whose words stand in the reasons (agent-protocol 5).
//! Images and networks are made ready at once, as with its `ECS_PULL_DEPENDENT_CONTAINERS_UPFRONT`.

use super::definition::Condition;
use super::health::HealthStatus;
use super::state::{ContainerIndex, ContainerState, DependsOn, Run, TaskState};
use aws_types::Timestamp;
use std::time::Duration;

/// Whether a container that was not started may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now.
    Come,
    /// Later, perhaps.
    Waits,
    /// Never, and why.
    Never(String),
}

/// Whether it is the turn of a container that was not started.
pub(super) fn turn(task: &TaskState, index: ContainerIndex, now: Timestamp) -> Turn {
    let mut turn = Turn::Come;
    for dependency in &task.containers[index].depends_on {
        let on = &task.containers[dependency.on];
        let met = match dependency.condition {
            Condition::Start => on.started_at.is_some(),
            Condition::Complete => on.is_ended() && on.started_at.is_some(),
            Condition::Success => exit_code(on) == Some(0),
            Condition::Healthy => health(on) == HealthStatus::Healthy,
        };
        if met {
            continue;
        }
        if let Some(why) = why_never(on, &task.containers[index], dependency.condition, now) {
            return Turn::Never(why);
        }
        turn = Turn::Waits;
    }
    turn
}

/// Why a condition that is not met never will be.
fn why_never(
    on: &ContainerState,
    target: &ContainerState,
    condition: Condition,
    now: Timestamp,
) -> Option<String> {
    let pair = format!("[{}] for target [{}]", shown(on), shown(target));
    let failed =
        format!("dependency graph: failed to resolve container ordering dependency {pair}");
    let waited = match condition {
        Condition::Start => None,
        Condition::Complete | Condition::Success | Condition::Healthy => start_timeout_at(on),
    };
    if !on.is_ended() {
        return waited.filter(|due| *due <= now).map(|_| {
            format!("dependency graph: container ordering dependency {pair} has timed out.")
        });
    }
    if on.started_at.is_none() {
        return Some(format!("{failed} because dependency will never start"));
    }
    // Its health cannot change any more; the public agent would wait for ever.
    Some(format!("{failed} as dependency did not exit successfully."))
}

/// When others have waited long enough for a container that runs.
pub(super) fn start_timeout_at(on: &ContainerState) -> Option<Timestamp> {
    let started = on.started_at.filter(|_| on.start_timeout_ms > 0)?;
    Some(started.plus(Duration::from_millis(on.start_timeout_ms)))
}

/// Somebody who was not started waits for more of this container than its start.
pub(super) fn is_waited_for(task: &TaskState, on: ContainerIndex) -> bool {
    let waits = |c: &ContainerState| {
        let more = |d: &DependsOn| d.on == on && d.condition != Condition::Start;
        c.run == Run::No && c.depends_on.iter().any(more)
    };
    task.containers.iter().any(waits)
}

/// A container stops after all who depend on it.
pub(super) fn may_stop(task: &TaskState, on: ContainerIndex) -> bool {
    dependants(task, on).all(ContainerState::is_ended)
}

fn dependants(task: &TaskState, on: ContainerIndex) -> impl Iterator<Item = &ContainerState> {
    let depends = move |c: &&ContainerState| c.depends_on.iter().any(|d| d.on == on);
    task.containers.iter().filter(depends)
}

/// Some container waits, over others, for itself.
pub(super) fn has_cycle(task: &TaskState) -> bool {
    let mut settled = vec![false; task.containers.len()];
    // Each round settles those whose dependencies are settled; none settled is a cycle.
    loop {
        let is_ready = |c: &ContainerState| c.depends_on.iter().all(|d| settled[d.on]);
        let ready: Vec<_> = (0..settled.len())
            .filter(|&index| !settled[index] && is_ready(&task.containers[index]))
            .collect();
        if ready.is_empty() {
            return settled.contains(&false);
        }
        for index in ready {
            settled[index] = true;
        }
    }
}

/// A container as the public agent writes it: `name(image) (KNOWN->DESIRED) - Exit: CODE`.
fn shown(container: &ContainerState) -> String {
    let known = match &container.run {
        Run::No => "NONE",
        Run::Starting => "CREATED",
        Run::Running | Run::Restarting { .. } | Run::Stopping => "RUNNING",
        Run::Ended(_) => "STOPPED",
    };
    let exit = exit_code(container).map_or(String::new(), |code| format!(" - Exit: {code}"));
    let (name, image) = (&container.name, &container.image_reference);
    format!("{name}({image}) ({known}->RUNNING){exit}")
}

fn exit_code(container: &ContainerState) -> Option<i32> {
    match &container.run {
        Run::Ended(end) => end.exit_code,
        Run::No | Run::Starting | Run::Running | Run::Restarting { .. } | Run::Stopping => None,
    }
}

fn health(container: &ContainerState) -> HealthStatus {
    let health = container.health.as_ref();
    health.map_or(HealthStatus::Unknown, |health| health.status)
}
