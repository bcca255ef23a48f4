//! DeleteAlarms: all that are named, or none.

use super::{all, ask};
use crate::alarms::history;
use crate::alarms::records::{ALARMS, AlarmKey};
use crate::errors::no_alarm;
use aws_api::Empty;
use aws_api::cloudwatch::DeleteAlarmsInput;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// Asks for each alarm.
pub fn asks(input: &DeleteAlarmsInput, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "DeleteAlarms", all(input.alarm_names.as_deref()))
}

/// Deletes.
pub fn delete_alarms(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteAlarmsInput,
) -> Result<Empty, AwsError> {
    for name in all(input.alarm_names.as_deref()) {
        let key = AlarmKey::new(&ctx.scope, name);
        let alarm = txn.get(&ALARMS, &key).cloned();
        let alarm = alarm.ok_or_else(|| no_alarm(name))?;
        txn.delete(&ALARMS, &key);
        history::deleted(txn, ctx, &alarm);
    }
    Ok(Empty {})
}
