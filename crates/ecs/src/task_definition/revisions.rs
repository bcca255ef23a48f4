//! The revisions of a family: numbered from 1, always one more, never used twice.
//!
//! The family's record keeps the counter and the latest ACTIVE revision; only this file writes
//! either table, so the two agree.

use crate::records::{
    FAMILIES, FamilyKey, FamilyRecord, TASK_DEFINITIONS, TaskDefinitionKey, TaskDefinitionRecord,
    TaskDefinitionStatus,
};
use aws_types::{Scope, Timestamp};
use store::{Txn, World};

/// The revision that the next registration in a family gets.
#[must_use]
pub fn next(world: &World, scope: &Scope, family: &str) -> u32 {
    world
        .get(&FAMILIES, &FamilyKey::new(scope, family))
        .map_or(1, |family| family.last_revision + 1)
}

/// Stores a new ACTIVE revision, which [`next`] numbered in this transaction.
pub fn insert(txn: &mut Txn, record: TaskDefinitionRecord) {
    let key = FamilyKey::new(&record.scope, &record.family);
    let revisions = txn
        .get(&FAMILIES, &key)
        .map_or(0, |family| family.revisions);
    txn.put(
        &FAMILIES,
        FamilyRecord {
            scope: record.scope.clone(),
            name: record.family.clone(),
            last_revision: record.revision,
            latest_active: Some(record.revision),
            revisions: revisions + 1,
        },
    );
    txn.put(&TASK_DEFINITIONS, record);
}

/// Makes a revision INACTIVE; one that is not ACTIVE stays as it is.
pub fn deactivate(txn: &mut Txn, record: &TaskDefinitionRecord, now: Timestamp) {
    if record.status != TaskDefinitionStatus::Active {
        return;
    }
    txn.put(
        &TASK_DEFINITIONS,
        TaskDefinitionRecord {
            status: TaskDefinitionStatus::Inactive,
            deregistered_at: Some(now),
            ..record.clone()
        },
    );
    let key = FamilyKey::new(&record.scope, &record.family);
    let known = txn.get(&FAMILIES, &key);
    if known.is_some_and(|family| family.latest_active == Some(record.revision)) {
        let latest = latest_active_below(txn, record);
        txn.update(&FAMILIES, &key, |family| family.latest_active = latest);
    }
}

/// Asks for the removal of an INACTIVE revision.
pub fn begin_delete(txn: &mut Txn, record: &TaskDefinitionRecord, now: Timestamp) {
    txn.put(
        &TASK_DEFINITIONS,
        TaskDefinitionRecord {
            status: TaskDefinitionStatus::DeleteInProgress,
            delete_requested_at: Some(now),
            ..record.clone()
        },
    );
}

/// Removes a revision whose deletion was asked for. Its number is not given again.
pub fn remove(txn: &mut Txn, record: &TaskDefinitionRecord) {
    if txn.delete(&TASK_DEFINITIONS, &record.key()) {
        txn.update(
            &FAMILIES,
            &FamilyKey::new(&record.scope, &record.family),
            |family| family.revisions -= 1,
        );
    }
}

fn latest_active_below(world: &World, record: &TaskDefinitionRecord) -> Option<u32> {
    (1..record.revision).rev().find(|revision| {
        let key = TaskDefinitionKey::new(&record.scope, &record.family, *revision);
        world
            .get(&TASK_DEFINITIONS, &key)
            .is_some_and(|record| record.status == TaskDefinitionStatus::Active)
    })
}
