//! Tasks that histories begin with.

use crate::task::definition::TaskDefinition;
use crate::task::state::TaskState;
use aws_types::Timestamp;
use serde_json::{Value, json};

/// The ARN of the interface's attachment.
const ATTACHMENT: &str = "arn:aws:ecs:r:0:attachment/a";

/// A task of these containers, each with what it says beside name and image.
pub fn task_of(mode: &str, containers: Vec<Value>) -> TaskState {
    let containers = containers.into_iter().enumerate().map(|(n, given)| {
        let mut container = json!({"name": format!("c{n}"), "image": "i", "stopTimeout": 5});
        let members = container.as_object_mut().unwrap();
        members.extend(given.as_object().unwrap().clone());
        container
    });
    let containers = containers.collect::<Vec<_>>();
    let ids = (0..containers.len()).map(|n| format!("{n:064}")).collect();
    let interfaces = match mode {
        "awsvpc" => json!([{"ec2Id": "eni-1", "attachmentArn": ATTACHMENT}]),
        _ => json!([]),
    };
    let json = json!({"arn": "arn:aws:ecs:r:0:task/c/abc", "desiredStatus": "RUNNING",
                      "networkMode": mode, "containers": containers,
                      "elasticNetworkInterfaces": interfaces});
    let definition = TaskDefinition::parse(&json).unwrap();
    TaskState::new(&definition, ids, 30_000, Timestamp::EPOCH)
}

/// A task of `essential.len()` containers.
pub fn task(mode: &str, essential: &[bool]) -> TaskState {
    let one = |essential: &bool| json!({"essential": essential});
    task_of(mode, essential.iter().map(one).collect())
}
