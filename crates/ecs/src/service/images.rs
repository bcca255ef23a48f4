//! One image for all tasks of a revision: the first task that reports a digest settles it.
//!
//! A tag that moves later changes nothing until a new revision is deployed; containers with
//! `versionConsistency` `disabled` follow their tags. Rule: API reference, ContainerDefinition;
//! semantics, trap 33.

use crate::records::service::{GROUP_PREFIX, SERVICES, ServiceKey};
use crate::records::service_revision::{
    ResolvedImage, RevisionKey, SERVICE_REVISIONS, ServiceRevisionRecord,
};
use crate::records::task::TaskRecord;
use crate::records::task_definition::{TASK_DEFINITIONS, TaskDefinitionKey};
use std::collections::BTreeMap;
use store::{Txn, World};

/// The digests that a task's containers are to run, by container; empty for a task of no service and
/// for what no task has resolved yet.
#[must_use]
pub fn settled(world: &World, task: &TaskRecord) -> BTreeMap<String, String> {
    let key = revision_of(world, task);
    let revision = key.and_then(|key| world.get(&SERVICE_REVISIONS, &key));
    let images = revision.iter().flat_map(|revision| &revision.images);
    images
        .map(|image| (image.container.clone(), image.digest.clone()))
        .collect()
}

/// Settles what this task resolved and its revision did not know.
pub fn learn(txn: &mut Txn, task: &TaskRecord) {
    let reports = task.containers.iter().any(|c| c.image_digest.is_some());
    let Some(key) = revision_of(txn, task).filter(|_| reports) else {
        return;
    };
    let Some(revision) = txn.get(&SERVICE_REVISIONS, &key) else {
        return;
    };
    let images = with_news(txn, revision, task);
    if images != revision.images {
        txn.update(&SERVICE_REVISIONS, &key, |revision| {
            revision.images = images;
        });
    }
}

/// In the definition's order: what is settled stays, what the task resolved joins it.
fn with_news(
    world: &World,
    revision: &ServiceRevisionRecord,
    task: &TaskRecord,
) -> Vec<ResolvedImage> {
    let key = TaskDefinitionKey::new(&task.key.scope, &task.family, task.revision);
    let Some(definition) = world.get(&TASK_DEFINITIONS, &key) else {
        return revision.images.clone();
    };
    let containers = definition.definition.container_definitions.iter().flatten();
    let image = |container: &aws_api::ecs::ContainerDefinition| {
        let name = container.name.as_deref()?;
        let mut settled = revision.images.iter();
        if let Some(settled) = settled.find(|image| image.container == name) {
            return Some(settled.clone());
        }
        if container.version_consistency.as_deref() == Some("disabled") {
            return None;
        }
        let mut reported = task.containers.iter();
        let reported = reported.find(|reported| reported.name == name)?;
        Some(ResolvedImage {
            container: name.into(),
            image: container.image.clone()?,
            digest: reported.image_digest.clone()?,
        })
    };
    containers.filter_map(image).collect()
}

/// The revision whose deployment started a task.
fn revision_of(world: &World, task: &TaskRecord) -> Option<RevisionKey> {
    let started_by = task.service?.deployment;
    let name = task.group.strip_prefix(GROUP_PREFIX)?;
    let service = ServiceKey::new(&task.key.scope, &task.key.cluster, name);
    let record = world.get(&SERVICES, &service)?;
    let mut deployments = record.deployments.iter();
    let number = deployments.find(|one| one.number == started_by)?.revision;
    Some(RevisionKey { service, number })
}
