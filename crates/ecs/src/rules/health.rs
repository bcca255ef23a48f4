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
            if value.is_some_and(|seconds| seconds < 0) {
                return Err(client(format!(
                    "Invalid '{what}' setting for container '{}'.",
                    container.name.as_deref().unwrap_or_default()
                )));
            }
        }
    }
    Ok(())
}

/// A number of a health check, in its range.
fn within(
    container: &ContainerDefinition,
    what: &str,
    value: Option<i32>,
    range: &RangeInclusive<i32>,
) -> Result<(), AwsError> {
    let (bound, limit) = match value {
        Some(value) if value < *range.start() => {
            ("greater than or equal to the minimum", range.start())
        }
        Some(value) if value > *range.end() => ("less than or equal to the maximum", range.end()),
        _ => return Ok(()),
    };
    let name = container.name.as_deref().unwrap_or_default();
    Err(client(format!(
        "Health check {what} must be {bound} allowed value {limit} for container '{name}'"
    )))
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
    for (what, value, range) in [
        ("interval", check.interval, INTERVAL_S),
        ("timeout", check.timeout, TIMEOUT_S),
        ("retries", check.retries, RETRIES),
        ("startPeriod", check.start_period, START_PERIOD_S),
    ] {
        within(container, what, value, &range)?;
    }
    Ok(())
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
    let period = policy.restart_attempt_period;
    if period.is_some_and(|seconds| !RESTART_PERIOD_S.contains(&seconds)) {
        return Err(client(format!(
            "The 'restartAttemptPeriod' setting for container '{}' must be between {} and {}.",
            container.name.as_deref().unwrap_or_default(),
            RESTART_PERIOD_S.start(),
            RESTART_PERIOD_S.end()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container};
    use serde_json::{Value, json};

    #[test]
    fn health_checks() {
        let with = |member: &str, value: i32| {
            container(json!({"healthCheck": {"command": ["CMD", "true"], member: value}}))
        };
        let run = |command: Value| container(json!({"healthCheck": {"command": command}}));
        let form = "Invalid setting for container 'x'. The health check command must start with \
                    CMD or CMD-SHELL, followed by what is to be run.";
        let below = |what: &str, limit: i32| -> &'static str {
            format!(
                "Health check {what} must be greater than or equal to the minimum allowed value \
                 {limit} for container 'x'"
            )
            .leak()
        };
        let above = |what: &str, limit: i32| -> &'static str {
            format!(
                "Health check {what} must be less than or equal to the maximum allowed value \
                 {limit} for container 'x'"
            )
            .leak()
        };
        for (what, lowest, highest) in [
            ("interval", 5, 300),
            ("timeout", 2, 60),
            ("retries", 1, 10),
            ("startPeriod", 0, 300),
        ] {
            answers(&[
                (with(what, lowest), FINE),
                (with(what, highest), FINE),
                (with(what, lowest - 1), below(what, lowest)),
                (with(what, highest + 1), above(what, highest)),
            ]);
        }
        answers(&[
            (
                run(json!(["CMD-SHELL", "curl -f localhost || exit 1"])),
                FINE,
            ),
            (run(json!(["NONE"])), form),
            (run(json!(["CMD"])), form),
            (run(json!(["curl", "-f", "localhost"])), form),
            (run(json!([])), form),
        ]);
    }

    #[test]
    fn restarts_and_timeouts() {
        let policy = |policy: Value| container(json!({"restartPolicy": policy}));
        let codes: Vec<i32> = (0..51).collect();
        answers(&[
            (
                policy(json!({"enabled": true, "restartAttemptPeriod": 60})),
                FINE,
            ),
            (
                policy(json!({"enabled": false, "restartAttemptPeriod": 1800})),
                FINE,
            ),
            (
                policy(json!({"restartAttemptPeriod": 60})),
                "restartPolicy.enabled should not be null.",
            ),
            (
                policy(json!({"enabled": true, "restartAttemptPeriod": 59})),
                "The 'restartAttemptPeriod' setting for container 'x' must be between 60 and 1800.",
            ),
            (
                policy(json!({"enabled": true, "restartAttemptPeriod": 1801})),
                "The 'restartAttemptPeriod' setting for container 'x' must be between 60 and 1800.",
            ),
            (
                policy(json!({"enabled": true, "ignoredExitCodes": codes[..50]})),
                FINE,
            ),
            (
                policy(json!({"enabled": true, "ignoredExitCodes": codes})),
                "restartPolicy.ignoredExitCodes can have at most 50 entries.",
            ),
            (
                container(json!({"startTimeout": 0, "stopTimeout": 3600})),
                FINE,
            ),
            (
                container(json!({"startTimeout": -1})),
                "Invalid 'startTimeout' setting for container 'x'.",
            ),
            (
                container(json!({"stopTimeout": -1})),
                "Invalid 'stopTimeout' setting for container 'x'.",
            ),
        ]);
    }
}
