//! What a metric alarm may be.
//!
//! Rule: API reference, PutMetricAlarm; lengths, counts and enums of members are checked before, from
//! the model. Wording as the service answers it, where that is known.

use crate::alarms::look;
use crate::errors::{combination, invalid, missing, value};
use crate::metrics::math::{Budget, Value};
use crate::metrics::query::{Plan, Query};
use crate::metrics::statistic::Statistic;
use aws_api::cloudwatch::{MetricDataQuery, PutMetricAlarmInput};
use aws_types::{AwsError, Scope};

/// Evaluation periods together, seconds: of periods below an hour, and of others.
const SPAN_SECONDS_MAX: i64 = 86_400;
const LONG_SPAN_SECONDS_MAX: i64 = 7 * 86_400;
const HOUR: i32 = 3_600;
/// `Metrics` of one alarm (API reference: "up to 20"; ten of them metrics).
const QUERIES_MAX: usize = 20;
/// `TreatMissingData`.
const MISSING_DATA: &[&str] = &["breaching", "notBreaching", "ignore", "missing"];
/// Comparison operators that take a band, which only anomaly detection makes.
const OF_BANDS: &[&str] = &[
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
];

/// Checks a request of PutMetricAlarm.
///
/// # Errors
/// AWS's, for the first rule that is broken.
pub fn check(given: &PutMetricAlarmInput, scope: &Scope) -> Result<(), AwsError> {
    check_unserved(given)?;
    check_counts(given)?;
    match given
        .metrics
        .as_deref()
        .filter(|metrics| !metrics.is_empty())
    {
        Some(metrics) => check_math(given, metrics, scope)?,
        None => check_single(given)?,
    }
    check_treatment(given)?;
    let lists = [
        &given.ok_actions,
        &given.alarm_actions,
        &given.insufficient_data_actions,
    ];
    check_actions(lists.into_iter().flatten().flatten())
}

/// What may be done on a transition.
///
/// # Errors
/// `ValidationError`.
pub fn check_actions<'a>(actions: impl Iterator<Item = &'a String>) -> Result<(), AwsError> {
    for action in actions {
        if action.splitn(6, ':').count() < 6 || !action.starts_with("arn:") {
            return Err(invalid(format!("Invalid arn syntax: {action}")));
        }
    }
    Ok(())
}

/// What needs engines that are not here is refused, not ignored.
fn check_unserved(given: &PutMetricAlarmInput) -> Result<(), AwsError> {
    let unserved = [
        ("ThresholdMetricId", given.threshold_metric_id.is_some()),
        ("EvaluationCriteria", given.evaluation_criteria.is_some()),
        ("EvaluationInterval", given.evaluation_interval.is_some()),
        ("EvaluationWindow", given.evaluation_window.is_some()),
        ("WarmUpConfiguration", given.warm_up_configuration.is_some()),
        ("ActionConfiguration", given.action_configuration.is_some()),
    ];
    if let Some((name, _)) = unserved.iter().find(|(_, is_given)| *is_given) {
        return Err(invalid(format!("Longshore does not serve {name} yet.")));
    }
    let operator = given.comparison_operator.as_deref();
    let operator = operator.ok_or_else(|| missing("ComparisonOperator"))?;
    if OF_BANDS.contains(&operator) {
        return Err(invalid(format!(
            "ComparisonOperator {operator} must be used with ThresholdMetricId."
        )));
    }
    Ok(())
}

fn check_counts(given: &PutMetricAlarmInput) -> Result<(), AwsError> {
    let periods = given.evaluation_periods;
    let periods = periods.ok_or_else(|| missing("EvaluationPeriods"))?;
    if given
        .datapoints_to_alarm
        .is_some_and(|needed| needed > periods)
    {
        return Err(invalid(
            "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
        ));
    }
    let threshold = given.threshold.ok_or_else(|| missing("Threshold"))?;
    if !threshold.is_finite() {
        return Err(value("The value for parameter Threshold must be a number."));
    }
    Ok(())
}

/// An alarm on one metric.
fn check_single(given: &PutMetricAlarmInput) -> Result<(), AwsError> {
    for (name, is_given) in [
        ("MetricName", given.metric_name.is_some()),
        ("Namespace", given.namespace.is_some()),
        ("Period", given.period.is_some()),
    ] {
        if !is_given {
            return Err(missing(name));
        }
    }
    match (&given.statistic, &given.extended_statistic) {
        (Some(_), None) => {}
        (None, Some(extended)) => {
            if Statistic::parse(extended).is_none() {
                return Err(value(format!(
                    "The value {extended} for parameter ExtendedStatistic is not supported."
                )));
            }
        }
        (Some(_), Some(_)) => {
            return Err(combination(
                "The parameters Statistic and ExtendedStatistic cannot be used together.",
            ));
        }
        (None, None) => return Err(missing("Statistic")),
    }
    check_period(given, given.period.unwrap_or_default())
}

