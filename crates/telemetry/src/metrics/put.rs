//! What may be put, and the points that it becomes.
//!
//! Rule: API reference, PutMetricData and MetricDatum; wording as the service answers it.

use super::name::MetricName;
use super::point::{MINUTE, NO_UNIT, SECOND, encode, start_of};
use super::samples::Samples;
use crate::errors::{combination, missing_text, value};
use aws_api::cloudwatch::MetricDatum;
use aws_types::{AwsError, Scope, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;
use store::{NewPoint, Resolution, SeriesName};

/// Data of one request.
pub const DATA_MAX: usize = 1_000;
const VALUES_MAX: usize = 150;
const DIMENSIONS_MAX: usize = 30;
const TOO_OLD: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How far ahead samples may be.
pub const TOO_NEW: Duration = Duration::from_secs(2 * 60 * 60);

/// Where samples go: series, resolution, start of period, unit.
type Place = (SeriesName, Resolution, Timestamp, String);

/// Points in the making: samples of one period are put together.
#[derive(Debug, Default)]
pub struct Points(BTreeMap<Place, Samples>);

impl Points {
    /// Adds samples of a metric.
    pub fn add(
        &mut self,
        metric: &MetricName,
        resolution: Resolution,
        at: Timestamp,
        unit: &str,
        samples: Samples,
    ) {
        let at = start_of(at, i64::from(resolution.0) * 1_000);
        let place = (metric.series(), resolution, at, unit.to_owned());
        let both = match self.0.remove(&place) {
            Some(before) => before.and(&samples),
            None => samples,
        };
        self.0.insert(place, both);
    }

    /// The points.
    #[must_use]
    pub fn into_points(self) -> Vec<NewPoint> {
        let each = self.0.into_iter();
        let points = each.map(|((series, resolution, at, unit), samples)| NewPoint {
            series,
            resolution,
            at,
            value: encode(&unit, &samples),
        });
        points.collect()
    }
}

/// Checks one datum and adds it; `path` names it in errors, e.g. `MetricData.member.1`.
///
/// # Errors
/// AWS's, for the first rule that is broken.
pub fn add(
    points: &mut Points,
    (scope, now): (&Scope, Timestamp),
    namespace: &str,
    path: &str,
    datum: &MetricDatum,
) -> Result<(), AwsError> {
    let dimensions = datum.dimensions.as_deref();
    if dimensions.is_some_and(|all| all.len() > DIMENSIONS_MAX) {
        return Err(value(format!(
            "The collection {path}.Dimensions must not have a size greater than {DIMENSIONS_MAX}."
        )));
    }
    for (at, dimension) in dimensions.into_iter().flatten().enumerate() {
        let path = format!("{path}.Dimensions.member.{}", at + 1);
        check_text(dimension.name.as_deref(), &path, "Name")?;
        check_text(dimension.value.as_deref(), &path, "Value")?;
    }
    let metric = MetricName::of(
        scope,
        Some(namespace),
        datum.metric_name.as_deref(),
        dimensions,
    );
    if metric.dimensions.len() != dimensions.unwrap_or_default().len() {
        return Err(value(format!(
            "The parameter {path}.Dimensions names a dimension twice."
        )));
    }
    let resolution = match datum.storage_resolution {
        None | Some(60) => MINUTE,
        Some(1) => SECOND,
        Some(other) => {
            return Err(value(format!(
                "The value {other} for parameter {path}.StorageResolution must be 1 or 60."
            )));
        }
    };
    let at = check_moment(datum.timestamp.unwrap_or(now), now, path)?;
    let samples = samples(datum, path)?;
    let unit = datum.unit.as_deref().unwrap_or(NO_UNIT);
    if let Some(samples) = samples {
        points.add(&metric, resolution, at, unit, samples);
    }
    Ok(())
}

/// Rule: API reference, Dimension: ASCII alone, without control characters, something but blanks, and no
/// colon first.
fn check_text(text: Option<&str>, path: &str, member: &str) -> Result<(), AwsError> {
    let text = text.unwrap_or_default();
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let problem = match (is_printable, text.trim().is_empty()) {
        (false, _) => "must contain only ASCII characters",
        (_, true) => "must contain at least one non-whitespace character",
        _ if text.starts_with(':') => "must not start with a colon",
        _ => return Ok(()),
    };
    Err(value(format!("The parameter {path}.{member} {problem}.")))
}

fn check_moment(at: Timestamp, now: Timestamp, path: &str) -> Result<Timestamp, AwsError> {
    let shown = at.iso8601();
    if at < now.minus(TOO_OLD) {
        return Err(value(format!(
            "The value {shown} for parameter {path}.Timestamp must specify a time within the past two weeks."
        )));
    }
    if at > now.plus(TOO_NEW) {
        return Err(value(format!(
            "The value {shown} for parameter {path}.Timestamp must specify a time no more than two hours in the future."
        )));
    }
    Ok(at)
}

/// The samples of a datum; `None` where each of its values came no time at all.
fn samples(datum: &MetricDatum, path: &str) -> Result<Option<Samples>, AwsError> {
    let given = [
        ("Value", datum.value.is_some()),
        ("Values", datum.values.is_some()),
        ("StatisticValues", datum.statistic_values.is_some()),
    ];
    let names: Vec<_> = given
        .iter()
        .filter(|(_, is)| *is)
        .map(|(name, _)| name)
        .collect();
    match names.as_slice() {
        [] => Err(missing_text(format!(
            "At least one of the parameters {path}.Value, {path}.Values or {path}.StatisticValues must be specified."
        ))),
        [_] => match (datum.value, &datum.statistic_values) {
            (Some(number), _) => {
                let number = check_number(number, path, "Value")?;
                Ok(Samples::of(&[(number, 1.0)]))
            }
            (None, Some(set)) => {
                let number = |number: Option<f64>, name: &str| {
                    check_number(
                        number.unwrap_or_default(),
                        path,
                        &format!("StatisticValues.{name}"),
                    )
                };
                let count = number(set.sample_count, "SampleCount")?;
                let (min, max) = (
                    number(set.minimum, "Minimum")?,
                    number(set.maximum, "Maximum")?,
                );
                let sum = number(set.sum, "Sum")?;
                if count <= 0.0 || min > max {
                    return Err(value(format!(
                        "The value of parameter {path}.StatisticValues is no statistic of samples."
                    )));
                }
                Ok(Some(Samples::computed(count, sum, min, max)))
            }
            (None, None) => counted(datum, path),
        },
        [one, other, ..] => Err(combination(format!(
            "The parameters {path}.{one} and {path}.{other} are mutually exclusive and you have specified both."
        ))),
    }
}

/// `Values`, with `Counts` or once each.
fn counted(datum: &MetricDatum, path: &str) -> Result<Option<Samples>, AwsError> {
    let values = datum.values.as_deref().unwrap_or_default();
    if values.is_empty() {
        return Err(missing_text(format!(
            "The parameter {path}.Values must not be empty."
        )));
    }
    if values.len() > VALUES_MAX {
        return Err(value(format!(
            "The collection {path}.Values must not have a size greater than {VALUES_MAX}."
        )));
    }
    let counts = datum.counts.clone();
    let counts = counts.unwrap_or_else(|| vec![1.0; values.len()]);
    if counts.len() != values.len() {
        return Err(value(format!(
            "The parameters {path}.Values and {path}.Counts must be of the same size."
        )));
    }
    let mut pairs = Vec::new();
    for (number, count) in values.iter().zip(&counts) {
        let count = check_number(*count, path, "Counts")?;
        if count < 0.0 {
            return Err(value(format!(
                "The value {count} for parameter {path}.Counts is invalid."
            )));
        }
        pairs.push((check_number(*number, path, "Values")?, count));
    }
    Ok(Samples::of(&pairs))
}

/// Rule: from -2^360 to 2^360; special values are not supported.
fn check_number(number: f64, path: &str, name: &str) -> Result<f64, AwsError> {
    match number.is_finite() && number.abs() <= 2f64.powi(360) {
        true => Ok(number),
        false => Err(value(format!(
            "The value {number} for parameter {path}.{name} is invalid."
        ))),
    }
}
