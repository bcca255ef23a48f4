//! What hosts publish within a minute, and the samples that it becomes at its end.
//!
//! A host publishes every twenty seconds; what belongs to one task is one sample of the minute, whatever
//! number of publications it came in.

use super::reservation::{self, Cluster};
use super::{NAMESPACE, PERCENT, dimensions, insights};
use crate::connect;
use crate::records::container_instance::{CONTAINER_INSTANCES, InstanceKey};
use crate::records::service::GROUP_PREFIX;
use crate::records::task::{TASKS, TaskKey, TaskRecord};
use crate::task::reference;
use aws_api::agent::{
    ContainerMetric, CwStatsSet, PublishMetricsRequest, ServiceConnectMetrics, TaskMetric,
    ULongStatsSet,
};
use aws_types::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use store::{NewPoint, World};
use telemetry::metrics::name::MetricName;
use telemetry::metrics::point::MINUTE;
use telemetry::metrics::put::Points;
use telemetry::metrics::samples::Samples;

/// A container that reserves no CPU has these units: the least share that Linux gives.
const LEAST_CPU_UNITS: f64 = 2.0;
/// Service Connect's metrics of one publication of one task; more are no proxy's.
const CONNECT_MAX: usize = 200;

/// What was published since the last minute's end.
#[derive(Debug, Default)]
pub struct Minute {
    tasks: BTreeMap<TaskKey, Used>,
    /// By metric, with its unit.
    connect: BTreeMap<MetricName, (&'static str, Samples)>,
    /// Hosts that published, if only that they have no tasks.
    hosts: BTreeSet<InstanceKey>,
}

/// What a task used in the minute; `None` where nothing was sampled.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskUse {
    /// CPU units, on average.
    pub cpu_units: Option<f64>,
    /// MiB, on average.
    pub memory_mib: Option<f64>,
    /// Bytes read from disks.
    pub read_bytes: Option<f64>,
    /// Bytes written to disks.
    pub written_bytes: Option<f64>,
}

/// What was published of a task.
#[derive(Debug, Default)]
struct Used {
    /// Per cent of the host, and MiB, by container.
    containers: BTreeMap<String, (Mean, Mean)>,
    /// Bytes read and written, of all containers.
    disk: (Mean, Mean),
    /// CPU units of the host.
    host_cpu_units: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, set: Option<&CwStatsSet>) {
        let Some(set) = set else { return };
        let (sum, count) = (
            set.sum.unwrap_or_default(),
            set.sample_count.unwrap_or_default(),
        );
        if sum.is_finite() && count > 0 {
            self.sum += sum;
            self.count += count as f64;
        }
    }

    fn add_whole(&mut self, set: Option<&ULongStatsSet>) {
        let Some(set) = set else { return };
        // Rule: agent-protocol 3: what does not fit is beside it.
        let sum = set.sum.unwrap_or_default() as f64 + set.overflow_sum.unwrap_or_default() as f64;
        self.sum += sum;
        self.count += set.sample_count.unwrap_or_default().max(0) as f64;
    }

    fn total(self) -> Option<f64> {
        (self.count > 0.0).then_some(self.sum)
    }

    fn value(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

impl Minute {
    /// Takes a publication of a host: of tasks that are its own alone.
    pub fn note(&mut self, world: &World, host: &InstanceKey, published: &PublishMetricsRequest) {
        let Some(instance) = world.get(&CONTAINER_INSTANCES, host) else {
            return;
        };
        self.hosts.insert(host.clone());
        for task in published.task_metrics.iter().flatten() {
            let arn = task.task_arn.as_deref().unwrap_or_default();
            let key = reference::task_arn(&host.scope, arn);
            let record = key.and_then(|key| world.get(&TASKS, &key));
            let Some(record) = record.filter(|record| record.instance_key() == *host) else {
                continue;
            };
            let used = self.tasks.entry(record.key.clone()).or_default();
            used.host_cpu_units = f64::from(instance.registered.cpu_units);
            used.note(record, task);
            let wrapper = task.service_connect_metrics_wrapper.iter().flatten();
            let reached = reached(world, record);
            for metrics in wrapper.take(CONNECT_MAX) {
                for (metric, unit, samples) in of_connect(record, &reached, metrics) {
                    let both = match self.connect.remove(&metric) {
                        Some((_, before)) => before.and(&samples),
                        None => samples,
                    };
                    self.connect.insert(metric, (unit, both));
                }
            }
        }
    }

    /// The samples of the minute that began at this moment.
    #[must_use]
    pub fn points(self, world: &World, at: Timestamp) -> Vec<NewPoint> {
        let mut points = Points::default();
        let mut clusters: BTreeMap<Cluster, (f64, f64)> = BTreeMap::new();
        for (key, used) in &self.tasks {
            // One that is gone meanwhile was there: its last minute counts while it is remembered.
            let Some(task) = world.get(&TASKS, key) else {
                continue;
            };
            let used = used.shown();
            let (cpu, memory) = (used.cpu_units, used.memory_mib);
            insights::add_task(world, at, task, &used, &mut points);
            if task.fargate.is_none() {
                let cluster = (key.scope.clone(), key.cluster.clone());
                let sum = clusters.entry(cluster).or_default();
                sum.0 += cpu.unwrap_or_default();
                sum.1 += memory.unwrap_or_default();
            }
            let Some(service) = service_of(task) else {
                continue;
            };
            let least = LEAST_CPU_UNITS * task.containers.len() as f64;
            let reserved_cpu = f64::from(task.reserved.cpu_units).max(least);
            let reserved_memory = f64::from(task.reserved.memory_mib);
            let mut add = |name: &str, used: Option<f64>, reserved: f64| {
                let of = dimensions(&key.cluster, Some(service));
                let metric = MetricName::new(&key.scope, NAMESPACE, name, of);
                let share = used
                    .filter(|_| reserved > 0.0)
                    .map(|used| 100.0 * used / reserved);
                let samples = share.and_then(|share| Samples::of(&[(share, 1.0)]));
                if let Some(samples) = samples {
                    points.add(&metric, MINUTE, at, PERCENT, samples);
                }
            };
            add("CPUUtilization", cpu, reserved_cpu);
            add("MemoryUtilization", memory, reserved_memory);
        }
        for (metric, (unit, samples)) in self.connect {
            if samples.sum.is_finite() {
                points.add(&metric, MINUTE, at, unit, samples);
            }
        }
        reservation::add(world, at, (&clusters, &self.hosts), &mut points);
        insights::add_counts(world, at, &mut points);
        points.into_points()
    }
}

/// The name of the service that a task is of.
pub fn service_of(task: &TaskRecord) -> Option<&str> {
    task.service.as_ref()?;
    task.group.strip_prefix(GROUP_PREFIX)
}

impl Used {
    fn note(&mut self, record: &TaskRecord, task: &TaskMetric) {
        for container in task.container_metrics.iter().flatten() {
            let ContainerMetric {
                container_name,
                cpu_stats_set,
                memory_stats_set,
                storage_stats_set,
                ..
            } = container;
            let name = container_name.clone().unwrap_or_default();
            if record.containers.iter().all(|known| known.name != name) {
                continue;
            }
            let (cpu, memory) = self.containers.entry(name).or_default();
            cpu.add(cpu_stats_set.as_ref());
            memory.add(memory_stats_set.as_ref());
            if let Some(storage) = storage_stats_set {
                self.disk.0.add_whole(storage.read_size_bytes.as_ref());
                self.disk.1.add_whole(storage.write_size_bytes.as_ref());
            }
        }
    }

    /// Containers together; `None` where nothing was sampled.
    fn sum(&self, of: impl Fn(&(Mean, Mean)) -> Mean) -> Option<f64> {
        let values = self.containers.values().filter_map(|one| of(one).value());
        values.reduce(|sum, value| sum + value)
    }

    fn shown(&self) -> TaskUse {
        let of_host = self.sum(|(cpu, _)| *cpu);
        TaskUse {
            cpu_units: of_host.map(|percent| percent / 100.0 * self.host_cpu_units),
            memory_mib: self.sum(|(_, memory)| *memory),
            read_bytes: self.disk.0.total(),
            written_bytes: self.disk.1.total(),
        }
    }
}

/// The discovery names that a task's proxy may speak of: those that it reaches, and its own.
fn reached<'w>(world: &'w World, task: &TaskRecord) -> BTreeSet<&'w str> {
    let Some(revision) = connect::task::revision(world, task) else {
        return BTreeSet::new();
    };
    let exposed = revision.workload.connect.iter();
    let exposed = exposed.flat_map(|connect| &connect.exposed);
    let own = exposed.map(|one| &one.endpoint);
    let all = revision.endpoints.iter().chain(own);
    all.map(|endpoint| endpoint.discovery.as_str()).collect()
}

