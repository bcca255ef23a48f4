//! Clusters: how they are named, found, made and shown.
//!
//! A request without a cluster means the one named `default`, which no request makes by being
//! made; only the registration of a container instance does. An INACTIVE cluster counts as gone.
//! Rule: API reference, `cluster` of RunTask; semantics 2.1.

use crate::account_settings;
use crate::fargate;
use crate::records::container_instance::{CONTAINER_INSTANCES, REGISTERED};
use crate::records::service::{self, SERVICES, ServiceStatus};
use crate::records::task_table::{Count, OF_CLUSTER, TASKS, named_parts};
use crate::records::{CLUSTERS, ClusterKey, ClusterRecord, ClusterStatus, Tags};
use crate::rules::account_settings::CONTAINER_INSIGHTS;
use crate::rules::tags;
use aws_api::ecs::{Cluster, ClusterServiceConnectDefaults, ClusterSetting, KeyValuePair, errors};
use aws_types::{Arn, AwsError, Ctx, Scope};
use std::sync::Arc;
use store::{Key, TableKey, Txn, World};

/// The cluster of requests that name none.
pub const DEFAULT: &str = "default";

/// The cluster's name in a name or ARN; `None` for an ARN of something else or elsewhere.
#[must_use]
pub fn name_of(scope: &Scope, given: Option<&str>) -> Option<String> {
    let given = given.filter(|text| !text.is_empty()).unwrap_or(DEFAULT);
    let Ok(arn) = given.parse::<Arn>() else {
        return Some(given.into());
    };
    let here = arn.service == "ecs"
        && arn.partition == scope.partition
        && arn.region == scope.region
        && arn.account == scope.account;
    let name = arn.resource.strip_prefix("cluster/").filter(|_| here)?;
    Some(name.into())
}

/// The ACTIVE cluster that a request means.
///
/// # Errors
/// `ClusterNotFoundException`.
pub fn require(
    world: &World,
    scope: &Scope,
    given: Option<&str>,
) -> Result<Arc<ClusterRecord>, AwsError> {
    name_of(scope, given)
        .and_then(|name| world.get(&CLUSTERS, &ClusterKey::new(scope, &name)))
        .filter(|cluster| cluster.status == ClusterStatus::Active)
        .cloned()
        .ok_or_else(|| errors::CLUSTER_NOT_FOUND_EXCEPTION.with("Cluster not found."))
}

/// A new ACTIVE cluster with AWS's defaults, not yet stored.
#[must_use]
pub fn new(ctx: &Ctx, name: &str) -> ClusterRecord {
    ClusterRecord {
        scope: ctx.scope.clone(),
        name: name.into(),
        status: ClusterStatus::Active,
        created_at: ctx.now,
        deleted_at: None,
        tags: Tags::default(),
        container_insights: "disabled".into(),
        configuration: None,
        service_connect_namespace: None,
        capacity_providers: Vec::new(),
        default_strategy: Vec::new(),
    }
}

/// The cluster that a container instance registers into: `default` is made where it is missing.
///
/// # Errors
/// `ClusterNotFoundException` for any other cluster that is not ACTIVE.
pub fn require_or_default(
    txn: &mut Txn,
    ctx: &Ctx,
    given: Option<&str>,
) -> Result<Arc<ClusterRecord>, AwsError> {
    let is_default = name_of(&ctx.scope, given).as_deref() == Some(DEFAULT);
    if is_default && require(txn, &ctx.scope, given).is_err() {
        let insights =
            account_settings::value(txn, &ctx.scope, &ctx.scope.root_arn(), CONTAINER_INSIGHTS);
        txn.put(
            &CLUSTERS,
            ClusterRecord {
                container_insights: insights,
                ..new(ctx, DEFAULT)
            },
        );
    }
    require(txn, &ctx.scope, given)
}

/// What a cluster holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// ACTIVE and DRAINING container instances.
    pub instances: i32,
    /// Tasks that are RUNNING.
    pub running: i32,
    /// Tasks on their way to RUNNING.
    pub pending: i32,
    /// Tasks that are not STOPPED.
    pub unfinished: i32,
    /// ACTIVE services.
    pub services: i32,
    /// DRAINING services.
    pub draining_services: i32,
    /// Of launch type FARGATE: RUNNING tasks, pending ones, ACTIVE services, DRAINING ones.
    pub fargate: [i32; 4],
}

