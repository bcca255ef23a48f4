//! What CreateService and UpdateService accept, before the state is looked at.
//!
//! Rule: API reference, CreateService, UpdateService; semantics 2.3, 6.8, 6.11.

use super::run_task::not_yet;
use super::service_not_yet::{self, Asked};
use super::{any, invalid_parameter, launch_type, names};
use crate::fargate;
use crate::records::service::{Controller, Propagate, Scheduling};
use aws_api::ecs::{CreateServiceRequest, DeploymentController, UpdateServiceRequest};
use aws_types::AwsError;

/// API reference, CreateService, `clientToken`: characters.
const TOKEN_LEN_MAX: usize = 36;

/// A new service as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct New {
    /// `schedulingStrategy`.
    pub scheduling: Scheduling,
    /// `deploymentController`.
    pub controller: Controller,
    /// `desiredCount`; 0 where it is absent.
    pub desired: u32,
    /// `propagateTags`.
    pub propagate: Propagate,
    /// `healthCheckGracePeriodSeconds`.
    pub grace_seconds: Option<u32>,
}

/// Checks a new service. `launch_type`: by which its tasks will go.
///
/// # Errors
/// `InvalidParameterException`; `ClientException` for what is not yet built.
pub fn check_create(input: &CreateServiceRequest, launch_type: &str) -> Result<New, AwsError> {
    names::check_identifier(input.service_name.as_deref().unwrap_or_default())?;
    check_token(input.client_token.as_deref())?;
    let scheduling = scheduling(input.scheduling_strategy.as_deref())?;
    let controller = controller(input.deployment_controller.as_ref())?.unwrap_or(Controller::Ecs);
    let propagate = propagate(input.propagate_tags.as_deref())?.unwrap_or(Propagate::None);
    let desired = desired(input.desired_count)?;
    let grace_seconds = grace(input.health_check_grace_period_seconds)?;
    if scheduling == Scheduling::Daemon {
        check_daemon(desired.is_some(), any(input.placement_strategy.as_ref()))?;
        check_daemon_controller(controller)?;
    }
    check_scheduled(scheduling, launch_type)?;
    if controller == Controller::External {
        check_blank("TaskDefinition", input.task_definition.is_some())?;
        let strategy = input.capacity_provider_strategy.as_ref();
        check_blank("CapacityProviderStrategy", any(strategy))?;
        check_blank("LoadBalancers", any(input.load_balancers.as_ref()))?;
        check_blank("ServiceRegistries", any(input.service_registries.as_ref()))?;
        check_blank(
            "NetworkConfiguration",
            input.network_configuration.is_some(),
        )?;
    }
    service_not_yet::check(Asked::from(input))?;
    launch_type::platform_version(launch_type, input.platform_version.as_deref())?;
    let (constraints, strategy) = (&input.placement_constraints, &input.placement_strategy);
    launch_type::check_placement(launch_type, constraints.as_ref(), strategy.as_ref())?;
    if input.role.is_some() {
        return Err(invalid_parameter(
            "You cannot specify an IAM role for services that require a service linked role.",
        ));
    }
    Ok(New {
        scheduling,
        controller,
        desired: desired.unwrap_or(0),
        propagate,
        grace_seconds,
    })
}

/// What an update gives, read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// `desiredCount`.
    pub desired: Option<u32>,
    /// `propagateTags`.
    pub propagate: Option<Propagate>,
    /// `healthCheckGracePeriodSeconds`.
    pub grace_seconds: Option<u32>,
}

/// Checks an update of a service that is scheduled and deployed so.
///
/// # Errors
/// As [`check_create`].
pub fn check_update(
    input: &UpdateServiceRequest,
    scheduling: Scheduling,
    present: Controller,
) -> Result<Change, AwsError> {
    let change = Change {
        desired: desired(input.desired_count)?,
        propagate: propagate(input.propagate_tags.as_deref())?,
        grace_seconds: grace(input.health_check_grace_period_seconds)?,
    };
    if scheduling == Scheduling::Daemon {
        check_daemon(
            change.desired.is_some(),
            any(input.placement_strategy.as_ref()),
        )?;
    }
    if controller(input.deployment_controller.as_ref())?.is_some_and(|asked| asked != present) {
        return Err(not_yet("a change of deploymentController"));
    }
    if present.has_task_sets() {
        check_driven_elsewhere(input, present)?;
    }
    service_not_yet::check(Asked::from(input))?;
    Ok(change)
}

/// What task sets hold is not the service's to change.
fn check_driven_elsewhere(
    input: &UpdateServiceRequest,
    controller: Controller,
) -> Result<(), AwsError> {
    let refused = |what: &str| {
        let remedy = match controller {
            Controller::CodeDeploy => " Use AWS CodeDeploy to trigger a new deployment.",
            Controller::Ecs | Controller::External => "",
        };
        Err(invalid_parameter(format!(
            "{what} on services with {} {} deployment controller.{remedy}",
            if controller == Controller::CodeDeploy {
                "a"
            } else {
                "an"
            },
            controller.name()
        )))
    };
    if input.task_definition.is_some() {
        return refused("Unable to update task definition");
    }
    if input.network_configuration.is_some() {
        return refused("Unable to update network parameters");
    }
    if any(input.load_balancers.as_ref()) {
        return refused("Unable to update load balancers");
    }
    if any(input.service_registries.as_ref()) {
        return refused("Unable to update service registries");
    }
    if input.force_new_deployment.unwrap_or(false) {
        return refused("Cannot force a new deployment");
    }
    if controller == Controller::External && input.deployment_configuration.is_some() {
        return refused("Unable to update deployment configuration");
    }
    Ok(())
}

