//! How long a start may take.
//!
//! Rule: the public agent's `ECS_CONTAINER_START_TIMEOUT`, three minutes where nothing else is said, and
//! its error (agent-protocol 5, semantics 4.3).

use super::event::{Command, Timer};
use super::state::{ContainerIndex, ContainerState, Run, TaskState};
use aws_types::Timestamp;
use std::time::Duration;

/// From the request for a start to the program.
const START_WITHIN: Duration = Duration::from_secs(180);
/// What a container says that was not started in time.
pub const START_TIMED_OUT: &str =
    "DockerTimeoutError: Could not transition to started; timed out after waiting 3m0s";

/// A start is asked for.
pub(super) fn set(
    index: ContainerIndex,
    container: &mut ContainerState,
    now: Timestamp,
) -> Command {
    let due = now.plus(START_WITHIN);
    container.start_due = Some(due);
    Command::SetTimer(Timer::Start(index), due)
}

/// A deadline has passed: that of the start under way, or of an earlier run's, which says nothing. The
/// container's end is the executor's to tell, who alone knows whether the program began after all.
pub(super) fn passed(task: &TaskState, index: ContainerIndex, now: Timestamp) -> Option<Command> {
    let container = &task.containers[index];
    let is_late = container.start_due.is_some_and(|due| due <= now);
    (container.run == Run::Starting && is_late).then_some(Command::GiveUpStart(index))
}
