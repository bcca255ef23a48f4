//! What carries tags: clusters, task definitions, tasks, container instances, services and their task
//! sets, by ARN.
//!
//! Rule: API reference, TagResource. Short ARNs (without a cluster) are refused.

use crate::fargate;
use crate::records::container_instance::{CONTAINER_INSTANCES, InstanceKey, InstanceStatus};
use crate::records::service::{SERVICES, ServiceKey, ServiceRecord, ServiceStatus};
use crate::records::task::{TASKS, TaskKey};
use crate::records::{
    CLUSTERS, ClusterKey, ClusterStatus, TASK_DEFINITIONS, Tags, TaskDefinitionKey,
};
use crate::rules::invalid_parameter;
use crate::task::status::TaskStatus;
use aws_api::ecs::errors;
use aws_types::{Arn, AwsError, Scope};
use store::{Txn, World};

/// A resource that can carry tags; it need not exist.
#[derive(Clone, Debug)]
pub enum Tagged {
    /// A cluster.
    Cluster(ClusterKey),
    /// A revision of a family.
    TaskDefinition(TaskDefinitionKey),
    /// A task.
    Task(TaskKey),
    /// A container instance.
    Instance(InstanceKey),
    /// A service.
    Service(ServiceKey),
    /// A task set of a service, by its number.
    TaskSet(ServiceKey, u64),
}

/// Reads the ARN of a resource that can carry tags.
///
/// # Errors
/// `InvalidParameterException`.
pub fn parse(scope: &Scope, arn: &str) -> Result<Tagged, AwsError> {
    let invalid = || invalid_parameter("The ARN provided is invalid.");
    let arn: Arn = arn.parse().map_err(|_| invalid())?;
    let here = (&arn.partition, &arn.region, &arn.account)
        == (&scope.partition, &scope.region, &scope.account);
    if arn.service != "ecs" || !here {
        return Err(invalid());
    }
    let parts: Vec<&str> = arn.resource.split('/').collect();
    match parts.as_slice() {
        ["cluster", name] => Ok(Tagged::Cluster(ClusterKey::new(scope, name))),
        ["task", cluster, id] => Ok(Tagged::Task(TaskKey::new(scope, cluster, id))),
        ["container-instance", cluster, id] if *cluster != fargate::CLUSTER => {
            Ok(Tagged::Instance(InstanceKey::new(scope, cluster, id)))
        }
        ["service", cluster, name] => Ok(Tagged::Service(ServiceKey::new(scope, cluster, name))),
        ["task-set", cluster, name, "ecs-svc", number] => {
            let number = number.parse().map_err(|_| invalid())?;
            Ok(Tagged::TaskSet(
                ServiceKey::new(scope, cluster, name),
                number,
            ))
        }
        ["task-definition", name] => {
            let (family, revision) = name.split_once(':').ok_or_else(invalid)?;
            let revision = revision.parse().map_err(|_| invalid())?;
            Ok(Tagged::TaskDefinition(TaskDefinitionKey::new(
                scope, family, revision,
            )))
        }
        _ => Err(invalid()),
    }
}

/// The resource's tags.
///
/// # Errors
/// `ClusterNotFoundException`, or `InvalidParameterException` where it does not exist or is gone.
pub fn tags_of(world: &World, resource: &Tagged) -> Result<Tags, AwsError> {
    let missing = |what: &str| invalid_parameter(format!("The specified {what} is not found."));
    match resource {
        Tagged::Cluster(key) => world
            .get(&CLUSTERS, key)
            .filter(|cluster| cluster.status == ClusterStatus::Active)
            .map(|cluster| cluster.tags.clone())
            .ok_or_else(|| errors::CLUSTER_NOT_FOUND_EXCEPTION.with("Cluster not found.")),
        Tagged::TaskDefinition(key) => world
            .get(&TASK_DEFINITIONS, key)
            .map(|record| record.tags.clone())
            .ok_or_else(|| missing("task definition")),
        Tagged::Task(key) => world
            .get(&TASKS, key)
            .map(|task| task.tags.clone())
            .ok_or_else(|| missing("task")),
        Tagged::Instance(key) => world
            .get(&CONTAINER_INSTANCES, key)
            .map(|instance| instance.tags.clone())
            .ok_or_else(|| missing("container instance")),
        Tagged::Service(key) => world
            .get(&SERVICES, key)
            .map(|service| service.tags.clone())
            .ok_or_else(|| missing("service")),
        Tagged::TaskSet(key, number) => world
            .get(&SERVICES, key)
            .and_then(|service| service.task_sets.iter().find(|set| set.number == *number))
            .map(|set| set.tags.clone())
            .ok_or_else(|| missing("task set")),
    }
}

/// Changes the resource's tags.
///
/// # Errors
/// As [`tags_of`], those of `change`, and `InvalidParameterException` for a stopped task or an
/// INACTIVE container instance or service.
pub fn change(
    txn: &mut Txn,
    resource: &Tagged,
    change: impl FnOnce(&mut Tags) -> Result<(), AwsError>,
) -> Result<(), AwsError> {
    let mut tags = tags_of(txn, resource)?;
    refuse_gone(txn, resource)?;
    change(&mut tags)?;
    match resource {
        Tagged::Cluster(key) => txn.update(&CLUSTERS, key, |record| record.tags = tags),
        Tagged::TaskDefinition(key) => {
            txn.update(&TASK_DEFINITIONS, key, |record| record.tags = tags)
        }
        Tagged::Task(key) => txn.update(&TASKS, key, |record| record.tags = tags),
        Tagged::Instance(key) => txn.update(&CONTAINER_INSTANCES, key, |record| record.tags = tags),
        Tagged::Service(key) => txn.update(&SERVICES, key, |record| record.tags = tags),
        Tagged::TaskSet(key, number) => {
            let change = |record: &mut ServiceRecord| {
                let mut sets = record.task_sets.iter_mut();
                if let Some(set) = sets.find(|set| set.number == *number) {
                    set.tags = tags;
                }
            };
            txn.update(&SERVICES, key, change)
        }
    };
    Ok(())
}

fn refuse_gone(world: &World, resource: &Tagged) -> Result<(), AwsError> {
    let gone = match resource {
        Tagged::Cluster(_) | Tagged::TaskDefinition(_) => None,
        Tagged::Task(key) => world
            .get(&TASKS, key)
            .filter(|task| task.last_status == TaskStatus::Stopped)
            .map(|_| "task"),
        Tagged::Instance(key) => world
            .get(&CONTAINER_INSTANCES, key)
            .filter(|instance| instance.status == InstanceStatus::Inactive)
            .map(|_| "container instance"),
        Tagged::Service(key) | Tagged::TaskSet(key, _) => world
            .get(&SERVICES, key)
            .filter(|service| service.status == ServiceStatus::Inactive)
            .map(|_| "service"),
    };
    match gone {
        Some(what) => Err(invalid_parameter(format!(
            "The specified {what} is inactive."
        ))),
        None => Ok(()),
    }
}
