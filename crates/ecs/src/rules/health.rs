//! Health checks, restart policies and timeouts of containers.
//!
//! Rule: API reference, HealthCheck, ContainerRestartPolicy, `startTimeout`, `stopTimeout`.

use super::client;
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use aws_types::AwsError;
use std::ops::RangeInclusive;

/// Seconds between two checks.
const INTERVAL_S: RangeInclusive<i32> = 5..=300;
/// Seconds one check may take.
const TIMEOUT_S: RangeInclusive<i32> = 2..=60;
/// Failures in a row before the container is unhealthy.
const RETRIES: RangeInclusive<i32> = 1..=10;
/// Seconds in which failures do not count.
const START_PERIOD_S: RangeInclusive<i32> = 0..=300;
/// Seconds a container must have run before it is restarted again.
const RESTART_PERIOD_S: RangeInclusive<i32> = 60..=1800;
/// Exit codes that are not restarted.
const IGNORED_EXIT_CODES_MAX: usize = 50;

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    for container in definition.container_definitions.iter().flatten() {
        check_health(container)?;
        check_restart(container)?;
        for (what, value) in [
            ("startTimeout", container.start_timeout),
            ("stopTimeout", container.stop_timeout),
        ] {
            within(container, what, value, 0..=i32::MAX)?;
        }
    }
    Ok(())
}

fn within(
    container: &ContainerDefinition,
    what: &str,
    value: Option<i32>,
    range: RangeInclusive<i32>,
) -> Result<(), AwsError> {
    match value {
        Some(value) if !range.contains(&value) => Err(client(format!(
            "Invalid setting for container '{}'. '{what}' must be between {} and {}.",
            container.name.as_deref().unwrap_or_default(),
            range.start(),
            range.end()
        ))),
        _ => Ok(()),
    }
}

fn check_health(container: &ContainerDefinition) -> Result<(), AwsError> {
    let Some(check) = &container.health_check else {
        return Ok(());
    };
    let command = check.command.as_deref().unwrap_or_default();
    let form = command.first().map(String::as_str);
    if !matches!(form, Some("CMD" | "CMD-SHELL")) || command.len() < 2 {
        return Err(client(format!(
            "Invalid setting for container '{}'. The health check command must start with CMD or \
             CMD-SHELL, followed by what is to be run.",
            container.name.as_deref().unwrap_or_default()
        )));
    }
    within(
        container,
        "healthCheck.interval",
        check.interval,
        INTERVAL_S,
    )?;
    within(container, "healthCheck.timeout", check.timeout, TIMEOUT_S)?;
    within(container, "healthCheck.retries", check.retries, RETRIES)?;
    within(
        container,
        "healthCheck.startPeriod",
        check.start_period,
        START_PERIOD_S,
    )
}

fn check_restart(container: &ContainerDefinition) -> Result<(), AwsError> {
    let Some(policy) = &container.restart_policy else {
        return Ok(());
    };
    if policy.enabled.is_none() {
        return Err(client("restartPolicy.enabled should not be null."));
    }
    if policy.ignored_exit_codes.iter().flatten().count() > IGNORED_EXIT_CODES_MAX {
        return Err(client(format!(
            "restartPolicy.ignoredExitCodes can have at most {IGNORED_EXIT_CODES_MAX} entries."
        )));
    }
    within(
        container,
        "restartPolicy.restartAttemptPeriod",
        policy.restart_attempt_period,
        RESTART_PERIOD_S,
    )
}
