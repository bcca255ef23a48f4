//! Filters of listings.
//!
//! Rule: API reference, NamespaceFilter, ServiceFilter, OperationFilter: `EQ` has one value, `IN` several,
//! `BEGINS_WITH` one, `BETWEEN` two moments; what several filters say must all hold.

use crate::errors::invalid;
use aws_types::AwsError;

/// A filter as any listing has it.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// `Name`.
    pub name: Option<&'a str>,
    /// `Values`.
    pub values: Option<&'a Vec<String>>,
    /// `Condition`; `EQ` where none is given.
    pub condition: Option<&'a str>,
}

/// A filter that is well formed.
#[derive(Clone, Debug)]
pub struct Filter {
    /// `Name`.
    pub name: String,
    condition: Condition,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Eq,
    In,
    BeginsWith,
    Between,
}

/// Reads filters; a name takes only some conditions.
///
/// # Errors
/// `InvalidInput`.
pub fn read<'a>(
    given: impl Iterator<Item = Given<'a>>,
    allowed: fn(&str) -> &'static [&'static str],
) -> Result<Vec<Filter>, AwsError> {
    given.map(|one| read_one(one, allowed)).collect()
}

fn read_one(
    given: Given<'_>,
    allowed: fn(&str) -> &'static [&'static str],
) -> Result<Filter, AwsError> {
    let name = given.name.unwrap_or_default();
    let asked = given.condition.unwrap_or("EQ");
    if !allowed(name).contains(&asked) {
        return Err(invalid(format!(
            "The condition {asked} is not supported for the filter {name}."
        )));
    }
    let values = given.values.cloned().unwrap_or_default();
    let (condition, fits) = match asked {
        "IN" => (Condition::In, !values.is_empty()),
        "BEGINS_WITH" => (Condition::BeginsWith, values.len() == 1),
        "BETWEEN" => (Condition::Between, values.len() == 2),
        _ => (Condition::Eq, values.len() == 1),
    };
    match fits {
        true => Ok(Filter {
            name: name.into(),
            condition,
            values,
        }),
        false => Err(invalid(format!(
            "The number of values of the filter {name} does not fit the condition {asked}."
        ))),
    }
}

impl Filter {
    /// Whether a text is one that the filter asks for.
    #[must_use]
    pub fn takes(&self, text: &str) -> bool {
        let mut values = self.values.iter();
        match self.condition {
            Condition::Eq | Condition::In => values.any(|value| value == text),
            Condition::BeginsWith => values.any(|value| text.starts_with(value.as_str())),
            Condition::Between => false,
        }
    }

    /// Whether a moment, in seconds since 1970, lies between the two that the filter names.
    #[must_use]
    pub fn spans(&self, seconds: f64) -> bool {
        let bounds: Vec<f64> = self.values.iter().filter_map(|v| v.parse().ok()).collect();
        matches!(bounds[..], [from, to] if self.condition == Condition::Between
            && (from..=to).contains(&seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_takes_what_it_says() {
        let names = |_: &str| &["EQ", "IN", "BEGINS_WITH", "BETWEEN"][..];
        for (condition, values, text, is_taken) in [
            (None, &["a"][..], "a", Some(true)),
            (None, &["a"], "ab", Some(false)),
            (Some("IN"), &["a", "b"], "b", Some(true)),
            (Some("BEGINS_WITH"), &["a"], "ab", Some(true)),
            (Some("BEGINS_WITH"), &["a"], "ba", Some(false)),
            (Some("EQ"), &["a", "b"], "a", None),
            (Some("IN"), &[], "a", None),
            (Some("BETWEEN"), &["1"], "1", None),
        ] {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            let given = Given {
                name: Some("NAME"),
                values: Some(&values),
                condition,
            };
            let read = read([given].into_iter(), names);
            let taken = read.ok().map(|filters| filters[0].takes(text));
            assert_eq!(taken, is_taken, "{condition:?} {values:?} {text}");
        }
    }
}
