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