fn check_period(given: &PutMetricAlarmInput, period: i32) -> Result<(), AwsError> {
    if !matches!(period, 10 | 20 | 30) && (period < 60 || period % 60 != 0) {
        return Err(invalid("Period must be 10, 20, 30 or a multiple of 60"));
    }
    let span = i64::from(period) * i64::from(given.evaluation_periods.unwrap_or_default());
    let max = match period < HOUR {
        true => SPAN_SECONDS_MAX,
        false => LONG_SPAN_SECONDS_MAX,
    };
    if span > max {
        return Err(invalid(format!(
            "Metrics cannot be checked across more than {} (EvaluationPeriods * Period must be <= {max}).",
            match period < HOUR {
                true => "a day",
                false => "seven days",
            }
        )));
    }
    Ok(())
}

/// An alarm on an expression.
fn check_math(
    given: &PutMetricAlarmInput,
    metrics: &[MetricDataQuery],
    scope: &Scope,
) -> Result<(), AwsError> {
    let single = [
        given.metric_name.is_some(),
        given.namespace.is_some(),
        given.period.is_some(),
        given.statistic.is_some(),
        given.extended_statistic.is_some(),
        given.unit.is_some(),
        given
            .dimensions
            .as_ref()
            .is_some_and(|some| !some.is_empty()),
    ];
    if single.contains(&true) {
        return Err(combination(
            "The parameter Metrics cannot be used with MetricName, Namespace, Dimensions, Period, Unit, Statistic or ExtendedStatistic.",
        ));
    }
    if metrics.len() > QUERIES_MAX {
        return Err(invalid(format!(
            "The collection Metrics must not have a size greater than {QUERIES_MAX}."
        )));
    }
    let plan = Plan::of(scope, metrics)?;
    let shown: Vec<_> = plan.queries.iter().filter(|one| one.is_returned).collect();
    let [shown] = shown.as_slice() else {
        return Err(invalid(
            "Exactly one element of the metrics list should return data.",
        ));
    };
    if plan.stats().next().is_none() {
        return Err(invalid(
            "At least one element of the metrics list should be a MetricStat.",
        ));
    }
    for query in metrics {
        let of_stat = query.metric_stat.as_ref().and_then(|stat| stat.period);
        if let Some(period) = of_stat.or(query.period) {
            check_period(given, period)?;
        }
    }
    // The period that the alarm looks at: what it holds in memory is its datapoints.
    check_period(given, look::period(given))?;
    check_result(&plan, shown)
}

/// Rule: user guide: the expression that an alarm watches has a single time series.
fn check_result(plan: &Plan, shown: &Query) -> Result<(), AwsError> {
    let values = plan.trial(&Budget::of(look::COMPUTED_MAX))?;
    match values.get(&shown.id) {
        Some(Value::Series(_)) => Ok(()),
        _ => Err(invalid(format!(
            "Error in expression '{}': the expression of an alarm must return a single time series",
            shown.id
        ))),
    }
}

