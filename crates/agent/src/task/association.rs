//! Devices of the host that a task was given, each for one of its containers.

use super::definition::{InvalidTask, TaskDefinition, null_as_default};
use super::relations;
use serde::Deserialize;

/// A device of a task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Association {
    /// Its id on this host.
    #[serde(default)]
    pub name: String,
    /// `gpu`.
    #[serde(default, rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
    /// The container that gets it; exactly one.
    #[serde(default, deserialize_with = "null_as_default")]
    pub containers: Vec<String>,
}

impl TaskDefinition {
    /// Ids of the GPUs that a container was given.
    #[must_use]
    pub fn gpus_of(&self, container: &str) -> Vec<String> {
        let of = |one: &&Association| one.containers.iter().any(|name| name == container);
        let own = self.associations.iter().filter(of);
        own.map(|one| one.name.clone()).collect()
    }
}

pub(super) fn check(task: &TaskDefinition) -> Result<(), InvalidTask> {
    for one in &task.associations {
        let invalid = |why: &str| {
            let Association { name, kind, .. } = one;
            Err(InvalidTask(format!("association {kind} {name:?}: {why}")))
        };
        if one.kind != "gpu" {
            return invalid("unsupported type");
        }
        match one.containers.as_slice() {
            [name] if relations::index(task, name).is_some() => {}
            [name] => return invalid(&format!("no container {name}")),
            _ => return invalid("it must be of one container"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn task(associations: Value) -> Result<TaskDefinition, InvalidTask> {
        let container = |name: &str| json!({"name": name, "image": "i"});
        TaskDefinition::parse(
            &json!({"arn": "arn:aws:ecs:r:1:task/c/0", "desiredStatus": "RUNNING",
            "containers": [container("a"), container("b")], "associations": associations}),
        )
    }

    fn gpu(id: &str, container: &str) -> Value {
        json!({"name": id, "type": "gpu", "containers": [container],
               "content": {"encoding": "base64", "value": ""}})
    }

    #[test]
    fn each_gpu_is_of_one_container() {
        let given = task(json!([gpu("1", "b"), gpu("0", "a"), gpu("2", "b")])).unwrap();
        assert_eq!(given.gpus_of("b"), ["1", "2"]);
        assert!(task(json!(null)).unwrap().gpus_of("a").is_empty());
        for (wrong, words) in [
            (gpu("0", "c"), "no container c"),
            (
                json!({"name": "0", "type": "gpu", "containers": ["a", "b"]}),
                "of one container",
            ),
            (
                json!({"name": "0", "type": "elastic-inference", "containers": ["a"]}),
                "unsupported type",
            ),
        ] {
            let error = task(json!([wrong])).unwrap_err();
            assert!(error.0.contains(words), "{error}");
        }
    }
}
