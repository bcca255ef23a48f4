//! `TagResource`: adds tags, replacing values of keys that are there.

use crate::rules::tags;
use crate::tagged;
use aws_api::ecs::{TagResourceRequest, TagResourceResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:TagResource` on the resource.
#[must_use]
pub fn authorisation(input: &TagResourceRequest, _world: &World, _ctx: &Ctx) -> Vec<Ask> {
    let arn = input.resource_arn.clone().unwrap_or_default();
    vec![Ask::new("ecs:TagResource", arn)]
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException` for a bad ARN or tag; those of `tagged::change`.
pub fn tag_resource(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &TagResourceRequest,
) -> Result<TagResourceResponse, AwsError> {
    let arn = input.resource_arn.as_deref().unwrap_or_default();
    let resource = tagged::parse(&ctx.scope, arn)?;
    let given = input.tags.as_deref().unwrap_or_default();
    tagged::change(txn, &resource, |tags| tags::merge(tags, given))?;
    Ok(TagResourceResponse::default())
}
