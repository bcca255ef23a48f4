//! A stored task as the API shows it.
//!
//! Rule: API reference, Task and Container; which members are present and which absent as recorded
//! from AWS (lists exist when empty, texts are absent until known).

use super::effective::{self, Effective};
use super::health;
use super::network;
use super::status::TaskStatus;
use crate::connect;
use crate::fargate;
use crate::place::problem::{ARCHITECTURE, ZONE};
use crate::records::container_instance::{CONTAINER_INSTANCES, ContainerInstanceRecord};
use crate::records::overrides::ContainerOverrides;
use crate::records::task::{BindingRecord, ContainerRecord, FargateRecord, TaskRecord};
use crate::records::task_definition::{TASK_DEFINITIONS, TaskDefinitionKey, task_definition_arn};
use crate::records::{
    attachment::{AttachmentRecord, AttachmentStatus},
    cluster,
    task::TaskTimes,
};
use crate::rules::tags;
use aws_api::Stored;
use aws_api::ecs::{
    Attachment, Attribute, Container, ContainerDefinition, ContainerOverride, EphemeralStorage,
    KeyValuePair, NetworkBinding, NetworkInterface, Task, TaskEphemeralStorage, TaskOverride,
};
use store::World;

/// A task as an answer shows it; `tags` only where they were asked for, else an empty list.
#[must_use]
pub fn task(world: &World, record: &TaskRecord, with_tags: bool) -> Task {
    let key = TaskDefinitionKey::new(&record.key.scope, &record.family, record.revision);
    let definition = world.get(&TASK_DEFINITIONS, &key);
    let effective = definition.map(|d| effective::merge(&d.definition, &record.overrides));
    let instance = world.get(&CONTAINER_INSTANCES, &record.instance_key());
    let run = record.fargate.as_deref();
    let shown = Task {
        attachments: Some(attachments(world, record)),
        attributes: Some(attributes(instance.map(AsRef::as_ref))),
        availability_zone: match run {
            Some(run) => Some(run.zone.clone()),
            None => zone(instance.map(AsRef::as_ref)),
        },
        capacity_provider_name: record.capacity_provider.clone(),
        cluster_arn: Some(cluster::cluster_arn(&record.key.scope, &record.key.cluster)),
        container_instance_arn: run.is_none().then(|| record.instance_key().arn()),
        containers: Some(containers(record, effective.as_ref())),
        cpu: Some(record.reserved.cpu_units.to_string()),
        memory: Some(record.reserved.memory_mib.to_string()),
        desired_status: Some(record.desired.name().into()),
        last_status: Some(record.last_status.name().into()),
        enable_execute_command: Some(record.enable_execute_command),
        group: Some(record.group.clone()),
        health_status: Some(health::of_task(&record.containers).name().into()),
        inference_accelerators: Some(Vec::new()),
        launch_type: Some(record.launch_type().into()),
        platform_version: run.map(|run| run.platform_version.clone()),
        platform_family: run.map(|_| fargate::FAMILY.into()),
        ephemeral_storage: run.map(|run| EphemeralStorage {
            size_in_gi_b: disk_gib(run),
        }),
        fargate_ephemeral_storage: run.map(|run| TaskEphemeralStorage {
            size_in_gi_b: disk_gib(run),
            ..TaskEphemeralStorage::default()
        }),
        overrides: Some(overrides(record)),
        started_by: record.started_by.clone(),
        stop_code: record.stop.as_ref().map(|stop| stop.code.name().into()),
        stopped_reason: record.stop.as_ref().map(|stop| stop.text.clone()),
        tags: Some(if with_tags {
            tags::shape(&record.tags)
        } else {
            Vec::new()
        }),
        task_arn: Some(record.key.arn()),
        task_definition_arn: Some(task_definition_arn(
            &record.key.scope,
            &record.family,
            record.revision,
        )),
        version: Some(i64::try_from(record.version).unwrap_or(i64::MAX)),
        ..Task::default()
    };
    let is_away = instance.is_some_and(|instance| !instance.is_connected());
    let times = with_times(shown, &record.times);
    Task {
        connectivity: connectivity(record, is_away).map(Into::into),
        ..times
    }
}

fn attachments(world: &World, record: &TaskRecord) -> Vec<Attachment> {
    let connect = connect::task::attachment(world, record);
    let interface = record.attachment.iter();
    let interface = interface.map(|one| network::shape(record, one));
    connect.into_iter().chain(interface).collect()
}

/// `connectivity`: of a task that its agent was told of. One that ended stays as it was.
fn connectivity(record: &TaskRecord, agent_is_away: bool) -> Option<&'static str> {
    record.times.connectivity?;
    match agent_is_away && record.last_status != TaskStatus::Stopped {
        true => Some("DISCONNECTED"),
        false => Some("CONNECTED"),
    }
}

fn disk_gib(run: &FargateRecord) -> Option<i32> {
    i32::try_from(run.ephemeral_gib).ok()
}

fn with_times(task: Task, times: &TaskTimes) -> Task {
    Task {
        connectivity_at: times.connectivity,
        created_at: Some(times.created),
        execution_stopped_at: times.execution_stopped,
        pull_started_at: times.pull_started,
        pull_stopped_at: times.pull_stopped,
        started_at: times.started,
        stopped_at: times.stopped,
        stopping_at: times.stopping,
        ..task
    }
}

