//! `UpdateCluster`: changes the given members of an ACTIVE cluster.

use crate::cluster::{self, AFTER_CHANGE};
use crate::connect::namespace;
use crate::records::CLUSTERS;
use crate::records::cluster::cluster_arn;
use crate::rules::cluster_settings;
use aws_api::Stored;
use aws_api::ecs::{UpdateClusterRequest, UpdateClusterResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:UpdateCluster` on the cluster.
#[must_use]
pub fn authorisation(input: &UpdateClusterRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let name = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    vec![Ask::new(
        "ecs:UpdateCluster",
        cluster_arn(&ctx.scope, &name),
    )]
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for a bad setting or configuration.
pub fn update_cluster(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateClusterRequest,
) -> Result<UpdateClusterResponse, AwsError> {
    let mut record = cluster::require(txn, &ctx.scope, input.cluster.as_deref())?
        .as_ref()
        .clone();
    cluster_settings::apply(&mut record, input.settings.as_deref())?;
    cluster_settings::check_configuration(input.configuration.as_ref())?;
    if let Some(configuration) = &input.configuration {
        record.configuration = Some(Stored(configuration.clone()));
    }
    let defaults = input.service_connect_defaults.as_ref();
    namespace::set_default(txn, ctx, &mut record, defaults)?;
    let cluster = Some(cluster::shape(txn, &record, AFTER_CHANGE));
    txn.put(&CLUSTERS, record);
    Ok(UpdateClusterResponse { cluster })
}
