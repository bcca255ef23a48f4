//! `deploymentConfiguration`: its defaults as AWS answers them, and what it accepts.
//!
//! Rule: API reference, DeploymentConfiguration, DeploymentCircuitBreaker, ThresholdConfiguration;
//! semantics 2.3, 6.5.

use super::deployment_strategy as strategy;
use super::invalid_parameter;
use crate::records::service::{Controller, Scheduling};
use aws_api::ecs::{
    DeploymentAlarms, DeploymentCircuitBreaker, DeploymentConfiguration, ThresholdConfiguration,
};
use aws_types::AwsError;

const THRESHOLDS: [&str; 3] = ["BOUNDED_PERCENT", "UNBOUNDED_PERCENT", "COUNT"];
/// API reference, ThresholdConfiguration, `value`: the default.
const THRESHOLD_DEFAULT: i32 = 50;
/// Semantics 6.7: minutes of `bakeTimeInMinutes`.
const BAKE_TIME_MAX: i32 = 1440;
/// CloudWatch API reference, PutMetricAlarm: characters of an alarm's name.
const ALARM_NAME_LEN_MAX: usize = 255;
/// As many as DescribeAlarms takes names.
const ALARMS_LEN_MAX: usize = 100;

/// What holds from now on: what is given, over what held before, over the defaults.
///
/// # Errors
/// `InvalidParameterException`.
pub fn read(
    given: Option<&DeploymentConfiguration>,
    before: Option<&DeploymentConfiguration>,
    scheduling: Scheduling,
    controller: Controller,
) -> Result<DeploymentConfiguration, AwsError> {
    let mut held = before
        .cloned()
        .unwrap_or_else(|| defaults(scheduling, controller));
    let Some(given) = given else { return Ok(held) };
    let given = given.clone();
    let breaker = given.deployment_circuit_breaker.map(with_threshold);
    replace(&mut held.deployment_circuit_breaker, breaker);
    replace(&mut held.maximum_percent, given.maximum_percent);
    replace(
        &mut held.minimum_healthy_percent,
        given.minimum_healthy_percent,
    );
    replace(&mut held.alarms, given.alarms.map(with_switches));
    strategy::drop_foreign(&mut held, given.strategy.as_deref());
    replace(&mut held.strategy, given.strategy);
    replace(&mut held.bake_time_in_minutes, given.bake_time_in_minutes);
    replace(&mut held.lifecycle_hooks, given.lifecycle_hooks);
    replace(&mut held.linear_configuration, given.linear_configuration);
    replace(&mut held.canary_configuration, given.canary_configuration);
    replace(
        &mut held.early_success_criteria,
        given.early_success_criteria,
    );
    check(&held, scheduling, controller)?;
    strategy::fill_in(&mut held);
    Ok(held)
}

fn defaults(scheduling: Scheduling, controller: Controller) -> DeploymentConfiguration {
    let (maximum, minimum) = match scheduling {
        Scheduling::Replica => (200, 100),
        Scheduling::Daemon => (100, 0),
    };
    let percents = DeploymentConfiguration {
        maximum_percent: Some(maximum),
        minimum_healthy_percent: Some(minimum),
        ..DeploymentConfiguration::default()
    };
    match controller {
        Controller::CodeDeploy | Controller::External => percents,
        Controller::Ecs => DeploymentConfiguration {
            deployment_circuit_breaker: Some(DeploymentCircuitBreaker {
                enable: Some(false),
                rollback: Some(false),
                ..DeploymentCircuitBreaker::default()
            }),
            strategy: Some("ROLLING".into()),
            bake_time_in_minutes: Some(0),
            ..percents
        },
    }
}

fn replace<T>(held: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *held = given;
    }
}

/// A threshold with the member that was left out.
fn with_threshold(mut breaker: DeploymentCircuitBreaker) -> DeploymentCircuitBreaker {
    breaker.enable.get_or_insert(false);
    breaker.rollback.get_or_insert(false);
    if let Some(threshold) = &mut breaker.threshold_configuration {
        threshold.r#type.get_or_insert_with(|| THRESHOLDS[0].into());
        threshold.value.get_or_insert(THRESHOLD_DEFAULT);
    }
    breaker
}

/// Alarms with the members that were left out.
fn with_switches(mut alarms: DeploymentAlarms) -> DeploymentAlarms {
    alarms.enable.get_or_insert(false);
    alarms.rollback.get_or_insert(false);
    alarms.alarm_names.get_or_insert_default();
    alarms
}

