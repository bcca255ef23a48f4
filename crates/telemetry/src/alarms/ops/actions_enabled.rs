//! EnableAlarmActions, DisableAlarmActions. Names that no alarm has are passed over, as AWS does.

use super::{all, ask};
use crate::alarms::history;
use crate::alarms::records::{ALARMS, AlarmKey, AlarmRecord};
use aws_api::Empty;
use aws_api::cloudwatch::{DisableAlarmActionsInput, EnableAlarmActionsInput};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// Asks for each alarm.
pub fn enable_asks(input: &EnableAlarmActionsInput, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "EnableAlarmActions", all(input.alarm_names.as_deref()))
}

/// Lets actions be executed.
pub fn enable(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &EnableAlarmActionsInput,
) -> Result<Empty, AwsError> {
    set(txn, ctx, input.alarm_names.as_deref(), true);
    Ok(Empty {})
}

/// Asks for each alarm.
pub fn disable_asks(input: &DisableAlarmActionsInput, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(
        ctx,
        "DisableAlarmActions",
        all(input.alarm_names.as_deref()),
    )
}

/// Lets no action be executed.
pub fn disable(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DisableAlarmActionsInput,
) -> Result<Empty, AwsError> {
    set(txn, ctx, input.alarm_names.as_deref(), false);
    Ok(Empty {})
}

fn set(txn: &mut Txn, ctx: &Ctx, names: Option<&[String]>, enabled: bool) {
    for name in all(names) {
        let key = AlarmKey::new(&ctx.scope, name);
        let found = txn.get(&ALARMS, &key).cloned();
        if let Some(before) = found.filter(|alarm| alarm.actions_enabled != enabled) {
            let alarm = AlarmRecord {
                actions_enabled: enabled,
                configured: ctx.now,
                ..AlarmRecord::clone(&before)
            };
            txn.put(&ALARMS, alarm.clone());
            history::configured(txn, ctx, &alarm, Some(&before));
        }
    }
}
