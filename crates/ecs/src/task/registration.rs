//! A task of a service with a registry, or one that Service Connect exposes, is an instance of a Cloud Map service while it runs and is well.
//!
//! Registered in the transaction in which it is RUNNING, or in which its health checks first pass; taken
//! away in the one that asks it to stop, before its host is told: so no name leads to a task that is being
//! killed, and no controller has to catch up. A task that is unwell stays, with its custom health.
//! Rule: developer guide, "Use service discovery to connect Amazon ECS services"; semantics 6.12.

use super::effective::Effective;
use super::health::{self, HealthStatus};
use super::status::{DesiredStatus, TaskStatus};
use crate::place::problem::ZONE;
use crate::records::container_instance::{CONTAINER_INSTANCES, ContainerInstanceRecord};
use crate::records::registration::{RegisteredPort, RegistrationRecord};
use crate::records::service::GROUP_PREFIX;
use crate::records::task::{ContainerRecord, TASKS, TaskRecord};
use crate::rules::registries;
use aws_api::ecs::{ContainerDefinition, ServiceRegistry, TaskDefinition};
use aws_types::{Scope, Timestamp};
use servicediscovery::instances::{self, INIT_HEALTH, IPV4, IPV6, PORT};
use servicediscovery::records::{Health, INSTANCES, InstanceKey, ItemKey, SERVICES};
use std::collections::BTreeMap;
use store::{Txn, World};

/// The attribute with a host's address in the network between the hosts.
const HOST_ADDRESS: &str = "longshore.address";
/// The attribute of an instance with the cluster of its task.
pub const CLUSTER: &str = "ECS_CLUSTER_NAME";
/// A host that says no address: its own processes reach its ports here, and nobody else does.
const ONLY_HOST: &str = "127.0.0.1";

/// What tasks of this definition are registered as; `None` where no registry is asked for.
#[must_use]
pub fn of(
    scope: &Scope,
    registry: Option<&ServiceRegistry>,
    (definition, effective): (&TaskDefinition, &Effective),
    external_id: Option<String>,
) -> Option<Box<RegistrationRecord>> {
    let registry = registry?;
    let key = registries::service(scope, registry.registry_arn.as_deref()?)?;
    let named = registry.container_name.clone().zip(registry.container_port);
    let is_bridge = matches!(definition.network_mode.as_deref(), None | Some("bridge"));
    let port = match named {
        Some((container, port)) if is_bridge => Some(RegisteredPort::Bound { container, port }),
        Some((_, port)) => Some(RegisteredPort::Fixed(port)),
        None => registry.port.map(RegisteredPort::Fixed),
    };
    Some(Box::new(RegistrationRecord {
        service: key.id,
        port,
        checked: checked(effective),
        external_id,
    }))
}

/// Essential containers with a health check, whose health is the instance's.
#[must_use]
pub fn checked(effective: &Effective) -> Vec<String> {
    let is_checked =
        |c: &&ContainerDefinition| c.essential.unwrap_or(true) && c.health_check.is_some();
    let checked = effective.containers.iter().filter(is_checked);
    checked.filter_map(|c| c.name.clone()).collect()
}

/// Runs at the end of every transaction: what became of tasks becomes of their instances.
pub fn settle(txn: &mut Txn, now: Timestamp) {
    for (before, after) in txn.changed(&TASKS) {
        let Some(task) = after.as_ref().or(before.as_ref()) else {
            continue;
        };
        let connect = task.connect.iter();
        let connected = connect.flat_map(|connect| &connect.registrations);
        for registration in task.registration.as_deref().into_iter().chain(connected) {
            settle_one(txn, now, (task, after.as_deref()), registration);
        }
    }
}

fn settle_one(
    txn: &mut Txn,
    now: Timestamp,
    (task, after): (&TaskRecord, Option<&TaskRecord>),
    registration: &RegistrationRecord,
) {
    let key = key(task, registration);
    let is_there = txn.get(&INSTANCES, &key).is_some();
    match wanted(after, registration) {
        Wanted::Gone => drop(instances::deregister(txn, now, &key)),
        Wanted::Is(health) if is_there => drop(instances::set_health(txn, now, &key, health)),
        // What never was well is not announced.
        Wanted::Is(Health::Unhealthy) | Wanted::AsBefore => {}
        Wanted::Is(Health::Healthy) => {
            let attributes = attributes(txn, task, registration);
            instances::register(txn, now, key, attributes, None);
        }
    }
}

