//! What the records say of a task, a container instance or a service to somebody who asks why.
//!
//! Pure. It adds nothing to the records: who asked is in the decision log, if there at all.

use crate::connect;
use crate::instance::load;
use crate::place::choose::{Question, choose};
use crate::place::facts as place_facts;
use crate::place::feed::PLACEMENT;
use crate::place::problem::ZONE;
use crate::place::solve::{Refusal, Refused, refused, refuses};
use crate::records::ClusterKey;
use crate::records::container_instance::{
    CONTAINER_INSTANCES, Connection, ContainerInstanceRecord, InstanceKey, InstanceStatus,
};
use crate::records::service::{Deployment, SERVICES, Scheduling, ServiceKey, ServiceRecord};
use crate::records::service_revision::{RevisionKey, SERVICE_REVISIONS};
use crate::records::task::{ContainerRecord, TASKS, TaskKey, TaskRecord};
use crate::records::task_table::{BY_SERVICE, Count, listed_parts};
use crate::service::facts::Facts;
use crate::service::limits::Limits;
use crate::service::observe::observe;
use crate::service::waits::Waits;
use crate::service::{deploy, events, explain, launch, plan, providers};
use crate::task::status::DesiredStatus;
use aws_types::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{TableKey, World};

/// As many digits of an id have to be given.
const PREFIX_LEN_MIN: usize = 4;
/// As many events of a service are told, the newest.
const EVENTS_TOLD_MAX: usize = 10;
/// Ended tasks that the plan looks at.
const ENDED_MAX: usize = 32;

/// A record that is asked about.
#[derive(Clone, Debug)]
pub enum Found {
    /// A task.
    Task(Arc<TaskRecord>),
    /// A container instance.
    Instance(Arc<ContainerInstanceRecord>),
    /// A service.
    Service(Arc<ServiceRecord>),
}

/// The tasks, container instances and services that a text may mean: an ARN, an id, the first digits
/// of one, the id of an instance's machine (`i-…`), a service's name or CLUSTER/NAME. Looks at every
/// record.
#[must_use]
pub fn find(world: &World, text: &str) -> Vec<Found> {
    let services = world.scan(&SERVICES).filter(|service| {
        let ServiceKey { cluster, name, .. } = &service.key;
        text == name || text == format!("{cluster}/{name}") || text == service.key.arn()
    });
    let services: Vec<Found> = services.cloned().map(Found::Service).collect();
    let id = text.rsplit('/').next().unwrap_or(text);
    if id.len() < PREFIX_LEN_MIN {
        return services;
    }
    // An ARN names what it means.
    let may_be = |kind: &str| !text.starts_with("arn:") || text.contains(kind);
    let tasks = world
        .scan(&TASKS)
        .filter(|task| may_be(":task/") && task.key.id.0.starts_with(id))
        .map(|task| Found::Task(task.clone()));
    let instances = world
        .scan(&CONTAINER_INSTANCES)
        .filter(|instance| {
            let is_named = instance.key.id.0.starts_with(id) || instance.ec2_instance_id == id;
            is_named && may_be(":container-instance/")
        })
        .map(|instance| Found::Instance(instance.clone()));
    tasks.chain(instances).chain(services).collect()
}

/// What its record says of a task.
#[must_use]
pub fn task(world: &World, task: &TaskRecord) -> Value {
    let at = world.get(&CONTAINER_INSTANCES, &task.instance_key());
    let reserved = &task.reserved;
    json!({
        "id": task.key.id.0,
        "arn": task.key.arn(),
        "cluster": task.key.cluster,
        "definition": format!("{}:{}", task.family, task.revision),
        "group": task.group,
        "started_by": task.started_by,
        "last_status": task.last_status.name(),
        "desired_status": task.desired.name(),
        "instance": task.instance.0,
        "instance_standing": at.map(|at| standing(world, at).join("; ")),
        "reserved": {
            "cpu_units": reserved.cpu_units, "memory_mib": reserved.memory_mib,
            "tcp": reserved.tcp, "udp": reserved.udp, "gpus": reserved.gpus,
        },
        "holds_resources": task.holds,
        "is_delivered": !task.is_undelivered(),
        "stop": task.stop.as_ref().map(|stop| json!({
            "code": stop.code.name(), "reason": stop.text,
        })),
        "containers": task.containers.iter().map(container).collect::<Vec<_>>(),
        "times": times(task),
    })
}

fn container(container: &ContainerRecord) -> Value {
    json!({
        "name": container.name,
        "essential": container.essential,
        "status": container.status.name(),
        "exit_code": container.exit_code,
        "reason": container.reason,
        "health": container.health.name(),
    })
}

/// By AWS's names, those that are set, in the order in which they come.
fn times(task: &TaskRecord) -> Vec<Value> {
    let times = &task.times;
    [
        ("createdAt", Some(times.created)),
        ("connectivityAt", times.connectivity),
        ("pullStartedAt", times.pull_started),
        ("pullStoppedAt", times.pull_stopped),
        ("startedAt", times.started),
        ("stoppingAt", times.stopping),
        ("executionStoppedAt", times.execution_stopped),
        ("stoppedAt", times.stopped),
    ]
    .into_iter()
    .filter_map(|(name, at)| Some(json!([name, at?.iso8601()])))
    .collect()
}

