//! How long a deleted service is still described, and the end of everything that belongs to it.
//!
//! Rule: API reference, DeleteService: INACTIVE services "may be cleaned up".

use crate::records::service::{SERVICES, ServiceKey, ServiceRecord, ServiceStatus};
use crate::records::service_deployment::SERVICE_DEPLOYMENTS;
use crate::records::service_event::SERVICE_EVENTS;
use crate::records::service_revision::SERVICE_REVISIONS;
use aws_types::Timestamp;
use std::time::Duration;
use store::{TableKey, Txn, World};

/// Services that one sweep names: each brings up to a hundred events and its history.
const SWEEP_MAX: usize = 10;

/// Some services that became INACTIVE longer than `keep` ago.
#[must_use]
pub fn expired(world: &World, now: Timestamp, keep: Duration) -> Vec<ServiceKey> {
    world
        .scan(&SERVICES)
        .filter(|service| is_gone(service) && now.since(ended(service)) > keep)
        .take(SWEEP_MAX)
        .map(|service| service.key.clone())
        .collect()
}

/// Removes services that [`expired`] named, unless one was made anew meanwhile.
pub fn remove(txn: &mut Txn, keys: &[ServiceKey]) {
    for key in keys {
        if txn
            .get(&SERVICES, key)
            .is_some_and(|service| is_gone(service))
        {
            forget(txn, key);
        }
    }
}

/// Removes a service with its revisions, deployments and events.
pub fn forget(txn: &mut Txn, key: &ServiceKey) {
    let within = key.encode();
    let rows = txn.scan_prefix(&SERVICE_REVISIONS, &within, None);
    let revisions: Vec<_> = rows.map(|(_, row)| row.key.clone()).collect();
    for revision in &revisions {
        txn.delete(&SERVICE_REVISIONS, revision);
    }
    let rows = txn.scan_prefix(&SERVICE_DEPLOYMENTS, &within, None);
    let deployments: Vec<_> = rows.map(|(_, row)| row.key.clone()).collect();
    for deployment in &deployments {
        txn.delete(&SERVICE_DEPLOYMENTS, deployment);
    }
    let rows = txn.scan_prefix(&SERVICE_EVENTS, &within, None);
    let events: Vec<_> = rows.map(|(_, row)| row.key.clone()).collect();
    for event in &events {
        txn.delete(&SERVICE_EVENTS, event);
    }
    txn.delete(&SERVICES, key);
}

fn is_gone(service: &ServiceRecord) -> bool {
    service.status == ServiceStatus::Inactive
}

fn ended(service: &ServiceRecord) -> Timestamp {
    service.ended.unwrap_or(service.created)
}
