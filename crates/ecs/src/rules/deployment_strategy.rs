//! `deploymentConfiguration.strategy` and what belongs to each strategy: steps, hooks, early success.
//!
//! Rule: API reference, DeploymentConfiguration, LinearConfiguration, CanaryConfiguration,
//! DeploymentLifecycleHook, DeploymentEarlySuccessCriteria; semantics 6.5, 6.7. Codes are AWS's; no
//! recording of the texts is known to us.

use super::invalid_parameter;
use crate::records::deployment_stage::{HOOK_DETAILS_LEN_MAX, HookAction, Stage, Strategy};
use crate::records::service::{Controller, Scheduling};
use aws_api::Document;
use aws_api::ecs::{
    CanaryConfiguration, DeploymentConfiguration, DeploymentEarlySuccessCriteria,
    DeploymentLifecycleHook, LinearConfiguration,
};
use aws_types::AwsError;
use std::ops::RangeInclusive;

/// API reference, LinearConfiguration: `stepPercent` and `stepBakeTimeInMinutes` where absent.
const LINEAR_DEFAULT: (f64, i32) = (10.0, 6);
/// API reference, CanaryConfiguration: `canaryPercent` and `canaryBakeTimeInMinutes` where absent.
const CANARY_DEFAULT: (f64, i32) = (5.0, 10);
/// API reference: minutes between two steps.
const STEP_BAKE_TIME: RangeInclusive<i32> = 0..=1440;
/// API reference, DeploymentLifecycleHookTimeoutConfiguration: minutes.
const HOOK_TIMEOUT: RangeInclusive<i32> = 1..=20160;

