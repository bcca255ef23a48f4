//! How callers name services, and what belongs to them: by name or id, or by ARN.
//!
//! An ARN of another scope or another cluster than the call's names nothing there.
//! Rule: API reference, members `service`, `services`, `taskSet`, `serviceDeploymentArn`,
//! `serviceRevisionArns`; semantics 1.7.

use crate::cluster;
use crate::records::service::{SERVICES, ServiceKey, ServiceRecord, ServiceStatus};
use crate::records::service_deployment::{ServiceDeploymentId, ServiceDeploymentKey};
use crate::records::service_revision::RevisionKey;
use crate::records::task_set::{TaskSet, TaskSetStatus};
use aws_api::ecs::errors;
use aws_types::{Arn, AwsError, Ctx, Scope};
use store::World;

/// The service that `text` names in this cluster, by name, ARN, or the short ARN of long ago.
#[must_use]
pub fn service(scope: &Scope, cluster: &str, text: &str) -> Option<ServiceKey> {
    if !text.starts_with("arn:") {
        return (!text.is_empty() && !text.contains('/'))
            .then(|| ServiceKey::new(scope, cluster, text));
    }
    let parts = resource(scope, text)?;
    match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["service", named, name] if named == cluster => Some(ServiceKey::new(scope, cluster, name)),
        ["service", name] => Some(ServiceKey::new(scope, cluster, name)),
        _ => None,
    }
}

/// The service whose full ARN `text` is, in whatever cluster.
#[must_use]
pub fn service_arn(scope: &Scope, text: &str) -> Option<ServiceKey> {
    let parts = resource(scope, text)?;
    match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["service", cluster, name] => Some(ServiceKey::new(scope, cluster, name)),
        _ => None,
    }
}

/// The cluster that a service's full ARN names.
#[must_use]
pub fn cluster_in(scope: &Scope, text: &str) -> Option<String> {
    service_arn(scope, text).map(|key| key.cluster)
}

/// The number of the task set of this service that `text` names: its id or its ARN.
#[must_use]
pub fn task_set(service: &ServiceKey, text: &str) -> Option<u64> {
    let number = match text.starts_with("arn:") {
        false => text.strip_prefix("ecs-svc/")?.to_owned(),
        true => {
            let parts = resource(&service.scope, text)?;
            match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["task-set", cluster, name, "ecs-svc", number]
                    if cluster == service.cluster && name == service.name =>
                {
                    number.to_owned()
                }
                _ => return None,
            }
        }
    };
    number.parse().ok()
}

/// The service deployment whose ARN `text` is.
#[must_use]
pub fn service_deployment(scope: &Scope, text: &str) -> Option<ServiceDeploymentKey> {
    let (service, id) = of_service(scope, "service-deployment", text)?;
    let id = ServiceDeploymentId(id);
    Some(ServiceDeploymentKey { service, id })
}

/// The service revision whose ARN `text` is.
#[must_use]
pub fn revision(scope: &Scope, text: &str) -> Option<RevisionKey> {
    let (service, number) = of_service(scope, "service-revision", text)?;
    let number = number.parse().ok()?;
    Some(RevisionKey { service, number })
}

/// The ARN that an answer or a policy shows for a service that was named so.
#[must_use]
pub fn shown_arn(scope: &Scope, cluster: &str, text: &str) -> String {
    match text.starts_with("arn:") {
        true => text.into(),
        false => ServiceKey::new(scope, cluster, text).arn(),
    }
}

/// The service that a call means, in any status but INACTIVE.
///
/// # Errors
/// `ClusterNotFoundException`, `ServiceNotFoundException`.
pub fn require(
    world: &World,
    ctx: &Ctx,
    cluster: Option<&str>,
    text: Option<&str>,
) -> Result<ServiceRecord, AwsError> {
    let cluster = cluster::require(world, &ctx.scope, cluster)?;
    service(&ctx.scope, &cluster.name, text.unwrap_or_default())
        .and_then(|key| world.get(&SERVICES, &key))
        .filter(|service| service.status != ServiceStatus::Inactive)
        .map(|service| service.as_ref().clone())
        .ok_or_else(not_found)
}

