//! GetMetricStatistics: statistics of one metric, a datapoint for each period and unit.

use super::ask;
use crate::errors::{combination, invalid, missing_text, unavailable, value};
use crate::metrics::name::MetricName;
use crate::metrics::read::{Window, read};
use crate::metrics::samples::Samples;
use crate::metrics::statistic::Statistic;
use aws_api::cloudwatch::{Datapoint, GetMetricStatisticsInput, GetMetricStatisticsOutput};
use aws_types::{AwsError, Ctx, Timestamp};
use iam::Ask;
use std::collections::BTreeMap;
use store::{MetricStore, World};

/// API reference: datapoints of one answer.
const POINTS_MAX: i64 = 1_440;

/// Asks to read.
pub fn asks(_: &GetMetricStatisticsInput, _: &World, _: &Ctx) -> Vec<Ask> {
    ask("GetMetricStatistics")
}

/// Checks, reads, computes.
pub fn get_metric_statistics(
    _: &World,
    ctx: &mut Ctx,
    store: &dyn MetricStore,
    input: &GetMetricStatisticsInput,
) -> Result<GetMetricStatisticsOutput, AwsError> {
    let wanted = statistics(input)?;
    let window = window(input, ctx.now)?;
    let metric = MetricName::of(
        &ctx.scope,
        input.namespace.as_deref(),
        input.metric_name.as_deref(),
        input.dimensions.as_deref(),
    );
    let found = read(store, &metric, window).map_err(unavailable)?;
    let of_unit = found.into_iter().filter(|((_, unit), _)| {
        let asked = input.unit.as_ref();
        asked.is_none_or(|asked| asked == unit)
    });
    let shown = of_unit.filter_map(|((at, unit), samples)| datapoint(at, unit, &samples, &wanted));
    Ok(GetMetricStatisticsOutput {
        label: input.metric_name.clone(),
        datapoints: Some(shown.collect()),
    })
}

/// The statistics that are asked for, under the names by which they are.
fn statistics(input: &GetMetricStatisticsInput) -> Result<Vec<(String, Statistic)>, AwsError> {
    let plain = input.statistics.iter().flatten();
    let extended = input.extended_statistics.iter().flatten();
    let mut wanted = Vec::new();
    for name in plain.chain(extended) {
        let found = Statistic::parse(name);
        let found = found.ok_or_else(|| {
            value(format!(
                "The value {name} for parameter ExtendedStatistics.member.1 is not supported."
            ))
        })?;
        wanted.push((name.clone(), found));
    }
    match wanted.is_empty() {
        true => Err(missing_text(
            "Must specify either Statistics or ExtendedStatistics",
        )),
        false => Ok(wanted),
    }
}

fn window(input: &GetMetricStatisticsInput, now: Timestamp) -> Result<Window, AwsError> {
    let from = input.start_time.unwrap_or_default();
    let until = input.end_time.unwrap_or_default();
    if from >= until {
        return Err(invalid(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let period = input.period.unwrap_or_default();
    check_period(period)?;
    let window = Window::rounded(from, until, period, now);
    let points = window.periods();
    if points > POINTS_MAX {
        return Err(combination(format!(
            "You have requested up to {} datapoints, which exceeds the limit of {}. You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
            thousands(points),
            thousands(POINTS_MAX),
        )));
    }
    let (from, until) = Window::kept(from, until, now);
    Ok(Window::rounded(from, until, period, now))
}

/// Rule: API reference, `Period`.
///
/// # Errors
/// `InvalidParameterValue`.
pub fn check_period(period: i32) -> Result<(), AwsError> {
    match period {
        1 | 5 | 10 | 20 | 30 => Ok(()),
        60.. if period % 60 == 0 => Ok(()),
        _ => Err(value(
            "The parameter Period must be a multiple of 60, or 1, 5, 10, 20 or 30 for metrics of high resolution.",
        )),
    }
}

/// `1,440`.
fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A datapoint of what is known of what was asked; `None` where nothing is.
fn datapoint(
    at: Timestamp,
    unit: String,
    samples: &Samples,
    wanted: &[(String, Statistic)],
) -> Option<Datapoint> {
    let mut point = Datapoint {
        timestamp: Some(at),
        unit: Some(unit),
        ..Datapoint::default()
    };
    let mut extended = BTreeMap::new();
    for (name, statistic) in wanted {
        let found = samples.statistic(*statistic);
        match statistic {
            Statistic::SampleCount => point.sample_count = found,
            Statistic::Sum => point.sum = found,
            Statistic::Average => point.average = found,
            Statistic::Minimum => point.minimum = found,
            Statistic::Maximum => point.maximum = found,
            Statistic::Percentile(_) => {
                extended.extend(found.map(|found| (name.clone(), found)));
            }
        }
    }
    let has_plain = wanted
        .iter()
        .any(|(_, one)| !matches!(one, Statistic::Percentile(_)));
    let is_known = has_plain || !extended.is_empty();
    point.extended_statistics = Some(extended).filter(|some| !some.is_empty());
    is_known.then_some(point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_by_thousands() {
        for (number, shown) in [
            (7, "7"),
            (1_440, "1,440"),
            (100_800, "100,800"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(thousands(number), shown);
        }
    }
}
