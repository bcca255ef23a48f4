//! The metrics of AWS/ECS, from what hosts publish and what the World holds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use aws_api::agent::*;
use aws_types::Timestamp;
use ecs::records::cluster::{CLUSTERS, ClusterKey};
use ecs::records::connect::{AppProtocol, Endpoint, TaskConnect};
use ecs::records::service_revision::RevisionKey;
use ecs::records::{InstanceKey, SERVICE_REVISIONS, TASKS, TaskKey};
use ecs::usage::Minute;
use std::collections::BTreeMap;
use store::NewPoint;
use support::services::Settings;
use support::{House, container};
use telemetry::metrics::name::MetricName;
use telemetry::metrics::point;
use telemetry::metrics::samples::Samples;

const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn set(sum: f64, count: i64) -> Option<CwStatsSet> {
    Some(CwStatsSet {
        sum: Some(sum),
        sample_count: Some(count),
        ..CwStatsSet::default()
    })
}

/// A task used this per cent of its host and so many MiB, as a host says it.
fn published(task: &TaskKey, cpu: f64, memory: f64) -> PublishMetricsRequest {
    let container = ContainerMetric {
        container_name: Some("app".into()),
        cpu_stats_set: set(cpu * 20.0, 20),
        memory_stats_set: set(memory * 20.0, 20),
        ..ContainerMetric::default()
    };
    PublishMetricsRequest {
        task_metrics: Some(vec![TaskMetric {
            task_arn: Some(task.arn()),
            container_metrics: Some(vec![container]),
            ..TaskMetric::default()
        }]),
        ..PublishMetricsRequest::default()
    }
}

/// Samples by metric name and values of its dimensions.
fn shown(points: &[NewPoint], namespace: &str) -> BTreeMap<String, Samples> {
    let named = points.iter().map(|one| {
        assert_eq!((one.at, one.resolution), (AT, point::MINUTE));
        (one, MetricName::read(&one.series).unwrap())
    });
    let of = named.filter(|(_, metric)| metric.namespace == namespace);
    let each = of.map(|(one, metric)| {
        let values: Vec<_> = metric.dimensions.values().map(String::as_str).collect();
        let samples = point::decode(&one.value).unwrap().1;
        (format!("{} {}", metric.name, values.join(" ")), samples)
    });
    each.collect()
}

/// A host of 1,024 units and 1,000 MiB with a service's tasks, each of 256 units and 100 MiB.
fn house(count: u32) -> (House, InstanceKey, Vec<TaskKey>) {
    let mut house = House::new();
    let host = house.host("one", 1024, 1000);
    house.define("web", vec![container("app", 256, 100)]);
    let settings = Settings {
        desired: count,
        ..Settings::default()
    };
    let service = house.service("web", "web", settings);
    house.until_steady(&service);
    let tasks = house.live(&service);
    let keys = tasks.iter().map(|task| task.key.clone()).collect();
    (house, host, keys)
}

#[test]
fn a_task_is_one_sample_of_what_it_used_of_what_it_reserved() {
    let (house, host, tasks) = house(2);
    let mut minute = Minute::default();
    // Three publications of the one, one of the other.
    for cpu in [10.0, 20.0, 30.0] {
        minute.note(&house.world, &host, &published(&tasks[0], cpu, 50.0));
    }
    minute.note(&house.world, &host, &published(&tasks[1], 40.0, 150.0));
    let all = shown(&minute.points(&house.world, AT), "AWS/ECS");
    let cpu = &all["CPUUtilization default web"];
    // 20 % of 1,024 units are 80 % of 256; 40 % are 160 %.
    assert_eq!((cpu.count, cpu.min, cpu.max), (2.0, 80.0, 160.0));
    let memory = &all["MemoryUtilization default web"];
    assert_eq!((memory.count, memory.min, memory.max), (2.0, 50.0, 150.0));
    let whole = all["CPUUtilization default"].sum;
    assert!((whole - 60.0).abs() < 1e-9, "{whole}");
    assert_eq!(all["MemoryUtilization default"].sum, 20.0);
    assert_eq!(all["CPUReservation default"].sum, 50.0);
    assert_eq!(all["MemoryReservation default"].sum, 20.0);
    assert!(!all.contains_key("GPUReservation default"));
}

#[test]
fn a_host_speaks_of_its_own_tasks_alone() {
    let (mut house, _, tasks) = house(1);
    let other = house.host("two", 1024, 1000);
    let mut minute = Minute::default();
    minute.note(&house.world, &other, &published(&tasks[0], 50.0, 50.0));
    let all = shown(&minute.points(&house.world, AT), "AWS/ECS");
    assert!(!all.contains_key("CPUUtilization default web"), "{all:?}");
    assert_eq!(all["CPUUtilization default"].sum, 0.0);
    assert_eq!(all["CPUReservation default"].sum, 12.5);
}

