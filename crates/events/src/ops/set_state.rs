//! What EnableRule and DisableRule share.

use crate::records::{RULES, RuleKey, RuleRecord, RuleState};
use crate::rules::{check_bus, rule};
use crate::timetable;
use aws_api::Empty;
use aws_types::{AwsError, Ctx};
use store::Txn;

/// Sets a rule's state; a rate counts from now on. A rule that has the state already stays as it is.
pub(super) fn set_state(
    txn: &mut Txn,
    ctx: &Ctx,
    (name, bus): (Option<&str>, Option<&str>),
    state: RuleState,
) -> Result<Empty, AwsError> {
    check_bus(&ctx.scope, bus)?;
    let key = RuleKey::new(&ctx.scope, name.unwrap_or_default());
    let before = rule(txn, &key)?.clone();
    if before.state != state {
        let rule = RuleRecord {
            state,
            ..before.as_ref().clone()
        };
        timetable::plan(txn, ctx.now, &rule);
        txn.put(&RULES, rule);
    }
    Ok(Empty {})
}
