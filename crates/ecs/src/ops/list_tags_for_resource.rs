//! `ListTagsForResource`: the tags of one resource.

use crate::rules::tags;
use crate::tagged;
use aws_api::ecs::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// `ecs:ListTagsForResource` on the resource.
#[must_use]
pub fn authorisation(input: &ListTagsForResourceRequest, _world: &World, _ctx: &Ctx) -> Vec<Ask> {
    let arn = input.resource_arn.clone().unwrap_or_default();
    vec![Ask::new("ecs:ListTagsForResource", arn)]
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException` for a bad ARN; those of `tagged::tags_of`.
pub fn list_tags_for_resource(
    world: &World,
    ctx: &mut Ctx,
    input: &ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, AwsError> {
    let arn = input.resource_arn.as_deref().unwrap_or_default();
    let resource = tagged::parse(&ctx.scope, arn)?;
    Ok(ListTagsForResourceResponse {
        tags: Some(tags::shape(&tagged::tags_of(world, &resource)?)),
    })
}
