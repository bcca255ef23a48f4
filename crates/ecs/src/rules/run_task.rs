//! What RunTask and StartTask accept, before the state is looked at.
//!
//! Rule: API reference, RunTask, StartTask, TaskOverride.

use super::{client, invalid_parameter, launch_type};
use crate::records::container_instance::InstanceStatus;
use aws_api::ecs::{RunTaskRequest, StartTaskRequest, TaskDefinition};
use aws_types::AwsError;

/// API reference, RunTask, `count`: at most 10 per call.
const TASKS_PER_CALL_MAX: u32 = 10;
/// API reference, StartTask, `containerInstances`: at most 10 per call.
const INSTANCES_PER_CALL_MAX: usize = 10;
/// API reference, RunTask, `startedBy`: characters.
const RUN_STARTED_BY_LEN_MAX: usize = 128;
/// API reference, StartTask, `startedBy`: characters.
const START_STARTED_BY_LEN_MAX: usize = 36;
/// Characters of a group that a caller names: room for the longest name of anything in ECS.
const GROUP_LEN_MAX: usize = 255;
/// API reference, `referenceId`: characters.
const REFERENCE_ID_LEN_MAX: usize = 1024;

/// Checks what only RunTask has; gives the number of tasks. `launch_type`: by which they will go.
///
/// # Errors
/// `InvalidParameterException`; `ClientException` for what is not yet served.
pub fn check_run(input: &RunTaskRequest, launch_type: &str) -> Result<u32, AwsError> {
    match input.launch_type.as_deref() {
        None | Some("EC2" | "FARGATE") => {}
        Some("EXTERNAL" | "MANAGED_INSTANCES") => return Err(not_yet("launchType")),
        Some(_) => {
            return Err(invalid_parameter(
                "launchType should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]",
            ));
        }
    }
    launch_type::platform_version(launch_type, input.platform_version.as_deref())?;
    launch_type::check_placement(
        launch_type,
        input.placement_constraints.as_ref(),
        input.placement_strategy.as_ref(),
    )?;
    check_started_by(input.started_by.as_deref(), RUN_STARTED_BY_LEN_MAX)?;
    check_group(input.group.as_deref())?;
    check_reference_id(input.reference_id.as_deref())?;
    check_count(input.count)
}

/// Checks what only StartTask has; gives the instances named.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_start(input: &StartTaskRequest) -> Result<&[String], AwsError> {
    check_started_by(input.started_by.as_deref(), START_STARTED_BY_LEN_MAX)?;
    check_group(input.group.as_deref())?;
    check_reference_id(input.reference_id.as_deref())?;
    let instances = input.container_instances.as_deref().unwrap_or_default();
    match instances.len() {
        0 => Err(invalid_parameter("Container Instances cannot be empty.")),
        1..=INSTANCES_PER_CALL_MAX => Ok(instances),
        _ => Err(invalid_parameter(format!(
            "Container Instances cannot be more than {INSTANCES_PER_CALL_MAX}."
        ))),
    }
}

/// `startedBy`: letters, digits, `_`, `/` and `-`.
fn check_started_by(started_by: Option<&str>, len_max: usize) -> Result<(), AwsError> {
    let text = started_by.unwrap_or_default();
    check_length("startedBy", text, len_max)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '-');
    match text.chars().all(plain) {
        true => Ok(()),
        false => Err(invalid_parameter("startedBy contains invalid characters.")),
    }
}

/// `group`: prefixes that AWS gives itself are refused.
fn check_group(group: Option<&str>) -> Result<(), AwsError> {
    let group = group.unwrap_or_default();
    check_length("group", group, GROUP_LEN_MAX)?;
    if group.starts_with("service:") || group.starts_with("family:") {
        return Err(invalid_parameter(
            "The group name cannot start with service: or family:.",
        ));
    }
    Ok(())
}

fn check_reference_id(id: Option<&str>) -> Result<(), AwsError> {
    check_length("referenceId", id.unwrap_or_default(), REFERENCE_ID_LEN_MAX)
}

fn check_length(what: &str, text: &str, max: usize) -> Result<(), AwsError> {
    match text.chars().count() > max {
        true => Err(invalid_parameter(format!("{what} longer than {max}."))),
        false => Ok(()),
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

/// A session in a container needs the credentials of a task role, the definition's or an override's.
/// Text as users report it.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_execute_command(is_asked: bool, task_role: Option<&str>) -> Result<(), AwsError> {
    match is_asked && task_role.is_none_or(str::is_empty) {
        true => Err(invalid_parameter(
            "The execute command failed because a valid task role is not being used. Specify a \
             valid task role in your task definition or as a task override and try again.",
        )),
        false => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn launch_types_are_served_refused_or_unknown() {
        for (given, expected) in [
            (None, None),
            (Some("EC2"), None),
            (Some("FARGATE"), None),
            (Some("EXTERNAL"), Some("ClientException")),
            (Some("ec2"), Some("InvalidParameterException")),
        ] {
            let input = RunTaskRequest {
                launch_type: given.map(Into::into),
                ..RunTaskRequest::default()
            };
            let got = code(check_run(&input, given.unwrap_or("EC2")));
            assert_eq!(got.map(|e| e.0), expected, "{given:?}");
        }
    }

    #[test]
    fn started_by_group_and_reference_id_have_their_forms() {
        let a = |n: usize| Some("a".repeat(n));
        let run = |started_by: Option<String>, group: Option<String>, id: Option<String>| {
            let asked = RunTaskRequest {
                started_by,
                group,
                reference_id: id,
                ..RunTaskRequest::default()
            };
            code(check_run(&asked, "EC2")).map(|error| error.1)
        };
        let start = |started_by: Option<String>| {
            let asked = StartTaskRequest {
                started_by,
                container_instances: Some(vec!["i".into()]),
                ..StartTaskRequest::default()
            };
            code(check_start(&asked)).map(|error| error.1)
        };
        let invalid = "startedBy contains invalid characters.";
        let reserved = "The group name cannot start with service: or family:.";
        for (got, expected) in [
            (run(Some("ci/job_7-a".into()), None, None), None),
            (run(a(128), None, None), None),
            (run(a(129), None, None), Some("startedBy longer than 128.")),
            (run(Some("a b".into()), None, None), Some(invalid)),
            (start(a(36)), None),
            (start(a(37)), Some("startedBy longer than 36.")),
            (run(None, Some("batch:nightly".into()), None), None),
            (run(None, a(256), None), Some("group longer than 255.")),
            (run(None, Some("service:web".into()), None), Some(reserved)),
            (run(None, Some("family:web".into()), None), Some(reserved)),
            (run(None, None, a(1024)), None),
            (
                run(None, None, a(1025)),
                Some("referenceId longer than 1024."),
            ),
        ] {
            assert_eq!(got.as_deref(), expected);
        }
    }
}
