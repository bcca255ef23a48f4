//! Services and task sets as answers show them.
//!
//! Rule: API reference, Service, Deployment, TaskSet; semantics 2.4, 2.5: lists are there when they
//! are empty, `tags` only where they are asked for, `taskSets` only where a controller has them.

use super::{deploy, events};
use crate::connect;
use crate::fargate;
use crate::records::cluster::cluster_arn;
use crate::records::service::{Deployment, ServiceKey, ServiceRecord, Workload};
use crate::records::service_deployment::ServiceDeploymentKey;
use crate::records::service_revision::{RevisionKey, SERVICE_REVISIONS};
use crate::records::task::TaskKey;
use crate::records::task_definition::task_definition_arn;
use crate::records::task_set::{TaskSet, TaskSetStatus};
use crate::records::task_table::{Count, OF_SERVICE, TASKS, service_parts};
use crate::rules::tags;
use aws_api::ecs::{self as api, DeploymentController, Scale, ServiceCurrentRevisionSummary};
use aws_types::Scope;
use store::World;

/// The role that acts for services whose tasks have what needs it. Rule: semantics 2.3, `role`.
const SERVICE_LINKED_ROLE: &str = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS";

/// The service.
#[must_use]
pub fn service(world: &World, service: &ServiceRecord, with_tags: bool) -> api::Service {
    let ServiceKey { scope, cluster, .. } = &service.key;
    let workload = super::wanted::workload(world, service);
    let registries = workload.as_ref().map(Workload::shown_registries);
    let balancers = workload.as_ref().map(Workload::shown_load_balancers);
    let strategy = workload.as_ref().and_then(Workload::shown_strategy);
    let (running, pending) = (Count::Running, Count::Pending);
    let has_sets = service.controller.has_task_sets();
    api::Service {
        service_arn: Some(service.key.arn()),
        service_name: Some(service.key.name.clone()),
        cluster_arn: Some(cluster_arn(scope, cluster)),
        load_balancers: Some(balancers.unwrap_or_default()),
        service_registries: Some(registries.unwrap_or_default()),
        status: Some(service.status.name().into()),
        desired_count: Some(shown(service.desired)),
        running_count: Some(count(world, service, running)),
        pending_count: Some(count(world, service, pending)),
        launch_type: match &strategy {
            Some(_) => None,
            None => Some(service.launch_type.clone()),
        },
        capacity_provider_strategy: strategy,
        platform_version: service.platform_version.clone(),
        platform_family: service
            .platform_version
            .as_ref()
            .map(|_| fargate::FAMILY.into()),
        network_configuration: workload.as_ref().and_then(network),
        task_definition: workload.map(|workload| definition_arn(scope, &workload)),
        deployment_configuration: Some(service.configuration.0.clone()),
        task_sets: has_sets.then(|| task_sets(world, service, false)),
        deployments: Some(deployments(world, service)),
        role_arn: has_sets.then(|| scope.arn("iam", SERVICE_LINKED_ROLE).to_string()),
        events: Some(shown_events(world, service)),
        created_at: Some(service.created),
        created_by: Some(service.created_by.clone()),
        current_service_deployment: current_deployment(service),
        current_service_revisions: (!has_sets).then(|| current_revisions(world, service)),
        placement_constraints: Some(service.constraints.iter().map(|c| c.0.clone()).collect()),
        placement_strategy: Some(service.strategy.iter().map(|s| s.0.clone()).collect()),
        health_check_grace_period_seconds: service.grace_seconds.map(shown),
        scheduling_strategy: Some(service.scheduling.name().into()),
        deployment_controller: Some(DeploymentController {
            r#type: Some(service.controller.name().into()),
        }),
        tags: with_tags.then(|| tags::shape(&service.tags)),
        enable_ecs_managed_tags: Some(service.managed_tags),
        propagate_tags: Some(service.propagate.name().into()),
        enable_execute_command: Some(service.execute_command),
        availability_zone_rebalancing: Some(enabled(service.rebalances_zones)),
        resource_management_type: Some("CUSTOMER".into()),
    }
}

/// Its task sets, the newest first.
#[must_use]
pub fn task_sets(world: &World, service: &ServiceRecord, with_tags: bool) -> Vec<api::TaskSet> {
    let sets = service.task_sets.iter();
    sets.map(|set| task_set(world, service, set, with_tags))
        .collect()
}

/// A task set of a service.
#[must_use]
pub fn task_set(
    world: &World,
    service: &ServiceRecord,
    set: &TaskSet,
    with_tags: bool,
) -> api::TaskSet {
    let ServiceKey { scope, cluster, .. } = &service.key;
    let counted = |what| shown(deploy::count(world, &service.key, set.number, what));
    let desired = match set.status {
        TaskSetStatus::Primary | TaskSetStatus::Active => set.computed_desired(service.desired),
        TaskSetStatus::Draining => 0,
    };
    let stability = if set.steady.is_some() {
        "STEADY_STATE"
    } else {
        "STABILIZING"
    };
    api::TaskSet {
        id: Some(set.id()),
        task_set_arn: Some(task_set_arn(&service.key, set.number)),
        service_arn: Some(service.key.arn()),
        cluster_arn: Some(cluster_arn(scope, cluster)),
        started_by: set.started_by.clone(),
        external_id: set.external_id.clone(),
        status: Some(set.status.name().into()),
        task_definition: Some(definition_arn(scope, &set.workload)),
        computed_desired_count: Some(shown(desired)),
        pending_count: Some(counted(Count::Pending)),
        running_count: Some(counted(Count::Running)),
        created_at: Some(set.created),
        updated_at: Some(set.updated),
        launch_type: set.workload.shown_launch_type(),
        capacity_provider_strategy: set.workload.shown_strategy(),
        platform_version: platform_version(&set.workload),
        platform_family: platform_family(&set.workload),
        network_configuration: network(&set.workload),
        load_balancers: Some(set.workload.shown_load_balancers()),
        service_registries: Some(set.workload.shown_registries()),
        scale: Some(Scale {
            value: Some(f64::from(set.scale_hundredths) / 100.0),
            unit: Some("PERCENT".into()),
        }),
        stability_status: Some(stability.into()),
        stability_status_at: Some(set.stability_at),
        tags: with_tags.then(|| tags::shape(&set.tags)),
        ..api::TaskSet::default()
    }
}

