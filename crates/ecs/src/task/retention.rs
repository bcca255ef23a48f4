//! How long a stopped task stays describable: at least an hour, as on AWS.
//!
//! A task that a lost host may still run is kept until that host confirmed or was deregistered.
//! Rule: ECS developer guide, "Viewing stopped task errors".

use crate::records::task::TaskKey;
use crate::records::task_table::{BY_STOPPED_AT, TASKS};
use aws_types::Timestamp;
use std::time::Duration;
use store::{Key, Txn, World};

/// The least time for which a stopped task is described.
pub const KEPT_AT_LEAST: Duration = Duration::from_secs(3600);
/// Tasks that one sweep names.
const SWEEP_MAX: usize = 32;

/// Some tasks that stopped longer than `keep` (at least an hour) ago, oldest first.
#[must_use]
pub fn expired(world: &World, now: Timestamp, keep: Duration) -> Vec<TaskKey> {
    let keep = keep.max(KEPT_AT_LEAST);
    let all = Key::empty();
    let over = |at: Option<Timestamp>| at.is_some_and(|at| now.since(at) > keep);
    world
        .find(&TASKS, &BY_STOPPED_AT, &all)
        .take_while(|task| over(task.times.stopped))
        .take(SWEEP_MAX)
        .map(|task| task.key.clone())
        .collect()
}

/// Removes tasks that [`expired`] named.
pub fn remove(txn: &mut Txn, keys: &[TaskKey]) {
    for key in keys {
        if txn
            .get(&TASKS, key)
            .is_some_and(|task| task.times.stopped.is_some() && !task.holds)
        {
            txn.delete(&TASKS, key);
        }
    }
}