/// Whether the strategy and what is given beside it fit each other.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check(
    asked: &DeploymentConfiguration,
    scheduling: Scheduling,
    controller: Controller,
) -> Result<(), AwsError> {
    let Some(strategy) = Strategy::parse(asked.strategy.as_deref()) else {
        return Err(invalid_parameter(format!(
            "deployment strategy should be one of [{}]",
            Strategy::ALL.map(Strategy::name).join(",")
        )));
    };
    let name = strategy.name();
    if strategy != Strategy::Rolling {
        if controller != Controller::Ecs {
            return Err(invalid_parameter(format!(
                "The {name} deployment strategy can only be used with ECS deployment controller."
            )));
        }
        if scheduling == Scheduling::Daemon {
            return Err(invalid_parameter(format!(
                "The daemon scheduling strategy does not support the {name} deployment strategy."
            )));
        }
    }
    check_linear(asked.linear_configuration.as_ref(), strategy)?;
    check_canary(asked.canary_configuration.as_ref(), strategy)?;
    let hooks = asked.lifecycle_hooks.iter().flatten();
    for hook in hooks {
        belongs("lifecycleHooks", strategy != Strategy::Rolling, strategy)?;
        check_hook(hook)?;
    }
    match &asked.early_success_criteria {
        Some(early) if early.enable.unwrap_or(false) => {
            let name = "earlySuccessCriteria";
            belongs(name, strategy == Strategy::Rolling, strategy)?;
            check_early(early, asked.minimum_healthy_percent.unwrap_or(0))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether tasks are replaced one after another.
#[must_use]
pub fn is_rolling(held: &DeploymentConfiguration) -> bool {
    Strategy::parse(held.strategy.as_deref()) == Some(Strategy::Rolling)
}

/// What was held for another strategy goes when the strategy changes.
pub fn drop_foreign(held: &mut DeploymentConfiguration, given: Option<&str>) {
    let Some(next) = given.and_then(|given| Strategy::parse(Some(given))) else {
        return;
    };
    if next != Strategy::Linear {
        held.linear_configuration = None;
    }
    if next != Strategy::Canary {
        held.canary_configuration = None;
    }
    match next {
        Strategy::Rolling => held.lifecycle_hooks = None,
        Strategy::BlueGreen | Strategy::Linear | Strategy::Canary => {
            held.early_success_criteria = None;
        }
    }
}

/// The members of the strategy's own configuration that were left out.
pub fn fill_in(held: &mut DeploymentConfiguration) {
    match Strategy::parse(held.strategy.as_deref()) {
        Some(Strategy::Linear) => {
            let linear = held.linear_configuration.get_or_insert_default();
            linear.step_percent.get_or_insert(LINEAR_DEFAULT.0);
            let minutes = &mut linear.step_bake_time_in_minutes;
            minutes.get_or_insert(LINEAR_DEFAULT.1);
        }
        Some(Strategy::Canary) => {
            let canary = held.canary_configuration.get_or_insert_default();
            canary.canary_percent.get_or_insert(CANARY_DEFAULT.0);
            let minutes = &mut canary.canary_bake_time_in_minutes;
            minutes.get_or_insert(CANARY_DEFAULT.1);
        }
        Some(Strategy::Rolling | Strategy::BlueGreen) | None => {}
    }
}

fn belongs(member: &str, fits: bool, strategy: Strategy) -> Result<(), AwsError> {
    match fits {
        true => Ok(()),
        false => Err(invalid_parameter(format!(
            "{member} is not valid with the {} deployment strategy.",
            strategy.name()
        ))),
    }
}

fn check_linear(given: Option<&LinearConfiguration>, strategy: Strategy) -> Result<(), AwsError> {
    let Some(given) = given else { return Ok(()) };
    belongs(
        "linearConfiguration",
        strategy == Strategy::Linear,
        strategy,
    )?;
    check_percent("stepPercent", given.step_percent, 3.0)?;
    let minutes = given.step_bake_time_in_minutes;
    check_minutes("stepBakeTimeInMinutes", minutes, &STEP_BAKE_TIME)
}

fn check_canary(given: Option<&CanaryConfiguration>, strategy: Strategy) -> Result<(), AwsError> {
    let Some(given) = given else { return Ok(()) };
    belongs(
        "canaryConfiguration",
        strategy == Strategy::Canary,
        strategy,
    )?;
    check_percent("canaryPercent", given.canary_percent, 0.1)?;
    let minutes = given.canary_bake_time_in_minutes;
    check_minutes("canaryBakeTimeInMinutes", minutes, &STEP_BAKE_TIME)
}

/// From `least` to 100 in steps of a tenth.
fn check_percent(member: &str, given: Option<f64>, least: f64) -> Result<(), AwsError> {
    let Some(percent) = given else { return Ok(()) };
    // A tenth has no exact binary form: what is within a millionth of one is one.
    let tenths = percent * 10.0;
    let is_tenth = (tenths - tenths.round()).abs() < 1e-6;
    match (least..=100.0).contains(&percent) && is_tenth {
        true => Ok(()),
        false => Err(invalid_parameter(format!(
            "{member} must be a multiple of 0.1 from {least:.1} to 100.0."
        ))),
    }
}

fn check_minutes(
    member: &str,
    given: Option<i32>,
    range: &RangeInclusive<i32>,
) -> Result<(), AwsError> {
    match given.is_none_or(|minutes| range.contains(&minutes)) {
        true => Ok(()),
        false => Err(invalid_parameter(format!(
            "{member} must be between {} and {}.",
            range.start(),
            range.end()
        ))),
    }
}

fn check_hook(hook: &DeploymentLifecycleHook) -> Result<(), AwsError> {
    let is_pause = match hook.target_type.as_deref() {
        None | Some("AWS_LAMBDA") => false,
        Some("PAUSE") => true,
        Some(_) => {
            return Err(invalid_parameter(
                "lifecycle hook targetType should be one of [AWS_LAMBDA,PAUSE]",
            ));
        }
    };
    match (&hook.hook_target_arn, is_pause) {
        (None, false) => {
            return Err(invalid_parameter(
                "hookTargetArn is required for an AWS_LAMBDA lifecycle hook.",
            ));
        }
        (Some(_), true) => {
            return Err(invalid_parameter(
                "hookTargetArn is not valid for a PAUSE lifecycle hook.",
            ));
        }
        _ => {}
    }
    check_details(hook.hook_details.as_ref())?;
    check_stages(hook.lifecycle_stages.as_deref(), is_pause)?;
    let Some(timeout) = &hook.timeout_configuration else {
        return Ok(());
    };
    let minutes = timeout.timeout_in_minutes;
    check_minutes("timeoutInMinutes", minutes, &HOOK_TIMEOUT)?;
    let action = timeout.action.as_deref();
    match action.is_none_or(|action| HookAction::parse(action).is_some()) {
        true => Ok(()),
        false => Err(invalid_parameter(
            "lifecycle hook timeout action should be one of [ROLLBACK,CONTINUE]",
        )),
    }
}

/// Rule: CloudFormation's reference says that they are a JSON object. The bound is ours.
fn check_details(given: Option<&Document>) -> Result<(), AwsError> {
    let Some(details) = given.map(Document::value) else {
        return Ok(());
    };
    if !details.is_object() {
        return Err(invalid_parameter("hookDetails must be a JSON object."));
    }
    match details.to_string().len() <= HOOK_DETAILS_LEN_MAX {
        true => Ok(()),
        false => Err(invalid_parameter(format!(
            "hookDetails must not exceed {HOOK_DETAILS_LEN_MAX} bytes."
        ))),
    }
}

fn check_stages(given: Option<&[String]>, is_pause: bool) -> Result<(), AwsError> {
    let given = given.unwrap_or_default();
    if given.is_empty() {
        return Err(invalid_parameter("lifecycleStages cannot be empty."));
    }
    for name in given {
        let mut all = Stage::WITH_HOOKS.into_iter();
        let Some(stage) = all.find(|stage| stage.name() == name) else {
            return Err(invalid_parameter(format!(
                "lifecycleStages should be one of [{}]",
                Stage::WITH_HOOKS.map(Stage::name).join(",")
            )));
        };
        if is_pause && !stage.may_pause() {
            return Err(invalid_parameter(format!(
                "A PAUSE lifecycle hook is not valid at the lifecycle stage {name}."
            )));
        }
    }
    Ok(())
}

fn check_early(early: &DeploymentEarlySuccessCriteria, minimum: i32) -> Result<(), AwsError> {
    let Some(percent) = early.healthy_percent else {
        return Err(invalid_parameter(
            "healthyPercent is required when earlySuccessCriteria is enabled.",
        ));
    };
    if !(0..=100).contains(&percent) {
        return Err(invalid_parameter(
            "healthyPercent must be between 0 and 100.",
        ));
    }
    if percent < minimum {
        return Err(invalid_parameter(
            "healthyPercent must be greater than or equal to minimumHealthyPercent.",
        ));
    }
    match early.source_service_revision_cleanup.as_deref() {
        Some("BLOCKING" | "DEFERRED") => Ok(()),
        None => Err(invalid_parameter(
            "sourceServiceRevisionCleanup is required when earlySuccessCriteria is enabled.",
        )),
        Some(_) => Err(invalid_parameter(
            "sourceServiceRevisionCleanup should be one of [BLOCKING,DEFERRED]",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::Stored;
    use serde_json::{Value, json};

    fn refusal(given: &Value) -> Option<String> {
        let asked: Stored<DeploymentConfiguration> = serde_json::from_value(given.clone()).unwrap();
        let error = check(&asked, Scheduling::Replica, Controller::Ecs).err();
        error.map(|error| error.message().to_owned())
    }

    fn hooked(hook: Value) -> Value {
        json!({"strategy": "BLUE_GREEN", "lifecycleHooks": [hook]})
    }

    #[test]
    fn steps_have_their_ranges_and_their_strategy() {
        let step = "stepPercent must be a multiple of 0.1 from 3.0 to 100.0.";
        let canary = "canaryPercent must be a multiple of 0.1 from 0.1 to 100.0.";
        let linear = |given: Value| json!({"strategy": "LINEAR", "linearConfiguration": given});
        let with_canary =
            |given: Value| json!({"strategy": "CANARY", "canaryConfiguration": given});
        for (given, expected) in [
            (linear(json!({})), None),
            (
                linear(json!({"stepPercent": 3.0, "stepBakeTimeInMinutes": 0})),
                None,
            ),
            (linear(json!({"stepPercent": 33.3})), None),
            (linear(json!({"stepPercent": 2.9})), Some(step)),
            (linear(json!({"stepPercent": 33.33})), Some(step)),
            (linear(json!({"stepPercent": 100.1})), Some(step)),
            (
                linear(json!({"stepBakeTimeInMinutes": 1441})),
                Some("stepBakeTimeInMinutes must be between 0 and 1440."),
            ),
            (with_canary(json!({"canaryPercent": 0.1})), None),
            (with_canary(json!({"canaryPercent": 0.0})), Some(canary)),
            (
                with_canary(json!({"canaryBakeTimeInMinutes": -1})),
                Some("canaryBakeTimeInMinutes must be between 0 and 1440."),
            ),
            (
                json!({"linearConfiguration": {}}),
                Some("linearConfiguration is not valid with the ROLLING deployment strategy."),
            ),
            (
                json!({"strategy": "LINEAR", "canaryConfiguration": {}}),
                Some("canaryConfiguration is not valid with the LINEAR deployment strategy."),
            ),
        ] {
            assert_eq!(refusal(&given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn hooks_name_a_target_and_stages_where_they_may_be() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        for (hook, expected) in [
            (
                json!({"hookTargetArn": arn, "lifecycleStages": ["PRE_SCALE_UP", "TEST_TRAFFIC_SHIFT"]}),
                None,
            ),
            (
                json!({"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"],
                    "timeoutConfiguration": {"timeoutInMinutes": 20160, "action": "CONTINUE"}}),
                None,
            ),
            (
                json!({"lifecycleStages": ["PRE_SCALE_UP"]}),
                Some("hookTargetArn is required for an AWS_LAMBDA lifecycle hook."),
            ),
            (
                json!({"targetType": "PAUSE", "hookTargetArn": arn, "lifecycleStages": ["PRE_SCALE_UP"]}),
                Some("hookTargetArn is not valid for a PAUSE lifecycle hook."),
            ),
            (
                json!({"targetType": "SQS", "lifecycleStages": ["PRE_SCALE_UP"]}),
                Some("lifecycle hook targetType should be one of [AWS_LAMBDA,PAUSE]"),
            ),
            (
                json!({"targetType": "PAUSE", "lifecycleStages": ["PRODUCTION_TRAFFIC_SHIFT"]}),
                Some(
                    "A PAUSE lifecycle hook is not valid at the lifecycle stage \
                     PRODUCTION_TRAFFIC_SHIFT.",
                ),
            ),
            (
                json!({"targetType": "PAUSE", "lifecycleStages": []}),
                Some("lifecycleStages cannot be empty."),
            ),
            (
                json!({"hookTargetArn": arn, "lifecycleStages": ["PRE_SCALE_UP"],
                    "hookDetails": {"suite": ["smoke", null, 1.5]}}),
                None,
            ),
            (
                json!({"hookTargetArn": arn, "lifecycleStages": ["PRE_SCALE_UP"], "hookDetails": ["smoke"]}),
                Some("hookDetails must be a JSON object."),
            ),
            (
                json!({"hookTargetArn": arn, "lifecycleStages": ["PRE_SCALE_UP"],
                    "hookDetails": {"a": "x".repeat(HOOK_DETAILS_LEN_MAX)}}),
                Some("hookDetails must not exceed 65536 bytes."),
            ),
            (
                json!({"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"],
                    "timeoutConfiguration": {"timeoutInMinutes": 0}}),
                Some("timeoutInMinutes must be between 1 and 20160."),
            ),
        ] {
            assert_eq!(
                refusal(&hooked(hook.clone())).as_deref(),
                expected,
                "{hook}"
            );
        }
        let at_no_stage = hooked(json!({"targetType": "PAUSE", "lifecycleStages": ["SCALE_UP"]}));
        let got = refusal(&at_no_stage).unwrap();
        assert!(
            got.starts_with("lifecycleStages should be one of [RECONCILE_SERVICE,"),
            "{got}"
        );
        let rolling = json!({"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}]});
        let expected = "lifecycleHooks is not valid with the ROLLING deployment strategy.";
        assert_eq!(refusal(&rolling).as_deref(), Some(expected));
    }

    #[test]
    fn early_success_is_for_rolling_and_says_how_far_and_when() {
        let early =
            |given: Value| json!({"minimumHealthyPercent": 50, "earlySuccessCriteria": given});
        for (given, expected) in [
            (early(json!({"enable": false})), None),
            (
                early(
                    json!({"enable": true, "healthyPercent": 50, "sourceServiceRevisionCleanup": "DEFERRED"}),
                ),
                None,
            ),
            (
                early(json!({"enable": true, "sourceServiceRevisionCleanup": "DEFERRED"})),
                Some("healthyPercent is required when earlySuccessCriteria is enabled."),
            ),
            (
                early(
                    json!({"enable": true, "healthyPercent": 49, "sourceServiceRevisionCleanup": "BLOCKING"}),
                ),
                Some("healthyPercent must be greater than or equal to minimumHealthyPercent."),
            ),
            (
                early(
                    json!({"enable": true, "healthyPercent": 80, "sourceServiceRevisionCleanup": "NEVER"}),
                ),
                Some("sourceServiceRevisionCleanup should be one of [BLOCKING,DEFERRED]"),
            ),
        ] {
            assert_eq!(refusal(&given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn a_change_of_strategy_leaves_nothing_of_the_other_and_fills_in_its_own() {
        let held = json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 50.0},
            "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}]});
        let held: Stored<DeploymentConfiguration> = serde_json::from_value(held).unwrap();
        let mut held = held.0;
        drop_foreign(&mut held, Some("CANARY"));
        held.strategy = Some("CANARY".into());
        fill_in(&mut held);
        assert_eq!(held.linear_configuration, None);
        let canary = held.canary_configuration.as_ref().unwrap();
        assert_eq!(canary.canary_percent, Some(5.0));
        assert_eq!(canary.canary_bake_time_in_minutes, Some(10));
        assert!(held.lifecycle_hooks.is_some());
        drop_foreign(&mut held, Some("ROLLING"));
        assert_eq!(held.lifecycle_hooks, None);
    }
}
