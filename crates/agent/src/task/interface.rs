//! The interface of a task in network mode `awsvpc`: as a payload names it, and where it stands.
//!
//! Rule: agent-protocol 7. The task's containers share one namespace, which has the interface; it is
//! there before the first of them starts, and goes when the last has ended.

use super::definition::{InvalidTask, NetworkMode, TaskDefinition, null_as_default};
use super::event::{Command, Timer};
use super::report::{Status, task_change};
use super::state::{ContainerState, Made, TaskState};
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A container whose image is here has started by then.
const TELL_WITHIN: Duration = Duration::from_millis(50);

/// An interface of a payload. What else belongs to it comes by host sync, under its id.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Interface {
    /// `eni-…`.
    #[serde(deserialize_with = "null_as_default")]
    pub ec2_id: String,
    /// The attachment that is reported.
    #[serde(deserialize_with = "null_as_default")]
    pub attachment_arn: String,
    /// Its name, which is the task's host name.
    #[serde(deserialize_with = "null_as_default")]
    pub private_dns_name: String,
}

/// Where the interface of a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceState {
    /// The attachment that is reported.
    pub attachment_arn: String,
    /// Whether it is there.
    pub made: Made,
    /// Whether the control plane was told that it is.
    #[serde(default)]
    pub is_told: bool,
}

/// Network mode and interfaces go together.
pub(super) fn check(task: &TaskDefinition) -> Result<(), InvalidTask> {
    let interfaces = task.elastic_network_interfaces.as_slice();
    match (task.mode()?, interfaces) {
        (NetworkMode::Awsvpc, [one]) if one.ec2_id.starts_with("eni-") => Ok(()),
        (NetworkMode::Awsvpc, _) => Err(InvalidTask("awsvpc needs one interface".into())),
        (_, []) => Ok(()),
        (_, _) => Err(InvalidTask("an interface needs network mode awsvpc".into())),
    }
}

/// Of a task that arrives.
pub(super) fn of(task: &TaskDefinition) -> Option<InterfaceState> {
    let interface = task.elastic_network_interfaces.first()?;
    Some(InterfaceState {
        attachment_arn: interface.attachment_arn.clone(),
        made: Made::No,
        is_told: false,
    })
}

/// Asks for what is not there yet.
pub(super) fn make(task: &mut TaskState, commands: &mut Vec<Command>) {
    if let Some(interface) = &mut task.interface
        && interface.made == Made::No
    {
        interface.made = Made::Making;
        commands.push(Command::AttachInterface);
    }
}

/// It is there. The control plane hears of it with the first change of a container, if that comes soon.
pub(super) fn made(task: &mut TaskState, now: Timestamp, commands: &mut Vec<Command>) {
    if let Some(interface) = &mut task.interface {
        interface.made = Made::Yes;
        commands.push(Command::SetTimer(Timer::Attached, now.plus(TELL_WITHIN)));
    }
}

/// ARN of the attachment, if it is there and was not told of.
pub(super) fn untold(task: &mut TaskState) -> Option<String> {
    let interface = task.interface.as_mut()?;
    if interface.made != Made::Yes || interface.is_told {
        return None;
    }
    interface.is_told = true;
    Some(interface.attachment_arn.clone())
}

/// No change of a container came.
pub(super) fn tell(task: &mut TaskState) {
    if let Some(attached) = untold(task) {
        let mut change = task_change(task, Status::Pending, Vec::new());
        change.attached = Some(attached);
        task.outbox.push(change);
    }
}

/// The timer of an agent that is gone.
pub(super) fn timer(task: &TaskState, now: Timestamp) -> Option<Command> {
    let waits = |one: &&InterfaceState| one.made == Made::Yes && !one.is_told;
    let interface = task.interface.as_ref().filter(waits);
    interface.map(|_| Command::SetTimer(Timer::Attached, now))
}

/// It is not there, or not any more.
pub(super) fn gone(task: &mut TaskState) {
    if let Some(interface) = &mut task.interface {
        interface.made = Made::Gone;
    }
}

/// Nothing waits for it.
pub(super) fn is_ready(task: &TaskState) -> bool {
    let made = |interface: &super::interface::InterfaceState| interface.made == Made::Yes;
    task.interface.as_ref().is_none_or(made)
}

/// There is something of it, or there will be.
pub(super) fn is_owed_removal(task: &TaskState) -> bool {
    let made = |interface: &InterfaceState| interface.made.is_owed_removal();
    task.interface.as_ref().is_some_and(made)
}

/// It goes when the last container has ended.
pub(super) fn remove_unused(task: &mut TaskState, commands: &mut Vec<Command>) {
    let is_used = !task.containers.iter().all(ContainerState::is_ended);
    if let Some(interface) = &mut task.interface
        && interface.made == Made::Yes
        && !is_used
    {
        interface.made = Made::Removing;
        commands.push(Command::DetachInterface);
    }
}
