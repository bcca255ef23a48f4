//! A shape in a record comes back as it went, whatever the format.

#![allow(clippy::unwrap_used, dead_code)]

use aws_api::{Stored, ecs};
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    task: Stored<ecs::Task>,
    note: String,
}

fn record() -> Record {
    let override_ = ecs::ContainerOverride {
        name: Some("web".into()),
        ..Default::default()
    };
    let overrides = ecs::TaskOverride {
        container_overrides: Some(vec![override_]),
        inference_accelerator_overrides: Some(vec![]),
        ..Default::default()
    };
    let task = ecs::Task {
        task_arn: Some("arn:aws:ecs:us-east-1:000000000000:task/default/1".into()),
        created_at: Some(Timestamp::from_millis(1_707_741_897_431)),
        version: Some(3),
        enable_execute_command: Some(false),
        overrides: Some(overrides),
        ..Default::default()
    };
    Record {
        task: Stored(task),
        note: "ü".into(),
    }
}

#[test]
fn message_pack_keeps_a_shape_with_its_names() {
    let bytes = rmp_serde::to_vec(&record()).unwrap();
    assert!(bytes.windows(9).any(|w| w == b"createdAt"));
    assert_eq!(rmp_serde::from_slice::<Record>(&bytes).unwrap(), record());
}

#[test]
fn json_keeps_a_shape_and_skips_what_it_does_not_know() {
    let text = serde_json::to_string(&record()).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record());
    let newer = text.replacen(
        r#""taskArn""#,
        r#""laterMember":{"a":[1,null]},"cpu":null,"taskArn""#,
        1,
    );
    assert_eq!(serde_json::from_str::<Record>(&newer).unwrap(), record());
    let wrong = text.replacen(r#""version":3"#, r#""version":"3""#, 1);
    assert!(serde_json::from_str::<Record>(&wrong).is_err());
}
