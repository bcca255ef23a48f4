//! What a host is told of Service Connect: the targets behind the endpoints that its tasks reach.
//!
//! Pure, and the whole of it, as `ec2::host::rows` for interfaces. A target is a task that runs and is well.

use super::task;
use crate::records::connect::Endpoint;
use crate::records::task_table::{CONNECTED, TASKS};
use aws_api::agent::host_sync::{EndpointRow, EndpointTarget};
use servicediscovery::instances::{self, IPV4, PORT};
use servicediscovery::records::{Health, InstanceRecord, ItemKey};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Key, World};

/// The rows for the machine that is registered under these ARNs, in order of their ids.
#[must_use]
pub fn rows<'a>(world: &World, instances: impl IntoIterator<Item = &'a str>) -> Vec<EndpointRow> {
    let mut reached: BTreeMap<String, (ItemKey, String)> = BTreeMap::new();
    for arn in instances {
        for one in world.find_after(&TASKS, &CONNECTED, &Key::of(&[arn]), None) {
            let revision = task::revision(world, one);
            for endpoint in revision.iter().flat_map(|revision| &revision.endpoints) {
                let Endpoint {
                    service, discovery, ..
                } = endpoint;
                let key = ItemKey::new(&one.key.scope, service);
                reached.insert(key.arn(), (key, discovery.clone()));
            }
        }
    }
    let reached = reached.into_iter();
    reached
        .map(|(id, (service, discovery_name))| EndpointRow {
            id,
            discovery_name,
            targets: targets(world, &service),
        })
        .collect()
}

/// The tasks behind an endpoint.
#[must_use]
pub fn targets(world: &World, service: &ItemKey) -> Vec<EndpointTarget> {
    let all = instances::of_service(world, service);
    let well = all.filter(|one| one.health == Health::Healthy);
    well.filter_map(target).collect()
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
