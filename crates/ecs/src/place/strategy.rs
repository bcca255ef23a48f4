//! Placement strategies: what makes one instance that takes a task better than another.
//!
//! Up to five, each later one breaking the ties of those before.
//! Rule: API reference, PlacementStrategy; developer guide, "Use strategies to define task
//! placement".

use crate::rules::invalid_parameter;
use aws_api::ecs::PlacementStrategy;
use aws_types::AwsError;
use std::fmt;

/// API reference, RunTask, `placementStrategy`: at most 5.
const STRATEGIES_MAX: usize = 5;
const ATTRIBUTE: &str = "attribute:";

/// One strategy; the smaller figure is the better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// The least CPU left.
    BinpackCpu,
    /// The least memory left.
    BinpackMemory,
    /// The fewest tasks of the group over all instances with this attribute's value; those without
    /// the attribute count as of one value.
    SpreadAttribute(String),
    /// The fewest tasks of the group on the instance itself.
    SpreadInstance,
    /// Any.
    Random,
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BinpackCpu => f.write_str("binpack(cpu)"),
            Self::BinpackMemory => f.write_str("binpack(memory)"),
            Self::SpreadAttribute(name) => write!(f, "spread({ATTRIBUTE}{name})"),
            Self::SpreadInstance => f.write_str("spread(instanceId)"),
            Self::Random => f.write_str("random"),
        }
    }
}

/// Reads strategies as a caller wrote them.
///
/// # Errors
/// `InvalidParameterException`.
pub fn read(given: Option<&[PlacementStrategy]>) -> Result<Vec<Criterion>, AwsError> {
    let given = given.unwrap_or_default();
    if given.len() > STRATEGIES_MAX {
        return Err(invalid_parameter(format!(
            "Placement strategy cannot have more than {STRATEGIES_MAX} items."
        )));
    }
    given.iter().map(criterion).collect()
}

fn criterion(given: &PlacementStrategy) -> Result<Criterion, AwsError> {
    let field = given.field.as_deref().unwrap_or_default();
    match given.r#type.as_deref().unwrap_or_default() {
        "random" if field.is_empty() => Ok(Criterion::Random),
        "random" => Err(invalid_parameter("random field should not be specified.")),
        "binpack" => match field.to_ascii_lowercase().as_str() {
            "cpu" => Ok(Criterion::BinpackCpu),
            "memory" => Ok(Criterion::BinpackMemory),
            _ => Err(invalid_parameter(
                "binpack field should be one of [CPU,MEMORY]",
            )),
        },
        "spread" => spread(field),
        _ => Err(invalid_parameter(
            "strategy type should be one of [random,spread,binpack]",
        )),
    }
}

fn spread(field: &str) -> Result<Criterion, AwsError> {
    if field.eq_ignore_ascii_case("instanceId") || field.eq_ignore_ascii_case("host") {
        return Ok(Criterion::SpreadInstance);
    }
    match field.strip_prefix(ATTRIBUTE) {
        Some(name) if !name.is_empty() => Ok(Criterion::SpreadAttribute(name.into())),
        _ => Err(invalid_parameter(
            "spread field should be instanceId, host or attribute:NAME.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_have_their_fields() {
        let read_one = |kind: &str, field: &str| {
            let given = PlacementStrategy {
                r#type: Some(kind.into()),
                field: (!field.is_empty()).then(|| field.into()),
            };
            read(Some(&[given])).ok().map(|mut read| read.remove(0))
        };
        let zone = Criterion::SpreadAttribute("ecs.availability-zone".into());
        for (kind, field, expected) in [
            ("random", "", Some(Criterion::Random)),
            ("random", "cpu", None),
            ("binpack", "cpu", Some(Criterion::BinpackCpu)),
            ("binpack", "MEMORY", Some(Criterion::BinpackMemory)),
            ("binpack", "", None),
            ("binpack", "ports", None),
            ("spread", "instanceId", Some(Criterion::SpreadInstance)),
            ("spread", "host", Some(Criterion::SpreadInstance)),
            ("spread", "attribute:ecs.availability-zone", Some(zone)),
            ("spread", "attribute:", None),
            ("spread", "", None),
            ("pack", "cpu", None),
        ] {
            assert_eq!(read_one(kind, field), expected, "{kind} {field}");
        }
        let six = vec![PlacementStrategy::default(); 6];
        assert!(read(Some(&six)).is_err());
        assert_eq!(read(None).ok(), Some(vec![]));
    }
}
