//! The seam between tasks and load balancers: what these say of a task, and what becomes of it.
//!
//! Whoever balances load registers a task that is ACTIVATING, says how its checks go, and says that it is gone once it
//! was deregistered and its requests ended; it reads `TaskRecord::traffic` for what is to be done. A task is ACTIVATING
//! until it is registered, and DEACTIVATING while it leaves: only then is its host told to stop it.
//! Rule: developer guide, "Task lifecycle"; semantics 4.1, 6.10.

use super::status::{DesiredStatus, TaskStatus};
use crate::records::TASKS;
use crate::records::task::{TaskKey, TaskRecord};
use crate::records::traffic::Traffic;
use aws_types::Timestamp;
use store::Txn;

/// What load balancers say of a task, all of its target groups together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Every target group has it.
    Registered,
    /// It passes the checks of each.
    Healthy,
    /// It fails those of one.
    Unhealthy,
    /// None has it any more.
    Gone,
}

/// Writes down what load balancers say of a task; what no longer matters changes nothing.
pub fn said(txn: &mut Txn, key: &TaskKey, said: Said, now: Timestamp) {
    let Some(task) = txn.get(&TASKS, key) else {
        return;
    };
    let mut task = task.as_ref().clone();
    if apply(&mut task, said, now) {
        txn.put(&TASKS, task);
    }
}

fn apply(task: &mut TaskRecord, said: Said, now: Timestamp) -> bool {
    let Some(next) = task.traffic.and_then(|traffic| after(traffic, said)) else {
        return false;
    };
    task.traffic = Some(next);
    match next {
        Traffic::Initial if task.last_status == TaskStatus::Activating => {
            task.last_status = TaskStatus::Running;
            task.times.started.get_or_insert(now);
            task.version += 1;
        }
        Traffic::Left if task.last_status != TaskStatus::Stopped => {
            task.delivery.wanted += 1;
            task.version += 1;
        }
        Traffic::Joining
        | Traffic::Initial
        | Traffic::Healthy
        | Traffic::Unhealthy
        | Traffic::Leaving
        | Traffic::Left => {}
    }
    true
}

fn after(traffic: Traffic, said: Said) -> Option<Traffic> {
    match (traffic, said) {
        (Traffic::Joining, Said::Registered) => Some(Traffic::Initial),
        (Traffic::Initial | Traffic::Unhealthy, Said::Healthy) => Some(Traffic::Healthy),
        (Traffic::Initial | Traffic::Healthy, Said::Unhealthy) => Some(Traffic::Unhealthy),
        (Traffic::Leaving, Said::Gone) => Some(Traffic::Left),
        _ => None,
    }
}

/// The status to which its host's word leads: what is to be a target is not RUNNING before it is one.
#[must_use]
pub(super) fn reported(task: &TaskRecord, status: TaskStatus) -> TaskStatus {
    match (status, task.traffic) {
        (TaskStatus::Running, Some(Traffic::Joining)) => TaskStatus::Activating,
        _ => status,
    }
}

/// The task is to stop: a target leaves first. Whether its host can be told at once.
pub(super) fn leave(task: &mut TaskRecord) -> bool {
    let Some(traffic) = task.traffic else {
        return true;
    };
    if !traffic.is_registered() {
        if traffic == Traffic::Joining {
            task.traffic = Some(Traffic::Left);
        }
        return traffic != Traffic::Leaving;
    }
    task.traffic = Some(Traffic::Leaving);
    if task.last_status.may_become(TaskStatus::Deactivating) {
        task.last_status = TaskStatus::Deactivating;
    }
    false
}

/// What its host is told to make of it: a target runs on until it has left.
#[must_use]
pub fn told(task: &TaskRecord) -> DesiredStatus {
    let leaves = task.traffic == Some(Traffic::Leaving) && task.last_status != TaskStatus::Stopped;
    match leaves {
        true => DesiredStatus::Running,
        false => task.desired,
    }
}
