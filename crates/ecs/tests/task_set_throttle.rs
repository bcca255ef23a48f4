//! A task set's starts are held back as its tasks fail, until one of them counts.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::Stored;
use aws_api::ecs::{CreateServiceRequest, CreateTaskSetRequest};
use ecs::ops::create_service::create_service;
use ecs::ops::create_task_set::create_task_set;
use ecs::records::service::ServiceKey;
use serde_json::json;
use support::House;

fn rounds(house: &House, key: &ServiceKey) -> u32 {
    house.record(key).task_sets[0].throttle.rounds
}

#[test]
fn a_task_that_was_asked_to_stop_lifts_nothing_by_growing_older() {
    let mut house = House::new();
    house.host("a", 2048, 4096);
    let definition = house.define_app("web", 128);
    let asked = json!({"serviceName": "ext", "desiredCount": 2, "deploymentController": {"type": "EXTERNAL"}});
    let asked: Stored<CreateServiceRequest> = serde_json::from_value(asked).unwrap();
    house
        .write(|txn, ctx| create_service(txn, ctx, &asked))
        .unwrap();
    let asked = json!({"cluster": "default", "service": "ext", "taskDefinition": definition,
        "scale": {"value": 100.0, "unit": "PERCENT"}});
    let asked: Stored<CreateTaskSetRequest> = serde_json::from_value(asked).unwrap();
    house
        .write(|txn, ctx| create_task_set(txn, ctx, &asked))
        .unwrap();
    let key = house.service_key("ext");
    house.settle(&key);
    let tasks = house.kept(&key);
    house.fail_to_start(&tasks[0].key);
    house.settle(&key);
    assert_eq!(rounds(&house, &key), 1);
    house.pass(5);
    house.report_running(&tasks[1].key, &["app"]);
    house.stop(&tasks[1].key.id.0, None).unwrap();
    house.pass(40);
    let _ = house.step(&key);
    assert_eq!(rounds(&house, &key), 1, "it stops");
    house.report_stopped(&tasks[1].key, &["app"], 143);
    house.settle(&key);
    house.play(&key);
    house.pass(40);
    house.settle(&key);
    assert_eq!(rounds(&house, &key), 0, "others count");
}
