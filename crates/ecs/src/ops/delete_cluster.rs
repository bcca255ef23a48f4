//! `DeleteCluster`: an empty cluster becomes INACTIVE.

use crate::cluster::{self, AFTER_CHANGE};
use crate::records::cluster::cluster_arn;
use crate::records::{CLUSTERS, ClusterStatus};
use aws_api::ecs::{DeleteClusterRequest, DeleteClusterResponse, errors};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:DeleteCluster` on the cluster.
#[must_use]
pub fn authorisation(input: &DeleteClusterRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let name = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    vec![Ask::new(
        "ecs:DeleteCluster",
        cluster_arn(&ctx.scope, &name),
    )]
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`, or what the cluster still contains.
pub fn delete_cluster(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteClusterRequest,
) -> Result<DeleteClusterResponse, AwsError> {
    let mut record = cluster::require(txn, &ctx.scope, input.cluster.as_deref())?
        .as_ref()
        .clone();
    let counts = cluster::counts(txn, &record);
    if counts.instances > 0 {
        return Err(errors::CLUSTER_CONTAINS_CONTAINER_INSTANCES_EXCEPTION.with(
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        ));
    }
    if counts.services + counts.draining_services > 0 {
        return Err(errors::CLUSTER_CONTAINS_SERVICES_EXCEPTION
            .with("The Cluster cannot be deleted while Services are active."));
    }
    if counts.unfinished > 0 {
        return Err(errors::CLUSTER_CONTAINS_TASKS_EXCEPTION
            .with("The Cluster cannot be deleted while Tasks are active."));
    }
    record.status = ClusterStatus::Inactive;
    record.deleted_at = Some(ctx.now);
    let cluster = Some(cluster::shape(txn, &record, AFTER_CHANGE));
    txn.put(&CLUSTERS, record);
    Ok(DeleteClusterResponse { cluster })
}
