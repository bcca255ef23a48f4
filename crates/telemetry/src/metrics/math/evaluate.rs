//! An expression's value.
//!
//! Rule: user guide: two series have a value where both have one; aggregates of one series are a number,
//! of several a series; AVG of several counts what is missing as 0. What is no number (0 / 0, the
//! logarithm of a negative number) is a missing value.

use super::budget::{Budget, cost};
use super::function::Function;
use super::value::{Series, Value, deviation};
use super::{Expression, MathError, Operator};
use std::collections::BTreeMap;

/// What expressions are over.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Results of queries by id; those that come before.
    pub results: &'a BTreeMap<String, Value>,
    /// Ids of the queries that are metrics, in the order of the request.
    pub metrics: &'a [String],
    /// The end of the last period, milliseconds since 1970: how far FILL goes.
    pub until: i64,
    /// The start of the first.
    pub from: i64,
    /// What may be computed.
    pub budget: &'a Budget,
}

/// The value of an expression.
///
/// # Errors
/// A function does not take such an argument; the budget is spent.
pub fn evaluate(expression: &Expression, given: Given<'_>) -> Result<Value, MathError> {
    Ok(finite(any(expression, given)?))
}

fn finite(value: Value) -> Value {
    let keep = |mut series: Series| {
        series.points.retain(|_, value| value.is_finite());
        series
    };
    match value {
        Value::Series(series) => Value::Series(keep(series)),
        Value::List(all) => Value::List(all.into_iter().map(keep).collect()),
        number @ Value::Number(_) => number,
    }
}

fn any(expression: &Expression, given: Given<'_>) -> Result<Value, MathError> {
    match expression {
        Expression::Number(number) => Ok(Value::Number(*number)),
        Expression::Text(_) => Err(MathError::new("a text is no value")),
        Expression::Reference(id) => {
            let found = given.results.get(id);
            let found =
                found.ok_or_else(|| MathError::new(format!("{id} is not the id of a query")))?;
            given.budget.pay(found)?;
            Ok(found.clone())
        }
        Expression::Negative(inner) => paid(each(any(inner, given)?, |number| -number)?, given),
        Expression::Both(operator, one, other) => {
            let (one, other) = (any(one, given)?, any(other, given)?);
            paid(both(one, other, |a, b| joined(*operator, a, b))?, given)
        }
        Expression::List(all) => list(all, given).map(Value::List),
        Expression::Metrics(start) => {
            let ids = given.metrics.iter().filter(|id| id.starts_with(start));
            let mut found = Vec::new();
            for id in ids {
                if let Some(Value::Series(series)) = given.results.get(id) {
                    given.budget.spend(cost(series))?;
                    found.push(series.clone());
                }
            }
            Ok(Value::List(found))
        }
        Expression::Call(function, arguments) => paid(call(*function, arguments, given)?, given),
    }
}

/// The value, paid for: it is no larger than what was paid for before, FILL's apart, which pays ahead.
fn paid(value: Value, given: Given<'_>) -> Result<Value, MathError> {
    given.budget.pay(&value)?;
    Ok(value)
}

fn list(all: &[Expression], given: Given<'_>) -> Result<Vec<Series>, MathError> {
    let mut found = Vec::new();
    for one in all {
        match any(one, given)? {
            Value::Series(series) => found.push(series),
            Value::List(all) => found.extend(all),
            Value::Number(_) => return Err(MathError::new("a list is of series, not of numbers")),
        }
    }
    Ok(found)
}

/// `f` of each number.
fn each(value: Value, f: impl Fn(f64) -> f64) -> Result<Value, MathError> {
    Ok(match value {
        Value::Number(number) => Value::Number(f(number)),
        Value::Series(series) => Value::Series(series.map(f)),
        Value::List(all) => Value::List(all.iter().map(|series| series.map(&f)).collect()),
    })
}

/// `f` of each two numbers that belong together.
fn both(one: Value, other: Value, f: impl Fn(f64, f64) -> f64) -> Result<Value, MathError> {
    Ok(match (one, other) {
        (Value::Number(a), Value::Number(b)) => Value::Number(f(a, b)),
        (Value::Series(a), Value::Series(b)) => Value::Series(a.with(&b, f)),
        (Value::Number(a), other) => each(other, |b| f(a, b))?,
        (one, Value::Number(b)) => each(one, |a| f(a, b))?,
        (Value::List(all), Value::Series(b)) => {
            Value::List(all.iter().map(|a| a.with(&b, &f)).collect())
        }
        (Value::Series(a), Value::List(all)) => {
            Value::List(all.iter().map(|b| a.with(b, &f)).collect())
        }
        (Value::List(_), Value::List(_)) => {
            return Err(MathError::new("two lists cannot be joined"));
        }
    })
}

