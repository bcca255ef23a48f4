//! PutCompositeAlarm: evaluated at once, and whenever one of those that it names changes.

use super::ask;
use super::put_metric_alarm::{Rest, put};
use super::tags::with_tags;
use crate::alarms::records::{ALARMS, AlarmKey, Given};
use crate::alarms::{change, composite, rules};
use crate::errors::invalid;
use aws_api::cloudwatch::PutCompositeAlarmInput;
use aws_api::{Empty, Stored};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeMap;
use store::{Txn, World};

/// Asks for the alarm.
pub fn asks(input: &PutCompositeAlarmInput, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "PutCompositeAlarm", input.alarm_name.as_deref())
}

/// Checks, puts, evaluates.
pub fn put_composite_alarm(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &PutCompositeAlarmInput,
) -> Result<Empty, AwsError> {
    let is_suppressed = input.actions_suppressor.is_some()
        || input.actions_suppressor_wait_period.is_some()
        || input.actions_suppressor_extension_period.is_some();
    if is_suppressed || input.action_configuration.is_some() {
        return Err(invalid(
            "Longshore does not serve ActionsSuppressor and ActionConfiguration yet.",
        ));
    }
    let lists = [
        &input.ok_actions,
        &input.alarm_actions,
        &input.insufficient_data_actions,
    ];
    rules::check_actions(lists.into_iter().flatten().flatten())?;
    let rule = composite::parse(input.alarm_rule.as_deref().unwrap_or_default(), &ctx.scope)?;
    let children: Vec<String> = rule.children().into_iter().map(str::to_owned).collect();
    let is_there = |name: &&String| txn.get(&ALARMS, &AlarmKey::new(&ctx.scope, name)).is_some();
    let unknown: Vec<&str> = children
        .iter()
        .filter(|name| !is_there(name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(invalid(format!(
            "Could not save the composite alarm as alarms [{}] in the alarm rule do not exist",
            unknown.join(", ")
        )));
    }
    let key = AlarmKey::new(&ctx.scope, input.alarm_name.as_deref().unwrap_or_default());
    let before = txn.get(&ALARMS, &key).cloned();
    let tags = match &before {
        Some(before) => before.tags.clone(),
        None => with_tags(BTreeMap::new(), input.tags.as_deref())?,
    };
    let mut given = input.clone();
    given.tags = None;
    let is_new = before.is_none();
    let rest = Rest {
        actions_enabled: input.actions_enabled.unwrap_or(true),
        tags,
        before,
    };
    let given = Given::Composite {
        given: Box::new(Stored(given)),
        children,
    };
    put(txn, ctx, key.clone(), given, rest)?;
    change::composite_was_put(txn, ctx, &key, is_new);
    Ok(Empty {})
}
