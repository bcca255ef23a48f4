//! ListTagsForResource, in order of key.

use crate::records::RULES;
use crate::rules::rule_of_arn;
use aws_api::events::{ListTagsForResourceRequest, ListTagsForResourceResponse, Tag};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// Asks for the rule.
pub fn authorisation(input: &ListTagsForResourceRequest, _: &World, _: &Ctx) -> Vec<Ask> {
    let arn = input.resource_arn.clone().unwrap_or_default();
    vec![Ask::new("events:ListTagsForResource", arn)]
}

/// Lists.
pub fn list_tags_for_resource(
    world: &World,
    ctx: &mut Ctx,
    input: &ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, AwsError> {
    let arn = input.resource_arn.as_deref().unwrap_or_default();
    let key = rule_of_arn(world, &ctx.scope, arn)?;
    let tags = world.get(&RULES, &key).map(|rule| &rule.tags);
    let shown = tags.into_iter().flatten().map(|(key, value)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    });
    Ok(ListTagsForResourceResponse {
        tags: Some(shown.collect()),
    })
}
