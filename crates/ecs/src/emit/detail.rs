//! The `detail` of each event.
//!
//! Rule: semantics 12. What the API shows and AWS's events do not: tags, health, the counts and
//! tags of an instance, ranges of ports.

use super::json;
use crate::records::cluster::cluster_arn;
use crate::records::container_instance::InstanceKey;
use crate::records::service::{Deployment, Rollout, ServiceKey};
use crate::records::task::{TaskKey, TaskRecord};
use crate::service::action::Action;
use crate::service::progress::TRIPPED;
use crate::service::shape::task_set_arn;
use crate::task::shape;
use aws_api::ecs::ContainerInstance;
use aws_types::Timestamp;
use serde_json::{Value, json};
use store::World;

/// What the event of a tripped circuit breaker says; the API has "tasks". Rule: semantics 12, 6.2.
const TRIPPED_HERE: &str = "ECS deployment circuit breaker: task failed to start.";
/// The type of an `awsvpc` task's attachment, as the API names it.
const ENI: &str = "ElasticNetworkInterface";

pub(super) fn task(world: &World, record: &TaskRecord, at: Timestamp) -> Value {
    let mut shown = shape::task(world, record, false);
    shown.tags = None;
    shown.health_status = None;
    shown.inference_accelerators = None;
    if let Some(overrides) = &mut shown.overrides {
        overrides.inference_accelerator_overrides = None;
    }
    for attachment in shown.attachments.iter_mut().flatten() {
        if attachment.r#type.as_deref() == Some(ENI) {
            attachment.r#type = Some("eni".into());
        }
    }
    for container in shown.containers.iter_mut().flatten() {
        container.health_status = None;
        for binding in container.network_bindings.iter_mut().flatten() {
            binding.container_port_range = None;
            binding.host_port_range = None;
        }
    }
    updated(json::of(&shown), at)
}

pub(super) fn instance(key: &InstanceKey, shown: ContainerInstance, at: Timestamp) -> Value {
    let shown = ContainerInstance {
        tags: None,
        attachments: None,
        registered_at: None,
        running_tasks_count: None,
        pending_tasks_count: None,
        ..shown
    };
    let mut detail = updated(json::of(&shown), at);
    detail["clusterArn"] = cluster_arn(&key.scope, &key.cluster).into();
    detail
}

fn updated(mut detail: Value, at: Timestamp) -> Value {
    detail["updatedAt"] = at.iso8601().into();
    detail
}

pub(super) fn deployment(service: &ServiceKey, deployment: &Deployment) -> Value {
    let (kind, name) = match deployment.rollout {
        Rollout::InProgress => ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS"),
        Rollout::Completed => ("INFO", "SERVICE_DEPLOYMENT_COMPLETED"),
        Rollout::Failed => ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
    };
    let reason = match deployment.reason.as_str() {
        TRIPPED => TRIPPED_HERE,
        reason => reason,
    };
    json!({
        "eventType": kind,
        "eventName": name,
        "clusterArn": cluster_arn(&service.scope, &service.cluster),
        "deploymentId": deployment.id(),
        "updatedAt": deployment.updated.iso8601(),
        "reason": reason,
    })
}

pub(super) fn action(service: &ServiceKey, action: &Action, at: Timestamp) -> Value {
    let mut detail = json!({
        "eventType": action.kind(),
        "eventName": action.name,
        "clusterArn": cluster_arn(&service.scope, &service.cluster),
        "createdAt": at.iso8601(),
    });
    if let Some(reason) = &action.reason {
        detail["reason"] = reason.as_str().into();
    }
    if let Some(desired) = action.desired {
        detail["desiredCount"] = desired.into();
    }
    if !action.tasks.is_empty() {
        let arn = |id: &crate::records::task::TaskId| {
            TaskKey::new(&service.scope, &service.cluster, &id.0).arn()
        };
        detail["taskArns"] = action.tasks.iter().map(arn).collect();
    }
    if let Some(set) = action.task_set {
        detail["taskSetArns"] = json!([task_set_arn(service, set)]);
    }
    detail
}
