//! What of a cluster's instances is reserved, and what of it its tasks use.
//!
//! Rule: semantics 8.4: registered counts on ACTIVE and DRAINING instances; of EC2 alone.

use super::{NAMESPACE, PERCENT, dimensions};
use crate::fargate;
use crate::instance::load;
use crate::records::container_instance::{CONTAINER_INSTANCES, InstanceKey, InstanceStatus};
use aws_types::{Scope, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use store::World;
use telemetry::metrics::name::MetricName;
use telemetry::metrics::point::MINUTE;
use telemetry::metrics::put::Points;
use telemetry::metrics::samples::Samples;

/// A cluster, by scope and name.
pub type Cluster = (Scope, String);

/// Sums over a cluster's instances.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    cpu: f64,
    memory: f64,
    gpus: f64,
}

/// What a cluster's instances have, what of it is reserved, and what those have that told what they use.
#[derive(Clone, Copy, Debug, Default)]
struct OfCluster {
    all: Sums,
    reserved: Sums,
    told: Sums,
}

/// Adds a sample of each cluster that has instances. `used` is what tasks used in the minute, CPU units and
/// MiB, and `told` the instances that published it: what the others use is not known, which is not nothing.
pub fn add(
    world: &World,
    at: Timestamp,
    (used, told): (&BTreeMap<Cluster, (f64, f64)>, &BTreeSet<InstanceKey>),
    points: &mut Points,
) {
    let mut clusters: BTreeMap<Cluster, OfCluster> = BTreeMap::new();
    for instance in world.scan(&CONTAINER_INSTANCES) {
        let key = &instance.key;
        if instance.status == InstanceStatus::Inactive || key.cluster == fargate::CLUSTER {
            continue;
        }
        let cluster = (key.scope.clone(), key.cluster.clone());
        let OfCluster {
            all,
            reserved,
            told: of_told,
        } = clusters.entry(cluster).or_default();
        let has_told = told.contains(key);
        let (has, free) = (&instance.registered, load::of(world, instance).free);
        let mut add = |registered: f64, left: f64, of: fn(&mut Sums) -> &mut f64| {
            *of(all) += registered;
            if has_told {
                *of(of_told) += registered;
            }
            *of(reserved) += registered - left;
        };
        add(f64::from(has.cpu_units), f64::from(free.cpu_units), |s| {
            &mut s.cpu
        });
        add(f64::from(has.memory_mib), f64::from(free.memory_mib), |s| {
            &mut s.memory
        });
        add(has.gpus.len() as f64, free.gpus.len() as f64, |s| {
            &mut s.gpus
        });
    }
    for (cluster, sums) in clusters {
        let OfCluster {
            all,
            reserved,
            told,
        } = sums;
        let (cpu, memory) = used.get(&cluster).copied().unwrap_or_default();
        let mut add = |name: &str, part: f64, whole: f64| {
            if whole > 0.0 {
                put(points, &cluster, name, at, 100.0 * part / whole);
            }
        };
        add("CPUReservation", reserved.cpu, all.cpu);
        add("MemoryReservation", reserved.memory, all.memory);
        add("GPUReservation", reserved.gpus, all.gpus);
        add("CPUUtilization", cpu, told.cpu);
        add("MemoryUtilization", memory, told.memory);
    }
}

fn put(points: &mut Points, (scope, cluster): &Cluster, name: &str, at: Timestamp, value: f64) {
    let metric = MetricName::new(scope, NAMESPACE, name, dimensions(cluster, None));
    if let Some(samples) = Samples::of(&[(value, 1.0)]) {
        points.add(&metric, MINUTE, at, PERCENT, samples);
    }
}
