//! ListRuleNamesByTarget, in order of name.

use crate::page::page;
use crate::records::{RuleKey, TARGETS};
use crate::rules::{ask_rule, check_bus};
use aws_api::events::{ListRuleNamesByTargetRequest, ListRuleNamesByTargetResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeSet;
use store::World;

/// Asks for all rules.
pub fn authorisation(_: &ListRuleNamesByTargetRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_rule(ctx, "ListRuleNamesByTarget", Some("*"))
}

/// Lists.
pub fn list_rule_names_by_target(
    world: &World,
    ctx: &mut Ctx,
    input: &ListRuleNamesByTargetRequest,
) -> Result<ListRuleNamesByTargetResponse, AwsError> {
    check_bus(&ctx.scope, input.event_bus_name.as_deref())?;
    let names: BTreeSet<String> = world
        .scan_prefix(&TARGETS, &RuleKey::prefix(&ctx.scope), None)
        .filter(|(_, record)| record.target.arn == input.target_arn)
        .map(|(_, record)| record.key.rule.name.clone())
        .collect();
    let named = names.into_iter().map(|name| (name.clone(), name));
    let page = page(named, input.next_token.as_deref(), input.limit)?;
    Ok(ListRuleNamesByTargetResponse {
        rule_names: Some(page.items),
        next_token: page.next_token,
    })
}
