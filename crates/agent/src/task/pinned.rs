//! Images that the control plane resolved before: all tasks of a service's revision run the same,
//! whatever became of a tag.

use super::connect::ServiceConnect;
use super::definition::{ContainerDefinition, TaskDefinition};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What our own control plane says beside the public protocol.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Longshore {
    /// Manifest digests by container.
    image_digests: Option<BTreeMap<String, String>>,
    /// Most GiB that the containers of a FARGATE task may write.
    pub ephemeral_storage_gib: Option<u32>,
    /// Of a task with Service Connect.
    pub(super) service_connect: Option<ServiceConnect>,
}

impl TaskDefinition {
    /// The reference to get a container's image by: its own, with the digest that was resolved.
    #[must_use]
    pub fn image_of<'a>(&self, container: &'a ContainerDefinition) -> Cow<'a, str> {
        let digests = self.longshore.image_digests.as_ref();
        match digests.and_then(|digests| digests.get(&container.name)) {
            Some(digest) if !container.image.contains('@') => {
                Cow::Owned(format!("{}@{digest}", container.image))
            }
            _ => Cow::Borrowed(&container.image),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resolved_digest_wins_over_a_tag_and_over_no_digest_of_the_users_own() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let own = format!("web@sha256:{}", "b".repeat(64));
        let task = json!({
            "arn": "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef0123456789abcdef",
            "desiredStatus": "RUNNING",
            "containers": [
                {"name": "pinned", "image": "host:5000/web:1"},
                {"name": "own", "image": own},
                {"name": "free", "image": "web:2"},
            ],
            "longshore": {"imageDigests": {"pinned": digest, "own": digest}},
        });
        let task = TaskDefinition::parse(&task).unwrap();
        let images: Vec<_> = task.containers.iter().map(|c| task.image_of(c)).collect();
        let pinned = format!("host:5000/web:1@{digest}");
        assert_eq!(images, [pinned.as_str(), own.as_str(), "web:2"]);
    }
}
