//! What ends every transaction: the endpoints of a namespace are those that its services expose.
//!
//! A port that a service newly exposes has its endpoint at once; one that it exposes no more goes when nothing
//! that the service runs or may return to exposes it, and all of them when it is INACTIVE.

use crate::records::connect::{
    BY_OWNER, ConnectRecord, ENDPOINTS, Endpoint, EndpointKey, EndpointRecord, of_namespace,
};
use crate::records::service::{SERVICES, ServiceKey, ServiceRecord, ServiceStatus, Workload};
use crate::records::service_revision::{RevisionKey, SERVICE_REVISIONS};
use aws_types::Timestamp;
use servicediscovery::managed;
use std::collections::{BTreeMap, BTreeSet};
use store::{TableKey, Txn, World};

/// Runs at the end of every transaction.
pub fn settle(txn: &mut Txn, now: Timestamp) {
    for (before, after) in txn.changed(&SERVICES) {
        let Some(service) = after.as_ref().or(before.as_ref()) else {
            continue;
        };
        let live = after.as_deref();
        let live = live.filter(|service| service.status != ServiceStatus::Inactive);
        let primary = live.and_then(|service| connect(txn, service, service.primary()?.revision));
        let exposed = primary.into_iter();
        let exposed = exposed.flat_map(|primary| endpoints(&service.key, primary));
        let exposed: Vec<EndpointRecord> = exposed.collect();
        let used = live.map(|service| used(txn, service)).unwrap_or_default();
        for one in exposed {
            if txn.get(&ENDPOINTS, &one.key).map(AsRef::as_ref) != Some(&one) {
                txn.put(&ENDPOINTS, one);
            }
        }
        remove_unused(txn, now, &service.key, &used);
    }
}

/// What a revision of a service asked for.
fn connect<'w>(
    world: &'w World,
    service: &ServiceRecord,
    number: u64,
) -> Option<&'w ConnectRecord> {
    let service = service.key.clone();
    let revision = world.get(&SERVICE_REVISIONS, &RevisionKey { service, number })?;
    revision.workload.connect.as_deref()
}

fn endpoints(
    owner: &ServiceKey,
    connect: &ConnectRecord,
) -> impl Iterator<Item = EndpointRecord> + use<> {
    let (owner, namespace) = (owner.clone(), connect.namespace.clone());
    let exposed = connect.exposed.clone().into_iter();
    exposed.map(move |one| EndpointRecord {
        key: EndpointKey {
            scope: owner.scope.clone(),
            namespace: namespace.clone(),
            discovery: one.endpoint.discovery.clone(),
        },
        owner: owner.clone(),
        endpoint: one.endpoint,
    })
}

/// What its deployments expose, and the one that it would return to.
fn used(world: &World, service: &ServiceRecord) -> BTreeSet<EndpointKey> {
    let deployments = service.deployments.iter().map(|one| one.revision);
    let revisions = deployments.chain(service.completed_revision);
    let connects = revisions.filter_map(|number| connect(world, service, number));
    let all = connects.flat_map(|connect| endpoints(&service.key, connect));
    all.map(|endpoint| endpoint.key).collect()
}

fn remove_unused(txn: &mut Txn, now: Timestamp, owner: &ServiceKey, used: &BTreeSet<EndpointKey>) {
    let own = txn.find_after(&ENDPOINTS, &BY_OWNER, &owner.encode(), None);
    let unused = own.filter(|endpoint| !used.contains(&endpoint.key));
    let unused: Vec<EndpointRecord> = unused.map(|one| one.as_ref().clone()).collect();
    for endpoint in unused {
        managed::remove_service(txn, now, &endpoint.map_service());
        txn.delete(&ENDPOINTS, &endpoint.key);
    }
}

/// The endpoints that tasks of a new revision reach: those of their namespace now, and their own, one of each name
/// and port. While a service changes the discovery name of an alias it has two: the one that it will keep counts.
#[must_use]
pub fn snapshot(world: &World, owner: &ServiceKey, workload: &Workload) -> Vec<Endpoint> {
    let Some(connect) = &workload.connect else {
        return Vec::new();
    };
    let all = of_namespace(&owner.scope, &connect.namespace);
    let others = world.scan_prefix(&ENDPOINTS, &all, None);
    let others = others.filter(|(_, one)| one.owner != *owner);
    let (kept, leaving): (Vec<_>, Vec<_>) = others.partition(|(_, one)| is_exposed(world, one));
    let others = leaving.into_iter().chain(kept);
    let others = others.map(|(_, one)| one.endpoint.clone());
    let own = connect.exposed.iter().map(|one| one.endpoint.clone());
    let all = others.chain(own);
    let by_alias: BTreeMap<(String, u16), Endpoint> =
        all.map(|one| ((one.name.clone(), one.port), one)).collect();
    by_alias.into_values().collect()
}

/// Whether the newest deployment of its service exposes an endpoint.
fn is_exposed(world: &World, endpoint: &EndpointRecord) -> bool {
    let service = world.get(&SERVICES, &endpoint.owner);
    let primary = service.and_then(|service| connect(world, service, service.primary()?.revision));
    let mut exposed = primary
        .into_iter()
        .flat_map(|primary| endpoints(&endpoint.owner, primary));
    exposed.any(|one| one.key == endpoint.key)
}
