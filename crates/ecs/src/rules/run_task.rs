//! What RunTask and StartTask accept, before the state is looked at.
//!
//! Rule: API reference, RunTask, StartTask, TaskOverride.

use super::{client, invalid_parameter, size};
use crate::records::container_instance::InstanceStatus;
use crate::records::overrides::{ContainerOverrides, TaskOverrides};
use aws_api::ecs::{
    ContainerOverride, RunTaskRequest, StartTaskRequest, TaskDefinition, TaskOverride,
};
use aws_types::AwsError;

/// API reference, RunTask, `count`: at most 10 per call.
const TASKS_PER_CALL_MAX: u32 = 10;
/// API reference, StartTask, `containerInstances`: at most 10 per call.
const INSTANCES_PER_CALL_MAX: usize = 10;
/// API reference, `startedBy`: characters.
const STARTED_BY_LEN_MAX: usize = 128;
/// API reference, `overrides`: characters, as JSON.
const OVERRIDES_LEN_MAX: usize = 8192;

/// Checks what only RunTask has; gives the number of tasks.
///
/// # Errors
/// `InvalidParameterException`; `ClientException` for what is not yet served.
pub fn check_run(input: &RunTaskRequest) -> Result<u32, AwsError> {
    let strategy = input
        .capacity_provider_strategy
        .as_deref()
        .unwrap_or_default();
    if input.launch_type.is_some() && !strategy.is_empty() {
        return Err(invalid_parameter(
            "Specify either Launch Type or Capacity Provider Strategy, but not both.",
        ));
    }
    match input.launch_type.as_deref() {
        None | Some("EC2") => {}
        Some("FARGATE" | "EXTERNAL" | "MANAGED_INSTANCES") => return Err(not_yet("launchType")),
        Some(_) => {
            return Err(invalid_parameter(
                "launchType should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]",
            ));
        }
    }
    if input.platform_version.is_some() {
        return Err(invalid_parameter(
            "The platform version must be null when specifying an EC2 launch type.",
        ));
    }
    if !strategy.is_empty() {
        return Err(not_yet("capacityProviderStrategy"));
    }
    check_count(input.count)
}

/// Checks what only StartTask has; gives the instances named.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_start(input: &StartTaskRequest) -> Result<&[String], AwsError> {
    let instances = input.container_instances.as_deref().unwrap_or_default();
    match instances.len() {
        0 => Err(invalid_parameter("Container Instances cannot be empty.")),
        1..=INSTANCES_PER_CALL_MAX => Ok(instances),
        _ => Err(invalid_parameter(format!(
            "Container Instances cannot be more than {INSTANCES_PER_CALL_MAX}."
        ))),
    }
}

/// `startedBy`.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_started_by(started_by: Option<&str>) -> Result<(), AwsError> {
    let Some(text) = started_by else {
        return Ok(());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '-');
    match text.len() <= STARTED_BY_LEN_MAX && text.chars().all(plain) {
        true => Ok(()),
        false => Err(invalid_parameter(format!(
            "startedBy can be up to {STARTED_BY_LEN_MAX} letters, numbers, hyphens, underscores \
             and slashes."
        ))),
    }
}

/// `group`: prefixes that AWS gives itself are refused.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_group(group: Option<&str>) -> Result<(), AwsError> {
    let reserved = |group: &str| group.starts_with("service:") || group.starts_with("family:");
    match group {
        Some(group) if reserved(group) => Err(invalid_parameter(
            "The group name cannot start with service: or family:.",
        )),
        _ => Ok(()),
    }
}

/// Network configuration against the definition's network mode.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_network(definition: &TaskDefinition, given: bool) -> Result<(), AwsError> {
    let awsvpc = definition.network_mode.as_deref() == Some("awsvpc");
    match (awsvpc, given) {
        (true, false) => Err(invalid_parameter(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )),
        (false, true) => Err(invalid_parameter(
            "Network Configuration is not valid for the given `networkMode` of this task \
             definition.",
        )),
        (true, true) | (false, false) => Ok(()),
    }
}