/// The instance of a task.
fn key(task: &TaskRecord, registration: &RegistrationRecord) -> InstanceKey {
    InstanceKey {
        service: ItemKey::new(&task.key.scope, &registration.service),
        id: task.key.id.0.clone(),
    }
}

/// What is to be of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// It is there, and so.
    Is(Health),
    /// Nobody knows better than before.
    AsBefore,
    /// It is not there.
    Gone,
}

fn wanted(task: Option<&TaskRecord>, registration: &RegistrationRecord) -> Wanted {
    let runs = |task: &&TaskRecord| {
        task.desired == DesiredStatus::Running && task.last_status == TaskStatus::Running
    };
    let Some(task) = task.filter(runs) else {
        return Wanted::Gone;
    };
    let is_checked = |c: &&ContainerRecord| registration.checked.contains(&c.name);
    let checked = task.containers.iter().filter(is_checked).cloned();
    let checked: Vec<ContainerRecord> = checked.collect();
    match health::of_task(&checked) {
        _ if checked.is_empty() => Wanted::Is(Health::Healthy),
        HealthStatus::Healthy => Wanted::Is(Health::Healthy),
        HealthStatus::Unhealthy => Wanted::Is(Health::Unhealthy),
        HealthStatus::Unknown => Wanted::AsBefore,
    }
}

/// Rule: developer guide, the attributes with which ECS registers a task.
fn attributes(
    world: &World,
    task: &TaskRecord,
    registration: &RegistrationRecord,
) -> BTreeMap<String, String> {
    let instance = world.get(&CONTAINER_INSTANCES, &task.instance_key());
    let said = |name: &str| Some(instance?.attribute(name)??.to_owned());
    let attachment = task.attachment.as_ref();
    let own = attachment.map(|one| one.address.to_string());
    let of_host = || said(HOST_ADDRESS).unwrap_or_else(|| ONLY_HOST.into());
    let ec2_id = |one: &ContainerInstanceRecord| one.ec2_instance_id.clone();
    let zone = match &task.fargate {
        Some(fargate) => Some(fargate.zone.clone()).filter(|zone| !zone.is_empty()),
        None => said(ZONE),
    };
    let service = ItemKey::new(&task.key.scope, &registration.service);
    let has_health = world
        .get(&SERVICES, &service)
        .is_some_and(|service| service.custom_health);
    let name = task.group.strip_prefix(GROUP_PREFIX).map(Into::into);
    [
        ("AVAILABILITY_ZONE", zone),
        (
            INIT_HEALTH,
            has_health.then(|| Health::Healthy.name().into()),
        ),
        (IPV4, Some(own.unwrap_or_else(of_host))),
        (
            IPV6,
            attachment.and_then(|one| Some(one.ipv6_address?.to_string())),
        ),
        (PORT, port(task, registration).map(|port| port.to_string())),
        (
            "EC2_INSTANCE_ID",
            instance
                .filter(|_| task.fargate.is_none())
                .map(|one| ec2_id(one)),
        ),
        (CLUSTER, Some(task.key.cluster.clone())),
        ("ECS_SERVICE_NAME", name),
        ("ECS_TASK_DEFINITION_FAMILY", Some(task.family.clone())),
        ("ECS_TASK_SET_EXTERNAL_ID", registration.external_id.clone()),
        ("REGION", Some(task.key.scope.region.clone())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

fn port(task: &TaskRecord, registration: &RegistrationRecord) -> Option<i32> {
    match registration.port.as_ref()? {
        RegisteredPort::Fixed(port) => Some(*port),
        RegisteredPort::Bound { container, port } => {
            let mut containers = task.containers.iter();
            let bindings = &containers.find(|c| c.name == *container)?.bindings;
            let mut at = bindings.iter().filter(|b| b.container_port == Some(*port));
            at.find_map(|binding| binding.host_port)
        }
    }
}