/// Counts a cluster's instances, tasks and services, at the same cost however many there are.
#[must_use]
pub fn counts(world: &World, cluster: &ClusterRecord) -> Counts {
    let tasks = |name: &str| {
        let key = named_parts(&cluster.scope, &cluster.name, name);
        world.sum(&TASKS, &OF_CLUSTER, &key)
    };
    let services = |status: ServiceStatus| {
        let key = named_parts(&cluster.scope, &cluster.name, status.name());
        world.sum(&SERVICES, &service::OF_CLUSTER, &key)
    };
    let fargate_services = |status: ServiceStatus| {
        let ClusterRecord { scope, name, .. } = cluster;
        let parts = [&scope.account, &scope.region, name.as_str(), status.name()];
        let [account, region, name, status] = parts;
        let key = Key::of(&[account, region, name, status, fargate::LAUNCH_TYPE]);
        world.sum(&SERVICES, &service::OF_CLUSTER, &key)
    };
    let instances = world.sum(&CONTAINER_INSTANCES, &REGISTERED, &cluster.key().encode());
    let shown = |sum: i64| i32::try_from(sum).unwrap_or(i32::MAX);
    Counts {
        instances: shown(instances),
        running: shown(tasks(Count::Running.name())),
        pending: shown(tasks(Count::Pending.name())),
        unfinished: shown(tasks(Count::Unfinished.name())),
        services: shown(services(ServiceStatus::Active)),
        draining_services: shown(services(ServiceStatus::Draining)),
        fargate: [
            shown(tasks(Count::Running.on_fargate())),
            shown(tasks(Count::Pending.on_fargate())),
            shown(fargate_services(ServiceStatus::Active)),
            shown(fargate_services(ServiceStatus::Draining)),
        ],
    }
}

/// Which optional members an answer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Include {
    /// `attachments`, otherwise absent.
    pub attachments: bool,
    /// `configuration`, otherwise absent.
    pub configuration: bool,
    /// `settings`, otherwise empty.
    pub settings: bool,
    /// `statistics`, otherwise empty.
    pub statistics: bool,
    /// `tags`, otherwise empty.
    pub tags: bool,
}

/// The cluster as answers show it.
#[must_use]
pub fn shape(world: &World, cluster: &ClusterRecord, include: Include) -> Cluster {
    let counts = counts(world, cluster);
    let shown = |wanted: bool| wanted.then_some(());
    Cluster {
        cluster_arn: Some(cluster.arn()),
        cluster_name: Some(cluster.name.clone()),
        status: Some(cluster.status.as_str().into()),
        registered_container_instances_count: Some(counts.instances),
        running_tasks_count: Some(counts.running),
        pending_tasks_count: Some(counts.pending),
        active_services_count: Some(counts.services),
        statistics: Some(shown(include.statistics).map_or_else(Vec::new, |()| statistics(counts))),
        tags: Some(shown(include.tags).map_or_else(Vec::new, |()| tags::shape(&cluster.tags))),
        settings: Some(shown(include.settings).map_or_else(Vec::new, |()| settings(cluster))),
        capacity_providers: Some(cluster.capacity_providers.clone()),
        default_capacity_provider_strategy: Some(
            cluster
                .default_strategy
                .iter()
                .map(|item| item.0.clone())
                .collect(),
        ),
        attachments: shown(include.attachments).map(|()| Vec::new()),
        configuration: shown(include.configuration)
            .and(cluster.configuration.as_ref())
            .map(|stored| stored.0.clone()),
        service_connect_defaults: cluster.service_connect_namespace.as_ref().map(|namespace| {
            ClusterServiceConnectDefaults {
                namespace: Some(namespace.clone()),
            }
        }),
        ..Cluster::default()
    }
}

/// What CreateCluster, UpdateCluster and DeleteCluster show.
pub const AFTER_CHANGE: Include = Include {
    attachments: false,
    configuration: true,
    settings: true,
    statistics: false,
    tags: true,
};

fn settings(cluster: &ClusterRecord) -> Vec<ClusterSetting> {
    vec![ClusterSetting {
        name: Some("containerInsights".into()),
        value: Some(cluster.container_insights.clone()),
    }]
}

fn statistics(counts: Counts) -> Vec<KeyValuePair> {
    let [running, pending, active, draining] = counts.fargate;
    [
        ("runningEC2TasksCount", counts.running - running),
        ("runningFargateTasksCount", running),
        ("pendingEC2TasksCount", counts.pending - pending),
        ("pendingFargateTasksCount", pending),
        ("runningExternalTasksCount", 0),
        ("pendingExternalTasksCount", 0),
        ("activeEC2ServiceCount", counts.services - active),
        ("activeFargateServiceCount", active),
        ("activeExternalServiceCount", 0),
        (
            "drainingEC2ServiceCount",
            counts.draining_services - draining,
        ),
        ("drainingFargateServiceCount", draining),
        ("drainingExternalServiceCount", 0),
    ]
    .map(|(name, value)| KeyValuePair {
        name: Some(name.into()),
        value: Some(value.to_string()),
    })
    .into()
}
