//! SetAlarmState: lasts until the next evaluation.

use super::ask;
use crate::alarms::change::{self, Verdict};
use crate::alarms::records::{AlarmKey, State};
use crate::errors::{no_alarm, value};
use aws_api::Empty;
use aws_api::cloudwatch::SetAlarmStateInput;
use aws_api::cloudwatch::errors::INVALID_FORMAT_FAULT;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// Asks for the alarm.
pub fn asks(input: &SetAlarmStateInput, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "SetAlarmState", input.alarm_name.as_deref())
}

/// Checks and sets.
pub fn set_alarm_state(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &SetAlarmStateInput,
) -> Result<Empty, AwsError> {
    let name = input.alarm_name.as_deref().unwrap_or_default();
    let state = input.state_value.as_deref().unwrap_or_default();
    let verdict = Verdict {
        value: State::of(state).ok_or_else(|| {
            value(format!(
                "The value {state} for parameter StateValue is not supported."
            ))
        })?,
        reason: input.state_reason.clone().unwrap_or_default(),
        reason_data: input.state_reason_data.clone(),
    };
    let data = verdict.reason_data.as_deref().unwrap_or("{}");
    if serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(data).is_err() {
        return Err(INVALID_FORMAT_FAULT.with("StateReasonData is not valid JSON."));
    }
    match change::set(txn, ctx, &AlarmKey::new(&ctx.scope.clone(), name), verdict) {
        true => Ok(Empty {}),
        false => Err(no_alarm(name)),
    }
}
