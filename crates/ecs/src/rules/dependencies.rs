//! `dependsOn`: to containers that exist, with conditions that can come true, without a cycle.
//!
//! The agent starts a container after those that it links to and takes volumes from, too, so these
//! are part of the cycle. Rule: API reference, ContainerDependency.

use super::{check_one_of, client, network};
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
            .filter(|(_, c)| waits_for(c).all(|on| settled.contains(on)))
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

/// Every container, known to exist, that must have begun before this one.
fn waits_for(container: &ContainerDefinition) -> impl Iterator<Item = &str> {
    let links = container.links.iter().flatten();
    let sources = container.volumes_from.iter().flatten();
    dependencies(container)
        .map(|(on, _)| on)
        .chain(links.map(|link| network::linked(link)))
        .chain(sources.filter_map(|from| from.source_container.as_deref()))
}

fn check_container(
    container: &ContainerDefinition,
    by_name: &BTreeMap<&str, &ContainerDefinition>,
) -> Result<(), AwsError> {
    for (on, condition) in dependencies(container) {
        let target = by_name.get(on).ok_or_else(|| {
            client(format!(
                "Cannot depend on container + '{on}' because it does not exist"
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
                "A dependency container with HEALTHY condition must have health check configured",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, one, task};
    use serde_json::{Value, json};

    fn pair(x: Value, mut y: Value) -> Value {
        y["name"] = json!("y");
        task(json!({"containerDefinitions": [one(x), one(y)]}))
    }

    fn on(container: &str, condition: &str) -> Value {
        json!({"dependsOn": [{"containerName": container, "condition": condition}]})
    }

    #[test]
    fn conditions() {
        let side = json!({"essential": false});
        let checked = json!({"healthCheck": {"command": ["CMD", "true"]}});
        answers(&[
            (pair(on("y", "START"), json!({})), FINE),
            (pair(on("y", "SUCCESS"), side.clone()), FINE),
            (pair(on("y", "COMPLETE"), side.clone()), FINE),
            (pair(on("y", "HEALTHY"), checked), FINE),
            (
                pair(on("nope", "START"), json!({})),
                "Cannot depend on container + 'nope' because it does not exist",
            ),
            (
                pair(on("y", "READY"), json!({})),
                "Container dependency condition should be one of [START,COMPLETE,SUCCESS,HEALTHY]",
            ),
            (
                pair(on("y", "SUCCESS"), json!({})),
                "A dependency container with SUCCESS or COMPLETE condition cannot be an essential \
                 container",
            ),
            (
                pair(on("y", "COMPLETE"), json!({})),
                "A dependency container with SUCCESS or COMPLETE condition cannot be an essential \
                 container",
            ),
            (
                pair(on("y", "HEALTHY"), side),
                "A dependency container with HEALTHY condition must have health check configured",
            ),
        ]);
    }

    #[test]
    fn cycles() {
        let cycle = "Cycle found in dependency graph.";
        let link = |to: &str| json!({"links": [to]});
        let from = |source: &str| json!({"volumesFrom": [{"sourceContainer": source}]});
        answers(&[
            (pair(on("y", "START"), on("x", "START")), cycle),
            (pair(on("x", "START"), json!({})), cycle),
            (pair(on("y", "START"), link("x:app")), cycle),
            (pair(link("y"), link("x")), cycle),
            (pair(from("y"), from("x")), cycle),
            (pair(from("x"), json!({})), cycle),
            (
                pair(from("y"), on("z", "START")),
                "Cannot depend on container + 'z' because it does not exist",
            ),
            (pair(link("y"), json!({})), FINE),
        ]);
    }
}
