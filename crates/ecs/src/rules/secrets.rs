//! Secrets and environment files: where they come from, and that no name is given twice.
//!
//! Rule: API reference, Secret and EnvironmentFile.

use super::{check_one_of, client};
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use aws_types::AwsError;
use std::collections::BTreeSet;

/// Environment files of one container.
const FILES_MAX: usize = 10;

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    for container in definition.container_definitions.iter().flatten() {
        check_secrets(container, definition.execution_role_arn.is_some())?;
        check_files(container)?;
    }
    Ok(())
}

fn check_secrets(c: &ContainerDefinition, execution_role: bool) -> Result<(), AwsError> {
    let secrets = c.secrets.as_deref().unwrap_or_default();
    let mut names: BTreeSet<&str> = c
        .environment
        .iter()
        .flatten()
        .filter_map(|pair| pair.name.as_deref())
        .collect();
    for secret in secrets {
        let name = secret.name.as_deref().unwrap_or_default();
        let from = secret.value_from.as_deref().unwrap_or_default();
        if name.is_empty() || from.is_empty() {
            return Err(client(
                "Secret name and valueFrom should not be null or empty.",
            ));
        }
        if !names.insert(name) {
            return Err(client(format!(
                "The secret name must be unique and not shared with any new or existing \
                 environment variables set on the container, such as '{name}'."
            )));
        }
    }
    if !secrets.is_empty() && !execution_role {
        return Err(client(
            "When you are specifying container secrets, you must also specify a value for \
             'executionRoleArn'.",
        ));
    }
    Ok(())
}

fn check_files(c: &ContainerDefinition) -> Result<(), AwsError> {
    let files = c.environment_files.as_deref().unwrap_or_default();
    if files.len() > FILES_MAX {
        return Err(client(format!(
            "A container can have at most {FILES_MAX} environment files."
        )));
    }
    for file in files {
        let kind = file.r#type.as_deref().unwrap_or_default();
        check_one_of("Environment file type", Some(kind), &["s3"])?;
        if !file
            .value
            .as_deref()
            .is_some_and(|value| value.ends_with(".env"))
        {
            return Err(client("Environment files must end with .env."));
        }
    }
    Ok(())
}
