//! How long a deleted cluster is still described: "a while" on AWS, and as long as a task, an
//! instance or a service that was in it is.
//!
//! Rule: API reference, DeleteCluster.

use crate::records::container_instance::CONTAINER_INSTANCES;
use crate::records::service::SERVICES;
use crate::records::task::TASKS;
use crate::records::{CLUSTERS, ClusterKey, ClusterRecord, ClusterStatus};
use aws_types::Timestamp;
use std::time::Duration;
use store::{TableKey, Txn, World};

/// Clusters that one sweep names.
const SWEEP_MAX: usize = 100;

/// Some clusters that were deleted longer than `keep` ago and that nothing names.
#[must_use]
pub fn expired(world: &World, now: Timestamp, keep: Duration) -> Vec<ClusterKey> {
    world
        .scan(&CLUSTERS)
        .filter(|cluster| {
            let deleted_at = cluster.deleted_at.unwrap_or(cluster.created_at);
            now.since(deleted_at) > keep && is_unused(world, cluster)
        })
        .take(SWEEP_MAX)
        .map(|cluster| cluster.key())
        .collect()
}

/// Removes clusters that [`expired`] named, unless one was made anew meanwhile.
pub fn remove(txn: &mut Txn, keys: &[ClusterKey]) {
    for key in keys {
        if txn
            .get(&CLUSTERS, key)
            .is_some_and(|cluster| is_unused(txn, cluster))
        {
            txn.delete(&CLUSTERS, key);
        }
    }
}

fn is_unused(world: &World, cluster: &ClusterRecord) -> bool {
    let within = cluster.key().encode();
    cluster.status == ClusterStatus::Inactive
        && world.scan_prefix(&TASKS, &within, None).next().is_none()
        && world.scan_prefix(&SERVICES, &within, None).next().is_none()
        && world
            .scan_prefix(&CONTAINER_INSTANCES, &within, None)
            .next()
            .is_none()
}