/// A token of up to 36 printable characters.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_token(token: Option<&str>) -> Result<(), AwsError> {
    let Some(token) = token else { return Ok(()) };
    let printable = token.bytes().all(|b| (33..=126).contains(&b));
    match token.is_empty() || token.len() > TOKEN_LEN_MAX || !printable {
        true => Err(invalid_parameter(format!(
            "Client token must be 1 to {TOKEN_LEN_MAX} printable ASCII characters."
        ))),
        false => Ok(()),
    }
}

/// A filter or member `schedulingStrategy`; none is REPLICA.
///
/// # Errors
/// `InvalidParameterException`.
pub fn scheduling(given: Option<&str>) -> Result<Scheduling, AwsError> {
    match given {
        None | Some("REPLICA") => Ok(Scheduling::Replica),
        Some("DAEMON") => Ok(Scheduling::Daemon),
        Some(_) => Err(invalid_parameter(
            "schedulingStrategy should be one of [REPLICA,DAEMON]",
        )),
    }
}

fn controller(given: Option<&DeploymentController>) -> Result<Option<Controller>, AwsError> {
    match given.map(|controller| controller.r#type.as_deref()) {
        None => Ok(None),
        Some(Some("ECS")) => Ok(Some(Controller::Ecs)),
        Some(Some("CODE_DEPLOY")) => Ok(Some(Controller::CodeDeploy)),
        Some(Some("EXTERNAL")) => Ok(Some(Controller::External)),
        Some(_) => Err(invalid_parameter(
            "deploymentController type should be one of [ECS,CODE_DEPLOY,EXTERNAL]",
        )),
    }
}

fn propagate(given: Option<&str>) -> Result<Option<Propagate>, AwsError> {
    match given {
        None | Some("") => Ok(None),
        Some("NONE") => Ok(Some(Propagate::None)),
        Some("SERVICE") => Ok(Some(Propagate::Service)),
        Some("TASK_DEFINITION") => Ok(Some(Propagate::TaskDefinition)),
        Some(_) => Err(invalid_parameter(
            "propagateTags should be one of [TASK_DEFINITION,SERVICE,NONE]",
        )),
    }
}

fn desired(given: Option<i32>) -> Result<Option<u32>, AwsError> {
    given
        .map(u32::try_from)
        .transpose()
        .map_err(|_| invalid_parameter("Desired count cannot be less than 0."))
}

fn grace(given: Option<i32>) -> Result<Option<u32>, AwsError> {
    given.map(u32::try_from).transpose().map_err(|_| {
        invalid_parameter(format!(
            "healthCheckGracePeriodSeconds must be between 0 and {}.",
            i32::MAX
        ))
    })
}

fn check_daemon(has_desired: bool, has_strategy: bool) -> Result<(), AwsError> {
    if has_desired {
        return Err(invalid_parameter(
            "The daemon scheduling strategy does not support a desired count for services. Remove \
             the desired count value and try again",
        ));
    }
    match has_strategy {
        true => Err(invalid_parameter(
            "The daemon scheduling strategy does not support placement strategies. Remove the \
             placement strategy and try again",
        )),
        false => Ok(()),
    }
}

fn check_daemon_controller(controller: Controller) -> Result<(), AwsError> {
    match controller {
        Controller::Ecs => Ok(()),
        Controller::CodeDeploy | Controller::External => Err(invalid_parameter(format!(
            "The daemon scheduling strategy does not support the {} deployment controller.",
            controller.name()
        ))),
    }
}

/// Fargate has no daemons.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_scheduled(scheduling: Scheduling, launch_type: &str) -> Result<(), AwsError> {
    match scheduling == Scheduling::Daemon && fargate::is(launch_type) {
        true => Err(invalid_parameter(
            "The daemon scheduling strategy does not support the FARGATE launch type.",
        )),
        false => Ok(()),
    }
}

