//! EC2's error codes and words that several operations share.
//!
//! Source: EC2 API reference, "Error codes for the Amazon EC2 API"; texts as recorded from AWS.

use aws_types::{AwsError, ErrorCode};

/// A code for the caller's fault; all of these are HTTP 400.
#[must_use]
pub const fn code(name: &'static str) -> ErrorCode {
    ErrorCode::sender(name, 400)
}

/// `InvalidParameterValue`.
#[must_use]
pub fn invalid_value(text: impl Into<String>) -> AwsError {
    code("InvalidParameterValue").with(text)
}

/// `InvalidParameterValue` of a parameter.
#[must_use]
pub fn invalid_parameter(name: &str, value: &str, why: &str) -> AwsError {
    invalid_value(format!(
        "Value ({value}) for parameter {name} is invalid. {why}"
    ))
}

/// `InvalidParameterCombination`.
#[must_use]
pub fn invalid_combination(text: impl Into<String>) -> AwsError {
    code("InvalidParameterCombination").with(text)
}

/// `DependencyViolation`.
#[must_use]
pub fn dependency(text: impl Into<String>) -> AwsError {
    code("DependencyViolation").with(text)
}

/// `DependencyViolation` of a subnet, VPC, … that something else needs.
#[must_use]
pub fn has_dependencies(noun: &str, id: &str) -> AwsError {
    dependency(format!(
        "The {noun} '{id}' has dependencies and cannot be deleted."
    ))
}

/// A parameter that must be there.
///
/// # Errors
/// `MissingParameter`.
pub fn required<'a>(value: Option<&'a String>, name: &str) -> Result<&'a str, AwsError> {
    match value {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(missing(name)),
    }
}

/// `MissingParameter`.
#[must_use]
pub fn missing(name: &str) -> AwsError {
    code("MissingParameter").with(format!("The request must contain the parameter {name}"))
}

/// Refuses parameters that are not served; each with whether it was given.
///
/// # Errors
/// `UnsupportedOperation`.
pub fn refuse(given: &[(&str, bool)]) -> Result<(), AwsError> {
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((name, _)) => Err(code("UnsupportedOperation").with(format!(
            "The functionality you requested is not available: Longshore does not serve the parameter {name}."
        ))),
    }
}
