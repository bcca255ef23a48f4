//! Settings, configuration and capacity providers of clusters.
//!
//! Rule: API reference, ClusterSetting, ExecuteCommandConfiguration, CapacityProviderStrategyItem.

use super::{capacity, invalid_parameter};
use crate::records::ClusterRecord;
use aws_api::ecs::{CapacityProviderStrategyItem, ClusterConfiguration, ClusterSetting};
use aws_types::AwsError;

/// Values of `containerInsights`.
const INSIGHTS: [&str; 3] = ["enabled", "disabled", "enhanced"];
/// Ways to log execute-command sessions.
const EXECUTE_LOGGING: [&str; 3] = ["NONE", "DEFAULT", "OVERRIDE"];
/// The providers that exist without being made.
const PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

/// Sets the given settings; the others stay.
///
/// # Errors
/// `InvalidParameterException`; the record may then hold some of them.
pub fn apply(
    record: &mut ClusterRecord,
    settings: Option<&[ClusterSetting]>,
) -> Result<(), AwsError> {
    for setting in settings.unwrap_or_default() {
        let (name, value) = (setting.name.as_deref(), setting.value.as_deref());
        if name != Some("containerInsights") {
            return Err(invalid_parameter(
                "Cluster setting name should be one of [containerInsights]",
            ));
        }
        record.container_insights = value
            .filter(|value| INSIGHTS.contains(value))
            .ok_or_else(|| {
                invalid_parameter(format!(
                    "Cluster setting value should be one of [{}]",
                    INSIGHTS.join(",")
                ))
            })?
            .into();
    }
    Ok(())
}

/// The configuration of execute command.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_configuration(configuration: Option<&ClusterConfiguration>) -> Result<(), AwsError> {
    let execute = configuration.and_then(|c| c.execute_command_configuration.as_ref());
    let Some(execute) = execute else {
        return Ok(());
    };
    let logging = execute.logging.as_deref();
    if logging.is_some_and(|logging| !EXECUTE_LOGGING.contains(&logging)) {
        return Err(invalid_parameter(format!(
            "Execute command logging should be one of [{}]",
            EXECUTE_LOGGING.join(",")
        )));
    }
    if logging == Some("OVERRIDE") && execute.log_configuration.is_none() {
        return Err(invalid_parameter(
            "A logConfiguration must be specified when logging is OVERRIDE.",
        ));
    }
    Ok(())
}

/// A cluster's providers and its default strategy, which may name only those.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_providers(
    providers: &[String],
    strategy: &[CapacityProviderStrategyItem],
) -> Result<(), AwsError> {
    if !providers
        .iter()
        .all(|name| PROVIDERS.contains(&name.as_str()))
    {
        return Err(invalid_parameter(
            "The specified capacity provider does not exist. Specify a valid name or ARN and try \
             again.",
        ));
    }
    capacity::check_form(strategy)?;
    let named = |item: &CapacityProviderStrategyItem| {
        let name = item.capacity_provider.as_ref();
        name.is_some_and(|name| providers.contains(name))
    };
    if !strategy.iter().all(named) {
        return Err(invalid_parameter(
            "The default capacity provider strategy can only name capacity providers of the \
             cluster.",
        ));
    }
    Ok(())
}