fn check_treatment(given: &PutMetricAlarmInput) -> Result<(), AwsError> {
    if let Some(treatment) = given.treat_missing_data.as_deref()
        && !MISSING_DATA.contains(&treatment)
    {
        return Err(invalid(format!(
            "Invalid value for treatMissingData: {treatment}. Valid values are {}.",
            MISSING_DATA.join(", ")
        )));
    }
    if let Some(treatment) = given.evaluate_low_sample_count_percentile.as_deref() {
        if !matches!(treatment, "evaluate" | "ignore") {
            return Err(value(format!(
                "The value {treatment} for parameter EvaluateLowSampleCountPercentile is not supported."
            )));
        }
        let is_percentile = given
            .extended_statistic
            .as_deref()
            .and_then(Statistic::parse);
        if !matches!(is_percentile, Some(Statistic::Percentile(_))) {
            return Err(combination(
                "EvaluateLowSampleCountPercentile can only be used with a percentile.",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::cloudwatch::{Metric, MetricStat};

    fn good() -> PutMetricAlarmInput {
        PutMetricAlarmInput {
            alarm_name: Some("a".into()),
            metric_name: Some("m".into()),
            namespace: Some("n".into()),
            statistic: Some("Average".into()),
            period: Some(60),
            evaluation_periods: Some(3),
            threshold: Some(1.0),
            comparison_operator: Some("GreaterThanThreshold".into()),
            ..PutMetricAlarmInput::default()
        }
    }

    fn code(change: impl FnOnce(&mut PutMetricAlarmInput)) -> Option<&'static str> {
        let mut given = good();
        change(&mut given);
        check(&given, &Scope::new("000000000000", "us-east-1"))
            .err()
            .map(|error| error.code().name)
    }

    #[test]
    fn an_alarm_of_one_metric_is_checked() {
        let (invalid, missing) = (Some("ValidationError"), Some("MissingParameter"));
        let (value, combination) = (
            Some("InvalidParameterValue"),
            Some("InvalidParameterCombination"),
        );
        assert_eq!(code(|_| {}), None);
        for period in [10, 20, 30, 60, 300, 3600] {
            assert_eq!(code(|a| a.period = Some(period)), None, "{period}");
        }
        for period in [1, 5, 45, 61] {
            assert_eq!(code(|a| a.period = Some(period)), invalid, "{period}");
        }
        assert_eq!(code(|a| a.datapoints_to_alarm = Some(3)), None);
        assert_eq!(code(|a| a.datapoints_to_alarm = Some(4)), invalid);
        assert_eq!(code(|a| a.evaluation_periods = Some(1441)), invalid);
        assert_eq!(
            code(|a| (a.period, a.evaluation_periods) = (Some(86_400), Some(7))),
            None
        );
        assert_eq!(
            code(|a| (a.period, a.evaluation_periods) = (Some(86_400), Some(8))),
            invalid
        );
        assert_eq!(code(|a| a.metric_name = None), missing);
        assert_eq!(code(|a| a.statistic = None), missing);
        assert_eq!(code(|a| a.threshold = None), missing);
        assert_eq!(code(|a| a.comparison_operator = None), missing);
        assert_eq!(
            code(|a| a.extended_statistic = Some("p99".into())),
            combination
        );
        let percentile = |text: &str| {
            let text = text.to_owned();
            code(move |a| (a.statistic, a.extended_statistic) = (None, Some(text)))
        };
        assert_eq!((percentile("p99.9"), percentile("q9")), (None, value));
        assert_eq!(
            code(|a| a.treat_missing_data = Some("sure".into())),
            invalid
        );
        assert_eq!(
            code(|a| a.alarm_actions = Some(vec!["mail".into()])),
            invalid
        );
        let topic = "arn:aws:sns:us-east-1:000000000000:t";
        assert_eq!(code(|a| a.alarm_actions = Some(vec![topic.into()])), None);
        assert_eq!(code(|a| a.threshold_metric_id = Some("m".into())), invalid);
        let band = "GreaterThanUpperThreshold";
        assert_eq!(code(|a| a.comparison_operator = Some(band.into())), invalid);
        let low = |a: &mut PutMetricAlarmInput| {
            a.evaluate_low_sample_count_percentile = Some("ignore".into());
        };
        assert_eq!(code(low), combination);
    }

    fn stat(id: &str, shown: bool) -> MetricDataQuery {
        MetricDataQuery {
            id: Some(id.into()),
            metric_stat: Some(MetricStat {
                metric: Some(Metric::default()),
                period: Some(60),
                stat: Some("Sum".into()),
                unit: None,
            }),
            return_data: Some(shown),
            ..MetricDataQuery::default()
        }
    }

    #[test]
    fn an_alarm_of_an_expression_shows_one_result() {
        let with = |queries: Vec<MetricDataQuery>| {
            code(move |a| {
                (a.metric_name, a.namespace, a.period, a.statistic) = (None, None, None, None);
                a.metrics = Some(queries);
            })
        };
        assert_eq!(with(vec![stat("m1", true)]), None);
        assert_eq!(with(vec![stat("m1", true), stat("m2", false)]), None);
        for wrong in [
            vec![stat("m1", false)],
            vec![stat("m1", true), stat("m2", true)],
            vec![stat("m1", true), stat("m1", false)],
            vec![stat("M1", true)],
            vec![MetricDataQuery {
                expression: Some("1".into()),
                ..stat("m1", true)
            }],
        ] {
            assert_eq!(with(wrong.clone()), Some("ValidationError"), "{wrong:?}");
        }
        let math = |id: &str, text: &str, shown| MetricDataQuery {
            id: Some(id.into()),
            expression: Some(text.into()),
            return_data: Some(shown),
            ..MetricDataQuery::default()
        };
        for (text, code) in [
            ("m1 * 2", None),
            ("DIFF(m1)", None),
            ("SUM([m1, m1])", None),
            ("SUM(m1)", Some("ValidationError")),
            ("7", Some("ValidationError")),
            ("METRICS()", Some("ValidationError")),
            ("[m1, m1]", Some("ValidationError")),
        ] {
            let queries = vec![math("e", text, true), stat("m1", false)];
            assert_eq!(with(queries), code, "{text}");
        }
        let none = vec![math("e", "SUM(METRICS())", true)];
        assert_eq!(with(none), Some("ValidationError"), "no metric at all");
        let many = |id: &str| format!("[{}]", vec![id; 1_000].join(","));
        let lists = vec![
            stat("m1", false),
            math("a", &many("m1"), false),
            math("b", &many("a"), false),
            math("c", &many("b"), false),
            math("e", "SUM(c)", true),
        ];
        assert_eq!(with(lists), Some("ValidationError"), "a thousand million");
        let both = code(|a| a.metrics = Some(vec![stat("m1", true)]));
        assert_eq!(both, Some("InvalidParameterCombination"));
    }
}