/// Service Connect's metrics, each by its discovery name, and by that with cluster and service.
fn of_connect(
    task: &TaskRecord,
    reached: &BTreeSet<&str>,
    metrics: &ServiceConnectMetrics,
) -> Vec<(MetricName, &'static str, Samples)> {
    let mut names = BTreeMap::new();
    for dimension in metrics.dimensions.iter().flatten() {
        if let (Some(key), Some(value)) = (&dimension.key, &dimension.value)
            && matches!(key.as_str(), "DiscoveryName" | "TargetDiscoveryName")
            && reached.contains(value.as_str())
        {
            names.insert(key.clone(), value.clone());
        }
    }
    if names.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for metric in metrics.general_metrics.iter().flatten() {
        let Some((name, unit)) = known(metric.metric_name.as_deref().unwrap_or_default()) else {
            continue;
        };
        let values = metric.metric_values.iter().flatten().copied();
        let counts = metric.metric_counts.iter().flatten();
        let pairs: Vec<_> = values.zip(counts.map(|count| *count as f64)).collect();
        let Some(samples) = Samples::of(&pairs).filter(|all| all.sum.is_finite()) else {
            continue;
        };
        let mut add = |dimensions: BTreeMap<String, String>| {
            let metric = MetricName::new(&task.key.scope, NAMESPACE, name, dimensions);
            found.push((metric, unit, samples.clone()));
        };
        add(names.clone());
        if let Some(service) = service_of(task) {
            let mut whole = dimensions(&task.key.cluster, Some(service));
            whole.extend(names.clone());
            add(whole);
        }
    }
    found
}

/// A metric of Service Connect, with its unit. Rule: semantics 8.4.
fn known(name: &str) -> Option<(&'static str, &'static str)> {
    const KNOWN: [(&str, &str); 13] = [
        ("ActiveConnectionCount", "Count"),
        ("ClientTLSNegotiationErrorCount", "Count"),
        ("GrpcRequestCount", "Count"),
        ("HTTPCode_Target_2XX_Count", "Count"),
        ("HTTPCode_Target_3XX_Count", "Count"),
        ("HTTPCode_Target_4XX_Count", "Count"),
        ("HTTPCode_Target_5XX_Count", "Count"),
        ("NewConnectionCount", "Count"),
        ("ProcessedBytes", "Bytes"),
        ("RequestCount", "Count"),
        ("RequestCountPerTarget", "Count"),
        ("TargetResponseTime", "Milliseconds"),
        ("TargetTLSNegotiationErrorCount", "Count"),
    ];
    KNOWN.into_iter().find(|(known, _)| *known == name)
}