/// Reads overrides, checked against the definition.
///
/// # Errors
/// `InvalidParameterException`; `ClientException` for what is not yet served.
pub fn overrides(
    given: Option<&TaskOverride>,
    definition: &TaskDefinition,
) -> Result<TaskOverrides, AwsError> {
    let Some(given) = given else {
        return Ok(TaskOverrides::default());
    };
    if length(given) > OVERRIDES_LEN_MAX {
        return Err(invalid_parameter(format!(
            "Overrides cannot be longer than {OVERRIDES_LEN_MAX} characters."
        )));
    }
    if given.ephemeral_storage.is_some() {
        return Err(not_yet("overrides.ephemeralStorage"));
    }
    if !given
        .inference_accelerator_overrides
        .as_deref()
        .unwrap_or_default()
        .is_empty()
    {
        return Err(not_yet("overrides.inferenceAcceleratorOverrides"));
    }
    let stored = |text: &Option<String>, read: fn(&str) -> Result<String, AwsError>| {
        text.as_deref().map(read).transpose()
    };
    let containers = given.container_overrides.iter().flatten();
    Ok(TaskOverrides {
        cpu: stored(&given.cpu, size::task_cpu)?,
        memory: stored(&given.memory, size::task_memory)?,
        execution_role_arn: given.execution_role_arn.clone(),
        task_role_arn: given.task_role_arn.clone(),
        containers: containers
            .map(|container| container_overrides(container, definition))
            .collect::<Result<_, _>>()?,
    })
}

/// The `desiredStatus` or `status` filter of an instance listing.
///
/// # Errors
/// `InvalidParameterException`.
pub fn instance_status(name: Option<&str>) -> Result<Option<InstanceStatus>, AwsError> {
    match name {
        None | Some("") => Ok(None),
        Some(name) => InstanceStatus::parse(name).map(Some).ok_or_else(|| {
            invalid_parameter("Container instance status should be one of [ACTIVE,DRAINING]")
        }),
    }
}

/// A member of the API whose effect is not built.
pub fn not_yet(member: &str) -> AwsError {
    client(format!("Longshore does not yet support {member}"))
}

fn check_count(count: Option<i32>) -> Result<u32, AwsError> {
    match u32::try_from(count.unwrap_or(1)) {
        Ok(0) | Err(_) => Err(invalid_parameter("Count cannot be less than 1.")),
        Ok(count @ 1..=TASKS_PER_CALL_MAX) => Ok(count),
        Ok(_) => Err(invalid_parameter(format!(
            "Count cannot be more than {TASKS_PER_CALL_MAX}."
        ))),
    }
}

fn container_overrides(
    given: &ContainerOverride,
    definition: &TaskDefinition,
) -> Result<ContainerOverrides, AwsError> {
    let name = given.name.clone().unwrap_or_default();
    let mut known = definition.container_definitions.iter().flatten();
    if !known.any(|container| container.name.as_ref() == Some(&name)) {
        return Err(invalid_parameter(format!(
            "Override for container named {name} is not a container in the TaskDefinition."
        )));
    }
    if !given
        .environment_files
        .as_deref()
        .unwrap_or_default()
        .is_empty()
    {
        return Err(not_yet(&format!("environmentFiles (container {name})")));
    }
    if !given
        .resource_requirements
        .as_deref()
        .unwrap_or_default()
        .is_empty()
    {
        return Err(not_yet(&format!("resourceRequirements (container {name})")));
    }
    for (member, value) in [
        ("cpu", given.cpu),
        ("memory", given.memory),
        ("memoryReservation", given.memory_reservation),
    ] {
        if value.is_some_and(|value| value < 0) {
            return Err(invalid_parameter(format!(
                "Override for container named {name}: {member} must not be negative."
            )));
        }
    }
    let pairs = given.environment.as_ref().map(|pairs| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        pairs
            .iter()
            .map(|pair| (text(&pair.name), text(&pair.value)))
            .collect()
    });
    Ok(ContainerOverrides {
        name,
        command: given.command.clone(),
        environment: pairs,
        cpu_units: given.cpu,
        memory_mib: given.memory,
        memory_reservation_mib: given.memory_reservation,
    })
}

