//! `{"numeric": [">", 0, "<=", 5]}`.

use serde_json::Value;
use std::ops::Bound;

/// Numbers that a pattern may name are between -5e9 and 5e9.
/// Rule: user guide, "Numeric matching".
pub(super) const LIMIT: f64 = 5.0e9;

/// Numbers between two bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    low: Bound<f64>,
    high: Bound<f64>,
}

impl Range {
    pub(super) fn contains(self, number: f64) -> bool {
        let above = match self.low {
            Bound::Unbounded => true,
            Bound::Included(low) => number >= low,
            Bound::Excluded(low) => number > low,
        };
        let below = match self.high {
            Bound::Unbounded => true,
            Bound::Included(high) => number <= high,
            Bound::Excluded(high) => number < high,
        };
        above && below
    }

    /// Reads the operators with their operands.
    ///
    /// # Errors
    /// Why they are no range.
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        let Some([operator, operand, rest @ ..]) = value.as_array().map(Vec::as_slice) else {
            return Err(
                "Invalid numeric match: an array of operators and numbers is needed".into(),
            );
        };
        let (first, number) = comparison(operator, operand)?;
        let range = match first {
            "=" => Self {
                low: Bound::Included(number),
                high: Bound::Included(number),
            },
            "<" | "<=" => Self {
                low: Bound::Unbounded,
                high: bound(first == "<=", number),
            },
            _ => Self {
                low: bound(first == ">=", number),
                high: Bound::Unbounded,
            },
        };
        match (first, rest) {
            (_, []) => Ok(range),
            (">" | ">=", [operator, operand]) => {
                let (second, top) = comparison(operator, operand)?;
                match second {
                    "<" | "<=" if number < top => Ok(Self {
                        high: bound(second == "<=", top),
                        ..range
                    }),
                    "<" | "<=" => Err("Bottom must be less than top".into()),
                    other => Err(format!("Bad numeric range operator: {other}")),
                }
            }
            _ => Err("Too many terms in numeric range expression".into()),
        }
    }
}

fn bound(is_included: bool, number: f64) -> Bound<f64> {
    match is_included {
        true => Bound::Included(number),
        false => Bound::Excluded(number),
    }
}

fn comparison<'v>(operator: &'v Value, operand: &Value) -> Result<(&'v str, f64), String> {
    let name = operator
        .as_str()
        .ok_or("Invalid member in numeric match: an operator is a string")?;
    if !matches!(name, "=" | "<" | "<=" | ">" | ">=") {
        return Err(format!("Unrecognized numeric range operator: {name}"));
    }
    let number = operand
        .as_f64()
        .ok_or_else(|| format!("Value of {name} must be numeric"))?;
    within(number).map(|number| (name, number))
}

/// A number that a pattern may name.
pub(super) fn within(number: f64) -> Result<f64, String> {
    match number.abs() <= LIMIT {
        true => Ok(number),
        false => Err("Value must be between -5.0E9 and 5.0E9, inclusive".into()),
    }
}
