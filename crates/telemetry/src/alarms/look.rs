//! What an alarm sees when it looks: the datapoints of its evaluation range.
//!
//! Rule: user guide, "Evaluating an alarm": a period of a minute or more is looked at each minute, over
//! periods that end with the last whole one; a shorter one each ten seconds.

use super::change::Verdict;
use super::evaluate::{Comparison, Datapoint, Missing, RANGE_EXTRA, Rule, evaluate};
use super::records::AlarmRecord;
use crate::errors::invalid;
use crate::metrics::math::{Budget, Series, Value};
use crate::metrics::name::MetricName;
use crate::metrics::point::start_of;
use crate::metrics::query::{Measured, Plan, Stat};
use crate::metrics::read::Window;
use crate::metrics::statistic::Statistic;
use aws_api::cloudwatch::PutMetricAlarmInput;
use aws_types::{AwsError, Scope, Timestamp};
use std::collections::BTreeMap;
use store::MetricStore;

/// How often an alarm looks, milliseconds.
const MINUTE_MILLIS: i64 = 60_000;
const TEN_SECONDS_MILLIS: i64 = 10_000;

/// Points and series that one look may have computed: a bound of ours. Ten metrics of a day's minutes,
/// each ten times in an expression.
pub const COMPUTED_MAX: usize = 200_000;

/// Periods of ten seconds in a day: no alarm looks at more.
const PERIODS_MAX: usize = 8_640;

/// How often this alarm looks, milliseconds; `None` for one that looks at no metric.
#[must_use]
pub fn cadence_millis(alarm: &AlarmRecord) -> Option<i64> {
    alarm.metric().map(cadence)
}

fn cadence(given: &PutMetricAlarmInput) -> i64 {
    match period(given) < 60 {
        true => TEN_SECONDS_MILLIS,
        false => MINUTE_MILLIS,
    }
}

/// The length of an alarm's periods, seconds: of several, the longest.
#[must_use]
pub fn period(given: &PutMetricAlarmInput) -> i32 {
    let metrics = given.metrics.iter().flatten();
    let periods = metrics.filter_map(|query| {
        let of_stat = query.metric_stat.as_ref().and_then(|stat| stat.period);
        of_stat.or(query.period)
    });
    given.period.into_iter().chain(periods).max().unwrap_or(60)
}

/// The state that an alarm is to be in; `None` where it is to stay as it is.
///
/// # Errors
/// The store cannot be read, or an expression has no value.
pub fn verdict(
    store: &dyn MetricStore,
    alarm: &AlarmRecord,
    now: Timestamp,
) -> Result<Option<Verdict>, AwsError> {
    let Some((given, rule)) = alarm.metric().and_then(|given| Some((given, rule(given)?))) else {
        return Ok(None);
    };
    // Checked when the alarm was put; one of an older server may not have been.
    if rule.periods > PERIODS_MAX {
        return Err(invalid("The alarm has too many evaluation periods."));
    }
    let periods = rule.periods as i64 + i64::from(RANGE_EXTRA);
    let until = start_of(now, cadence(given));
    let span = periods * i64::from(rule.period) * 1_000;
    let from = Timestamp::from_millis(until.millis() - span);
    let scope = &alarm.key.scope;
    let measured = match given.metrics.as_deref() {
        None => of_metric(store, scope, given, (from, until))?,
        Some(queries) => {
            let plan = Plan::of(scope, queries)?;
            of_expression(store, &plan, (from, until))?
        }
    };
    if measured.values().any(|one| is_too_few(given, one)) {
        return Ok(None);
    }
    let each = (0..periods).map(|at| {
        let at = from.millis() + at * i64::from(rule.period) * 1_000;
        let found = measured.get(&at);
        Datapoint {
            at: Timestamp::from_millis(at),
            value: found.map(|one| one.value),
            samples: found.map(|one| one.count).filter(|count| *count > 0.0),
        }
    });
    let range: Vec<_> = each.collect();
    Ok(evaluate(&rule, &range, alarm.state.value, now))
}

fn rule(given: &PutMetricAlarmInput) -> Option<Rule> {
    let periods = usize::try_from(given.evaluation_periods?).ok()?;
    let needed = given.datapoints_to_alarm;
    let needed = needed.and_then(|needed| usize::try_from(needed).ok());
    let statistic = given.statistic.clone();
    Some(Rule {
        comparison: Comparison::of(given.comparison_operator.as_deref()?)?,
        threshold: given.threshold?,
        periods,
        needed: needed.unwrap_or(periods),
        missing: Missing::of(given.treat_missing_data.as_deref()),
        period: period(given),
        statistic: statistic.or_else(|| given.extended_statistic.clone()),
        unit: given.unit.clone(),
    })
}

type Stretch = (Timestamp, Timestamp);

/// By start of period, milliseconds.
fn of_metric(
    store: &dyn MetricStore,
    scope: &Scope,
    given: &PutMetricAlarmInput,
    (from, until): Stretch,
) -> Result<BTreeMap<i64, Measured>, AwsError> {
    let name = given
        .statistic
        .as_deref()
        .or(given.extended_statistic.as_deref());
    let Some(statistic) = name.and_then(Statistic::parse) else {
        return Ok(BTreeMap::new());
    };
    let stat = Stat {
        metric: MetricName::of(
            scope,
            given.namespace.as_deref(),
            given.metric_name.as_deref(),
            given.dimensions.as_deref(),
        ),
        period: period(given),
        statistic,
        unit: given.unit.clone(),
    };
    let window = Window {
        from,
        until,
        period: stat.period,
    };
    let found = stat.values(store, window)?.into_iter();
    Ok(found.map(|(at, one)| (at.millis(), one)).collect())
}

fn of_expression(
    store: &dyn MetricStore,
    plan: &Plan,
    (from, until): Stretch,
) -> Result<BTreeMap<i64, Measured>, AwsError> {
    let window = |period| Window {
        from,
        until,
        period,
    };
    let values = plan.values(store, window, &Budget::of(COMPUTED_MAX))?;
    let returned = plan.queries.iter().find(|query| query.is_returned);
    match returned.and_then(|query| values.get(&query.id)) {
        Some(Value::Series(Series { points, .. })) => {
            let each = points.iter().map(|(at, value)| {
                let one = Measured {
                    value: *value,
                    count: 0.0,
                };
                (*at, one)
            });
            Ok(each.collect())
        }
        _ => Err(invalid("The expression of an alarm has one series.")),
    }
}

/// Rule: user guide, "Percentile-based alarms and low data samples": from the median up, 10 / (1 - p)
/// samples are needed, below it 10 / p.
fn is_too_few(given: &PutMetricAlarmInput, one: &Measured) -> bool {
    let name = given.extended_statistic.as_deref();
    let Some(Statistic::Percentile(rank)) = name.and_then(Statistic::parse) else {
        return false;
    };
    let share = match rank >= 50.0 {
        true => 1.0 - rank / 100.0,
        false => rank / 100.0,
    };
    let ignores = given.evaluate_low_sample_count_percentile.as_deref() == Some("ignore");
    // The hundredth percentile and the zeroth are one sample: none is too few.
    ignores && share > 0.0 && one.count < 10.0 / share
}
