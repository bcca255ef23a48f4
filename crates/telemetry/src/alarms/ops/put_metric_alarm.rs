//! PutMetricAlarm: a new alarm begins without data; an old one keeps its state under its new rules.

use super::ask;
use super::tags::with_tags;
use crate::alarms::records::{ALARMS, AlarmKey, AlarmRecord, Given, State, StateOf};
use crate::alarms::{history, rules};
use crate::errors::invalid;
use aws_api::cloudwatch::PutMetricAlarmInput;
use aws_api::{Empty, Stored};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Txn, World};

/// Alarms of all scopes: a bound of ours, AWS has none.
const ALARMS_MAX: usize = 20_000;
/// Rule: API reference, PutMetricAlarm: an alarm has at most 120 KB.
const BYTES_MAX: usize = 120 * 1024;

/// Asks for the alarm.
pub fn asks(input: &PutMetricAlarmInput, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "PutMetricAlarm", input.alarm_name.as_deref())
}

/// Checks, puts, writes the history.
pub fn put_metric_alarm(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &PutMetricAlarmInput,
) -> Result<Empty, AwsError> {
    rules::check(input, &ctx.scope)?;
    let key = AlarmKey::new(&ctx.scope, input.alarm_name.as_deref().unwrap_or_default());
    let before = txn.get(&ALARMS, &key).cloned();
    // Rule: tags of an update are ignored.
    let tags = match &before {
        Some(before) => before.tags.clone(),
        None => with_tags(BTreeMap::new(), input.tags.as_deref())?,
    };
    let mut given = input.clone();
    given.tags = None;
    given.metrics = given.metrics.filter(|metrics| !metrics.is_empty());
    put(txn, ctx, key, Given::Metric(Box::new(Stored(given))), {
        Rest {
            actions_enabled: input.actions_enabled.unwrap_or(true),
            tags,
            before,
        }
    })?;
    Ok(Empty {})
}

/// What an alarm has besides its rule.
pub struct Rest {
    pub actions_enabled: bool,
    pub tags: BTreeMap<String, String>,
    pub before: Option<Arc<AlarmRecord>>,
}

/// Puts an alarm of either kind.
pub fn put(
    txn: &mut Txn,
    ctx: &mut Ctx,
    key: AlarmKey,
    given: Given,
    rest: Rest,
) -> Result<(), AwsError> {
    if rest.before.is_none() && txn.count(&ALARMS) >= ALARMS_MAX {
        return Err(aws_api::cloudwatch::errors::LIMIT_EXCEEDED_FAULT
            .with("The maximum limit of alarms has already been reached."));
    }
    let state = match &rest.before {
        Some(before) => before.state.clone(),
        None => StateOf {
            value: State::InsufficientData,
            reason: "Unchecked: Initial alarm creation".into(),
            reason_data: None,
            updated: ctx.now,
            transitioned: ctx.now,
        },
    };
    let alarm = AlarmRecord {
        key,
        given,
        actions_enabled: rest.actions_enabled,
        configured: ctx.now,
        state,
        tags: rest.tags,
    };
    check_size(&alarm)?;
    if let Some(before) = &rest.before
        && before.kind() != alarm.kind()
    {
        return Err(invalid(format!(
            "An alarm of another type has the name {}.",
            alarm.key.name
        )));
    }
    txn.put(&ALARMS, alarm.clone());
    history::configured(txn, ctx, &alarm, rest.before.as_deref());
    Ok(())
}

/// What is kept of an alarm is bounded, since the World is in memory.
fn check_size(alarm: &AlarmRecord) -> Result<(), AwsError> {
    let text = serde_json::to_string(&alarm.given).unwrap_or_default();
    match text.len() > BYTES_MAX {
        true => Err(invalid(format!(
            "The size of the alarm must not exceed {} KB.",
            BYTES_MAX / 1024
        ))),
        false => Ok(()),
    }
}