fn check_blank(what: &str, is_given: bool) -> Result<(), AwsError> {
    match is_given {
        true => Err(invalid_parameter(format!("{what} must be blank."))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::Stored;
    use serde_json::{Value, json};

    fn create(mut input: Value) -> Result<New, String> {
        if input.get("serviceName").is_none() {
            input["serviceName"] = "web".into();
        }
        let input: Stored<CreateServiceRequest> = serde_json::from_value(input).unwrap();
        let launch_type = input.0.launch_type.as_deref().unwrap_or("EC2");
        check_create(&input.0, launch_type).map_err(|error| error.to_string())
    }

    fn update(input: Value, scheduling: Scheduling, controller: Controller) -> Option<String> {
        let input: Stored<UpdateServiceRequest> = serde_json::from_value(input).unwrap();
        let got = check_update(&input.0, scheduling, controller);
        got.err().map(|error| error.message().to_owned())
    }

    #[test]
    fn a_new_service_has_awss_defaults() {
        let got = create(json!({"taskDefinition": "web"})).unwrap();
        let expected = New {
            scheduling: Scheduling::Replica,
            controller: Controller::Ecs,
            desired: 0,
            propagate: Propagate::None,
            grace_seconds: None,
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn a_bad_creation_gets_awss_text() {
        let daemon = |more: Value| {
            let mut input = json!({"schedulingStrategy": "DAEMON"});
            input
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            input
        };
        let external = |more: Value| {
            let mut input = json!({"deploymentController": {"type": "EXTERNAL"}});
            input
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            input
        };
        for (input, expected) in [
            (json!({"serviceName": ""}), "Identifier is empty."),
            (
                json!({"serviceName": "a b"}),
                "Identifier contains invalid characters.",
            ),
            (
                json!({"desiredCount": -1}),
                "Desired count cannot be less than 0.",
            ),
            (
                json!({"clientToken": "a".repeat(37)}),
                "Client token must be 1 to 36 printable ASCII characters.",
            ),
            (
                json!({"schedulingStrategy": "BATCH"}),
                "schedulingStrategy should be one of [REPLICA,DAEMON]",
            ),
            (
                json!({"deploymentController": {"type": "ME"}}),
                "deploymentController type should be one of [ECS,CODE_DEPLOY,EXTERNAL]",
            ),
            (
                json!({"propagateTags": "ALL"}),
                "propagateTags should be one of [TASK_DEFINITION,SERVICE,NONE]",
            ),
            (
                json!({"healthCheckGracePeriodSeconds": -1}),
                "healthCheckGracePeriodSeconds must be between 0 and 2147483647.",
            ),
            (
                json!({"role": "r"}),
                "You cannot specify an IAM role for services that require a service linked role.",
            ),
            (
                daemon(json!({"desiredCount": 1})),
                "The daemon scheduling strategy does not support a desired count for services. \
                 Remove the desired count value and try again",
            ),
            (
                daemon(json!({"placementStrategy": [{"type": "random"}]})),
                "The daemon scheduling strategy does not support placement strategies. Remove the \
                 placement strategy and try again",
            ),
            (
                daemon(json!({"deploymentController": {"type": "EXTERNAL"}})),
                "The daemon scheduling strategy does not support the EXTERNAL deployment \
                 controller.",
            ),
            (
                external(json!({"taskDefinition": "web"})),
                "TaskDefinition must be blank.",
            ),
            (
                external(json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]})),
                "CapacityProviderStrategy must be blank.",
            ),
            (
                external(json!({"networkConfiguration": {}})),
                "NetworkConfiguration must be blank.",
            ),
        ] {
            let got = create(input.clone()).unwrap_err();
            assert_eq!(
                got,
                format!("InvalidParameterException: {expected}"),
                "{input}"
            );
        }
    }

    #[test]
    fn an_update_may_change_what_its_controller_leaves_to_it() {
        use Controller::{CodeDeploy, Ecs, External};
        use Scheduling::{Daemon, Replica};
        let code_deploy = "Unable to update task definition on services with a CODE_DEPLOY \
                           deployment controller. Use AWS CodeDeploy to trigger a new deployment.";
        let forced = "Cannot force a new deployment on services with a CODE_DEPLOY deployment \
                      controller. Use AWS CodeDeploy to trigger a new deployment.";
        let external = "Unable to update task definition on services with an EXTERNAL deployment \
                        controller.";
        let definition = json!({"taskDefinition": "web"});
        for (input, scheduling, controller, expected) in [
            (definition.clone(), Replica, Ecs, None),
            (definition.clone(), Replica, CodeDeploy, Some(code_deploy)),
            (definition, Replica, External, Some(external)),
            (
                json!({"forceNewDeployment": true}),
                Replica,
                CodeDeploy,
                Some(forced),
            ),
            (json!({"desiredCount": 3}), Replica, External, None),
            (
                json!({"deploymentConfiguration": {}}),
                Replica,
                CodeDeploy,
                None,
            ),
            (
                json!({"deploymentConfiguration": {}}),
                Replica,
                External,
                Some(
                    "Unable to update deployment configuration on services with an EXTERNAL \
                     deployment controller.",
                ),
            ),
            (
                json!({"deploymentController": {"type": "ECS"}}),
                Replica,
                External,
                Some("Longshore does not yet support a change of deploymentController"),
            ),
            (
                json!({"desiredCount": 3}),
                Daemon,
                Ecs,
                Some(
                    "The daemon scheduling strategy does not support a desired count for \
                     services. Remove the desired count value and try again",
                ),
            ),
        ] {
            let got = update(input.clone(), scheduling, controller);
            assert_eq!(got.as_deref(), expected, "{input}");
        }
    }
}
