//! Numbers and series.

use std::collections::BTreeMap;

/// Values by start of period, milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The values; a period without samples has none.
    pub points: BTreeMap<i64, f64>,
    /// The length of a period, milliseconds.
    pub period: i64,
}

/// What an expression has.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A series.
    Series(Series),
    /// Several.
    List(Vec<Series>),
}

impl Series {
    /// Each value changed.
    #[must_use]
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        let points = self.points.iter();
        Self {
            points: points.map(|(at, value)| (*at, change(*value))).collect(),
            period: self.period,
        }
    }

    /// Values of the moments at which both have one.
    #[must_use]
    pub fn with(&self, other: &Self, join: impl Fn(f64, f64) -> f64) -> Self {
        let both = self.points.iter().filter_map(|(at, value)| {
            let other = other.points.get(at)?;
            Some((*at, join(*value, *other)))
        });
        Self {
            points: both.collect(),
            period: self.period.max(other.period),
        }
    }
}

/// What an aggregate makes of numbers; there is at least one.
fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The deviation of the population.
pub fn deviation(numbers: &[f64]) -> f64 {
    let middle = mean(numbers);
    let squares: Vec<f64> = numbers.iter().map(|n| (n - middle).powi(2)).collect();
    mean(&squares).sqrt()
}
