//! The interface of a task in network mode `awsvpc`: as a payload names it, and where it stands.
//!
//! Rule: agent-protocol 7. The task's containers share one namespace, which has the interface; it is
//! there before the first of them starts, and goes when the last has ended.

use super::definition::{InvalidTask, NetworkMode, TaskDefinition, null_as_default};
use super::event::Command;
use super::report::{Status, task_change};
use super::state::{ContainerState, Made, TaskState};
use serde::{Deserialize, Serialize};

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

/// It is there: the control plane hears of it at once.
pub(super) fn made(task: &mut TaskState) {
    let Some(interface) = &mut task.interface else {
        return;
    };
    interface.made = Made::Yes;
    let attached = Some(interface.attachment_arn.clone());
    let mut change = task_change(task, Status::Pending, Vec::new());
    change.attached = attached;
    task.outbox.push(change);
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
