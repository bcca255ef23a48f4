//! A stored task as its agent reads it in a PayloadMessage.
//!
//! Overrides are merged here, since the agent understands none; everything else that Docker has a
//! name for goes through `docker_config`. Rule: the public agent, its message types.

use super::docker_config;
use super::effective::{self, Effective};
use super::log_mode;
use super::{network, traffic};
use crate::connect;
use crate::records::cluster::cluster_arn;
use crate::records::task::{ContainerRecord, TaskRecord};
use crate::records::task_definition::{TASK_DEFINITIONS, TaskDefinitionKey};
use crate::service::images;
use aws_api::agent::{
    Association, AssociationContent, Container, ContainerDependency, DockerVolumeConfiguration,
    Longshore, MountPoint, PortMapping, RestartPolicy, Task, Volume, VolumeFrom, VolumeHost,
};
use aws_api::ecs::{self, ContainerDefinition, TaskDefinition};
use std::collections::BTreeMap;
use store::World;

/// CPU units of one vCPU; the agent counts a task's CPU in vCPUs.
const UNITS_PER_VCPU: f64 = 1024.0;
/// The agent refuses a task whose override names anything but a command; ours are merged already.
const NO_OVERRIDES: &str = "{}";

/// A task as its agent reads it. Without its definition (removed by a mistake of ours), only what a
/// stop needs.
#[must_use]
pub fn task(world: &World, record: &TaskRecord) -> Task {
    let key = &record.key;
    let bare = Task {
        arn: Some(key.arn()),
        task_cluster_arn: Some(cluster_arn(&key.scope, &key.cluster)),
        family: Some(record.family.clone()),
        version: Some(record.revision.to_string()),
        desired_status: Some(traffic::told(record).name().into()),
        overrides: Some(NO_OVERRIDES.into()),
        launch_type: Some(record.launch_type().into()),
        // A host that lends capacity has tasks of all zones; on an instance, a task's zone is the instance's.
        zone: record.fargate.as_ref().map(|run| run.zone.clone()),
        group: Some(record.group.clone()),
        service_name: record.group.strip_prefix("service:").map(str::to_owned),
        ..Task::default()
    };
    let key = TaskDefinitionKey::new(&record.key.scope, &record.family, record.revision);
    match world.get(&TASK_DEFINITIONS, &key) {
        Some(definition) => Task {
            longshore: longshore(world, record),
            ..with_definition(bare, record, &definition.definition)
        },
        None => bare,
    }
}

/// What our own agent gets beside the public protocol.
fn longshore(world: &World, record: &TaskRecord) -> Option<Longshore> {
    let digests = images::settled(world, record);
    let digests = (!digests.is_empty()).then_some(digests);
    let gib = record
        .fargate
        .as_ref()
        .map(|run| i64::from(run.ephemeral_gib));
    let service_connect = connect::task::payload(world, record);
    let has_any = digests.is_some() || gib.is_some() || service_connect.is_some();
    has_any.then(|| Longshore {
        image_digests: digests,
        ephemeral_storage_gib: gib,
        service_connect,
        ..Longshore::default()
    })
}

fn with_definition(bare: Task, record: &TaskRecord, definition: &TaskDefinition) -> Task {
    let Effective {
        cpu_units,
        memory_mib,
        containers,
        ..
    } = effective::merge(definition, &record.overrides);
    let containers = log_mode::filled_in(containers, record.log_mode.as_deref());
    let one = |container: &ContainerDefinition| {
        let known = record.containers.iter();
        let of_name = |c: &&ContainerRecord| container.name.as_ref() == Some(&c.name);
        self::container(
            record,
            container,
            known.into_iter().find(of_name),
            definition,
        )
    };
    Task {
        cpu: cpu_units.map(|units| f64::from(units) / UNITS_PER_VCPU),
        memory: memory_mib.map(i64::from),
        containers: Some(containers.iter().map(one).collect()),
        volumes: Some(definition.volumes.iter().flatten().map(volume).collect()),
        network_mode: Some(
            definition
                .network_mode
                .clone()
                .unwrap_or_else(|| "bridge".into()),
        ),
        pid_mode: definition.pid_mode.clone(),
        ipc_mode: definition.ipc_mode.clone(),
        associations: associations(record),
        elastic_network_interfaces: record
            .attachment
            .as_ref()
            .map(|one| vec![network::payload(&record.key.scope, one)]),
        ..bare
    }
}

/// A container's GPUs: each by its id, of one container.
fn associations(record: &TaskRecord) -> Option<Vec<Association>> {
    let of = |container: &ContainerRecord| {
        let containers = vec![container.name.clone()];
        let one = move |gpu: &String| Association {
            containers: Some(containers.clone()),
            name: Some(gpu.clone()),
            r#type: Some("gpu".into()),
            content: Some(AssociationContent {
                encoding: Some("base64".into()),
                value: Some(String::new()),
            }),
        };
        container.gpu_ids.iter().map(one).collect::<Vec<_>>()
    };
    let all: Vec<_> = record.containers.iter().flat_map(of).collect();
    (!all.is_empty()).then_some(all)
}

