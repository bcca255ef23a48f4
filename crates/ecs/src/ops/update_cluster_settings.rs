//! `UpdateClusterSettings`: the settings of an ACTIVE cluster.

use crate::cluster::{self, AFTER_CHANGE};
use crate::records::CLUSTERS;
use crate::records::cluster::cluster_arn;
use crate::rules::{cluster_settings, invalid_parameter};
use aws_api::ecs::{UpdateClusterSettingsRequest, UpdateClusterSettingsResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:UpdateClusterSettings` on the cluster.
#[must_use]
pub fn authorisation(input: &UpdateClusterSettingsRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let name = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    vec![Ask::new(
        "ecs:UpdateClusterSettings",
        cluster_arn(&ctx.scope, &name),
    )]
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for a bad setting or none.
pub fn update_cluster_settings(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateClusterSettingsRequest,
) -> Result<UpdateClusterSettingsResponse, AwsError> {
    let mut record = cluster::require(txn, &ctx.scope, input.cluster.as_deref())?
        .as_ref()
        .clone();
    if input.settings.as_ref().is_none_or(Vec::is_empty) {
        return Err(invalid_parameter("Settings cannot be empty."));
    }
    cluster_settings::apply(&mut record, input.settings.as_deref())?;
    let cluster = Some(cluster::shape(txn, &record, AFTER_CHANGE));
    txn.put(&CLUSTERS, record);
    Ok(UpdateClusterSettingsResponse { cluster })
}
