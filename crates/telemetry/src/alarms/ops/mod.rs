//! The table operation → function, and nothing else.

mod actions_enabled;
mod delete_alarms;
mod describe_alarm_history;
mod describe_alarms;
mod describe_alarms_for_metric;
mod put_composite_alarm;
mod put_metric_alarm;
mod set_alarm_state;
mod tags;

pub use put_metric_alarm::put_metric_alarm;
pub use set_alarm_state::set_alarm_state;

use super::records::AlarmKey;
use aws_api::cloudwatch::operations as api;
use aws_types::Ctx;
use iam::{Ask, Operation};

/// The operations of alarms.
#[must_use]
pub fn operations() -> Vec<Operation> {
    vec![
        Operation::write::<api::DeleteAlarms>(delete_alarms::asks, delete_alarms::delete_alarms),
        Operation::read::<api::DescribeAlarmHistory>(
            describe_alarm_history::asks,
            describe_alarm_history::describe_alarm_history,
        ),
        Operation::read::<api::DescribeAlarms>(
            describe_alarms::asks,
            describe_alarms::describe_alarms,
        ),
        Operation::read::<api::DescribeAlarmsForMetric>(
            describe_alarms_for_metric::asks,
            describe_alarms_for_metric::describe_alarms_for_metric,
        ),
        Operation::write::<api::DisableAlarmActions>(
            actions_enabled::disable_asks,
            actions_enabled::disable,
        ),
        Operation::write::<api::EnableAlarmActions>(
            actions_enabled::enable_asks,
            actions_enabled::enable,
        ),
        Operation::read::<api::ListTagsForResource>(tags::list_asks, tags::list),
        Operation::write::<api::PutCompositeAlarm>(
            put_composite_alarm::asks,
            put_composite_alarm::put_composite_alarm,
        ),
        Operation::write::<api::PutMetricAlarm>(
            put_metric_alarm::asks,
            put_metric_alarm::put_metric_alarm,
        ),
        Operation::write::<api::SetAlarmState>(
            set_alarm_state::asks,
            set_alarm_state::set_alarm_state,
        ),
        Operation::write::<api::TagResource>(tags::tag_asks, tags::tag),
        Operation::write::<api::UntagResource>(tags::untag_asks, tags::untag),
    ]
}

/// The question whether the caller may do `action` to each alarm.
fn ask<'n>(ctx: &Ctx, action: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<Ask> {
    let names = names.into_iter();
    let asks = names.map(|name| Ask {
        action: format!("cloudwatch:{action}"),
        resource: AlarmKey::new(&ctx.scope, name).arn(),
    });
    asks.collect()
}

/// Names of a list that may be absent.
fn all(names: Option<&[String]>) -> impl Iterator<Item = &str> {
    names.unwrap_or_default().iter().map(String::as_str)
}
