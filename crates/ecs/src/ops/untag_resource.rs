//! `UntagResource`: removes tags by key; a key that is not there is no error.

use crate::rules::tags;
use crate::tagged;
use aws_api::ecs::{UntagResourceRequest, UntagResourceResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:UntagResource` on the resource.
#[must_use]
pub fn authorisation(input: &UntagResourceRequest, _world: &World, _ctx: &Ctx) -> Vec<Ask> {
    let arn = input.resource_arn.clone().unwrap_or_default();
    vec![Ask::new("ecs:UntagResource", arn)]
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException` for a bad ARN or a key of the service's; those of `tagged::change`.
pub fn untag_resource(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UntagResourceRequest,
) -> Result<UntagResourceResponse, AwsError> {
    let arn = input.resource_arn.as_deref().unwrap_or_default();
    let resource = tagged::parse(&ctx.scope, arn)?;
    let keys = input.tag_keys.as_deref().unwrap_or_default();
    keys.iter().try_for_each(|key| tags::check_removable(key))?;
    tagged::change(txn, &resource, |tags| {
        tags.0.retain(|key, _| !keys.contains(key));
        Ok(())
    })?;
    Ok(UntagResourceResponse::default())
}
