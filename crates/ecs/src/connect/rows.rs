//! What a host is told of Service Connect: the targets behind the endpoints that its tasks reach.
//!
//! Pure, and the whole of it, as `ec2::host::rows` for interfaces. A target is a task that runs and is well. One
//! on the loopback of its machine is a target there alone: anywhere else that address is somebody else's.

use super::task;
use crate::records::connect::{ENDPOINTS, Endpoint, EndpointKey};
use crate::records::task::TaskKey;
use crate::records::task_table::{CONNECTED, TASKS};
use crate::task::registration::CLUSTER;
use aws_api::agent::host_sync::{EndpointRow, EndpointTarget};
use aws_types::Scope;
use servicediscovery::instances::{self, IPV4, PORT};
use servicediscovery::records::{Health, InstanceRecord, ItemKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Key, World};

/// The rows for the machine that is registered under these ARNs, in order of their ids.
#[must_use]
pub fn rows<'a>(world: &World, instances: impl IntoIterator<Item = &'a str>) -> Vec<EndpointRow> {
    let registrations: BTreeSet<&str> = instances.into_iter().collect();
    let mut reached: BTreeMap<String, (ItemKey, String)> = BTreeMap::new();
    for arn in &registrations {
        for one in world.find_after(&TASKS, &CONNECTED, &Key::of(&[arn]), None) {
            let Some(revision) = task::revision(world, one) else {
                continue;
            };
            let namespace = revision.workload.connect.as_ref();
            let namespace = namespace.map_or("", |connect| &connect.namespace);
            for endpoint in &revision.endpoints {
                let scope = &one.key.scope;
                // Its agent knows it by what it was when it was deployed.
                let id = ItemKey::new(scope, &endpoint.service).arn();
                let service = map_service(world, (scope, namespace), endpoint);
                reached.insert(id, (service, endpoint.discovery.clone()));
            }
        }
    }
    let reached = reached.into_iter();
    reached
        .map(|(id, (service, discovery_name))| EndpointRow {
            id,
            discovery_name,
            targets: targets_from(world, &service, &registrations),
        })
        .collect()
}

/// The Cloud Map service with the targets of an endpoint of a revision: the one that has its discovery name now,
/// since a service that was made anew has another than before.
#[must_use]
pub fn map_service(
    world: &World,
    (scope, namespace): (&Scope, &str),
    endpoint: &Endpoint,
) -> ItemKey {
    let key = EndpointKey {
        scope: scope.clone(),
        namespace: namespace.into(),
        discovery: endpoint.discovery.clone(),
    };
    let known = world.get(&ENDPOINTS, &key);
    known.map_or_else(
        || ItemKey::new(scope, &endpoint.service),
        |known| known.map_service(),
    )
}

/// The tasks behind an endpoint that are reached from the machine with these registrations.
fn targets_from(
    world: &World,
    service: &ItemKey,
    registrations: &BTreeSet<&str>,
) -> Vec<EndpointTarget> {
    let is_here = |instance: &InstanceRecord| {
        let cluster = instance.attributes.get(CLUSTER)?;
        let task = TaskKey::new(&service.scope, cluster, &instance.key.id);
        let task = world.get(&TASKS, &task)?;
        Some(registrations.contains(task.instance_key().arn().as_str()))
    };
    let all = well(world, service).filter_map(|one| Some((target(one)?, one)));
    let reached =
        all.filter(|(target, one)| !target.address.is_loopback() || is_here(one).unwrap_or(false));
    reached.map(|(target, _)| target).collect()
}

/// The tasks behind an endpoint.
#[must_use]
pub fn targets(world: &World, service: &ItemKey) -> Vec<EndpointTarget> {
    well(world, service).filter_map(target).collect()
}

fn well<'w>(world: &'w World, service: &ItemKey) -> impl Iterator<Item = &'w Arc<InstanceRecord>> {
    let all = instances::of_service(world, service);
    all.filter(|one| one.health == Health::Healthy)
}

fn target(instance: &Arc<InstanceRecord>) -> Option<EndpointTarget> {
    let attribute = |name: &str| instance.attributes.get(name);
    Some(EndpointTarget {
        id: instance.key.id.clone(),
        address: attribute(IPV4)?.parse().ok()?,
        port: attribute(PORT)?.parse().ok()?,
    })
}

/// Whether a row of the table of tasks that was written may change what a host is told.
#[must_use]
pub fn concerns(world: &World, task: &Key) -> bool {
    let found = world.scan_prefix(&TASKS, task, None).next();
    found.is_some_and(|(_, task)| task.connect.is_some())
}
