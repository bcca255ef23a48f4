//! What the records say of a task or a container instance to somebody who asks why.
//!
//! Pure. It adds nothing to the records: who asked is in the decision log, if there at all.

use crate::instance::load;
use crate::records::container_instance::{
    CONTAINER_INSTANCES, Connection, ContainerInstanceRecord, InstanceStatus,
};
use crate::records::task::{ContainerRecord, TASKS, TaskRecord};
use aws_types::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use store::World;

/// As many digits of an id have to be given.
const PREFIX_LEN_MIN: usize = 4;

/// A record that is asked about.
#[derive(Clone, Debug)]
pub enum Found {
    /// A task.
    Task(Arc<TaskRecord>),
    /// A container instance.
    Instance(Arc<ContainerInstanceRecord>),
}

/// The tasks and container instances that a text may mean: an ARN, an id, the first digits of one,
/// or the id of an instance's machine (`i-…`). Looks at every record.
#[must_use]
pub fn find(world: &World, text: &str) -> Vec<Found> {
    let id = text.rsplit('/').next().unwrap_or(text);
    if id.len() < PREFIX_LEN_MIN {
        return Vec::new();
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
    tasks.chain(instances).collect()
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
            "gpus": registered.gpus,
        },
        "free": {
            "cpu_units": free.cpu_units, "memory_mib": free.memory_mib, "gpus": free.gpus,
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
