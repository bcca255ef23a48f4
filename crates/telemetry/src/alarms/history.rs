//! What is kept of an alarm's past, and how much.
//!
//! The past outlives the alarm. It is bounded: by alarm, in all, and in time.
//! Rule: API reference, DescribeAlarmHistory; user guide: history is kept for 30 days.

use super::change::moment;
use super::records::{
    AlarmKey, AlarmRecord, BY_TIME, HISTORY, HistoryKey, HistoryRecord, OF_ALARM, StateOf,
};
use super::shape;
use aws_types::{Ctx, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use store::{Key, TableKey, Txn};

/// Items kept of one alarm.
pub const PER_ALARM_MAX: i64 = 100;
/// Items kept of all alarms together.
pub const KEPT_MAX: usize = 20_000;
/// How long they are kept.
pub const AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Old items that one new item takes away at most, so that a transaction stays small.
const REMOVED_MAX: usize = 4;

/// Rule: API reference, AlarmHistoryItem: characters of `HistoryData` and of `HistorySummary`.
const DATA_CHARS_MAX: usize = 4_095;
const SUMMARY_CHARS_MAX: usize = 255;
/// What `HistoryData` goes without where it is too long, the least missed first: DescribeAlarms tells the
/// alarm as it is, and the item's other members what became of it.
const LEFT_OUT: [&str; 9] = [
    "/originalAlarm",
    "/updatedAlarm",
    "/createdAlarm",
    "/deletedAlarm",
    "/oldState/stateReasonData",
    "/newState/stateReasonData",
    "/oldState/stateReason",
    "/newState/stateReason",
    "/error",
];

/// `Alarm "NAME" created`, `updated` or `deleted`.
pub fn configured(txn: &mut Txn, ctx: &Ctx, alarm: &AlarmRecord, before: Option<&AlarmRecord>) {
    let (word, mut data) = match before {
        None => ("created", json!({"type": "Create"})),
        Some(before) => {
            let mut data = json!({"type": "Update"});
            data["originalAlarm"] = shape::json(before);
            ("updated", data)
        }
    };
    data["version"] = json!("1.0");
    let member = match before {
        None => "createdAlarm",
        Some(_) => "updatedAlarm",
    };
    data[member] = shape::json(alarm);
    let summary = format!("Alarm \"{}\" {word}", alarm.key.name);
    write(txn, ctx, alarm, "ConfigurationUpdate", summary, data);
}

/// The alarm is gone.
pub fn deleted(txn: &mut Txn, ctx: &Ctx, alarm: &AlarmRecord) {
    let data = json!({"version": "1.0", "type": "Delete", "deletedAlarm": shape::json(alarm)});
    let summary = format!("Alarm \"{}\" deleted", alarm.key.name);
    write(txn, ctx, alarm, "ConfigurationUpdate", summary, data);
}

/// `Alarm updated from OK to ALARM`.
pub fn transition(txn: &mut Txn, ctx: &Ctx, alarm: &AlarmRecord, before: &StateOf) {
    let now = &alarm.state;
    let (old, new) = (before.value.name(), now.value.name());
    let data = json!({"version": "1.0", "oldState": state(before), "newState": state(now)});
    let summary = format!("Alarm updated from {old} to {new}");
    write(txn, ctx, alarm, "StateUpdate", summary, data);
}

/// An action that could not be executed.
pub fn failed_action(txn: &mut Txn, ctx: &Ctx, alarm: &AlarmRecord, action: &str, error: &str) {
    let data = json!({
        "actionState": "Failed",
        "stateUpdateTimestamp": alarm.state.updated.millis(),
        "notificationResource": action,
        "publishedMessage": Value::Null,
        "error": error,
    });
    let summary = format!("Failed to execute action {action}. Received error: \"{error}\"");
    write(txn, ctx, alarm, "Action", summary, data);
}

fn state(of: &StateOf) -> Value {
    let mut shown = json!({"stateValue": of.value.name(), "stateReason": of.reason});
    // What a caller gave may be no JSON.
    let data = of.reason_data.as_deref();
    if let Some(data) = data.map(|data| serde_json::from_str(data).unwrap_or(json!(data))) {
        shown["stateReasonData"] = data;
    }
    shown
}

fn write(txn: &mut Txn, ctx: &Ctx, alarm: &AlarmRecord, kind: &str, summary: String, data: Value) {
    let key = next_key(txn, &alarm.key, ctx.now);
    let item = HistoryRecord {
        key,
        alarm_kind: alarm.kind().into(),
        kind: kind.into(),
        summary: summary.chars().take(SUMMARY_CHARS_MAX).collect(),
        data: bounded(data),
    };
    txn.put(&HISTORY, item);
    make_room(txn, &alarm.key, ctx.now);
}

/// The text of these data, without what makes it too long.
fn bounded(mut data: Value) -> String {
    let mut text = data.to_string();
    for path in LEFT_OUT {
        if text.chars().count() <= DATA_CHARS_MAX {
            break;
        }
        let Some((above, name)) = path.rsplit_once('/') else {
            continue;
        };
        let within = data.pointer_mut(above).and_then(Value::as_object_mut);
        if within.and_then(|members| members.remove(name)).is_some() {
            text = data.to_string();
        }
    }
    text
}

/// Several items of one moment are told apart by a number.
fn next_key(txn: &Txn, alarm: &AlarmKey, at: Timestamp) -> HistoryKey {
    let mut key = HistoryKey {
        alarm: alarm.clone(),
        at,
        number: 0,
    };
    while txn.get(&HISTORY, &key).is_some() {
        key.number += 1;
    }
    key
}

fn make_room(txn: &mut Txn, alarm: &AlarmKey, now: Timestamp) {
    let prefix = alarm.encode();
    let excess = txn.sum(&HISTORY, &OF_ALARM, &prefix) - PER_ALARM_MAX;
    let excess = usize::try_from(excess).unwrap_or_default();
    let own = txn.scan_prefix(&HISTORY, &prefix, None);
    let mut gone: Vec<_> = own.take(excess).map(|(_, item)| item.key.clone()).collect();
    let over = txn.count(&HISTORY).saturating_sub(KEPT_MAX);
    let every = Key::empty();
    let oldest = txn.find(&HISTORY, &BY_TIME, &every);
    let is_gone = |(index, item): &(usize, &std::sync::Arc<HistoryRecord>)| {
        *index < over || now.since(item.key.at) > AGE_MAX
    };
    let old = oldest.enumerate().take_while(is_gone).take(REMOVED_MAX);
    gone.extend(old.map(|(_, item)| item.key.clone()));
    for key in gone {
        txn.delete(&HISTORY, &key);
    }
}

/// `AlarmHistoryItem.Timestamp` as tokens have it.
#[must_use]
pub fn position(item: &HistoryRecord) -> String {
    format!(
        "{} {} {}",
        moment(item.key.at),
        item.key.number,
        item.key.alarm.name
    )
}
