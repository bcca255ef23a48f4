//! Which instances of a service an answer has.
//!
//! Rule: API reference, DiscoverInstances `HealthStatus`; developer guide, "Custom health checks": without
//! a health check an instance counts as healthy and shows as UNKNOWN; where none is healthy, all are given.

use crate::instances;
use crate::records::{Health, InstanceRecord, ServiceRecord};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::World;

/// `HealthStatus` of an instance as the API shows it.
#[must_use]
pub fn shown_health(service: &ServiceRecord, instance: &InstanceRecord) -> &'static str {
    match service.custom_health {
        true => instance.health.name(),
        false => "UNKNOWN",
    }
}

fn is_healthy(service: &ServiceRecord, instance: &InstanceRecord) -> bool {
    !service.custom_health || instance.health == Health::Healthy
}

/// The instances that a filter of DiscoverInstances asks for; `HEALTHY_OR_ELSE_ALL` where none is given.
#[must_use]
pub fn select(
    world: &World,
    service: &ServiceRecord,
    query: &BTreeMap<String, String>,
    health: Option<&str>,
) -> Vec<Arc<InstanceRecord>> {
    let asked = |one: &&Arc<InstanceRecord>| {
        let mut query = query.iter();
        query.all(|(key, value)| one.attributes.get(key) == Some(value))
    };
    let all = instances::of_service(world, &service.key)
        .filter(asked)
        .cloned();
    let all: Vec<_> = all.collect();
    let having = |wanted: bool| {
        let fitting = all.iter().filter(|one| is_healthy(service, one) == wanted);
        fitting.cloned().collect::<Vec<_>>()
    };
    match health.unwrap_or("HEALTHY_OR_ELSE_ALL") {
        "ALL" => all,
        "HEALTHY" => having(true),
        "UNHEALTHY" => having(false),
        _ => match having(true) {
            none if none.is_empty() => all,
            healthy => healthy,
        },
    }
}

/// The instances that a DNS answer may have.
#[must_use]
pub fn answered(world: &World, service: &ServiceRecord) -> Vec<Arc<InstanceRecord>> {
    select(world, service, &BTreeMap::new(), None)
}