/// The characters that a caller wrote, roughly as its JSON has them.
fn length(given: &TaskOverride) -> usize {
    const QUOTES_AND_COMMA: usize = 3;
    const PAIR: usize = r#"{"name":"","value":""},"#.len();
    const CONTAINER: usize = r#"{"name":"","command":[],"environment":[]},"#.len();
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let one = |container: &ContainerOverride| {
        let command = container
            .command
            .iter()
            .flatten()
            .map(|arg| arg.len() + QUOTES_AND_COMMA);
        let environment = container.environment.iter().flatten();
        let environment = environment.map(|pair| text(&pair.name) + text(&pair.value) + PAIR);
        text(&container.name) + CONTAINER + command.sum::<usize>() + environment.sum::<usize>()
    };
    let containers = given
        .container_overrides
        .iter()
        .flatten()
        .map(one)
        .sum::<usize>();
    containers + text(&given.task_role_arn) + text(&given.execution_role_arn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::ecs::{CapacityProviderStrategyItem, ContainerDefinition, KeyValuePair};

    fn code<T>(result: Result<T, AwsError>) -> Option<(&'static str, String)> {
        result
            .err()
            .map(|error| (error.code().name, error.message().to_owned()))
    }

    #[test]
    fn one_to_ten_tasks_a_call() {
        for (count, expected) in [
            (None, Some(1)),
            (Some(1), Some(1)),
            (Some(10), Some(10)),
            (Some(0), None),
            (Some(11), None),
            (Some(-1), None),
        ] {
            assert_eq!(check_count(count).ok(), expected, "{count:?}");
        }
    }

    #[test]
    fn a_launch_type_excludes_a_strategy() {
        let input = |launch_type: Option<&str>, strategy: bool| RunTaskRequest {
            launch_type: launch_type.map(Into::into),
            capacity_provider_strategy: strategy
                .then(|| vec![CapacityProviderStrategyItem::default()]),
            ..RunTaskRequest::default()
        };
        for (given, expected) in [
            (input(None, false), None),
            (input(Some("EC2"), false), None),
            (input(Some("EC2"), true), Some("InvalidParameterException")),
            (input(None, true), Some("ClientException")),
            (input(Some("FARGATE"), false), Some("ClientException")),
            (input(Some("ec2"), false), Some("InvalidParameterException")),
        ] {
            assert_eq!(code(check_run(&given)).map(|e| e.0), expected, "{given:?}");
        }
    }

    #[test]
    fn started_by_and_group_have_their_forms() {
        let long = "a".repeat(129);
        for (text, accepted) in [
            ("ci/job_7-a", true),
            (&long[..128], true),
            (&long, false),
            ("a b", false),
        ] {
            assert_eq!(check_started_by(Some(text)).is_ok(), accepted, "{text}");
        }
        for (text, accepted) in [
            ("batch", true),
            ("service:web", false),
            ("family:web", false),
        ] {
            assert_eq!(check_group(Some(text)).is_ok(), accepted, "{text}");
        }
    }

    #[test]
    fn overrides_name_containers_of_the_definition() {
        let definition = TaskDefinition {
            container_definitions: Some(vec![ContainerDefinition {
                name: Some("app".into()),
                ..ContainerDefinition::default()
            }]),
            ..TaskDefinition::default()
        };
        let of = |container: ContainerOverride| TaskOverride {
            container_overrides: Some(vec![container]),
            ..TaskOverride::default()
        };
        let named = |name: &str| ContainerOverride {
            name: Some(name.into()),
            ..ContainerOverride::default()
        };
        let unknown = code(overrides(Some(&of(named("web"))), &definition)).unwrap();
        assert_eq!(
            unknown.1,
            "Override for container named web is not a container in the TaskDefinition."
        );
        let variable = KeyValuePair {
            name: Some("A".into()),
            value: Some("x".repeat(8200)),
        };
        let long = ContainerOverride {
            environment: Some(vec![variable]),
            ..named("app")
        };
        assert_eq!(
            code(overrides(Some(&of(long)), &definition)).unwrap().0,
            "InvalidParameterException"
        );
        let fine = TaskOverride {
            cpu: Some("0.5 vCPU".into()),
            ..of(named("app"))
        };
        assert_eq!(
            overrides(Some(&fine), &definition).unwrap().cpu.as_deref(),
            Some("512")
        );
    }
}
