//! PutRule: makes a rule, or replaces all of one but its tags.

use crate::pattern::Pattern;
use crate::records::{RULES, RuleKey, RuleRecord, RuleState};
use crate::rules::{RULES_MAX, ask_rule, check_bus, invalid, limit_exceeded, tagged};
use crate::schedule::Schedule;
use crate::timetable;
use aws_api::events::{PutRuleRequest, PutRuleResponse, errors};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// Asks for the rule.
pub fn authorisation(input: &PutRuleRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_rule(ctx, "PutRule", input.name.as_deref())
}

/// Checks both expressions, writes.
pub fn put_rule(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &PutRuleRequest,
) -> Result<PutRuleResponse, AwsError> {
    check_bus(&ctx.scope, input.event_bus_name.as_deref())?;
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (pattern, schedule) = (
        filled(&input.event_pattern),
        filled(&input.schedule_expression),
    );
    check(pattern.as_deref(), schedule.as_deref())?;
    let key = RuleKey::new(&ctx.scope, input.name.as_deref().unwrap_or_default());
    let before = txn.get(&RULES, &key).cloned();
    if before.is_none() && in_scope(txn, &key) >= RULES_MAX {
        return Err(limit_exceeded());
    }
    let tags = match before {
        // API reference: tags of a rule that is there are left alone.
        Some(before) => before.tags.clone(),
        None => tagged(
            Default::default(),
            input.tags.as_deref().unwrap_or_default(),
        )?,
    };
    let rule = RuleRecord {
        state: match input.state.as_deref() {
            Some("DISABLED") => RuleState::Disabled,
            _ => RuleState::Enabled,
        },
        pattern,
        schedule,
        description: input.description.clone(),
        role: input.role_arn.clone(),
        tags,
        created_by: ctx.scope.account.clone(),
        key,
    };
    timetable::plan(txn, ctx.now, &rule);
    let rule_arn = Some(rule.key.arn());
    txn.put(&RULES, rule);
    Ok(PutRuleResponse { rule_arn })
}

fn in_scope(world: &World, key: &RuleKey) -> usize {
    let prefix = RuleKey::prefix(&key.scope);
    world.scan_prefix(&RULES, &prefix, None).count()
}

fn check(pattern: Option<&str>, schedule: Option<&str>) -> Result<(), AwsError> {
    if pattern.is_none() && schedule.is_none() {
        return Err(invalid(
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ));
    }
    if schedule.is_some_and(|schedule| Schedule::parse(schedule).is_none()) {
        return Err(invalid("Parameter ScheduleExpression is not valid."));
    }
    match pattern.map(Pattern::parse) {
        Some(Err(reason)) => Err(not_a_pattern(&reason)),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// `InvalidEventPatternException`.
pub(super) fn not_a_pattern(reason: &str) -> AwsError {
    errors::INVALID_EVENT_PATTERN_EXCEPTION
        .with(format!("Event pattern is not valid. Reason: {reason}"))
}
