//! A stored container instance as the API shows it.
//!
//! Rule: API reference, ContainerInstance; members present and absent as recorded from AWS.

use super::load::{self, Load};
use super::resources;
use crate::records::container_instance::{AttributeRecord, ContainerInstanceRecord};
use crate::rules::tags;
use aws_api::ecs::{Attribute, ContainerInstance, VersionInfo};
use store::World;

/// An instance as an answer shows it; `tags` only where they were asked for, else an empty list.
#[must_use]
pub fn instance(
    world: &World,
    record: &ContainerInstanceRecord,
    with_tags: bool,
) -> ContainerInstance {
    let (load, version) = (load::of(world, record), load::version(world, record));
    with_load(record, &load, version, with_tags)
}

/// The instance as it was when it had this load and version.
#[must_use]
pub fn with_load(
    record: &ContainerInstanceRecord,
    load: &Load,
    version: u64,
    with_tags: bool,
) -> ContainerInstance {
    let count = |count: u32| Some(i32::try_from(count).unwrap_or(i32::MAX));
    ContainerInstance {
        container_instance_arn: Some(record.key.arn()),
        ec2_instance_id: Some(record.ec2_instance_id.clone()),
        version: Some(i64::try_from(version).unwrap_or(i64::MAX)),
        version_info: Some(VersionInfo {
            agent_version: record.versions.agent_version.clone(),
            agent_hash: record.versions.agent_hash.clone(),
            docker_version: record.versions.docker_version.clone(),
        }),
        remaining_resources: Some(resources::remaining(&record.registered, &load.free)),
        registered_resources: Some(resources::registered(&record.registered)),
        status: Some(record.status.name().into()),
        capacity_provider_name: record.capacity_provider.clone(),
        agent_connected: Some(record.is_connected()),
        running_tasks_count: count(load.running),
        pending_tasks_count: count(load.pending),
        attributes: Some(record.attributes.iter().map(attribute).collect()),
        registered_at: Some(record.registered_at),
        attachments: Some(Vec::new()),
        tags: Some(if with_tags {
            tags::shape(&record.tags)
        } else {
            Vec::new()
        }),
        ..ContainerInstance::default()
    }
}

fn attribute(record: &AttributeRecord) -> Attribute {
    Attribute {
        name: Some(record.name.clone()),
        value: record.value.clone(),
        ..Attribute::default()
    }
}
