//! TagResource: puts tags over those of a rule.

use crate::records::RULES;
use crate::rules::{rule_of_arn, tagged};
use aws_api::events::{TagResourceRequest, TagResourceResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// Asks for the rule.
pub fn authorisation(input: &TagResourceRequest, _: &World, _: &Ctx) -> Vec<Ask> {
    let arn = input.resource_arn.clone().unwrap_or_default();
    vec![Ask::new("events:TagResource", arn)]
}

/// Tags.
pub fn tag_resource(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &TagResourceRequest,
) -> Result<TagResourceResponse, AwsError> {
    let arn = input.resource_arn.as_deref().unwrap_or_default();
    let key = rule_of_arn(txn, &ctx.scope, arn)?;
    let before = txn.get(&RULES, &key).map(|rule| rule.tags.clone());
    let tags = tagged(
        before.unwrap_or_default(),
        input.tags.as_deref().unwrap_or_default(),
    )?;
    txn.update(&RULES, &key, |rule| rule.tags = tags);
    Ok(TagResourceResponse {})
}
