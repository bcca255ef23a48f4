//! How the containers of a task depend on one another by what they share, without saying so.
//!
//! Rule: the public agent: a link waits for the other's start, volumes of another for its creation.

use super::definition::{ContainerDefinition, InvalidTask, TaskDefinition};
use super::state::ContainerIndex;

/// A link, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link<'a> {
    /// The other container.
    pub container: &'a str,
    /// Its name here.
    pub alias: &'a str,
}

/// `container:alias`, or `container` for both.
#[must_use]
pub fn link(text: &str) -> Link<'_> {
    let (container, alias) = text.split_once(':').unwrap_or((text, text));
    Link { container, alias }
}

/// The containers that must have started before this one: those that it is linked to, and those whose
/// volumes it has. (The public agent waits for the creation of the latter, which no one can tell
/// from outside.)
#[must_use]
pub fn implied(task: &TaskDefinition, container: &ContainerDefinition) -> Vec<ContainerIndex> {
    let links = container.links.iter().map(|text| link(text).container);
    let volumes = container.volumes_from.iter();
    let names = links.chain(volumes.map(|from| from.source_container.as_str()));
    names.filter_map(|name| index(task, name)).collect()
}

/// The others whose volumes this container has, theirs included: the nearer first, each once, and
/// whether for reading alone.
#[must_use]
pub fn volume_sources<'a>(
    task: &'a TaskDefinition,
    container: &ContainerDefinition,
) -> Vec<(&'a ContainerDefinition, bool)> {
    let mut found = Vec::new();
    gather(task, container, false, &container.name, &mut found);
    found
}

fn gather<'a>(
    task: &'a TaskDefinition,
    container: &ContainerDefinition,
    read_only: bool,
    of: &str,
    found: &mut Vec<(&'a ContainerDefinition, bool)>,
) {
    for from in &container.volumes_from {
        let other = index(task, &from.source_container);
        let Some(other) = other.and_then(|index| task.containers.get(index)) else {
            continue;
        };
        // Two that show each other's volumes have each once.
        if other.name != of && found.iter().all(|(known, _)| known.name != other.name) {
            let read_only = read_only || from.read_only;
            found.push((other, read_only));
            gather(task, other, read_only, of, found);
        }
    }
}

/// The container of a name.
#[must_use]
pub fn index(task: &TaskDefinition, name: &str) -> Option<ContainerIndex> {
    task.containers
        .iter()
        .position(|container| container.name == name)
}

/// Every container that another names is one of the task.
pub(super) fn check(task: &TaskDefinition) -> Result<(), InvalidTask> {
    for container in &task.containers {
        let links = container.links.iter().map(|text| link(text).container);
        let volumes = container.volumes_from.iter();
        let volumes = volumes.map(|from| from.source_container.as_str());
        for name in links.chain(volumes) {
            if index(task, name).is_none() {
                let own = &container.name;
                return Err(InvalidTask(format!("container {own}: no container {name}")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn links_and_volumes_imply_an_order() {
        let parse = |container: serde_json::Value| {
            TaskDefinition::parse(
                &json!({"arn": "arn:aws:ecs:r:1:task/c/0", "desiredStatus": "RUNNING",
                "containers": [{"name": "db", "image": "i"}, container]}),
            )
        };
        let task = parse(json!({"name": "web", "image": "i", "links": ["db:store"],
                                "volumesFrom": [{"sourceContainer": "db", "readOnly": true}]}));
        let task = task.unwrap();
        let found = implied(&task, &task.containers[1]);
        assert_eq!(found, [0, 0]);
        assert_eq!(
            link("db"),
            Link {
                container: "db",
                alias: "db"
            }
        );
        let error = parse(json!({"name": "web", "image": "i", "links": ["no:x"]})).unwrap_err();
        assert_eq!(error.0, "container web: no container no");
    }
}