fn check(
    asked: &DeploymentConfiguration,
    scheduling: Scheduling,
    controller: Controller,
) -> Result<(), AwsError> {
    check_percents(asked, scheduling)?;
    if let Some(breaker) = &asked.deployment_circuit_breaker {
        check_breaker(breaker, controller)?;
    }
    if let Some(alarms) = &asked.alarms {
        check_alarms(alarms, controller)?;
    }
    strategy::check(asked, scheduling, controller)?;
    let bake_time = asked.bake_time_in_minutes.unwrap_or(0);
    if !(0..=BAKE_TIME_MAX).contains(&bake_time) {
        return Err(invalid_parameter(format!(
            "bakeTimeInMinutes must be between 0 and {BAKE_TIME_MAX}."
        )));
    }
    Ok(())
}

fn check_percents(asked: &DeploymentConfiguration, scheduling: Scheduling) -> Result<(), AwsError> {
    let maximum = asked.maximum_percent.unwrap_or(0);
    let minimum = asked.minimum_healthy_percent.unwrap_or(0);
    if scheduling == Scheduling::Daemon && maximum > 100 {
        return Err(invalid_parameter(
            "The daemon scheduling strategy does not support values above 100 for maximumPercent \
             on a deployment configuration. Change the maximumPercent value to 100, and try again",
        ));
    }
    if maximum < 0 || minimum < 0 {
        return Err(invalid_parameter(
            "maximumPercent and minimumHealthyPercent cannot be less than 0.",
        ));
    }
    match minimum > maximum {
        true => Err(invalid_parameter(
            "minimumHealthyPercent cannot be greater than maximumPercent.",
        )),
        false => Ok(()),
    }
}

