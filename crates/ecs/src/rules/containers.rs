//! Containers of a task definition: at least one, names unique, an image each, one essential.
//!
//! Rule: API reference, ContainerDefinition.

use super::{client, names};
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use aws_types::AwsError;
use std::collections::BTreeSet;

/// Containers in one task definition.
const CONTAINERS_MAX: usize = 10;
/// Characters of an image name.
const IMAGE_LEN_MAX: usize = 255;
/// Bytes of a digest after `sha256:`.
const DIGEST_HEX_LEN: usize = 64;

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
        return Err(client(format!(
            "Too many containers. A task definition can have at most {CONTAINERS_MAX}."
        )));
    }
    let mut seen = BTreeSet::new();
    for container in containers {
        names::check_member("Container.name", container.name.as_deref())?;
        check_image(container.image.as_deref().unwrap_or_default())?;
        check_environment(container)?;
        if !seen.insert(container.name.as_deref()) {
            return Err(client(format!(
                "Container name '{}' is duplicated. Container names must be unique.",
                container.name.as_deref().unwrap_or_default()
            )));
        }
    }
    if !containers.iter().any(|c| c.essential == Some(true)) {
        return Err(client(
            "Task definition must contain at least one essential container.",
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

fn check_environment(container: &ContainerDefinition) -> Result<(), AwsError> {
    for pair in container.environment.iter().flatten() {
        if pair.name.as_deref().unwrap_or_default().is_empty() {
            return Err(client("Environment variable name cannot be null or empty."));
        }
    }
    Ok(())
}