/// What its record, and those of its tasks, say of a container instance.
#[must_use]
pub fn instance(world: &World, instance: &ContainerInstanceRecord) -> Value {
    let load = load::of(world, instance);
    let (registered, free) = (&instance.registered, &load.free);
    let attribute = |a: &crate::records::container_instance::AttributeRecord| match &a.value {
        Some(value) => format!("{}={value}", a.name),
        None => a.name.clone(),
    };
    let (connection, since) = match instance.connection {
        Connection::Connected => ("connected", None),
        Connection::Away(since) => ("away", Some(since)),
        Connection::Lost(since) => ("lost", Some(since)),
    };
    json!({
        "id": instance.key.id.0,
        "arn": instance.key.arn(),
        "cluster": instance.key.cluster,
        "host": instance.host,
        "ec2_instance_id": instance.ec2_instance_id,
        "status": instance.status.name(),
        "agent": connection,
        "agent_away_since": since.map(Timestamp::iso8601),
        "takes_no_task_because": standing(world, instance),
        "registered": {
            "cpu_units": registered.cpu_units, "memory_mib": registered.memory_mib,
            "gpus": registered.gpus, "interfaces": registered.interfaces,
        },
        "free": {
            "cpu_units": free.cpu_units, "memory_mib": free.memory_mib, "gpus": free.gpus,
            "interfaces": registered.interfaces.map(|_| free.interfaces),
        },
        "ports_in_use": { "tcp": free.tcp_used, "udp": free.udp_used },
        "attributes": instance.attributes.iter().map(attribute).collect::<Vec<_>>(),
        "tasks": {
            "running": load.running, "pending": load.pending,
            "holding_resources": load.held, "unconfirmed": load.unconfirmed,
        },
        "registered_at": instance.registered_at.iso8601(),
    })
}

/// Why it takes no task at all; empty when it takes tasks.
fn standing(world: &World, instance: &ContainerInstanceRecord) -> Vec<String> {
    let mut why = Vec::new();
    match (instance.status, instance.deregistered_at) {
        (InstanceStatus::Active, _) => {}
        (InstanceStatus::Draining, _) => why.push("it is being drained".to_owned()),
        (InstanceStatus::Inactive, Some(at)) => {
            why.push(format!("it was deregistered at {}", at.iso8601()));
        }
        (InstanceStatus::Inactive, None) => why.push("it was deregistered".to_owned()),
    }
    match instance.connection {
        Connection::Connected => {}
        Connection::Away(since) => {
            why.push(format!("its agent is away since {}", since.iso8601()));
        }
        Connection::Lost(since) => {
            why.push(format!("its host is lost, away since {}", since.iso8601()));
        }
    }
    let unconfirmed = load::of(world, instance).unconfirmed;
    if unconfirmed > 0 {
        why.push(format!(
            "{unconfirmed} of its tasks count as stopped, and it has not yet said so"
        ));
    }
    why
}

/// What its record, and those of its tasks, say of a service, and what it waits for at `now`.
#[must_use]
pub fn service(world: &World, service: &ServiceRecord, now: Timestamp, waits: Waits) -> Value {
    let facts = observe(world, service, now, waits, ENDED_MAX);
    let plan = plan::plan(&facts);
    let no_place = |number, zone: Option<&str>| {
        let refused = no_place(world, &facts, (number, zone))?;
        Some(match zone {
            Some(zone) => of_zone(world, &service.key, refused, zone),
            None => refused,
        })
    };
    let waits_for = explain::waits(&facts, &plan, &no_place);
    let has_limits =
        service.scheduling == Scheduling::Replica && !service.controller.has_task_sets();
    let limits = has_limits.then(|| Limits::of(service, service.desired));
    let sets = service.task_sets.iter().map(|set| {
        json!({
            "id": set.id(), "status": set.status.name(),
            "definition": format!("{}:{}", set.workload.family, set.workload.revision),
            "desired": set.computed_desired(service.desired),
            "running": deploy::count(world, &service.key, set.number, Count::Running),
            "pending": deploy::count(world, &service.key, set.number, Count::Pending),
            "state": if set.steady.is_some() { "STEADY_STATE" } else { "STABILIZING" },
        })
    });
    let deployments = service.deployments.iter().enumerate();
    let deployments = deployments.map(|(at, one)| deployment(world, service, at == 0, one));
    let told = events::kept(world, service).into_iter();
    json!({
        "name": service.key.name,
        "arn": service.key.arn(),
        "cluster": service.key.cluster,
        "status": service.status.name(),
        "scheduling": service.scheduling.name(),
        "controller": service.controller.name(),
        "desired": service.desired,
        "limits": limits.map(|limits| json!({
            "minimum_healthy": limits.lower, "maximum": limits.upper,
        })),
        "failures_that_end_a_deployment": explain::breaker(service),
        "deployments": deployments.chain(sets).collect::<Vec<_>>(),
        "waits_for": waits_for.iter().map(explain::Wait::facts).collect::<Vec<_>>(),
        "service_connect": connect::explain::service(world, service),
        "steady_since": service.steady.map(|steady| steady.since.iso8601()),
        "looks_again_at": plan.wake_at.map(Timestamp::iso8601),
        "events": told
            .take(EVENTS_TOLD_MAX)
            .map(|event| json!([event.at.iso8601(), event.text]))
            .collect::<Vec<_>>(),
    })
}

