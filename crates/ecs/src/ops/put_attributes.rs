//! PutAttributes: sets attributes of container instances, which placement constraints may name.
//!
//! Rule: API reference, PutAttributes.

use crate::cluster;
use crate::instance::attributes;
use crate::rules::attributes as rules;
use aws_api::ecs::{PutAttributesRequest, PutAttributesResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:PutAttributes` on each instance.
#[must_use]
pub fn authorisation(input: &PutAttributesRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let given = input.attributes.as_deref();
    attributes::asks("ecs:PutAttributes", &ctx.scope, &cluster, given)
}

/// The operation: all of them, or none.
///
/// # Errors
/// `ClusterNotFoundException`, `TargetNotFoundException`, `AttributeLimitExceededException`,
/// `InvalidParameterException`.
pub fn put_attributes(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &PutAttributesRequest,
) -> Result<PutAttributesResponse, AwsError> {
    let given = rules::check_call(input.attributes.as_deref())?;
    let cluster = cluster::require(txn, &ctx.scope, input.cluster.as_deref())?;
    let mut shown = Vec::new();
    for attribute in given {
        let name = rules::check_name(attribute.name.as_deref())?;
        let value = attribute.value.as_deref();
        rules::check_value(value)?;
        let key = attributes::target(txn, &ctx.scope, &cluster.name, attribute)?;
        attributes::put(txn, &key, name, value)?;
        shown.push(attributes::shape(&key, name, value));
    }
    Ok(PutAttributesResponse {
        attributes: Some(shown),
    })
}