fn joined(operator: Operator, a: f64, b: f64) -> f64 {
    let truth = |is: bool| f64::from(u8::from(is));
    match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Power => a.powf(b),
        Operator::Equal => truth(a == b),
        Operator::Unequal => truth(a != b),
        Operator::Less => truth(a < b),
        Operator::AtMost => truth(a <= b),
        Operator::Greater => truth(a > b),
        Operator::AtLeast => truth(a >= b),
        Operator::And => truth(a != 0.0 && b != 0.0),
        Operator::Or => truth(a != 0.0 || b != 0.0),
    }
}

fn call(
    function: Function,
    arguments: &[Expression],
    given: Given<'_>,
) -> Result<Value, MathError> {
    let value = || any(&arguments[0], given);
    match function {
        Function::If => choice(arguments, given),
        Function::Fill => fill(arguments, given),
        Function::Abs => each(value()?, f64::abs),
        Function::Ceil => each(value()?, f64::ceil),
        Function::Floor => each(value()?, f64::floor),
        Function::Log => each(value()?, f64::ln),
        Function::Log10 => each(value()?, f64::log10),
        Function::Sum => aggregate(value()?, |numbers, _| numbers.iter().sum()),
        Function::Avg => aggregate(value()?, |n, count| n.iter().sum::<f64>() / count as f64),
        Function::Min => aggregate(value()?, |n, _| n.iter().copied().fold(f64::MAX, f64::min)),
        Function::Max => aggregate(value()?, |n, _| n.iter().copied().fold(f64::MIN, f64::max)),
        Function::Stddev => aggregate(value()?, |numbers, _| deviation(numbers)),
        Function::MetricCount => match value()? {
            Value::Series(_) => Ok(Value::Number(1.0)),
            Value::List(all) => Ok(Value::Number(all.len() as f64)),
            Value::Number(_) => Err(MathError::new("METRIC_COUNT takes series")),
        },
        Function::DatapointCount => per_series(value()?, |s| Value::Number(s.points.len() as f64)),
        Function::Period => per_series(value()?, |s| Value::Number(s.period as f64 / 1_000.0)),
        Function::Diff => per_series(value()?, |s| Value::Series(steps(s, |_, step| step))),
        Function::Rate => per_series(value()?, |s| {
            Value::Series(steps(s, |millis, step| step / (millis as f64 / 1_000.0)))
        }),
        Function::RunningSum => per_series(value()?, |s| Value::Series(running(s))),
    }
}

fn per_series(value: Value, f: impl Fn(&Series) -> Value) -> Result<Value, MathError> {
    match value {
        Value::Series(series) => Ok(f(&series)),
        Value::List(all) => {
            let each = all.iter().map(|series| match f(series) {
                Value::Series(found) => Ok(found),
                _ => Err(MathError::new("the function takes one series, not several")),
            });
            each.collect::<Result<_, _>>().map(Value::List)
        }
        Value::Number(_) => Err(MathError::new("the function takes a series, not a number")),
    }
}

/// What becomes of the step from each value to the next.
fn steps(series: &Series, f: impl Fn(i64, f64) -> f64) -> Series {
    let (from, to) = (series.points.iter(), series.points.iter().skip(1));
    let each = from.zip(to);
    Series {
        points: each.map(|((a, x), (b, y))| (*b, f(b - a, y - x))).collect(),
        period: series.period,
    }
}

fn running(series: &Series) -> Series {
    let mut sum = 0.0;
    let each = series.points.iter().map(|(at, value)| {
        sum += value;
        (*at, sum)
    });
    Series {
        points: each.collect(),
        period: series.period,
    }
}

