//! AWS's words for what alarms and metrics refuse.

use aws_api::cloudwatch::errors as api;
use aws_types::AwsError;

/// `ValidationError`.
#[must_use]
pub fn invalid(message: impl Into<String>) -> AwsError {
    api::VALIDATION_EXCEPTION.with(message)
}

/// `InvalidParameterValue`.
#[must_use]
pub fn value(message: impl Into<String>) -> AwsError {
    api::INVALID_PARAMETER_VALUE_EXCEPTION.with(message)
}

/// `InvalidParameterCombination`.
#[must_use]
pub fn combination(message: impl Into<String>) -> AwsError {
    api::INVALID_PARAMETER_COMBINATION_EXCEPTION.with(message)
}

/// `MissingParameter`.
#[must_use]
pub fn missing(parameter: &str) -> AwsError {
    api::MISSING_REQUIRED_PARAMETER_EXCEPTION
        .with(format!("The parameter {parameter} is required."))
}

/// `ResourceNotFound`: no alarm of this name.
#[must_use]
pub fn no_alarm(name: &str) -> AwsError {
    api::RESOURCE_NOT_FOUND.with(format!("Unable to find the alarm {name}."))
}

/// `InvalidNextToken`.
#[must_use]
pub fn token() -> AwsError {
    api::INVALID_NEXT_TOKEN.with("The specified nextToken is invalid.")
}
