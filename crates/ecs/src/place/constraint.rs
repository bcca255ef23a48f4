//! Placement constraints: which instances may take a task at all.
//!
//! Rule: API reference, PlacementConstraint; developer guide, "Define which container instances
//! Amazon ECS uses for tasks".

use super::query::{self, Expression};
use crate::rules::invalid_parameter;
use aws_api::ecs::{PlacementConstraint, TaskDefinition};
use aws_types::AwsError;
use std::fmt;

/// API reference, RunTask, `placementConstraints`: at most 10, the definition's included.
const CONSTRAINTS_MAX: usize = 10;

/// One constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// No two active tasks of the group on one instance.
    DistinctInstance,
    /// The instance is what the expression asks for.
    MemberOf(Expression),
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DistinctInstance => f.write_str("distinctInstance"),
            Self::MemberOf(asked) => write!(f, "memberOf({asked})"),
        }
    }
}

/// The constraints of a call and of its task definition together.
///
/// # Errors
/// `InvalidParameterException`.
pub fn read(
    given: Option<&[PlacementConstraint]>,
    definition: &TaskDefinition,
) -> Result<Vec<Constraint>, AwsError> {
    let given = given.unwrap_or_default();
    let own = definition
        .placement_constraints
        .as_deref()
        .unwrap_or_default();
    if given.len() + own.len() > CONSTRAINTS_MAX {
        return Err(invalid_parameter(format!(
            "Placement constraints cannot have more than {CONSTRAINTS_MAX} items."
        )));
    }
    let given = given
        .iter()
        .map(|c| one(c.r#type.as_deref(), c.expression.as_deref()));
    let own = own
        .iter()
        .map(|c| one(c.r#type.as_deref(), c.expression.as_deref()));
    given.chain(own).collect()
}

/// An expression that a caller wrote, in a constraint or as a filter.
///
/// # Errors
/// `InvalidParameterException`.
pub fn expression(text: &str) -> Result<Expression, AwsError> {
    query::parse(text)
        .map_err(|why| invalid_parameter(format!("Invalid expression '{text}': {why}.")))
}

fn one(kind: Option<&str>, text: Option<&str>) -> Result<Constraint, AwsError> {
    match (kind.unwrap_or_default(), text) {
        ("distinctInstance", None) => Ok(Constraint::DistinctInstance),
        ("distinctInstance", Some(_)) => Err(invalid_parameter(
            "distinctInstance expression should not be specified.",
        )),
        ("memberOf", Some(text)) if !text.is_empty() => Ok(Constraint::MemberOf(expression(text)?)),
        ("memberOf", _) => Err(invalid_parameter(
            "memberOf expression should be specified.",
        )),
        _ => Err(invalid_parameter(
            "constraint type should be one of [distinctInstance,memberOf]",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::ecs::TaskDefinitionPlacementConstraint;

    fn given(kind: &str, expression: Option<&str>) -> PlacementConstraint {
        PlacementConstraint {
            r#type: Some(kind.into()),
            expression: expression.map(Into::into),
        }
    }

    #[test]
    fn constraints_have_their_forms_and_are_ten_at_most_with_the_definitions() {
        let none = TaskDefinition::default();
        for (kind, expression, message) in [
            ("distinctInstance", None, None),
            (
                "distinctInstance",
                Some(""),
                Some("distinctInstance expression should not be specified."),
            ),
            ("memberOf", Some("attribute:a exists"), None),
            (
                "memberOf",
                None,
                Some("memberOf expression should be specified."),
            ),
            (
                "memberOf",
                Some("a"),
                Some("Invalid expression 'a': expected a subject at character 0."),
            ),
            (
                "near",
                None,
                Some("constraint type should be one of [distinctInstance,memberOf]"),
            ),
        ] {
            let read = read(Some(&[given(kind, expression)]), &none);
            let refused = read.err().map(|error| error.message().to_owned());
            assert_eq!(refused.as_deref(), message, "{kind} {expression:?}");
        }
        let own = TaskDefinitionPlacementConstraint {
            r#type: Some("memberOf".into()),
            expression: Some("attribute:a exists".into()),
        };
        let definition = TaskDefinition {
            placement_constraints: Some(vec![own]),
            ..none
        };
        let many = vec![given("distinctInstance", None); 10];
        assert_eq!(read(Some(&many[..9]), &definition).unwrap().len(), 10);
        assert!(read(Some(&many), &definition).is_err());
    }
}