/// Ids of a service's tasks, those that are STOPPED and still described included.
#[must_use]
pub fn task_ids(world: &World, service: &ServiceKey) -> BTreeSet<String> {
    let of_cluster = TaskKey::new(&service.scope, &service.cluster, "");
    let group = service.group();
    let parts = [DesiredStatus::Running, DesiredStatus::Stopped]
        .map(|desired| listed_parts(&of_cluster, &group, desired));
    let found = parts
        .iter()
        .flat_map(|parts| world.find(&TASKS, &BY_SERVICE, parts));
    found.map(|task| task.key.id.0.clone()).collect()
}

fn deployment(
    world: &World,
    service: &ServiceRecord,
    is_primary: bool,
    deployment: &Deployment,
) -> Value {
    let key = RevisionKey {
        service: service.key.clone(),
        number: deployment.revision,
    };
    let revision = world.get(&SERVICE_REVISIONS, &key);
    json!({
        "id": deployment.id(),
        "status": if is_primary { "PRIMARY" } else { "ACTIVE" },
        "definition": revision.map(|revision| {
            format!("{}:{}", revision.workload.family, revision.workload.revision)
        }),
        "desired": deployment.desired,
        "running": deploy::count(world, &service.key, deployment.number, Count::Running),
        "pending": deploy::count(world, &service.key, deployment.number, Count::Pending),
        "state": deployment.rollout.name(),
        "reason": deployment.reason,
        "failed_tasks": deployment.failed_tasks,
    })
}

/// What the instances of one zone say. What is no instance's, as of capacity that is lent, stays.
fn of_zone(world: &World, service: &ServiceKey, refused: Refused, zone: &str) -> Refused {
    let is_of_zone = |refusal: &Refusal| {
        let id = &refusal.instance.0;
        let key = InstanceKey::new(&service.scope, &service.cluster, id);
        let instance = world.get(&CONTAINER_INSTANCES, &key);
        instance.is_none_or(|instance| instance.attribute(ZONE).flatten() == Some(zone))
    };
    let of_zone = refused.refusals.into_iter().filter(is_of_zone);
    Refused::of(of_zone.collect())
}

/// Why no instance takes a task of this deployment or task set, in this zone where one is named; `None` where one does.
fn no_place(
    world: &World,
    facts: &Facts<'_>,
    (number, zone): (u64, Option<&str>),
) -> Option<Refused> {
    let service = facts.service;
    let workload = match service.task_sets.iter().find(|set| set.number == number) {
        Some(set) => set.workload.clone(),
        None => crate::service::wanted::workload(world, service)?,
    };
    let launch = launch::of(world, service, number, &workload)?;
    let turns = providers::turns(world, service, (number, &workload), 1);
    let launch = match turns.into_iter().next() {
        Some((Some(provider), _)) => launch::by_provider(launch, &provider),
        Some((None, _)) => launch,
        // No provider of its strategy takes another task.
        None => return Some(Refused::default()),
    };
    let launch = match zone {
        Some(zone) => launch::in_zone(&launch, zone),
        None => launch,
    };
    if launch.fargate.is_some() {
        return launch.lacks_capacity(world, &service.key.scope);
    }
    let ServiceKey { scope, cluster, .. } = &service.key;
    let index = world
        .view(&PLACEMENT)
        .cluster(&ClusterKey::new(scope, cluster).encode());
    // A cluster that never had an instance has no index.
    let Some(index) = index else {
        return Some(Refused::default());
    };
    let (needs, group) = (&launch.requirement, &launch.group);
    if service.scheduling == Scheduling::Daemon {
        let has = |id: &str| facts.members.iter().any(|member| member.instance.0 == id);
        let empty = facts.seats.iter().filter(|seat| !has(&seat.instance.0));
        let refusals: Vec<Refusal> = empty
            .filter_map(|seat| {
                let reason = refuses(&index.candidate(&seat.instance.0, group)?, needs)?;
                let instance = seat.instance.clone();
                Some(Refusal { instance, reason })
            })
            .collect();
        return (!refusals.is_empty()).then(|| Refused::of(refusals));
    }
    let member = |id: &str, asked: &_| place_facts::holds_by_id(world, scope, cluster, id, asked);
    let question = Question {
        requirement: needs,
        group,
        constraints: &launch.constraints,
        strategy: &launch.strategy,
        seed: 0,
    };
    match choose(index, &question, &member) {
        Some(_) => None,
        None => Some(refused(index, needs, &launch.constraints, group, &member)),
    }
}
