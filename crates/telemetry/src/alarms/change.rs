//! How an alarm's state changes: the row, its history, the event, the actions.

use super::records::{ALARMS, AlarmKey, AlarmRecord, BY_CHILD, Given, State, StateOf};
use super::{composite, event, history};
use aws_types::{Ctx, Timestamp};
use events::{bus, history as told};
use serde_json::json;
use std::sync::Arc;
use store::{TableKey, Txn};

/// A state to be in, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `StateValue`.
    pub value: State,
    /// `StateReason`.
    pub reason: String,
    /// `StateReasonData`: JSON.
    pub reason_data: Option<String>,
}

/// Composite alarms upon one another that follow a transition at once; AWS lets them form circles.
const FOLLOWING_MAX: usize = 10;

/// Puts an alarm into a state; whether there is such an alarm. A transition is told, and composite alarms
/// follow it.
pub fn set(txn: &mut Txn, ctx: &mut Ctx, key: &AlarmKey, verdict: Verdict) -> bool {
    let Some(mut is_transition) = set_one(txn, ctx, key, verdict) else {
        return false;
    };
    let mut changed = vec![key.clone()];
    for _ in 0..FOLLOWING_MAX {
        if !is_transition {
            break;
        }
        changed = follow(txn, ctx, &changed);
        is_transition = !changed.is_empty();
    }
    true
}

/// Evaluates the composite alarms that name one of these; those that changed in turn.
fn follow(txn: &mut Txn, ctx: &mut Ctx, changed: &[AlarmKey]) -> Vec<AlarmKey> {
    let mut following = Vec::new();
    for child in changed {
        let parents: Vec<Arc<AlarmRecord>> = txn
            .find(&ALARMS, &BY_CHILD, &child.encode())
            .cloned()
            .collect();
        let Some(state) = txn.get(&ALARMS, child).map(|child| child.state.clone()) else {
            continue;
        };
        let arn = child.arn();
        for parent in parents {
            let reason = format!(
                "{arn} transitioned to {} at {}",
                state.value.name(),
                long(state.updated)
            );
            let data = json!({"triggeringAlarms": [{
                "arn": arn,
                "state": {"value": state.value.name(), "timestamp": moment(state.updated)},
            }]});
            let reason = (reason, Some(data.to_string()));
            if evaluate_composite(txn, ctx, &parent, reason) == Some(true) {
                following.push(parent.key.clone());
            }
        }
    }
    following
}

/// A composite alarm was put: it is evaluated at once.
pub fn composite_was_put(txn: &mut Txn, ctx: &mut Ctx, key: &AlarmKey, is_new: bool) {
    let Some(alarm) = txn.get(&ALARMS, key).cloned() else {
        return;
    };
    let word = if is_new { "created" } else { "updated" };
    let reason = format!("{} was {word} and its alarm rule evaluates to", key.arn());
    if evaluate_composite(txn, ctx, &alarm, (reason, None)) == Some(true) {
        let mut changed = vec![key.clone()];
        for _ in 0..FOLLOWING_MAX {
            changed = follow(txn, ctx, &changed);
        }
    }
}

/// Whether it changed; `None` where it is no composite alarm. Without data, its reason ends in the state.
fn evaluate_composite(
    txn: &mut Txn,
    ctx: &mut Ctx,
    alarm: &AlarmRecord,
    (mut reason, reason_data): (String, Option<String>),
) -> Option<bool> {
    let Given::Composite { given, .. } = &alarm.given else {
        return None;
    };
    let scope = &alarm.key.scope;
    // What was stored was a rule when it was put.
    let rule = composite::parse(given.alarm_rule.as_deref()?, scope).ok()?;
    let value = match rule.holds(txn, scope) {
        true => State::Alarm,
        false => State::Ok,
    };
    if alarm.state.value == value {
        return Some(false);
    }
    if reason_data.is_none() {
        reason = format!("{reason} {}", value.name());
    }
    let verdict = Verdict {
        value,
        reason,
        reason_data,
    };
    set_one(txn, ctx, &alarm.key, verdict)
}

/// Whether it was a transition; `None` where there is no such alarm.
fn set_one(txn: &mut Txn, ctx: &mut Ctx, key: &AlarmKey, verdict: Verdict) -> Option<bool> {
    let before = txn.get(&ALARMS, key).cloned()?;
    let mut alarm = AlarmRecord::clone(&before);
    let is_transition = alarm.state.value != verdict.value;
    alarm.state = StateOf {
        value: verdict.value,
        reason: verdict.reason,
        reason_data: verdict.reason_data,
        updated: ctx.now,
        transitioned: match is_transition {
            true => ctx.now,
            false => before.state.transitioned,
        },
    };
    txn.put(&ALARMS, alarm.clone());
    if is_transition {
        history::transition(txn, ctx, &alarm, &before.state);
        tell(txn, ctx, &alarm, &before.state);
        act(txn, ctx, &alarm);
    }
    Some(is_transition)
}

fn tell(txn: &mut Txn, ctx: &mut Ctx, alarm: &AlarmRecord, before: &StateOf) {
    let event = event::transition(ctx, alarm, before);
    let dropped = bus::publish(txn, ctx.now, &event).dropped;
    told::note(txn, Arc::new(event));
    told::note_dropped(txn, dropped);
}

/// Nothing that an action can name is served yet: each is noted as AWS notes one that failed.
fn act(txn: &mut Txn, ctx: &Ctx, alarm: &AlarmRecord) {
    if !alarm.actions_enabled {
        return;
    }
    for action in alarm.actions(alarm.state.value) {
        let service = action.split(':').nth(2).unwrap_or_default();
        let error = format!("Longshore does not serve alarm actions of {service}");
        history::failed_action(txn, ctx, alarm, action, &error);
    }
}

/// `Friday 21 August, 2020 01:41:59 UTC`: as composite alarms write moments.
fn long(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = [
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
    ];
    let text = at.iso8601();
    // 2020-08-21T01:41:59.000Z; the first of January 1970 was a Thursday.
    let day = at.millis().div_euclid(86_400_000).rem_euclid(7);
    let month: usize = text[5..7].parse().unwrap_or(1);
    format!(
        "{} {} {}, {} {} UTC",
        DAYS[usize::try_from(day).unwrap_or_default()],
        &text[8..10],
        MONTHS[(month - 1).min(11)],
        &text[..4],
        &text[11..19]
    )
}

/// `2019-10-02T17:04:40.985+0000`: as alarms write moments.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    let text = at.iso8601();
    format!("{}+0000", text.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_alarms_write_them() {
        let at = Timestamp::from_millis(1_597_974_119_000);
        assert_eq!(moment(at), "2020-08-21T01:41:59.000+0000");
        assert_eq!(long(at), "Friday 21 August, 2020 01:41:59 UTC");
    }
}
