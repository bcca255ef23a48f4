//! UntagResource: takes tags off a rule; one that is not there is off already.

use crate::records::RULES;
use crate::rules::rule_of_arn;
use aws_api::events::{UntagResourceRequest, UntagResourceResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// Asks for the rule.
pub fn authorisation(input: &UntagResourceRequest, _: &World, _: &Ctx) -> Vec<Ask> {
    let arn = input.resource_arn.clone().unwrap_or_default();
    vec![Ask::new("events:UntagResource", arn)]
}

/// Untags.
pub fn untag_resource(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UntagResourceRequest,
) -> Result<UntagResourceResponse, AwsError> {
    let arn = input.resource_arn.as_deref().unwrap_or_default();
    let key = rule_of_arn(txn, &ctx.scope, arn)?;
    txn.update(&RULES, &key, |rule| {
        for tag in input.tag_keys.iter().flatten() {
            rule.tags.remove(tag);
        }
    });
    Ok(UntagResourceResponse {})
}
