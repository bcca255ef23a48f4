//! DisableRule.

use super::set_state;
use crate::records::RuleState;
use crate::rules::ask_rule;
use aws_api::Empty;
use aws_api::events::DisableRuleRequest;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// Asks for the rule.
pub fn authorisation(input: &DisableRuleRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_rule(ctx, "DisableRule", input.name.as_deref())
}

/// Sets the rule's state.
pub fn disable_rule(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DisableRuleRequest,
) -> Result<Empty, AwsError> {
    let rule = (input.name.as_deref(), input.event_bus_name.as_deref());
    set_state::set_state(txn, ctx, rule, RuleState::Disabled)
}
