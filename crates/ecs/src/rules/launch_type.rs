//! Launch types and platform versions: what each takes, and which definitions.
//!
//! Rule: API reference, RunTask, CreateService; semantics 2.2, 2.3, 3.3; EC2 texts as recorded.

use super::{any, client, invalid_parameter};
use crate::fargate;
use crate::task_definition::compatibility::asks_for;
use aws_api::ecs::{PlacementConstraint, PlacementStrategy, TaskDefinition, errors};
use aws_types::AwsError;

/// The versions there are, besides `LATEST`.
const VERSIONS: [&str; 2] = ["1.3.0", fargate::LATEST];

/// The form of a platform version, and that only FARGATE has one; gives it with AWS's default.
///
/// # Errors
/// `InvalidParameterException`; `PlatformUnknownException`.
pub fn platform_version(
    launch_type: &str,
    given: Option<&str>,
) -> Result<Option<String>, AwsError> {
    if !fargate::is(launch_type) {
        return match given {
            None => Ok(None),
            Some(_) => Err(invalid_parameter(
                "The platform version must be null when specifying an EC2 launch type.",
            )),
        };
    }
    match given {
        None | Some("" | "LATEST") => Ok(Some("LATEST".into())),
        Some(version) if VERSIONS.contains(&version) => Ok(Some(version.into())),
        Some(_) => {
            let text = "The specified platform version does not exist.";
            Err(errors::PLATFORM_UNKNOWN_EXCEPTION.with(text))
        }
    }
}

/// Whether tasks of this definition can be launched so. A definition that names launch types is one for
/// these; another for those that its content fits.
///
/// # Errors
/// `InvalidParameterException`; `PlatformTaskDefinitionIncompatibilityException`.
pub fn check(
    definition: &TaskDefinition,
    launch_type: &str,
    platform_version: Option<&str>,
) -> Result<(), AwsError> {
    let fits = match any(definition.requires_compatibilities.as_ref()) {
        true => asks_for(definition, launch_type),
        false => crate::task_definition::compatibility::of(definition)
            .iter()
            .any(|fitting| fitting == launch_type),
    };
    if !fits {
        return Err(invalid_parameter(format!(
            "Task definition does not support launch_type {launch_type}"
        )));
    }
    let has_disk = definition.ephemeral_storage.is_some();
    match platform_version {
        None if has_disk => Err(client(
            "Tasks using the EC2 launch type do not support EphemeralStorage.",
        )),
        Some("1.3.0") if has_disk || definition.pid_mode.is_some() => {
            let text = "The specified platform version does not satisfy the task definition’s \
                        required capabilities.";
            Err(errors::PLATFORM_TASK_DEFINITION_INCOMPATIBILITY_EXCEPTION.with(text))
        }
        _ => Ok(()),
    }
}

/// FARGATE chooses where its tasks go.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_placement(
    launch_type: &str,
    constraints: Option<&Vec<PlacementConstraint>>,
    strategy: Option<&Vec<PlacementStrategy>>,
) -> Result<(), AwsError> {
    if !fargate::is(launch_type) {
        return Ok(());
    }
    for (what, given) in [
        ("constraints", any(constraints)),
        ("strategies", any(strategy)),
    ] {
        if given {
            return Err(invalid_parameter(format!(
                "Placement {what} are not supported with FARGATE launch type."
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_of_fargate_alone() {
        let code = |launch_type: &str, given: Option<&str>| {
            platform_version(launch_type, given).map_err(|error| error.code().name)
        };
        let latest = Ok(Some("LATEST".to_owned()));
        assert_eq!(code("EC2", None), Ok(None));
        assert_eq!(
            code("EC2", Some("LATEST")),
            Err("InvalidParameterException")
        );
        assert_eq!(code("FARGATE", None), latest);
        assert_eq!(code("FARGATE", Some("LATEST")), latest);
        assert_eq!(code("FARGATE", Some("1.4.0")), Ok(Some("1.4.0".into())));
        assert_eq!(
            code("FARGATE", Some("2.0.0")),
            Err("PlatformUnknownException")
        );
    }
}
