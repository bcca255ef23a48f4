//! When a revision whose deletion was asked for goes: once no task names it any more, a stopped one
//! that is still described included, since its answer is made from the definition.
//!
//! Rule: API reference, DeleteTaskDefinitions.

use super::revisions;
use crate::records::task_definition::DELETING;
use crate::records::task_table::{BY_DEFINITION, TASKS, definition_parts};
use crate::records::{
    TASK_DEFINITIONS, TaskDefinitionKey, TaskDefinitionRecord, TaskDefinitionStatus,
};
use store::{Key, Txn, World};

/// Revisions that one sweep names.
const SWEEP_MAX: usize = 100;

/// Some revisions to be removed now.
#[must_use]
pub fn due(world: &World) -> Vec<TaskDefinitionKey> {
    world
        .find(&TASK_DEFINITIONS, &DELETING, &Key::empty())
        .filter(|record| is_due(world, record))
        .take(SWEEP_MAX)
        .map(|record| record.key())
        .collect()
}

/// Removes revisions that [`due`] named, where it still holds.
pub fn remove(txn: &mut Txn, keys: &[TaskDefinitionKey]) {
    for key in keys {
        if let Some(record) = txn.get(&TASK_DEFINITIONS, key).cloned()
            && is_due(txn, &record)
        {
            revisions::remove(txn, &record);
        }
    }
}

fn is_due(world: &World, record: &TaskDefinitionRecord) -> bool {
    let tasks = definition_parts(&record.scope, &record.family, record.revision);
    record.status == TaskDefinitionStatus::DeleteInProgress
        && world.find(&TASKS, &BY_DEFINITION, &tasks).next().is_none()
}
