//! Service deployments and service revisions as answers show them.
//!
//! Rule: API reference, ServiceDeployment, ServiceDeploymentBrief, ServiceRevision; semantics 2.5.

use super::{deploy, shape};
use crate::connect;
use crate::records::cluster::cluster_arn;
use crate::records::deployment_stage::{Hook, Staged, Strategy, WEIGHT_WHOLE};
use crate::records::service::{SERVICES, ServiceKey};
use crate::records::service_deployment::{ServiceDeploymentRecord, Source};
use crate::records::service_revision::{RevisionKey, ServiceRevisionRecord};
use aws_api::ecs::{self as api, ServiceRevisionSummary};
use store::World;

/// A service deployment in full.
#[must_use]
pub fn full(world: &World, record: &ServiceDeploymentRecord) -> api::ServiceDeployment {
    let service = &record.key.service;
    let sources = record.sources.iter();
    let staged = staged(world, record);
    api::ServiceDeployment {
        service_deployment_arn: Some(record.key.arn()),
        service_arn: Some(service.arn()),
        cluster_arn: Some(cluster_arn(&service.scope, &service.cluster)),
        created_at: Some(record.created),
        started_at: record.started,
        finished_at: record.finished,
        stopped_at: record.stopped,
        updated_at: Some(record.updated),
        source_service_revisions: Some(
            sources
                .map(|source| {
                    let counts = [source.requested, source.running, source.pending];
                    let shown = summary(service, source.revision, counts);
                    weighed(
                        shown,
                        staged.and_then(|staged| left_to(staged, record, source)),
                    )
                })
                .collect(),
        ),
        target_service_revision: Some(target(world, record)),
        status: Some(record.status.name().into()),
        status_reason: record.reason.clone(),
        lifecycle_stage: staged.map(|staged| staged.stage.name().into()),
        lifecycle_hook_details: staged.map(|staged| staged.hooks.iter().map(hook).collect()),
        deployment_configuration: Some(record.configuration.0.clone()),
        rollback: record.rollback.as_ref().map(|rollback| api::Rollback {
            reason: Some(rollback.reason.clone()),
            started_at: Some(rollback.started),
            service_revision_arn: Some(revision_arn(service, rollback.revision)),
        }),
        deployment_circuit_breaker: Some(api::ServiceDeploymentCircuitBreaker {
            status: Some(record.breaker.name().into()),
            failure_count: Some(shape::shown(record.failures)),
            threshold: Some(shape::shown(record.threshold)),
        }),
        alarms: Some(api::ServiceDeploymentAlarms {
            status: Some(record.alarms.status.name().into()),
            alarm_names: shown(&record.alarms.names),
            triggered_alarm_names: shown(&record.alarms.triggered),
        }),
    }
}

/// A service deployment in a listing.
#[must_use]
pub fn brief(record: &ServiceDeploymentRecord) -> api::ServiceDeploymentBrief {
    let service = &record.key.service;
    api::ServiceDeploymentBrief {
        service_deployment_arn: Some(record.key.arn()),
        service_arn: Some(service.arn()),
        cluster_arn: Some(cluster_arn(&service.scope, &service.cluster)),
        started_at: record.started,
        created_at: Some(record.created),
        finished_at: record.finished,
        target_service_revision_arn: Some(revision_arn(service, record.target)),
        status: Some(record.status.name().into()),
        status_reason: record.reason.clone(),
    }
}

/// A revision.
#[must_use]
pub fn revision(record: &ServiceRevisionRecord) -> api::ServiceRevision {
    let service = &record.key.service;
    let images = record.images.iter();
    api::ServiceRevision {
        service_revision_arn: Some(record.key.arn()),
        service_arn: Some(service.arn()),
        cluster_arn: Some(cluster_arn(&service.scope, &service.cluster)),
        task_definition: Some(shape::definition_arn(&service.scope, &record.workload)),
        launch_type: record.workload.shown_launch_type(),
        capacity_provider_strategy: record.workload.shown_strategy(),
        platform_version: shape::platform_version(&record.workload),
        platform_family: shape::platform_family(&record.workload),
        network_configuration: shape::network(&record.workload),
        load_balancers: Some(record.workload.shown_load_balancers()).filter(|all| !all.is_empty()),
        service_registries: Some(record.workload.shown_registries()).filter(|all| !all.is_empty()),
        container_images: Some(
            images
                .map(|image| api::ContainerImage {
                    container_name: Some(image.container.clone()),
                    image: Some(image.image.clone()),
                    image_digest: Some(image.digest.clone()),
                })
                .collect(),
        ),
        guard_duty_enabled: Some(false),
        service_connect_configuration: Some(connect::shape::resolved(
            &service.scope,
            &record.workload,
        )),
        created_at: Some(record.created),
        ..api::ServiceRevision::default()
    }
}

