//! DescribeAlarmsForMetric: the alarms on one metric alone.

use super::ask;
use crate::alarms::records::{ALARMS, AlarmRecord, prefix};
use crate::alarms::shape::metric_alarm;
use aws_api::cloudwatch::{DescribeAlarmsForMetricInput, DescribeAlarmsForMetricOutput, Dimension};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeSet;
use store::World;

/// Asks for all alarms.
pub fn asks(_: &DescribeAlarmsForMetricInput, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "DescribeAlarmsForMetric", ["*"])
}

/// Lists, in order of name.
pub fn describe_alarms_for_metric(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeAlarmsForMetricInput,
) -> Result<DescribeAlarmsForMetricOutput, AwsError> {
    let of_scope = prefix(&ctx.scope);
    let rows = world.scan_prefix(&ALARMS, &of_scope, None);
    let found = rows.filter(|(_, alarm)| is_of(alarm, input));
    let shown = found.filter_map(|(_, alarm)| metric_alarm(alarm));
    Ok(DescribeAlarmsForMetricOutput {
        metric_alarms: Some(shown.collect()),
    })
}

fn is_of(alarm: &AlarmRecord, input: &DescribeAlarmsForMetricInput) -> bool {
    let Some(given) = alarm.metric() else {
        return false;
    };
    fn same<T: PartialEq>(asked: &Option<T>, has: &Option<T>) -> bool {
        asked.is_none() || asked == has
    }
    given.namespace == input.namespace
        && given.metric_name == input.metric_name
        && set(given.dimensions.as_deref()) == set(input.dimensions.as_deref())
        && same(&input.statistic, &given.statistic)
        && same(&input.extended_statistic, &given.extended_statistic)
        && same(&input.period, &given.period)
        && same(&input.unit, &given.unit)
}

fn set(dimensions: Option<&[Dimension]>) -> BTreeSet<(Option<&str>, Option<&str>)> {
    let each = dimensions.unwrap_or_default().iter();
    each.map(|one| (one.name.as_deref(), one.value.as_deref()))
        .collect()
}