fn check_breaker(
    breaker: &DeploymentCircuitBreaker,
    controller: Controller,
) -> Result<(), AwsError> {
    if controller.has_task_sets() && breaker.enable.unwrap_or(false) {
        return Err(invalid_parameter(
            "Deployment circuit breaker feature can only be enabled with ECS deployment controller.",
        ));
    }
    let Some(ThresholdConfiguration { r#type, value }) = &breaker.threshold_configuration else {
        return Ok(());
    };
    let kind = r#type.as_deref().unwrap_or_default();
    if !THRESHOLDS.contains(&kind) {
        return Err(invalid_parameter(format!(
            "threshold type should be one of [{}]",
            THRESHOLDS.join(",")
        )));
    }
    match value.is_none_or(|value| value < 1) {
        true => Err(invalid_parameter("threshold value cannot be less than 1.")),
        false => Ok(()),
    }
}

/// Whether there are such alarms is not asked: users make them for services that they have.
fn check_alarms(alarms: &DeploymentAlarms, controller: Controller) -> Result<(), AwsError> {
    let is_enabled = alarms.enable.unwrap_or(false);
    if controller.has_task_sets() && is_enabled {
        return Err(invalid_parameter(
            "Deployment alarms can only be enabled with ECS deployment controller.",
        ));
    }
    let names = alarms.alarm_names.as_deref().unwrap_or_default();
    if is_enabled && names.is_empty() {
        return Err(invalid_parameter(
            "alarmNames cannot be empty when deployment alarms are enabled.",
        ));
    }
    if names.len() > ALARMS_LEN_MAX {
        return Err(invalid_parameter(format!(
            "alarmNames cannot have more than {ALARMS_LEN_MAX} items."
        )));
    }
    let is_bad = |name: &String| name.is_empty() || name.chars().count() > ALARM_NAME_LEN_MAX;
    match names.iter().any(is_bad) {
        true => Err(invalid_parameter(format!(
            "An alarm name must have 1 to {ALARM_NAME_LEN_MAX} characters."
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::Stored;
    use serde_json::{Value, json};

    fn read_json(
        given: Value,
        scheduling: Scheduling,
        controller: Controller,
    ) -> Result<Value, String> {
        let given: Stored<DeploymentConfiguration> = serde_json::from_value(given).unwrap();
        read(Some(&given.0), None, scheduling, controller)
            .map(|held| serde_json::to_value(Stored(held)).unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_awss() {
        let (replica, daemon) = (Scheduling::Replica, Scheduling::Daemon);
        let off = json!({"enable": false, "rollback": false});
        for (scheduling, controller, expected) in [
            (
                replica,
                Controller::Ecs,
                json!({"maximumPercent": 200, "minimumHealthyPercent": 100,
                    "deploymentCircuitBreaker": off, "strategy": "ROLLING", "bakeTimeInMinutes": 0}),
            ),
            (
                daemon,
                Controller::Ecs,
                json!({"maximumPercent": 100, "minimumHealthyPercent": 0,
                    "deploymentCircuitBreaker": off, "strategy": "ROLLING", "bakeTimeInMinutes": 0}),
            ),
            (
                replica,
                Controller::External,
                json!({"maximumPercent": 200, "minimumHealthyPercent": 100}),
            ),
        ] {
            assert_eq!(
                read_json(json!({}), scheduling, controller).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn what_is_given_replaces_only_itself() {
        let given = Stored(DeploymentConfiguration {
            maximum_percent: Some(150),
            ..DeploymentConfiguration::default()
        });
        let (replica, ecs) = (Scheduling::Replica, Controller::Ecs);
        let first = read(Some(&given.0), None, replica, ecs).unwrap();
        assert_eq!(first.minimum_healthy_percent, Some(100));
        let breaker = DeploymentConfiguration {
            deployment_circuit_breaker: Some(DeploymentCircuitBreaker {
                enable: Some(true),
                threshold_configuration: Some(ThresholdConfiguration::default()),
                ..DeploymentCircuitBreaker::default()
            }),
            ..DeploymentConfiguration::default()
        };
        let second = read(Some(&breaker), Some(&first), replica, ecs).unwrap();
        assert_eq!(second.maximum_percent, Some(150));
        let breaker = second.deployment_circuit_breaker.unwrap();
        assert_eq!(breaker.rollback, Some(false));
        let threshold = breaker.threshold_configuration.unwrap();
        assert_eq!(threshold.r#type.as_deref(), Some("BOUNDED_PERCENT"));
        assert_eq!(threshold.value, Some(50));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let (replica, daemon) = (Scheduling::Replica, Scheduling::Daemon);
        let threshold = |threshold: Value| {
            json!({"deploymentCircuitBreaker": {"enable": true, "rollback": false,
                "thresholdConfiguration": threshold}})
        };
        for (given, scheduling, expected) in [
            (
                json!({"maximumPercent": 100, "minimumHealthyPercent": 100}),
                replica,
                None,
            ),
            (
                json!({"maximumPercent": 100, "minimumHealthyPercent": 50}),
                replica,
                None,
            ),
            (
                json!({"maximumPercent": 99}),
                replica,
                Some("minimumHealthyPercent cannot be greater than maximumPercent."),
            ),
            (
                json!({"minimumHealthyPercent": -1}),
                replica,
                Some("maximumPercent and minimumHealthyPercent cannot be less than 0."),
            ),
            (
                json!({"maximumPercent": 101}),
                daemon,
                Some(
                    "The daemon scheduling strategy does not support values above 100 for \
                     maximumPercent on a deployment configuration. Change the maximumPercent value \
                     to 100, and try again",
                ),
            ),
            (
                threshold(json!({"type": "COUNT", "value": 1})),
                replica,
                None,
            ),
            (
                threshold(json!({"type": "COUNT", "value": 0})),
                replica,
                Some("threshold value cannot be less than 1."),
            ),
            (
                threshold(json!({"type": "MANY"})),
                replica,
                Some("threshold type should be one of [BOUNDED_PERCENT,UNBOUNDED_PERCENT,COUNT]"),
            ),
            (
                json!({"strategy": "SLOW"}),
                replica,
                Some("deployment strategy should be one of [ROLLING,BLUE_GREEN,LINEAR,CANARY]"),
            ),
            (
                json!({"alarms": {"alarmNames": [], "enable": true, "rollback": false}}),
                replica,
                Some("alarmNames cannot be empty when deployment alarms are enabled."),
            ),
            (
                json!({"alarms": {"alarmNames": ["x".repeat(256)], "enable": false, "rollback": false}}),
                replica,
                Some("An alarm name must have 1 to 255 characters."),
            ),
            (
                json!({"bakeTimeInMinutes": 1441}),
                replica,
                Some("bakeTimeInMinutes must be between 0 and 1440."),
            ),
        ] {
            let got = read_json(given.clone(), scheduling, Controller::Ecs).err();
            let expected = expected.map(|text| format!("InvalidParameterException: {text}"));
            assert_eq!(got, expected, "{given}");
        }
        let alarms = json!({"alarms": {"alarmNames": ["a"], "enable": true, "rollback": true}});
        assert!(read_json(alarms.clone(), replica, Controller::Ecs).is_ok());
        let got = read_json(alarms, replica, Controller::External).unwrap_err();
        assert!(
            got.contains("can only be enabled with ECS deployment controller"),
            "{got}"
        );
        let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}});
        let got = read_json(breaker, replica, Controller::External).unwrap_err();
        assert!(
            got.contains("can only be enabled with ECS deployment controller"),
            "{got}"
        );
    }
}
