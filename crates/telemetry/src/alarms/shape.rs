//! An alarm as the API shows it, and as its history keeps it.

use super::records::{AlarmRecord, Given};
use aws_api::Stored;
use aws_api::cloudwatch::{CompositeAlarm, MetricAlarm};
use serde_json::Value;

/// A metric alarm.
#[must_use]
pub fn metric_alarm(alarm: &AlarmRecord) -> Option<MetricAlarm> {
    let given = alarm.metric()?.clone();
    let some = |list: Option<Vec<String>>| Some(list.unwrap_or_default());
    let is_single = given.metrics.is_none();
    Some(MetricAlarm {
        actions_enabled: Some(alarm.actions_enabled),
        alarm_actions: some(given.alarm_actions),
        alarm_arn: Some(alarm.key.arn()),
        alarm_configuration_updated_timestamp: Some(alarm.configured),
        alarm_description: given.alarm_description,
        alarm_name: Some(alarm.key.name.clone()),
        comparison_operator: given.comparison_operator,
        datapoints_to_alarm: given.datapoints_to_alarm,
        dimensions: Some(given.dimensions.unwrap_or_default()).filter(|_| is_single),
        evaluate_low_sample_count_percentile: given.evaluate_low_sample_count_percentile,
        evaluation_periods: given.evaluation_periods,
        extended_statistic: given.extended_statistic,
        insufficient_data_actions: some(given.insufficient_data_actions),
        metric_name: given.metric_name,
        metrics: given.metrics,
        namespace: given.namespace,
        ok_actions: some(given.ok_actions),
        period: given.period,
        state_reason: Some(alarm.state.reason.clone()),
        state_reason_data: alarm.state.reason_data.clone(),
        state_transitioned_timestamp: Some(alarm.state.transitioned),
        state_updated_timestamp: Some(alarm.state.updated),
        state_value: Some(alarm.state.value.name().into()),
        statistic: given.statistic,
        threshold: given.threshold,
        treat_missing_data: given.treat_missing_data,
        unit: given.unit,
        ..MetricAlarm::default()
    })
}

/// A composite alarm.
#[must_use]
pub fn composite_alarm(alarm: &AlarmRecord) -> Option<CompositeAlarm> {
    let Given::Composite { given, .. } = &alarm.given else {
        return None;
    };
    let given = given.0.clone();
    let some = |list: Option<Vec<String>>| Some(list.unwrap_or_default());
    Some(CompositeAlarm {
        actions_enabled: Some(alarm.actions_enabled),
        alarm_actions: some(given.alarm_actions),
        alarm_arn: Some(alarm.key.arn()),
        alarm_configuration_updated_timestamp: Some(alarm.configured),
        alarm_description: given.alarm_description,
        alarm_name: Some(alarm.key.name.clone()),
        alarm_rule: given.alarm_rule,
        insufficient_data_actions: some(given.insufficient_data_actions),
        ok_actions: some(given.ok_actions),
        state_reason: Some(alarm.state.reason.clone()),
        state_reason_data: alarm.state.reason_data.clone(),
        state_transitioned_timestamp: Some(alarm.state.transitioned),
        state_updated_timestamp: Some(alarm.state.updated),
        state_value: Some(alarm.state.value.name().into()),
        ..CompositeAlarm::default()
    })
}

/// As history keeps it: the API's members.
#[must_use]
pub fn json(alarm: &AlarmRecord) -> Value {
    let shown = match &alarm.given {
        Given::Metric(_) => serde_json::to_value(metric_alarm(alarm).map(Stored)),
        Given::Composite { .. } => serde_json::to_value(composite_alarm(alarm).map(Stored)),
    };
    shown.unwrap_or_default()
}
