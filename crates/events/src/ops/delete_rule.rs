//! DeleteRule: of a rule without targets; one that is not there is gone already.

use crate::records::{RULES, RuleKey, SCHEDULES, TARGETS};
use crate::rules::{ask_rule, check_bus, invalid};
use aws_api::Empty;
use aws_api::events::DeleteRuleRequest;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, Txn, World};

/// Asks for the rule.
pub fn authorisation(input: &DeleteRuleRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_rule(ctx, "DeleteRule", input.name.as_deref())
}

/// Deletes.
pub fn delete_rule(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteRuleRequest,
) -> Result<Empty, AwsError> {
    check_bus(&ctx.scope, input.event_bus_name.as_deref())?;
    let key = RuleKey::new(&ctx.scope, input.name.as_deref().unwrap_or_default());
    if txn
        .scan_prefix(&TARGETS, &key.encode(), None)
        .next()
        .is_some()
    {
        return Err(invalid("Rule can't be deleted since it has targets."));
    }
    txn.delete(&SCHEDULES, &key);
    txn.delete(&RULES, &key);
    Ok(Empty {})
}