fn container(
    record: &TaskRecord,
    definition: &ContainerDefinition,
    known: Option<&ContainerRecord>,
    task: &TaskDefinition,
) -> Container {
    let key = &record.key;
    let arn = known.map(|container| {
        let resource = format!("container/{}/{}/{}", key.cluster, key.id.0, container.id);
        key.scope.arn("ecs", &resource).to_string()
    });
    Container {
        name: definition.name.clone(),
        image: definition.image.clone(),
        command: definition.command.clone(),
        entry_point: definition.entry_point.clone(),
        cpu: definition.cpu.map(i64::from).or(Some(0)),
        memory: definition.memory.map(i64::from),
        essential: Some(definition.essential.unwrap_or(true)),
        environment: Some(environment(record, definition)),
        overrides: Some(NO_OVERRIDES.into()),
        port_mappings: Some(
            definition
                .port_mappings
                .iter()
                .flatten()
                .map(port)
                .collect(),
        ),
        links: definition.links.clone(),
        mount_points: Some(
            definition
                .mount_points
                .iter()
                .flatten()
                .map(mount)
                .collect(),
        ),
        volumes_from: Some(
            definition
                .volumes_from
                .iter()
                .flatten()
                .map(volume_from)
                .collect(),
        ),
        docker_config: Some(docker_config::of(definition, task, &key.id.0)),
        health_check_type: definition.health_check.as_ref().map(|_| "docker".into()),
        depends_on: definition
            .depends_on
            .as_ref()
            .map(|all| all.iter().map(dependency).collect()),
        start_timeout: definition.start_timeout.map(i64::from),
        stop_timeout: definition.stop_timeout.map(i64::from),
        restart_policy: definition.restart_policy.as_ref().map(restart_policy),
        container_arn: arn,
        ..Container::default()
    }
}

/// What every container finds in its environment. Rule: semantics 10; developer guide, "Fargate".
fn environment(record: &TaskRecord, definition: &ContainerDefinition) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: &str| drop(variables.insert(name.into(), value.into()));
    match record.fargate {
        None => set("AWS_EXECUTION_ENV", "AWS_ECS_EC2"),
        Some(_) => {
            let region = &record.key.scope.region;
            set("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE");
            set("AWS_REGION", region);
            set("AWS_DEFAULT_REGION", region);
        }
    }
    for pair in definition.environment.iter().flatten() {
        let value = pair.value.clone().unwrap_or_default();
        variables.insert(pair.name.clone().unwrap_or_default(), value);
    }
    variables
}

fn port(given: &ecs::PortMapping) -> PortMapping {
    PortMapping {
        container_port: given.container_port.map(i64::from),
        host_port: given.host_port.map(i64::from),
        container_port_range: given.container_port_range.clone(),
        protocol: Some(given.protocol.clone().unwrap_or_else(|| "tcp".into())),
    }
}

fn mount(given: &ecs::MountPoint) -> MountPoint {
    MountPoint {
        source_volume: given.source_volume.clone(),
        container_path: given.container_path.clone(),
        read_only: Some(given.read_only.unwrap_or(false)),
    }
}

fn volume_from(given: &ecs::VolumeFrom) -> VolumeFrom {
    VolumeFrom {
        source_container: given.source_container.clone(),
        read_only: Some(given.read_only.unwrap_or(false)),
    }
}

fn dependency(given: &ecs::ContainerDependency) -> ContainerDependency {
    ContainerDependency {
        container_name: given.container_name.clone(),
        condition: given.condition.clone(),
    }
}

fn restart_policy(given: &ecs::ContainerRestartPolicy) -> RestartPolicy {
    let codes = given.ignored_exit_codes.as_ref();
    RestartPolicy {
        enabled: given.enabled,
        ignored_exit_codes: codes.map(|codes| codes.iter().copied().map(i64::from).collect()),
        restart_attempt_period: given.restart_attempt_period.map(i64::from),
    }
}

/// Host directories, volumes that live as long as the task, and named ones.
fn volume(given: &ecs::Volume) -> Volume {
    let named = Volume {
        name: given.name.clone(),
        ..Volume::default()
    };
    if let Some(docker) = &given.docker_volume_configuration {
        return Volume {
            r#type: Some("docker".into()),
            docker_volume_configuration: Some(docker_volume(docker)),
            ..named
        };
    }
    let path = given
        .host
        .as_ref()
        .and_then(|host| host.source_path.clone());
    Volume {
        r#type: Some("host".into()),
        host: Some(VolumeHost { source_path: path }),
        ..named
    }
}

fn docker_volume(given: &ecs::DockerVolumeConfiguration) -> DockerVolumeConfiguration {
    DockerVolumeConfiguration {
        scope: given.scope.clone().or_else(|| Some("task".into())),
        autoprovision: given.autoprovision,
        driver: given.driver.clone().or_else(|| Some("local".into())),
        driver_opts: given.driver_opts.clone(),
        labels: given.labels.clone(),
    }
}
