//! What a host has to be told, and what it was told.
//!
//! A task counts what its host has to know (`Delivery`): 1 to start it, one more for a stop. An
//! index holds the tasks whose host has not acknowledged the newest count, so that delivery costs
//! what changed; the full manifest goes only at connect and at a slow tick.
//! Rule: the public agent's PayloadMessage, TaskManifestMessage, TaskStopVerificationMessage.

use super::payload;
use super::status::DesiredStatus;
use crate::instance::load;
use crate::records::cluster::cluster_arn;
use crate::records::container_instance::InstanceKey;
use crate::records::task::{TaskKey, TaskRecord};
use crate::records::task_table::{TASKS, UNDELIVERED};
use crate::task::{reference, traffic};
use aws_api::agent::{Task, TaskIdentifier};
use aws_types::Ctx;
use store::{TableKey, Txn, World};

/// Tasks in one payload: keeps a frame small, and one bad task from holding back many.
pub const TASKS_PER_PAYLOAD_MAX: usize = 10;

/// One task of a payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    /// The task.
    pub key: TaskKey,
    /// Which of its counts this is; to be given back when the host acknowledges.
    pub count: u32,
    /// What the agent reads.
    pub task: Task,
}

/// The next tasks, at most ten, that this host has to be told about and has not acknowledged.
/// Stops come first, as the agent applies them first. Those in `sent` (sent, and not yet
/// acknowledged) are left out.
#[must_use]
pub fn undelivered(world: &World, instance: &InstanceKey, sent: &[(TaskKey, u32)]) -> Vec<Parcel> {
    // In the order of delivery: the index sees to it.
    let index_key = instance.encode();
    let waiting = world.find(&TASKS, &UNDELIVERED, &index_key);
    let unsent = waiting.filter(|task| {
        let is_this =
            |(key, count): &(TaskKey, u32)| *key == task.key && *count == task.delivery.wanted;
        !sent.iter().any(is_this)
    });
    let chosen = unsent.take(TASKS_PER_PAYLOAD_MAX);
    let parcel = |record: &TaskRecord| Parcel {
        key: record.key.clone(),
        count: record.delivery.wanted,
        task: payload::task(world, record),
    };
    chosen.map(|task| parcel(task)).collect()
}

/// Every task that this host should know, with what it should do: a manifest's list.
#[must_use]
pub fn manifest(world: &World, instance: &InstanceKey) -> Vec<TaskIdentifier> {
    let held = load::held(world, instance);
    held.map(|task| identifier(task, traffic::told(task)))
        .collect()
}

/// The host acknowledged these tasks, each with the count that was sent.
pub fn acknowledged(txn: &mut Txn, ctx: &Ctx, instance: &InstanceKey, parcels: &[(TaskKey, u32)]) {
    for (key, count) in parcels {
        let Some(record) = txn.get(&TASKS, key) else {
            continue;
        };
        let ours = record.instance_key() == *instance;
        if !ours || record.delivery.acknowledged >= *count {
            continue;
        }
        let mut record = record.as_ref().clone();
        record.delivery.acknowledged = (*count).min(record.delivery.wanted);
        if record.times.connectivity.is_none() {
            record.times.connectivity = Some(ctx.now);
            record.version += 1;
        }
        txn.put(&TASKS, record);
    }
}

/// Of the tasks that a host runs and did not find in its manifest: those that it is to stop. A task
/// placed on it since the manifest was made stays.
#[must_use]
pub fn stop_verification(
    world: &World,
    ctx: &Ctx,
    instance: &InstanceKey,
    candidates: &[TaskIdentifier],
) -> Vec<TaskIdentifier> {
    let wanted = |candidate: &TaskIdentifier| {
        let key = reference::task_arn(
            &ctx.scope,
            candidate.task_arn.as_deref().unwrap_or_default(),
        );
        let record = key.and_then(|key| world.get(&TASKS, &key));
        record.is_some_and(|task| {
            let is_wanted = traffic::told(task) == DesiredStatus::Running;
            task.instance_key() == *instance && task.holds && is_wanted
        })
    };
    let confirmed = candidates.iter().filter(|candidate| !wanted(candidate));
    let stopped = |candidate: &TaskIdentifier| TaskIdentifier {
        desired_status: Some(DesiredStatus::Stopped.name().into()),
        ..candidate.clone()
    };
    confirmed.map(stopped).collect()
}

fn identifier(task: &TaskRecord, desired: DesiredStatus) -> TaskIdentifier {
    TaskIdentifier {
        task_arn: Some(task.key.arn()),
        task_cluster_arn: Some(cluster_arn(&task.key.scope, &task.key.cluster)),
        desired_status: Some(desired.name().into()),
    }
}
