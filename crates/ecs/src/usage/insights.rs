//! Container Insights: `ECS/ContainerInsights`, of clusters that have it enabled.
//!
//! What a task uses and reserves is a sample of its cluster, of its service and of its family; counts are
//! one sample of the cluster or of the service.
//! Rule: semantics 8.4; user guide, "Amazon ECS Container Insights metrics".

use super::dimensions;
use super::minute::TaskUse;
use crate::cluster::counts;
use crate::records::cluster::{CLUSTERS, ClusterKey, ClusterRecord, ClusterStatus};
use crate::records::service::{SERVICES, ServiceRecord, ServiceStatus};
use crate::records::task_table::{Count, OF_SERVICE, TASKS, service_parts};
use crate::records::{TaskKey, TaskRecord};
use crate::usage::minute::service_of;
use aws_types::{Scope, Timestamp};
use std::collections::BTreeMap;
use store::World;
use telemetry::metrics::name::MetricName;
use telemetry::metrics::point::{MINUTE, NO_UNIT};
use telemetry::metrics::put::Points;
use telemetry::metrics::samples::Samples;

const NAMESPACE: &str = "ECS/ContainerInsights";
const MEGABYTES: &str = "Megabytes";
const COUNT: &str = "Count";
/// A figure of a cluster, of what it is told, and how much it is.
type Figure = (&'static str, &'static str, f64);

fn is_enabled(cluster: &ClusterRecord) -> bool {
    cluster.status == ClusterStatus::Active && cluster.container_insights != "disabled"
}

fn put(
    points: &mut Points,
    (scope, at): (&Scope, Timestamp),
    of: BTreeMap<String, String>,
    (name, unit, value): Figure,
) {
    let metric = MetricName::new(scope, NAMESPACE, name, of);
    if let Some(samples) = Samples::of(&[(value, 1.0)]) {
        points.add(&metric, MINUTE, at, unit, samples);
    }
}

/// Adds what one task used, where its cluster has insights.
pub fn add_task(
    world: &World,
    at: Timestamp,
    task: &TaskRecord,
    used: &TaskUse,
    points: &mut Points,
) {
    let TaskKey { scope, cluster, .. } = &task.key;
    let record = world.get(&CLUSTERS, &ClusterKey::new(scope, cluster));
    if !record.is_some_and(|record| is_enabled(record)) {
        return;
    }
    let family = ("TaskDefinitionFamily".to_owned(), task.family.clone());
    let mut of_family = dimensions(cluster, None);
    of_family.extend([family]);
    let mut all = vec![dimensions(cluster, None), of_family];
    all.extend(service_of(task).map(|service| dimensions(cluster, Some(service))));
    let figures = [
        ("CpuUtilized", NO_UNIT, used.cpu_units),
        (
            "CpuReserved",
            NO_UNIT,
            Some(f64::from(task.reserved.cpu_units)),
        ),
        ("MemoryUtilized", MEGABYTES, used.memory_mib),
        (
            "MemoryReserved",
            MEGABYTES,
            Some(f64::from(task.reserved.memory_mib)),
        ),
        ("StorageReadBytes", "Bytes", used.read_bytes),
        ("StorageWriteBytes", "Bytes", used.written_bytes),
    ];
    for of in all {
        for (name, unit, value) in figures {
            if let Some(value) = value {
                put(points, (scope, at), of.clone(), (name, unit, value));
            }
        }
    }
}

/// Adds the counts of clusters that have insights, and of their services.
pub fn add_counts(world: &World, at: Timestamp, points: &mut Points) {
    for cluster in world.scan(&CLUSTERS).filter(|cluster| is_enabled(cluster)) {
        let counts = counts(world, cluster);
        for (name, count) in [
            ("TaskCount", counts.running),
            ("ServiceCount", counts.services),
            ("ContainerInstanceCount", counts.instances),
        ] {
            let figure = (name, COUNT, f64::from(count));
            put(
                points,
                (&cluster.scope, at),
                dimensions(&cluster.name, None),
                figure,
            );
        }
    }
    for service in world.scan(&SERVICES) {
        let key = &service.key;
        let cluster = world.get(&CLUSTERS, &ClusterKey::new(&key.scope, &key.cluster));
        if service.status != ServiceStatus::Inactive && cluster.is_some_and(|one| is_enabled(one)) {
            add_service(world, at, service, points);
        }
    }
}

fn add_service(world: &World, at: Timestamp, service: &ServiceRecord, points: &mut Points) {
    let key = &service.key;
    // Of any task of the cluster: its id is no part of what is looked up.
    let any = TaskKey::new(&key.scope, &key.cluster, "");
    let count = |count: Count| {
        let parts = service_parts(&any, &key.group(), count.name());
        world.sum(&TASKS, &OF_SERVICE, &parts) as f64
    };
    for (name, value) in [
        ("RunningTaskCount", count(Count::Running)),
        ("PendingTaskCount", count(Count::Pending)),
        ("DesiredTaskCount", f64::from(service.desired)),
        ("DeploymentCount", service.deployments.len() as f64),
        ("TaskSetCount", service.task_sets.len() as f64),
    ] {
        let of = dimensions(&key.cluster, Some(&key.name));
        put(points, (&key.scope, at), of, (name, COUNT, value));
    }
}