#[test]
fn utilization_is_of_the_hosts_that_told_of_theirs_and_unknown_where_none_did() {
    let (mut house, host, tasks) = house(1);
    let other = house.host("two", 3072, 1000);
    let minute = |publications: &[(&InstanceKey, PublishMetricsRequest)]| {
        let mut minute = Minute::default();
        for (host, publication) in publications {
            minute.note(&house.world, host, publication);
        }
        let all = shown(&minute.points(&house.world, AT), "AWS/ECS");
        assert!(all.contains_key("CPUReservation default"));
        all.get("CPUUtilization default").map(|found| found.sum)
    };
    let idle = PublishMetricsRequest::default;
    let busy = published(&tasks[0], 50.0, 50.0);
    assert_eq!(minute(&[]), None, "nobody told");
    assert_eq!(minute(&[(&host, busy.clone())]), Some(50.0));
    assert_eq!(minute(&[(&host, busy), (&other, idle())]), Some(12.5));
    assert_eq!(minute(&[(&other, idle())]), Some(0.0));
}

#[test]
fn what_proxies_counted_is_shown_by_discovery_name_with_and_without_the_service() {
    let (mut house, host, tasks) = house(1);
    reaches(&mut house, &tasks[0], "api");
    let general = |name: &str, value: f64, count| ServiceConnectGeneralMetric {
        metric_name: Some(name.into()),
        metric_values: Some(vec![value]),
        metric_counts: Some(vec![count]),
    };
    let mut publication = published(&tasks[0], 1.0, 1.0);
    let wrapper = |discovery: &str| ServiceConnectMetrics {
        dimensions: Some(vec![ServiceConnectMetricsDimension {
            key: Some("DiscoveryName".into()),
            value: Some(discovery.into()),
        }]),
        metric_type: Some("2".into()),
        general_metrics: Some(vec![
            general("RequestCount", 7.0, 1),
            general("Invented", 7.0, 1),
            general("NewConnectionCount", 3.0, 0),
        ]),
    };
    let wrappers = vec![
        wrapper("api"),
        wrapper("bank"),
        wrapper(&"x".repeat(70_000)),
    ];
    let metrics = publication.task_metrics.as_mut().unwrap();
    metrics[0].service_connect_metrics_wrapper = Some(wrappers);
    let mut minute = Minute::default();
    minute.note(&house.world, &host, &publication);
    let all = shown(&minute.points(&house.world, AT), "AWS/ECS");
    assert_eq!(all["RequestCount api"].sum, 7.0);
    assert_eq!(all["RequestCount default api web"].sum, 7.0);
    assert!(all.keys().all(|name| !name.contains("Invented")));
    assert!(all.keys().all(|name| !name.contains("NewConnectionCount")));
    let of_others = all.keys().filter(|name| name.contains("RequestCount"));
    assert_eq!(of_others.count(), 2, "names that the task does not reach");
}

/// The task reaches an endpoint of this discovery name.
fn reaches(house: &mut House, task: &TaskKey, discovery: &str) {
    let service = house.service_key("web");
    let number = house.record(&service).deployments[0].revision;
    let endpoint = Endpoint {
        discovery: discovery.into(),
        service: "srv-1".into(),
        name: discovery.into(),
        port: 80,
        protocol: AppProtocol::Http,
        idle_seconds: 0,
        request_seconds: 0,
    };
    house.change(|txn, _| {
        assert!(txn.update(&TASKS, task, |one| {
            one.connect = Some(Box::new(TaskConnect {
                id: "id".into(),
                revision: number,
                registrations: Vec::new(),
            }));
        }));
        let key = RevisionKey { service, number };
        assert!(txn.update(&SERVICE_REVISIONS, &key, |one| {
            one.endpoints = vec![endpoint];
        }));
    });
}

#[test]
fn insights_are_told_of_clusters_that_have_them() {
    let (mut house, host, tasks) = house(2);
    let minute = |house: &House| {
        let mut minute = Minute::default();
        for task in &tasks {
            minute.note(&house.world, &host, &published(task, 25.0, 50.0));
        }
        shown(&minute.points(&house.world, AT), "ECS/ContainerInsights")
    };
    assert_eq!(minute(&house).len(), 0);
    let key = ClusterKey::new(&house.ctx.scope.clone(), "default");
    house.change(|txn, _| {
        txn.update(&CLUSTERS, &key, |one| {
            one.container_insights = "enabled".into();
        })
    });
    let all = minute(&house);
    for (of, count, sum) in [
        ("CpuUtilized default", 2.0, 512.0),
        ("CpuUtilized default web", 2.0, 512.0),
        ("CpuReserved default web", 2.0, 512.0),
        ("MemoryUtilized default", 2.0, 100.0),
        ("MemoryReserved default", 2.0, 200.0),
        ("RunningTaskCount default web", 1.0, 2.0),
        ("PendingTaskCount default web", 1.0, 0.0),
        ("DesiredTaskCount default web", 1.0, 2.0),
        ("DeploymentCount default web", 1.0, 1.0),
        ("TaskCount default", 1.0, 2.0),
        ("ServiceCount default", 1.0, 1.0),
        ("ContainerInstanceCount default", 1.0, 1.0),
    ] {
        assert_eq!((all[of].count, all[of].sum), (count, sum), "{of}");
    }
}
