//! AWS's errors, in its words where they are known.
//!
//! Source: Cloud Map API reference; texts as public reports of users quote them.

use aws_api::servicediscovery::errors;
use aws_types::AwsError;

/// `InvalidInput`.
#[must_use]
pub fn invalid(message: impl Into<String>) -> AwsError {
    errors::INVALID_INPUT.with(message)
}

/// `NamespaceNotFound`.
#[must_use]
pub fn no_namespace(id: &str) -> AwsError {
    errors::NAMESPACE_NOT_FOUND.with(format!("Failed to find namespace: {id}"))
}

/// `ServiceNotFound`.
#[must_use]
pub fn no_service(id: &str) -> AwsError {
    errors::SERVICE_NOT_FOUND.with(format!("Failed to find service: {id}"))
}

/// `InstanceNotFound`.
#[must_use]
pub fn no_instance(id: &str) -> AwsError {
    errors::INSTANCE_NOT_FOUND.with(format!("Failed to find instance: {id}"))
}

/// `ResourceLimitExceeded`.
#[must_use]
pub fn limit(what: &str, most: usize) -> AwsError {
    errors::RESOURCE_LIMIT_EXCEEDED.with(format!("The limit of {most} {what} is reached."))
}
