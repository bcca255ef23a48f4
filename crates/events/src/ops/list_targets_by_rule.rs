//! ListTargetsByRule, in order of id.

use crate::page::page;
use crate::records::{RuleKey, TARGETS};
use crate::rules::{ask_rule, check_bus, rule};
use aws_api::events::{ListTargetsByRuleRequest, ListTargetsByRuleResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, World};

/// Asks for the rule.
pub fn authorisation(input: &ListTargetsByRuleRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_rule(ctx, "ListTargetsByRule", input.rule.as_deref())
}

/// Lists.
pub fn list_targets_by_rule(
    world: &World,
    ctx: &mut Ctx,
    input: &ListTargetsByRuleRequest,
) -> Result<ListTargetsByRuleResponse, AwsError> {
    check_bus(&ctx.scope, input.event_bus_name.as_deref())?;
    let key = RuleKey::new(&ctx.scope, input.rule.as_deref().unwrap_or_default());
    rule(world, &key)?;
    let of_rule = key.encode();
    let targets = world
        .scan_prefix(&TARGETS, &of_rule, None)
        .map(|(_, record)| (record.key.id.clone(), record.target.0.clone()));
    let page = page(targets, input.next_token.as_deref(), input.limit)?;
    Ok(ListTargetsByRuleResponse {
        targets: Some(page.items),
        next_token: page.next_token,
    })
}