/// Of one series a number; of several, a value for each moment at which one of them has one. `f` has the
/// numbers that are there, and of how many.
fn aggregate(value: Value, f: impl Fn(&[f64], usize) -> f64) -> Result<Value, MathError> {
    match value {
        Value::Series(series) => {
            let numbers: Vec<f64> = series.points.values().copied().collect();
            Ok(match numbers.is_empty() {
                true => Value::Series(series),
                false => Value::Number(f(&numbers, numbers.len())),
            })
        }
        Value::List(all) => {
            // Each point once: a look into every series for every moment would take the square of them.
            let mut moments: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
            for (at, number) in all.iter().flat_map(|series| &series.points) {
                moments.entry(*at).or_default().push(*number);
            }
            let points = moments.iter();
            Ok(Value::Series(Series {
                points: points.map(|(at, here)| (*at, f(here, all.len()))).collect(),
                period: all
                    .iter()
                    .map(|series| series.period)
                    .max()
                    .unwrap_or_default(),
            }))
        }
        Value::Number(_) => Err(MathError::new("the function takes series, not a number")),
    }
}

/// `IF(condition, then, otherwise)`: without the last, what the condition does not hold for is missing.
fn choice(arguments: &[Expression], given: Given<'_>) -> Result<Value, MathError> {
    let condition = any(&arguments[0], given)?;
    let then = any(&arguments[1], given)?;
    let otherwise = arguments
        .get(2)
        .map(|other| any(other, given))
        .transpose()?;
    let one = match condition {
        Value::Number(number) if number != 0.0 => return Ok(then),
        Value::Number(_) => {
            return otherwise.ok_or_else(|| MathError::new("IF needs a third argument here"));
        }
        Value::List(_) => return Err(MathError::new("a condition is one series or a number")),
        Value::Series(series) => series,
    };
    let at = |value: &Value, at: &i64| match value {
        Value::Number(number) => Some(*number),
        Value::Series(series) => series.points.get(at).copied(),
        Value::List(_) => None,
    };
    let points = one.points.iter().filter_map(|(moment, holds)| {
        let found = match *holds != 0.0 {
            true => at(&then, moment),
            false => at(otherwise.as_ref()?, moment),
        };
        Some((*moment, found?))
    });
    Ok(Value::Series(Series {
        points: points.collect(),
        period: one.period,
    }))
}

/// `FILL(series, number)`, `FILL(series, REPEAT)`, `FILL(series, LINEAR)`.
fn fill(arguments: &[Expression], given: Given<'_>) -> Result<Value, MathError> {
    let value = any(&arguments[0], given)?;
    let filled = |series: &Series| -> Result<Series, MathError> {
        let window = given.until.saturating_sub(given.from).max(0);
        let periods = window / series.period.max(1) + 1;
        let budget = given.budget;
        budget.spend(usize::try_from(periods).unwrap_or(usize::MAX))?;
        match &arguments[1] {
            Expression::Reference(name) if name == "REPEAT" => Ok(repeated(series, given)),
            Expression::Reference(name) if name == "LINEAR" => Ok(linear(series, given)),
            other => match any(other, given)? {
                Value::Number(number) => Ok(fill_with(series, given, |_| Some(number))),
                _ => Err(MathError::new("FILL takes a number, REPEAT or LINEAR")),
            },
        }
    };
    match &value {
        Value::Series(series) => filled(series).map(Value::Series),
        Value::List(all) => {
            let all: Result<_, _> = all.iter().map(filled).collect();
            all.map(Value::List)
        }
        Value::Number(_) => Err(MathError::new("FILL takes a series, not a number")),
    }
}

/// Gives each empty period of the window what `f` says for it.
fn fill_with(series: &Series, given: Given<'_>, f: impl Fn(i64) -> Option<f64>) -> Series {
    let mut points = series.points.clone();
    if series.period > 0 {
        let mut at = given.from;
        while at < given.until {
            if let (None, Some(value)) = (points.get(&at), f(at)) {
                points.insert(at, value);
            }
            at = at.saturating_add(series.period);
        }
    }
    Series {
        points,
        period: series.period,
    }
}

fn repeated(series: &Series, given: Given<'_>) -> Series {
    let before = |at| {
        series
            .points
            .range(..at)
            .next_back()
            .map(|(_, value)| *value)
    };
    fill_with(series, given, before)
}

fn linear(series: &Series, given: Given<'_>) -> Series {
    let between = |at| {
        let (a, x) = series.points.range(..at).next_back()?;
        let (b, y) = series.points.range(at..).next()?;
        Some(x + (y - x) * (at - a) as f64 / (b - a) as f64)
    };
    fill_with(series, given, between)
}
