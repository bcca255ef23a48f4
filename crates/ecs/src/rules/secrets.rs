//! Secrets and environment files: where they come from, and that no name is given twice.
//!
//! Rule: API reference, Secret and EnvironmentFile.

use super::{check_one_of, client};
use aws_api::ecs::{ContainerDefinition, EnvironmentFile, TaskDefinition};
use aws_types::{Arn, AwsError};
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
        check_files(container.environment_files.as_deref().unwrap_or_default())?;
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
        check_source(name, from)?;
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

/// The environment files of one container, of a definition or an override.
///
/// # Errors
/// `ClientException`.
pub fn check_files(files: &[EnvironmentFile]) -> Result<(), AwsError> {
    if files.len() > FILES_MAX {
        return Err(client(
            "The maximum number of environment files was exceeded. Specify ten or less and try \
             again.",
        ));
    }
    for file in files {
        let kind = file.r#type.as_deref().unwrap_or_default();
        check_one_of("Environment file type", Some(kind), &["s3"])?;
        let value = file.value.as_deref().unwrap_or_default();
        let of_s3 = |arn: Arn| arn.service == "s3" && arn.resource.contains('/');
        if !value.parse().is_ok_and(of_s3) {
            return Err(client("Invalid arn syntax."));
        }
        if !value.ends_with(".env") {
            return Err(client("Environment files must end with .env."));
        }
    }
    Ok(())
}

/// Where a secret comes from: the ARN of a secret (and what in it) or of a parameter, or a
/// parameter's name.
///
/// # Errors
/// `ClientException`.
pub fn check_source(name: &str, from: &str) -> Result<(), AwsError> {
    let invalid_name = || {
        client(format!(
            "The Systems Manager parameter name specified for secret {name} is invalid."
        ))
    };
    if !from.starts_with("arn:") {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
        return match from.chars().all(plain) {
            true => Ok(()),
            false => Err(invalid_name()),
        };
    }
    let arn: Arn = from.parse().map_err(|_| client("Invalid arn syntax."))?;
    match arn.service.as_str() {
        "secretsmanager" if arn.resource.starts_with("secret:") => Ok(()),
        "ssm" if arn.resource.starts_with("parameter/") => Ok(()),
        "ssm" => Err(invalid_name()),
        _ => Err(client("Invalid arn syntax.")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container, one, task};
    use serde_json::{Value, json};

    fn secret(from: &str) -> Value {
        let secrets = json!([{"name": "A", "valueFrom": from}]);
        task(json!({
            "executionRoleArn": "arn:aws:iam::000000000000:role/exec",
            "containerDefinitions": [one(json!({"secrets": secrets}))],
        }))
    }

    #[test]
    fn secrets() {
        let bad_name = "The Systems Manager parameter name specified for secret A is invalid.";
        let of = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf";
        let taken = "The secret name must be unique and not shared with any new or existing \
                     environment variables set on the container, such as 'A'.";
        let mut shared = secret(of);
        shared["containerDefinitions"][0]["environment"] = json!([{"name": "A", "value": "1"}]);
        let mut twice = secret(of);
        let both = json!([{"name": "A", "valueFrom": "a"}, {"name": "A", "valueFrom": "b"}]);
        twice["containerDefinitions"][0]["secrets"] = both;
        answers(&[
            (secret(of), FINE),
            (secret(&format!("{of}:password::")), FINE),
            (
                secret("arn:aws:ssm:us-east-1:000000000000:parameter/app/key"),
                FINE,
            ),
            (secret("/app/key"), FINE),
            (secret("key.name_1-a"), FINE),
            (secret("db-AbCdEf:password::"), bad_name),
            (secret("a key"), bad_name),
            (secret("arn:aws:ssm:us-east-1:000000000000:key"), bad_name),
            (
                secret("arn:aws:secretsmanager:us-east-1:000000000000:db"),
                "Invalid arn syntax.",
            ),
            (secret("arn:aws:s3:::bucket/key"), "Invalid arn syntax."),
            (secret("arn:nonsense"), "Invalid arn syntax."),
            (
                secret(""),
                "Secret name and valueFrom should not be null or empty.",
            ),
            (shared, taken),
            (twice, taken),
            (
                container(json!({"secrets": [{"name": "A", "valueFrom": "a"}]})),
                "When you are specifying container secrets, you must also specify a value for \
                 'executionRoleArn'.",
            ),
        ]);
    }

    #[test]
    fn environment_files() {
        let files = |values: &[&str]| {
            let all: Vec<Value> = values
                .iter()
                .map(|value| json!({"type": "s3", "value": value}))
                .collect();
            container(json!({"environmentFiles": all}))
        };
        let one_of = "arn:aws:s3:::bucket/app.env";
        answers(&[
            (files(&[one_of; 10]), FINE),
            (
                files(&[one_of; 11]),
                "The maximum number of environment files was exceeded. Specify ten or less and \
                 try again.",
            ),
            (files(&["s3://bucket/app.env"]), "Invalid arn syntax."),
            (files(&["arn:aws:s3:::bucket"]), "Invalid arn syntax."),
            (
                files(&["arn:aws:s3:::bucket/app.txt"]),
                "Environment files must end with .env.",
            ),
            (
                container(json!({"environmentFiles": [{"type": "http", "value": one_of}]})),
                "Environment file type should be one of [s3]",
            ),
        ]);
    }
}
