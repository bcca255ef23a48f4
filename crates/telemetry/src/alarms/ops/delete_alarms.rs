//! DeleteAlarms: all that are named, or none.

use super::{all, ask};
use crate::alarms::history;
use crate::alarms::records::{ALARMS, AlarmKey, BY_CHILD};
use crate::errors::{invalid, no_alarm};
use aws_api::Empty;
use aws_api::cloudwatch::DeleteAlarmsInput;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeSet;
use store::{TableKey, Txn, World};

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
    let names: BTreeSet<&str> = all(input.alarm_names.as_deref()).collect();
    for name in &names {
        let key = AlarmKey::new(&ctx.scope, name);
        let alarm = txn.get(&ALARMS, &key).cloned();
        let alarm = alarm.ok_or_else(|| no_alarm(name))?;
        if has_parent(txn, &key, &names) {
            return Err(invalid(format!(
                "Cannot delete {name} as there are composite alarm(s) depending on it."
            )));
        }
        txn.delete(&ALARMS, &key);
        history::deleted(txn, ctx, &alarm);
    }
    Ok(Empty {})
}

/// Whether a composite alarm that stays names it.
fn has_parent(world: &World, key: &AlarmKey, going: &BTreeSet<&str>) -> bool {
    let child = key.encode();
    let mut parents = world.find(&ALARMS, &BY_CHILD, &child);
    parents.any(|parent| !going.contains(parent.key.name.as_str()))
}
