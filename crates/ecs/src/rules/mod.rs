//! Validation shared by several operations, one topic per file, each error raised beside its rule.
//!
//! A text that AWS is known to answer is kept word for word, also where its grammar is odd; where
//! none is known, the text follows that of the nearest known rule.

pub mod account_settings;
pub mod attributes;
pub mod capacity;
pub mod cluster_settings;
pub mod containers;
pub mod dependencies;
pub mod deployment_configuration;
pub mod deployment_strategy;
pub mod devices;
pub mod external;
pub mod fargate;
pub mod health;
pub mod instances;
pub mod launch_type;
pub mod logging;
pub mod managed_instances;
pub mod names;
pub mod network;
pub mod not_yet;
pub mod overrides;
pub mod platform;
pub mod ports;
pub mod proxy;
pub mod registries;
pub mod resources;
pub mod run_task;
pub mod secrets;
pub mod service;
pub mod service_connect;
pub mod service_not_yet;
pub mod size;
pub mod system_controls;
#[cfg(test)]
pub(crate) mod table;
pub mod tags;
pub mod task_definition;
pub mod task_set;
pub mod volumes;
pub mod zone_rebalancing;

use aws_api::ecs::errors;
use aws_types::AwsError;

/// What a task definition's own rules answer.
pub(crate) fn client(message: impl Into<String>) -> AwsError {
    errors::CLIENT_EXCEPTION.with(message)
}

/// What most other rules answer.
pub(crate) fn invalid_parameter(message: impl Into<String>) -> AwsError {
    errors::INVALID_PARAMETER_EXCEPTION.with(message)
}

/// Whether a list asks for anything.
pub(crate) fn any<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

/// A member whose values AWS lists: `what should be one of [a,b]` for any other.
///
/// # Errors
/// `ClientException`.
pub(crate) fn check_one_of(
    what: &str,
    value: Option<&str>,
    allowed: &[&str],
) -> Result<(), AwsError> {
    match value {
        Some(value) if !allowed.contains(&value) => Err(client(format!(
            "{what} should be one of [{}]",
            allowed.join(",")
        ))),
        _ => Ok(()),
    }
}