/// The ACTIVE service that a call means to change.
///
/// # Errors
/// As [`require`], and `ServiceNotActiveException` for one that was deleted.
pub fn require_active(
    world: &World,
    ctx: &Ctx,
    cluster: Option<&str>,
    text: Option<&str>,
) -> Result<ServiceRecord, AwsError> {
    let cluster = cluster::require(world, &ctx.scope, cluster)?;
    let record = service(&ctx.scope, &cluster.name, text.unwrap_or_default())
        .and_then(|key| world.get(&SERVICES, &key))
        .ok_or_else(not_found)?;
    match record.status {
        ServiceStatus::Active => Ok(record.as_ref().clone()),
        ServiceStatus::Draining | ServiceStatus::Inactive => {
            Err(errors::SERVICE_NOT_ACTIVE_EXCEPTION.with("Service was not ACTIVE."))
        }
    }
}

/// Where in its service the task set stands that a call means to change; one that is deleted is
/// not there any more.
///
/// # Errors
/// `TaskSetNotFoundException`.
pub fn require_task_set(service: &ServiceRecord, text: Option<&str>) -> Result<usize, AwsError> {
    let number = task_set(&service.key, text.unwrap_or_default());
    let is_meant =
        |set: &TaskSet| Some(set.number) == number && set.status != TaskSetStatus::Draining;
    service.task_sets.iter().position(is_meant).ok_or_else(|| {
        errors::TASK_SET_NOT_FOUND_EXCEPTION.with("The specified task set does not exist.")
    })
}

/// The ARN that an answer or a policy shows for a task set that was named so.
#[must_use]
pub fn shown_task_set_arn(service: &ServiceKey, text: &str) -> String {
    let ServiceKey {
        scope,
        cluster,
        name,
    } = service;
    match text.starts_with("arn:") {
        true => text.into(),
        false => scope
            .arn("ecs", &format!("task-set/{cluster}/{name}/{text}"))
            .to_string(),
    }
}

/// There is no such service.
pub(crate) fn not_found() -> AwsError {
    errors::SERVICE_NOT_FOUND_EXCEPTION.with("Service not found.")
}

fn of_service(scope: &Scope, kind: &str, text: &str) -> Option<(ServiceKey, String)> {
    let parts = resource(scope, text)?;
    match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [named, cluster, name, last] if named == kind => {
            Some((ServiceKey::new(scope, cluster, name), last.into()))
        }
        _ => None,
    }
}

/// The parts of an ECS ARN's resource in this scope.
fn resource(scope: &Scope, text: &str) -> Option<Vec<String>> {
    let arn: Arn = text.parse().ok()?;
    let ours = arn.service == "ecs"
        && arn.partition == scope.partition
        && arn.region == scope.region
        && arn.account == scope.account;
    ours.then(|| arn.resource.split('/').map(Into::into).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope::new("000000000000", "us-east-1")
    }

    #[test]
    fn a_name_an_arn_or_the_old_short_arn_names_a_service() {
        let of = |resource: &str| format!("arn:aws:ecs:us-east-1:000000000000:{resource}");
        for (text, expected) in [
            ("web".to_owned(), Some("web")),
            (of("service/blue/web"), Some("web")),
            (of("service/web"), Some("web")),
            (of("service/green/web"), None),
            (of("task/blue/web"), None),
            (
                "arn:aws:ecs:eu-west-1:000000000000:service/web".into(),
                None,
            ),
            ("blue/web".into(), None),
            (String::new(), None),
        ] {
            let got = service(&scope(), "blue", &text).map(|key| key.name);
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_belongs_to_a_service_is_found_by_its_own_arn() {
        let key = ServiceKey::new(&scope(), "blue", "web");
        let revision_key = RevisionKey {
            service: key.clone(),
            number: 7,
        };
        assert_eq!(
            revision(&scope(), &revision_key.arn()),
            Some(revision_key.clone())
        );
        let deployment = ServiceDeploymentKey {
            service: key.clone(),
            id: ServiceDeploymentId("ejGvqq2ilnbKT9qj0vLJe".into()),
        };
        let found = service_deployment(&scope(), &deployment.arn());
        assert_eq!(found, Some(deployment.clone()));
        assert_eq!(service_deployment(&scope(), &revision_key.arn()), None);
        let of = |service: &str| {
            format!("arn:aws:ecs:us-east-1:000000000000:task-set/blue/{service}/ecs-svc/7")
        };
        for (text, expected) in [
            ("ecs-svc/7".to_owned(), Some(7)),
            (of("web"), Some(7)),
            (of("other"), None),
            ("7".into(), None),
            ("ecs-svc/x".into(), None),
        ] {
            assert_eq!(task_set(&key, &text), expected, "{text}");
        }
    }
}
