//! RegisterContainerInstance: an agent's first call. Into `default` it creates the cluster.
//!
//! Rule: API reference, RegisterContainerInstance; the public agent.

use crate::account_settings;
use crate::cluster;
use crate::fargate;
use crate::instance::{register, shape};
use crate::records::cluster::cluster_arn;
use crate::records::container_instance::CONTAINER_INSTANCES;
use aws_api::ecs::{RegisterContainerInstanceRequest, RegisterContainerInstanceResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// What the caller needs.
#[must_use]
pub fn authorisation(
    input: &RegisterContainerInstanceRequest,
    world: &World,
    ctx: &Ctx,
) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let arn = cluster_arn(&ctx.scope, &cluster);
    let register = Ask::new("ecs:RegisterContainerInstance", arn);
    // A host's key is made to register this host as it is, with its tags.
    let tags = input
        .tags
        .as_deref()
        .filter(|_| ctx.caller.host().is_none());
    let instance = ctx
        .scope
        .arn("ecs", &format!("container-instance/{cluster}/*"));
    let tag = account_settings::ask_to_tag(world, ctx, &instance.to_string(), tags);
    [register].into_iter().chain(tag).collect()
}

/// Registers a host, or the same host again.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for malformed tags, and for a launch template that
/// gives the machine no type.
pub fn register_container_instance(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &RegisterContainerInstanceRequest,
) -> Result<RegisterContainerInstanceResponse, AwsError> {
    let cluster = match fargate::is_lent(ctx, input.cluster.as_deref()) {
        true => fargate::CLUSTER.into(),
        false => cluster::require_or_default(txn, ctx, input.cluster.as_deref())?
            .name
            .clone(),
    };
    let key = register::register(txn, ctx, &cluster, input)?;
    let record = txn.get(&CONTAINER_INSTANCES, &key);
    Ok(RegisterContainerInstanceResponse {
        container_instance: record.map(|record| shape::instance(txn, record, true)),
    })
}
