//! `CreateCluster`: idempotent; an existing ACTIVE cluster is answered as it is.

use crate::account_settings;
use crate::cluster::{self, AFTER_CHANGE};
use crate::connect::namespace;
use crate::records::cluster::cluster_arn;
use crate::records::{CLUSTERS, ClusterKey, ClusterStatus};
use crate::rules::account_settings::CONTAINER_INSIGHTS;
use crate::rules::{cluster_settings, names, tags};
use aws_api::Stored;
use aws_api::ecs::{CreateClusterRequest, CreateClusterResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:CreateCluster` on the cluster to be, and to tag it.
#[must_use]
pub fn authorisation(input: &CreateClusterRequest, world: &World, ctx: &Ctx) -> Vec<Ask> {
    let arn = cluster_arn(&ctx.scope, name(input));
    let tags = account_settings::ask_to_tag(world, ctx, &arn, input.tags.as_deref());
    let create = Ask::new("ecs:CreateCluster", arn);
    [create].into_iter().chain(tags).collect()
}

fn name(input: &CreateClusterRequest) -> &str {
    input.cluster_name.as_deref().unwrap_or(cluster::DEFAULT)
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException` for a bad name, tag, setting or capacity provider;
/// `NamespaceNotFoundException`.
pub fn create_cluster(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateClusterRequest,
) -> Result<CreateClusterResponse, AwsError> {
    let name = name(input);
    names::check_identifier(name)?;
    let mut record = cluster::new(ctx, name);
    let caller = &ctx.caller.arn;
    record.container_insights =
        account_settings::value(txn, &ctx.scope, caller, CONTAINER_INSIGHTS);
    record.tags = tags::read(input.tags.as_deref())?;
    cluster_settings::apply(&mut record, input.settings.as_deref())?;
    cluster_settings::check_configuration(input.configuration.as_ref())?;
    record.configuration = input.configuration.clone().map(Stored);
    record.capacity_providers = input.capacity_providers.clone().unwrap_or_default();
    let strategy = input
        .default_capacity_provider_strategy
        .as_deref()
        .unwrap_or_default();
    cluster_settings::check_providers(&record.capacity_providers, strategy)?;
    record.default_strategy = strategy.iter().cloned().map(Stored).collect();

    let existing = txn
        .get(&CLUSTERS, &ClusterKey::new(&ctx.scope, name))
        .cloned();
    let existing = existing.filter(|cluster| cluster.status == ClusterStatus::Active);
    if existing.is_none() {
        let defaults = input.service_connect_defaults.as_ref();
        namespace::set_default(txn, ctx, &mut record, defaults)?;
    }
    let shown = existing.as_deref().unwrap_or(&record);
    let cluster = Some(cluster::shape(txn, shown, AFTER_CHANGE));
    if existing.is_none() {
        txn.put(&CLUSTERS, record);
    }
    Ok(CreateClusterResponse { cluster })
}
