//! What EventBridge is told of a transition.
//!
//! Rule: CloudWatch user guide, "Alarm events and EventBridge".

use super::change::moment;
use super::records::{AlarmRecord, Given, StateOf};
use aws_api::cloudwatch::{Dimension, MetricDataQuery, PutMetricAlarmInput};
use aws_types::Ctx;
use events::event::Event;
use serde_json::{Map, Value, json};

/// `CloudWatch Alarm State Change`.
#[must_use]
pub fn transition(ctx: &mut Ctx, alarm: &AlarmRecord, before: &StateOf) -> Event {
    Event {
        id: ctx.ids.uuid(),
        scope: alarm.key.scope.clone(),
        source: "aws.cloudwatch".into(),
        detail_type: "CloudWatch Alarm State Change".into(),
        time: ctx.now,
        resources: vec![alarm.key.arn()],
        detail: json!({
            "alarmName": alarm.key.name,
            "state": state(&alarm.state),
            "previousState": state(before),
            "configuration": configuration(ctx, alarm),
        }),
    }
}

fn state(of: &StateOf) -> Value {
    let mut shown = json!({
        "value": of.value.name(),
        "reason": of.reason,
        "timestamp": moment(of.updated),
    });
    if let Some(data) = &of.reason_data {
        shown["reasonData"] = json!(data);
    }
    shown
}

fn configuration(ctx: &mut Ctx, alarm: &AlarmRecord) -> Value {
    let mut shown = Map::new();
    if let Some(description) = alarm.description() {
        shown.insert("description".into(), json!(description));
    }
    match &alarm.given {
        Given::Metric(given) => {
            let metrics = match given.metrics.as_deref() {
                Some(metrics) => metrics.iter().map(query).collect(),
                None => vec![single(ctx, given)],
            };
            shown.insert("metrics".into(), json!(metrics));
        }
        Given::Composite { given, .. } => {
            shown.insert("alarmRule".into(), json!(given.alarm_rule));
        }
    }
    Value::Object(shown)
}

fn single(ctx: &mut Ctx, given: &PutMetricAlarmInput) -> Value {
    let stat = given
        .statistic
        .as_ref()
        .or(given.extended_statistic.as_ref());
    let mut metric_stat = json!({
        "metric": {
            "namespace": given.namespace,
            "name": given.metric_name,
            "dimensions": dimensions(given.dimensions.as_deref()),
        },
        "period": given.period,
        "stat": stat,
    });
    if let Some(unit) = &given.unit {
        metric_stat["unit"] = json!(unit);
    }
    json!({"id": ctx.ids.uuid(), "metricStat": metric_stat, "returnData": true})
}

fn query(of: &MetricDataQuery) -> Value {
    let mut shown = json!({"id": of.id, "returnData": of.return_data.unwrap_or(true)});
    if let Some(expression) = &of.expression {
        shown["expression"] = json!(expression);
    }
    if let Some(label) = &of.label {
        shown["label"] = json!(label);
    }
    if let Some(stat) = &of.metric_stat {
        let metric = stat.metric.clone().unwrap_or_default();
        shown["metricStat"] = json!({
            "metric": {
                "namespace": metric.namespace,
                "name": metric.metric_name,
                "dimensions": dimensions(metric.dimensions.as_deref()),
            },
            "period": stat.period,
            "stat": stat.stat,
        });
    }
    shown
}

fn dimensions(of: Option<&[Dimension]>) -> Value {
    let each = of.unwrap_or_default().iter();
    let pairs = each.map(|one| (one.name.clone().unwrap_or_default(), json!(one.value)));
    Value::Object(pairs.collect())
}
