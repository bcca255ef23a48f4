//! How an alarm's state changes: the row, its history, the event, the actions.

use super::records::{ALARMS, AlarmKey, AlarmRecord, State, StateOf};
use super::{event, history};
use aws_types::{Ctx, Timestamp};
use events::{bus, history as told};
use std::sync::Arc;
use store::Txn;

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

/// Puts an alarm into a state; whether there is such an alarm. A transition is told.
pub fn set(txn: &mut Txn, ctx: &mut Ctx, key: &AlarmKey, verdict: Verdict) -> bool {
    let Some(before) = txn.get(&ALARMS, key).cloned() else {
        return false;
    };
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
    true
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

/// `2019-10-02T17:04:40.985+0000`: as alarms write moments.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    let text = at.iso8601();
    format!("{}+0000", text.trim_end_matches('Z'))
}
