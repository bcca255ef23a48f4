//! AWS's words for what alarms and metrics refuse. Logs has words of its own (`rules`).

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

/// `MissingParameter`, in other words.
#[must_use]
pub fn missing_text(message: impl Into<String>) -> AwsError {
    api::MISSING_REQUIRED_PARAMETER_EXCEPTION.with(message)
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

/// The metric store failed: SDKs retry it.
#[must_use]
pub fn unavailable(error: store::MetricStoreError) -> AwsError {
    api::INTERNAL_SERVICE_FAULT
        .with("The request processing has failed due to some unknown error.")
        .detail(error)
}
