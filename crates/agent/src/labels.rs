//! The labels of a container, kept beside its record from its start on and shown to who asks.
//!
//! Rule: Docker: a definition's label wins over the image's. The public agent: its own say what the
//! container is of, and win over both.

use crate::engine::Host;
use crate::task::definition::{ContainerDefinition, TaskDefinition};
use aws_types::Timestamp;
use runtime::image::Image;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// In the container's record directory.
const FILE: &str = "labels.json";

/// The labels of one container of this host.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerLabels {
    /// 64 hexadecimal digits.
    pub runtime_id: String,
    /// By name.
    pub labels: BTreeMap<String, String>,
    /// Of the volumes of Docker's that it sees: by the volume's name those that have labels.
    #[serde(default)]
    pub volumes: BTreeMap<String, BTreeMap<String, String>>,
    /// `sha256:…`.
    #[serde(default)]
    pub image_id: String,
    /// When its last run was made ready.
    #[serde(default = "epoch")]
    pub created_at: Timestamp,
}

fn epoch() -> Timestamp {
    Timestamp::EPOCH
}

/// All labels of a container.
pub fn of(
    task: &TaskDefinition,
    container: &ContainerDefinition,
    image: &Image,
    cluster: &str,
) -> BTreeMap<String, String> {
    let mut labels = image.config.labels.clone();
    labels.extend(container.docker().unwrap_or_default().labels);
    let own = [
        ("cluster", cluster),
        ("container-name", &container.name),
        ("task-arn", &task.arn),
        ("task-definition-family", &task.family),
        ("task-definition-version", &task.version),
    ];
    let own = own.map(|(name, value)| (format!("com.amazonaws.ecs.{name}"), value.to_owned()));
    labels.extend(own);
    labels
}

/// Writes them into a container's record directory.
///
/// # Errors
/// They cannot be written.
pub fn keep(dir: &Path, kept: &ContainerLabels) -> Result<(), io::Error> {
    runtime::record::write_file(dir, FILE, &serde_json::to_vec(kept)?, false)
}

/// Those of a container, once it was about to start.
pub fn read(dir: &Path) -> Option<ContainerLabels> {
    serde_json::from_slice(&std::fs::read(dir.join(FILE)).ok()?).ok()
}

/// Those of all containers that are here, each as a JSON text.
pub fn all(host: &Host) -> Vec<String> {
    let mut found = Vec::new();
    for task in host.tasks() {
        for index in 0..task.definition.containers.len() {
            // One that has not been started has none yet.
            found.extend(std::fs::read_to_string(
                task.container_dir(index).join(FILE),
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_definition_wins_over_the_image_and_the_agent_over_both() {
        let own = json!({"Labels": {"team": "a", "com.amazonaws.ecs.cluster": "x"}}).to_string();
        let task = TaskDefinition::parse(&json!({"arn": "arn:aws:ecs:r:1:task/c/0",
            "desiredStatus": "RUNNING", "family": "web", "version": "3",
            "containers": [{"name": "app", "image": "i", "dockerConfig": {"config": own}}]}))
        .unwrap();
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let mut image = Image {
            reference: "i".into(),
            id: String::new(),
            digest: String::new(),
            from_registry: false,
            config: runtime::image::ImageConfig::default(),
            layers: Vec::new(),
            size_bytes: 0,
            highest_id: 0,
        };
        image.config.labels = labels(&[("team", "image's"), ("vendor", "v")]);
        let expected = labels(&[
            ("com.amazonaws.ecs.cluster", "c"),
            ("com.amazonaws.ecs.container-name", "app"),
            ("com.amazonaws.ecs.task-arn", "arn:aws:ecs:r:1:task/c/0"),
            ("com.amazonaws.ecs.task-definition-family", "web"),
            ("com.amazonaws.ecs.task-definition-version", "3"),
            ("team", "a"),
            ("vendor", "v"),
        ]);
        assert_eq!(of(&task, &task.containers[0], &image, "c"), expected);
    }
}
