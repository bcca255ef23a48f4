//! DescribeRule.

use crate::records::{BUS, RuleKey};
use crate::rules::{ask_rule, check_bus, rule};
use aws_api::events::{DescribeRuleRequest, DescribeRuleResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// Asks for the rule.
pub fn authorisation(input: &DescribeRuleRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_rule(ctx, "DescribeRule", input.name.as_deref())
}

/// Describes.
pub fn describe_rule(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeRuleRequest,
) -> Result<DescribeRuleResponse, AwsError> {
    check_bus(&ctx.scope, input.event_bus_name.as_deref())?;
    let key = RuleKey::new(&ctx.scope, input.name.as_deref().unwrap_or_default());
    let rule = rule(world, &key)?;
    Ok(DescribeRuleResponse {
        name: Some(key.name.clone()),
        arn: Some(key.arn()),
        event_pattern: rule.pattern.clone(),
        schedule_expression: rule.schedule.clone(),
        state: Some(rule.state.name().into()),
        description: rule.description.clone(),
        role_arn: rule.role.clone(),
        managed_by: None,
        event_bus_name: Some(BUS.into()),
        created_by: Some(rule.created_by.clone()),
    })
}
