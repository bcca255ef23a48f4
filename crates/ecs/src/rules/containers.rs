//! Containers of a task definition: at least one, names unique, an image each, one essential;
//! credentials that containers name.
//!
//! Rule: API reference, ContainerDefinition.

use super::{any, check_one_of, client, names};
use aws_api::ecs::{ContainerDefinition, KeyValuePair, TaskDefinition, enums};
use aws_types::AwsError;
use std::collections::BTreeSet;

/// Containers in one task definition.
const CONTAINERS_MAX: usize = 10;
/// Characters of an image name.
const IMAGE_LEN_MAX: usize = 255;
/// Bytes of a digest after `sha256:`.
const DIGEST_HEX_LEN: usize = 64;
/// Credential specifications of one container.
const CREDENTIAL_SPECS_MAX: usize = 1;

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    let containers = definition
        .container_definitions
        .as_deref()
        .unwrap_or_default();
    if containers.is_empty() {
        return Err(client("Container list cannot be empty."));
    }
    if containers.len() > CONTAINERS_MAX {
        return Err(client("Too many containers."));
    }
    let mut seen = BTreeSet::new();
    for container in containers {
        names::check_member("Container.name", container.name.as_deref())?;
        check_image(container.image.as_deref().unwrap_or_default())?;
        check_environment(container.environment.as_deref().unwrap_or_default())?;
        check_one_of(
            "versionConsistency",
            container.version_consistency.as_deref(),
            enums::VERSION_CONSISTENCY,
        )?;
        check_credentials(container)?;
        if !seen.insert(container.name.as_deref()) {
            return Err(client(
                "Container names must be unique within a task definition",
            ));
        }
    }
    if !containers.iter().any(|c| c.essential == Some(true)) {
        return Err(client(
            "Task definition doesn't have any essential container",
        ));
    }
    Ok(())
}

fn check_image(image: &str) -> Result<(), AwsError> {
    if image.is_empty() {
        return Err(client("Container.image should not be null or empty."));
    }
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:#".contains(c);
    let digest_fits = digest.is_none_or(|digest| {
        digest.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == DIGEST_HEX_LEN && hex.bytes().all(|b| b.is_ascii_hexdigit())
        })
    });
    if name.is_empty() || !name.chars().all(plain) || !digest_fits {
        return Err(client("Container.image contains invalid characters."));
    }
    if name.chars().count() > IMAGE_LEN_MAX {
        return Err(client(format!(
            "Container.image repository should be {IMAGE_LEN_MAX} characters or less."
        )));
    }
    Ok(())
}

/// Variables of one container, of a definition or an override.
///
/// # Errors
/// `ClientException`.
pub fn check_environment(variables: &[KeyValuePair]) -> Result<(), AwsError> {
    for pair in variables {
        if pair.name.as_deref().unwrap_or_default().is_empty() {
            return Err(client("Environment variable name cannot be null or empty."));
        }
    }
    Ok(())
}

fn check_credentials(container: &ContainerDefinition) -> Result<(), AwsError> {
    if let Some(credentials) = &container.repository_credentials
        && credentials
            .credentials_parameter
            .as_deref()
            .unwrap_or_default()
            .is_empty()
    {
        return Err(client(
            "RepositoryCredentials.credentialsParameter should not be null or empty.",
        ));
    }
    let specs = container.credential_specs.as_ref();
    if any(specs) && specs.is_some_and(|specs| specs.len() > CREDENTIAL_SPECS_MAX) {
        return Err(client(format!(
            "A container can have at most {CREDENTIAL_SPECS_MAX} credential spec."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container, one, task};
    use serde_json::{Value, json};

    #[test]
    fn containers() {
        let named = |names: &[&str]| {
            let all: Vec<Value> = names.iter().map(|n| one(json!({"name": n}))).collect();
            task(json!({"containerDefinitions": all}))
        };
        let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
        let long = "a".repeat(256);
        let digest = format!("repo/web@sha256:{}", "0f".repeat(32));
        answers(&[
            (named(&letters[..10]), FINE),
            (named(&letters), "Too many containers."),
            (named(&[]), "Container list cannot be empty."),
            (
                named(&["a", "a"]),
                "Container names must be unique within a task definition",
            ),
            (named(&[""]), "Container.name should not be null or empty."),
            (
                named(&["a.b"]),
                "Container.name contains invalid characters.",
            ),
            (
                named(&[&long]),
                "Container.name cannot be longer than 255 characters.",
            ),
            (
                container(json!({"essential": false})),
                "Task definition doesn't have any essential container",
            ),
            (
                container(json!({"image": null})),
                "Container.image should not be null or empty.",
            ),
            (
                container(json!({"image": ""})),
                "Container.image should not be null or empty.",
            ),
            (
                container(json!({"image": "$NAME"})),
                "Container.image contains invalid characters.",
            ),
            (
                container(json!({"image": "web@sha256:12"})),
                "Container.image contains invalid characters.",
            ),
            (
                container(json!({"image": "web@md5:12"})),
                "Container.image contains invalid characters.",
            ),
            (container(json!({"image": digest})), FINE),
            (container(json!({"image": "localhost:5000/a/b:v1.2"})), FINE),
            (
                container(json!({"image": long})),
                "Container.image repository should be 255 characters or less.",
            ),
            (
                container(json!({"environment": [{"name": "", "value": "1"}]})),
                "Environment variable name cannot be null or empty.",
            ),
            (container(json!({"environment": [{"name": "A"}]})), FINE),
            (container(json!({"versionConsistency": "disabled"})), FINE),
            (
                container(json!({"versionConsistency": "on"})),
                "versionConsistency should be one of [enabled,disabled]",
            ),
            (
                container(json!({"repositoryCredentials": {"credentialsParameter": ""}})),
                "RepositoryCredentials.credentialsParameter should not be null or empty.",
            ),
            (
                container(json!({"credentialSpecs": ["credentialspec:a", "credentialspec:b"]})),
                "A container can have at most 1 credential spec.",
            ),
        ]);
    }
}