/// The target with what runs of it now; of one that is no longer deployed, nothing.
fn target(world: &World, record: &ServiceDeploymentRecord) -> ServiceRevisionSummary {
    let service = &record.key.service;
    let running = world
        .get(&SERVICES, service)
        .and_then(|running| {
            let sources = deploy::sources(world, running);
            let mut sources = sources.into_iter();
            sources.find(|source| source.revision == record.target)
        })
        .map(|source| [source.requested, source.running, source.pending]);
    let shown = summary(service, record.target, running.unwrap_or_default());
    let staged = staged(world, record);
    weighed(shown, staged.and_then(weights))
}

/// How far it is: as its deployment says, or as it was when that ended.
fn staged<'w>(world: &'w World, record: &'w ServiceDeploymentRecord) -> Option<&'w Staged> {
    let service = world.get(&SERVICES, &record.key.service);
    let deployments = service.into_iter().flat_map(|service| &service.deployments);
    let mut own = deployments.filter(|one| one.part_of.as_ref() == Some(&record.key.id));
    let live = own.find_map(|one| one.staged.as_ref());
    live.or(record.staged.as_ref())
}

/// Test and production traffic in tenths of a percent, where the strategy shifts any.
type Weights = (u32, u32);

fn weights(staged: &Staged) -> Option<Weights> {
    let shifts = staged.strategy != Strategy::Rolling;
    shifts.then_some((staged.test_weight, staged.production_weight))
}

/// What green leaves to a revision that ran before: all of it to the newest of them.
fn left_to(staged: &Staged, record: &ServiceDeploymentRecord, source: &Source) -> Option<Weights> {
    let (_, production) = weights(staged)?;
    let is_blue = record.sources.first() == Some(source);
    // Test traffic is green's alone: semantics 6.7, "There is no test traffic" before its shift.
    Some((
        0,
        if is_blue {
            WEIGHT_WHOLE - production
        } else {
            0
        },
    ))
}

fn weighed(shown: ServiceRevisionSummary, weights: Option<Weights>) -> ServiceRevisionSummary {
    let percent = |tenths: u32| f64::from(tenths) / 10.0;
    ServiceRevisionSummary {
        requested_test_traffic_weight: weights.map(|(test, _)| percent(test)),
        requested_production_traffic_weight: weights.map(|(_, production)| percent(production)),
        ..shown
    }
}

fn shown(names: &[String]) -> Option<Vec<String>> {
    (!names.is_empty()).then(|| names.to_vec())
}

fn hook(hook: &Hook) -> api::DeploymentLifecycleHookDetail {
    let kind = match hook.target {
        Some(_) => "AWS_LAMBDA",
        None => "PAUSE",
    };
    api::DeploymentLifecycleHookDetail {
        hook_id: Some(hook.id.clone()),
        target_type: Some(kind.into()),
        target_arn: hook.target.clone(),
        status: Some(hook.status.name().into()),
        expires_at: Some(hook.expires),
        timeout_action: Some(hook.on_timeout.name().into()),
    }
}

fn summary(
    service: &ServiceKey,
    revision: u64,
    [requested, running, pending]: [u32; 3],
) -> ServiceRevisionSummary {
    ServiceRevisionSummary {
        arn: Some(revision_arn(service, revision)),
        requested_task_count: Some(shape::shown(requested)),
        running_task_count: Some(shape::shown(running)),
        pending_task_count: Some(shape::shown(pending)),
        ..ServiceRevisionSummary::default()
    }
}

fn revision_arn(service: &ServiceKey, number: u64) -> String {
    let service = service.clone();
    RevisionKey { service, number }.arn()
}
