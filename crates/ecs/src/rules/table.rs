//! Rows of the rules' table tests: a patch of a definition that every rule accepts, and the answer.

use super::task_definition;
use crate::task_definition::normal;
use aws_api::Stored;
use aws_api::ecs::RegisterTaskDefinitionRequest;
use serde_json::{Value, json};

/// No rule is broken.
pub const FINE: &str = "";

/// A task of one container `x`, with members of the task replaced.
pub fn task(patch: Value) -> Value {
    let base = json!({
        "family": "f",
        "containerDefinitions": [{"name": "x", "image": "busybox", "memory": 64}],
    });
    patched(base, patch)
}

/// The same task with members of its container replaced.
pub fn container(patch: Value) -> Value {
    task(json!({"containerDefinitions": [one(patch)]}))
}

/// A container `x`, with members replaced.
pub fn one(patch: Value) -> Value {
    patched(
        json!({"name": "x", "image": "busybox", "memory": 64}),
        patch,
    )
}

/// A task that Fargate takes, with members of the task replaced.
pub fn fargate(patch: Value) -> Value {
    let base = json!({
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
    });
    task(patched(base, patch))
}

/// A task that Fargate takes, with members of its container replaced.
pub fn fargate_container(patch: Value) -> Value {
    fargate(json!({"containerDefinitions": [one(patch)]}))
}

fn patched(mut base: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else {
        panic!("a patch is an object")
    };
    for (member, value) in patch {
        base[member] = value;
    }
    base
}

/// Each row gets its answer; every refusal is a `ClientException`.
pub fn answers(rows: &[(Value, &str)]) {
    for (input, expected) in rows {
        let read: Stored<RegisterTaskDefinitionRequest> =
            serde_json::from_value(input.clone()).expect("a row is a request");
        let answer = normal::form(&read.0).and_then(|form| task_definition::check(&form));
        let got = answer.map_or_else(|error| error.to_string(), |()| FINE.to_owned());
        let expected = match *expected {
            FINE => String::new(),
            text => format!("ClientException: {text}"),
        };
        assert_eq!(got, expected, "{input}");
    }
}
