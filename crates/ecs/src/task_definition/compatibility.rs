//! `compatibilities`: the launch types for which a task definition would be accepted, asked for or
//! not. Rule: recorded answers (semantics 3.1).

use crate::rules::{external, fargate, managed_instances};
use aws_api::ecs::TaskDefinition;

/// The launch types, in the order in which AWS shows them.
#[must_use]
pub fn of(definition: &TaskDefinition) -> Vec<String> {
    let mut list = Vec::new();
    if runs_external(definition) {
        list.push("EXTERNAL");
    }
    list.push("EC2");
    if fargate::check(definition).is_ok() {
        list.push("FARGATE");
    }
    // Recorded answers of definitions that did not ask for it do not show it.
    if asks_for(definition, "MANAGED_INSTANCES") && managed_instances::check(definition).is_ok() {
        list.push("MANAGED_INSTANCES");
    }
    list.into_iter().map(Into::into).collect()
}

/// Whether `requiresCompatibilities` names the launch type.
#[must_use]
pub fn asks_for(definition: &TaskDefinition, launch_type: &str) -> bool {
    definition
        .requires_compatibilities
        .iter()
        .flatten()
        .any(|named| named == launch_type)
}

/// Recorded answers of network mode `host` show EC2 alone unless EXTERNAL was asked for.
fn runs_external(definition: &TaskDefinition) -> bool {
    let is_host = definition.network_mode.as_deref() == Some("host");
    let is_shown = !is_host || asks_for(definition, "EXTERNAL");
    is_shown && external::check(definition).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::Stored;
    use serde_json::{Value, json};

    #[test]
    fn launch_types_that_the_content_fits() {
        let fargate = |patch: Value| {
            let mut definition = json!({"networkMode": "awsvpc", "cpu": "256", "memory": "512"});
            for (member, value) in patch.as_object().unwrap() {
                definition[member] = value.clone();
            }
            definition
        };
        let efs = json!([{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]);
        let managed = json!({"requiresCompatibilities": ["MANAGED_INSTANCES"]});
        for (definition, expected) in [
            (json!({}), &["EXTERNAL", "EC2"][..]),
            (json!({"networkMode": "none"}), &["EXTERNAL", "EC2"]),
            (json!({"networkMode": "host"}), &["EC2"]),
            (
                json!({"networkMode": "host", "requiresCompatibilities": ["EXTERNAL"]}),
                &["EXTERNAL", "EC2"],
            ),
            (json!({"volumes": efs}), &["EC2"]),
            (fargate(json!({})), &["EC2", "FARGATE"]),
            (fargate(json!({"memory": "600"})), &["EC2"]),
            (fargate(json!({"ipcMode": "task"})), &["EC2"]),
            (fargate(managed), &["EC2", "FARGATE", "MANAGED_INSTANCES"]),
        ] {
            let read: Stored<TaskDefinition> = serde_json::from_value(definition.clone()).unwrap();
            assert_eq!(of(&read.0), expected, "{definition}");
        }
    }
}
