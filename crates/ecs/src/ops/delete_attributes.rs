//! DeleteAttributes: removes custom attributes of container instances; one that is not there is no
//! error, and is not answered.
//!
//! Rule: API reference, DeleteAttributes.

use crate::cluster;
use crate::instance::attributes;
use crate::rules::attributes as rules;
use aws_api::ecs::{DeleteAttributesRequest, DeleteAttributesResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:DeleteAttributes` on each instance.
#[must_use]
pub fn authorisation(input: &DeleteAttributesRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let given = input.attributes.as_deref();
    attributes::asks("ecs:DeleteAttributes", &ctx.scope, &cluster, given)
}

/// The operation. A value that a request names is not looked at: the name alone decides.
///
/// # Errors
/// `ClusterNotFoundException`, `TargetNotFoundException`, `InvalidParameterException`.
pub fn delete_attributes(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteAttributesRequest,
) -> Result<DeleteAttributesResponse, AwsError> {
    let given = rules::check_call(input.attributes.as_deref())?;
    let cluster = cluster::require(txn, &ctx.scope, input.cluster.as_deref())?;
    let mut shown = Vec::new();
    for attribute in given {
        let name = rules::check_name(attribute.name.as_deref())?;
        let key = attributes::target(txn, &ctx.scope, &cluster.name, attribute)?;
        let deleted = attributes::delete(txn, &key, name);
        shown.extend(deleted.map(|was| attributes::shape(&key, name, was.value.as_deref())));
    }
    Ok(DeleteAttributesResponse {
        attributes: Some(shown),
    })
}
