//! ListRules, in order of name.

use crate::page::page;
use crate::records::{BUS, RULES, RuleKey, RuleRecord};
use crate::rules::{ask_rule, check_bus};
use aws_api::events::{ListRulesRequest, ListRulesResponse, Rule};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// Asks for all rules.
pub fn authorisation(_: &ListRulesRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_rule(ctx, "ListRules", Some("*"))
}

/// Lists.
pub fn list_rules(
    world: &World,
    ctx: &mut Ctx,
    input: &ListRulesRequest,
) -> Result<ListRulesResponse, AwsError> {
    check_bus(&ctx.scope, input.event_bus_name.as_deref())?;
    let prefix = input.name_prefix.as_deref().unwrap_or_default();
    let scope = RuleKey::prefix(&ctx.scope);
    let rules = world
        .scan_prefix(&RULES, &scope, None)
        .filter(|(_, rule)| rule.key.name.starts_with(prefix))
        .map(|(_, rule)| (rule.key.name.clone(), shape(rule)));
    let page = page(rules, input.next_token.as_deref(), input.limit)?;
    Ok(ListRulesResponse {
        rules: Some(page.items),
        next_token: page.next_token,
    })
}

fn shape(rule: &RuleRecord) -> Rule {
    Rule {
        name: Some(rule.key.name.clone()),
        arn: Some(rule.key.arn()),
        event_pattern: rule.pattern.clone(),
        state: Some(rule.state.name().into()),
        description: rule.description.clone(),
        schedule_expression: rule.schedule.clone(),
        role_arn: rule.role.clone(),
        managed_by: None,
        event_bus_name: Some(BUS.into()),
    }
}
