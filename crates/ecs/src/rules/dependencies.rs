//! `dependsOn`: to containers that exist, with conditions that can come true, without a cycle.
//!
//! Rule: API reference, ContainerDependency.

use super::{check_one_of, client};
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use aws_types::AwsError;
use std::collections::{BTreeMap, BTreeSet};

/// The rules of this file, on a normal form whose container names are checked.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    let containers = definition
        .container_definitions
        .as_deref()
        .unwrap_or_default();
    let by_name: BTreeMap<&str, &ContainerDefinition> =
        containers.iter().map(|c| (name(c), c)).collect();
    for container in containers {
        check_container(container, &by_name)?;
    }
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    // Each round settles the containers whose dependencies are settled; none settled is a cycle.
    while settled.len() < by_name.len() {
        let ready: Vec<&str> = by_name
            .iter()
            .filter(|(name, _)| !settled.contains(*name))
            .filter(|(_, c)| dependencies(c).all(|(on, _)| settled.contains(on)))
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            return Err(client("Cycle found in dependency graph."));
        }
        settled.extend(ready);
    }
    Ok(())
}

fn name(container: &ContainerDefinition) -> &str {
    container.name.as_deref().unwrap_or_default()
}

fn dependencies(container: &ContainerDefinition) -> impl Iterator<Item = (&str, &str)> {
    container.depends_on.iter().flatten().map(|dependency| {
        (
            dependency.container_name.as_deref().unwrap_or_default(),
            dependency.condition.as_deref().unwrap_or_default(),
        )
    })
}

fn check_container(
    container: &ContainerDefinition,
    by_name: &BTreeMap<&str, &ContainerDefinition>,
) -> Result<(), AwsError> {
    for (on, condition) in dependencies(container) {
        let target = by_name.get(on).ok_or_else(|| {
            client(format!(
                "Container dependency '{on}' of container '{}' does not exist.",
                name(container)
            ))
        })?;
        check_one_of(
            "Container dependency condition",
            Some(condition),
            &["START", "COMPLETE", "SUCCESS", "HEALTHY"],
        )?;
        let ends = matches!(condition, "SUCCESS" | "COMPLETE");
        if ends && target.essential == Some(true) {
            return Err(client(
                "A dependency container with SUCCESS or COMPLETE condition cannot be an essential \
                 container",
            ));
        }
        if condition == "HEALTHY" && target.health_check.is_none() {
            return Err(client(
                "Container dependency: HEALTHY requires container to have health check",
            ));
        }
    }
    Ok(())
}
