//! What `longshore why` tells of a service's Service Connect: what it exposes, what it reaches, and what it does
//! not know, since it was deployed before that was there.

use super::rows;
use crate::records::connect::{ENDPOINTS, Endpoint, EndpointRecord, of_namespace};
use crate::records::service::ServiceRecord;
use crate::records::service_revision::{RevisionKey, SERVICE_REVISIONS};
use serde_json::{Value, json};
use store::World;

/// `null` where Service Connect is off.
#[must_use]
pub fn service(world: &World, service: &ServiceRecord) -> Value {
    let Some(primary) = service.primary() else {
        return Value::Null;
    };
    let key = RevisionKey {
        service: service.key.clone(),
        number: primary.revision,
    };
    let Some(revision) = world.get(&SERVICE_REVISIONS, &key) else {
        return Value::Null;
    };
    let Some(connect) = &revision.workload.connect else {
        return Value::Null;
    };
    let scope = &service.key.scope;
    let namespace = (scope, connect.namespace.as_str());
    let shown = |endpoint: &Endpoint| {
        let map_service = rows::map_service(world, namespace, endpoint);
        json!({
            "discovery_name": endpoint.discovery,
            "name": endpoint.name,
            "port": endpoint.port,
            "targets": rows::targets(world, &map_service).len(),
        })
    };
    let all = of_namespace(scope, &connect.namespace);
    let all = world.scan_prefix(&ENDPOINTS, &all, None);
    let is_known = |one: &EndpointRecord| {
        let alias = |endpoint: &Endpoint| (endpoint.name.clone(), endpoint.port);
        let same = |known: &&Endpoint| alias(known) == alias(&one.endpoint);
        let mut known = revision.endpoints.iter().filter(same);
        known.any(|known| rows::map_service(world, namespace, known) == one.map_service())
    };
    let unknown = all.filter(|(_, one)| !is_known(one));
    json!({
        "namespace": connect.namespace,
        "exposes": connect.exposed.iter().map(|one| shown(&one.endpoint)).collect::<Vec<_>>(),
        "reaches": revision.endpoints.iter().map(shown).collect::<Vec<_>>(),
        "newer_than_its_deployment":
            unknown.map(|(_, one)| shown(&one.endpoint)).collect::<Vec<_>>(),
    })
}