/// Of its instance's attributes a task shows one as its own.
fn attributes(instance: Option<&ContainerInstanceRecord>) -> Vec<Attribute> {
    let value = instance.and_then(|i| i.attribute(ARCHITECTURE)).flatten();
    let shown = value.map(|value| Attribute {
        name: Some(ARCHITECTURE.into()),
        value: Some(value.into()),
        ..Attribute::default()
    });
    shown.into_iter().collect()
}

fn zone(instance: Option<&ContainerInstanceRecord>) -> Option<String> {
    instance
        .and_then(|i| i.attribute(ZONE))
        .flatten()
        .map(Into::into)
}

fn containers(record: &TaskRecord, effective: Option<&Effective>) -> Vec<Container> {
    let shown = record.containers.iter().map(|container| {
        let definitions = effective
            .map(|e| e.containers.as_slice())
            .unwrap_or_default();
        let of_name = |d: &&ContainerDefinition| d.name.as_ref() == Some(&container.name);
        self::container(record, container, definitions.iter().find(of_name))
    });
    shown.collect()
}

fn container(
    record: &TaskRecord,
    container: &ContainerRecord,
    definition: Option<&ContainerDefinition>,
) -> Container {
    let key = &record.key;
    let resource = format!("container/{}/{}/{}", key.cluster, key.id.0, container.id);
    let text = |size: Option<i32>| size.map(|size| size.to_string());
    Container {
        container_arn: Some(key.scope.arn("ecs", &resource).to_string()),
        task_arn: Some(key.arn()),
        name: Some(container.name.clone()),
        image: definition.and_then(|d| d.image.clone()),
        image_digest: container.image_digest.clone(),
        runtime_id: container
            .runtime_id
            .as_ref()
            .map(|id| runtime_id(record, id)),
        last_status: Some(container.status.name().into()),
        exit_code: container.exit_code,
        reason: container.reason.clone(),
        network_bindings: Some(container.bindings.iter().map(binding).collect()),
        network_interfaces: Some(
            record
                .attachment
                .iter()
                .filter_map(|one| interface(one))
                .collect(),
        ),
        health_status: Some(container.health.name().into()),
        cpu: Some(definition.and_then(|d| d.cpu).unwrap_or(0).to_string()),
        memory: text(definition.and_then(|d| d.memory)),
        memory_reservation: text(definition.and_then(|d| d.memory_reservation)),
        gpu_ids: (!container.gpu_ids.is_empty()).then(|| container.gpu_ids.clone()),
        ..Container::default()
    }
}

/// `TASK-NNNNNNNNNN` of launch type FARGATE: the number follows from the container's own id.
fn runtime_id(record: &TaskRecord, id: &str) -> String {
    if record.fargate.is_none() {
        return id.into();
    }
    let digits = id
        .get(..12)
        .and_then(|part| u64::from_str_radix(part, 16).ok());
    let number = digits.unwrap_or(0) % 10_000_000_000;
    format!("{}-{number:010}", record.key.id.0)
}

/// The task's interface is each container's, from the moment that it has one.
fn interface(attachment: &AttachmentRecord) -> Option<NetworkInterface> {
    let is_told = attachment.status != AttachmentStatus::Precreated;
    is_told.then(|| NetworkInterface {
        attachment_id: Some(attachment.id.clone()),
        private_ipv4_address: Some(attachment.address.to_string()),
        ipv6_address: attachment.ipv6_address.map(|address| address.to_string()),
    })
}

fn binding(record: &BindingRecord) -> NetworkBinding {
    NetworkBinding {
        bind_ip: record.bind_ip.clone(),
        container_port: record.container_port,
        host_port: record.host_port,
        protocol: record.protocol.clone(),
        container_port_range: record.container_port_range.clone(),
        host_port_range: record.host_port_range.clone(),
    }
}

/// Every container is listed, also where nothing was overridden for it.
fn overrides(record: &TaskRecord) -> TaskOverride {
    let given = &record.overrides;
    let one = |container: &ContainerRecord| {
        let with = given.containers.iter().find(|o| o.name == container.name);
        with.map_or_else(
            || ContainerOverride {
                name: Some(container.name.clone()),
                ..ContainerOverride::default()
            },
            container_override,
        )
    };
    TaskOverride {
        container_overrides: Some(record.containers.iter().map(one).collect()),
        cpu: given.cpu.clone(),
        memory: given.memory.clone(),
        execution_role_arn: given.execution_role_arn.clone(),
        task_role_arn: given.task_role_arn.clone(),
        inference_accelerator_overrides: Some(Vec::new()),
        ephemeral_storage: given.ephemeral_gib.map(|gib| EphemeralStorage {
            size_in_gi_b: i32::try_from(gib).ok(),
        }),
    }
}

/// Shapes out of their stored form.
fn unstored<T: Clone>(stored: &[Stored<T>]) -> Vec<T> {
    stored.iter().map(|one| one.0.clone()).collect()
}

fn container_override(given: &ContainerOverrides) -> ContainerOverride {
    let pair = |(name, value): &(String, String)| KeyValuePair {
        name: Some(name.clone()),
        value: Some(value.clone()),
    };
    ContainerOverride {
        name: Some(given.name.clone()),
        command: given.command.clone(),
        environment: given
            .environment
            .as_ref()
            .map(|all| all.iter().map(pair).collect()),
        cpu: given.cpu_units,
        memory: given.memory_mib,
        memory_reservation: given.memory_reservation_mib,
        environment_files: given.environment_files.as_deref().map(unstored),
        resource_requirements: given.resource_requirements.as_deref().map(unstored),
    }
}
