//! When a revision whose deletion was asked for goes: once no task names it any more, a stopped one
//! that is still described included, since its answer is made from the definition, and no service
//! runs it or would roll back to it.
//!
//! Rule: API reference, DeleteTaskDefinitions.

use super::revisions;
use crate::records::service::{SERVICES, ServiceStatus};
use crate::records::service_revision::{self, SERVICE_REVISIONS, ServiceRevisionRecord};
use crate::records::task_definition::DELETING;
use crate::records::task_set::BY_TASK_SET_DEFINITION;
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
    let key = definition_parts(&record.scope, &record.family, record.revision);
    record.status == TaskDefinitionStatus::DeleteInProgress
        && world.find(&TASKS, &BY_DEFINITION, &key).next().is_none()
        && !is_in_service(world, &key)
}

/// Whether some service that is not INACTIVE starts tasks of it, or may again.
fn is_in_service(world: &World, definition: &Key) -> bool {
    let runs = |revision: &ServiceRevisionRecord| {
        let number = revision.key.number;
        let service = world.get(&SERVICES, &revision.key.service);
        service.is_some_and(|service| {
            let mut deployments = service.deployments.iter();
            service.status != ServiceStatus::Inactive
                && (service.completed_revision == Some(number)
                    || deployments.any(|deployment| deployment.revision == number))
        })
    };
    let index = &service_revision::BY_DEFINITION;
    let mut revisions = world.find(&SERVICE_REVISIONS, index, definition);
    let mut with_sets = world.find(&SERVICES, &BY_TASK_SET_DEFINITION, definition);
    with_sets.next().is_some() || revisions.any(|revision| runs(revision))
}