/// `arn:PARTITION:ecs:REGION:ACCOUNT:task-set/CLUSTER/SERVICE/ecs-svc/NUMBER`.
#[must_use]
pub fn task_set_arn(service: &ServiceKey, number: u64) -> String {
    let ServiceKey {
        scope,
        cluster,
        name,
    } = service;
    let resource = format!("task-set/{cluster}/{name}/ecs-svc/{number}");
    scope.arn("ecs", &resource).to_string()
}

/// The ARN of the definition that tasks are made from.
#[must_use]
pub fn definition_arn(scope: &Scope, workload: &Workload) -> String {
    task_definition_arn(scope, &workload.family, workload.revision)
}

/// A count as answers show it.
#[must_use]
pub fn shown(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn enabled(is: bool) -> String {
    if is { "ENABLED" } else { "DISABLED" }.into()
}

fn count(world: &World, service: &ServiceRecord, what: Count) -> i32 {
    let of_cluster = TaskKey::new(&service.key.scope, &service.key.cluster, "");
    let key = service_parts(&of_cluster, &service.key.group(), what.name());
    i32::try_from(world.sum(&TASKS, &OF_SERVICE, &key)).unwrap_or(i32::MAX)
}

fn deployments(world: &World, service: &ServiceRecord) -> Vec<api::Deployment> {
    let all = service.deployments.iter().enumerate();
    all.map(|(at, deployment)| {
        let status = if at == 0 { "PRIMARY" } else { "ACTIVE" };
        shown_deployment(world, service, deployment, status)
    })
    .collect()
}

fn shown_deployment(
    world: &World,
    service: &ServiceRecord,
    deployment: &Deployment,
    status: &str,
) -> api::Deployment {
    let counted = |what| shown(deploy::count(world, &service.key, deployment.number, what));
    let key = revision_key(service, deployment.revision);
    let revision = world.get(&SERVICE_REVISIONS, &key);
    let workload = revision.map(|revision| &revision.workload);
    api::Deployment {
        id: Some(deployment.id()),
        status: Some(status.into()),
        task_definition: workload.map(|w| definition_arn(&service.key.scope, w)),
        desired_count: Some(shown(deployment.desired)),
        pending_count: Some(counted(Count::Pending)),
        running_count: Some(counted(Count::Running)),
        failed_tasks: Some(shown(deployment.failed_tasks)),
        created_at: Some(deployment.created),
        updated_at: Some(deployment.updated),
        launch_type: workload.and_then(Workload::shown_launch_type),
        capacity_provider_strategy: workload.and_then(Workload::shown_strategy),
        platform_version: workload.and_then(platform_version),
        platform_family: workload.and_then(platform_family),
        network_configuration: workload.and_then(network),
        service_connect_configuration: workload.and_then(connect::shape::given),
        service_connect_resources: workload
            .and_then(|of| connect::shape::resources(&service.key.scope, of)),
        rollout_state: Some(deployment.rollout.name().into()),
        rollout_state_reason: Some(deployment.reason.clone()),
        ..api::Deployment::default()
    }
}

/// The version that its tasks run on, of launch type FARGATE.
pub(super) fn platform_version(workload: &Workload) -> Option<String> {
    workload.platform_version.as_deref().map(fargate::resolved)
}

/// What they run on.
pub(super) fn platform_family(workload: &Workload) -> Option<String> {
    let version = workload.platform_version.as_ref();
    version.map(|_| fargate::FAMILY.into())
}

/// As it was given, with the default that AWS fills in.
pub(super) fn network(workload: &Workload) -> Option<api::NetworkConfiguration> {
    let mut given = workload.network.as_ref()?.0.clone();
    if let Some(of) = &mut given.awsvpc_configuration {
        of.assign_public_ip.get_or_insert_with(|| "DISABLED".into());
        of.security_groups.get_or_insert_default();
    }
    Some(given)
}

fn shown_events(world: &World, service: &ServiceRecord) -> Vec<api::ServiceEvent> {
    let kept = events::kept(world, service).into_iter();
    kept.map(|event| api::ServiceEvent {
        id: Some(event.id),
        created_at: Some(event.at),
        message: Some(event.text),
    })
    .collect()
}

fn current_deployment(service: &ServiceRecord) -> Option<String> {
    let id = service.primary()?.part_of.clone()?;
    let service = service.key.clone();
    Some(ServiceDeploymentKey { service, id }.arn())
}

/// The revisions that the service runs now; several deployments may run one.
fn current_revisions(world: &World, service: &ServiceRecord) -> Vec<ServiceCurrentRevisionSummary> {
    let sources = deploy::sources(world, service).into_iter();
    sources
        .map(|source| ServiceCurrentRevisionSummary {
            arn: Some(revision_key(service, source.revision).arn()),
            requested_task_count: Some(shown(source.requested)),
            running_task_count: Some(shown(source.running)),
            pending_task_count: Some(shown(source.pending)),
        })
        .collect()
}

fn revision_key(service: &ServiceRecord, number: u64) -> RevisionKey {
    RevisionKey {
        service: service.key.clone(),
        number,
    }
}
