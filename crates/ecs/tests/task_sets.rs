//! What the scheduler does for task sets, each by itself, and what it tells of each.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::Stored;
use aws_api::ecs::{
    CreateServiceRequest, CreateTaskSetRequest, DeleteTaskSetRequest, UpdateTaskSetRequest,
};
use ecs::ops;
use ecs::records::service::ServiceKey;
use ecs::records::task_set::TaskSet;
use ecs::records::{CONTAINER_INSTANCES, InstanceStatus, TASKS, TaskRecord};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::House;

const SEE: &str = "For more information, see the Troubleshooting section of the Amazon ECS \
                   Developer Guide.";

fn input<T: aws_api::Shape>(value: Value) -> T {
    let read: Stored<T> = serde_json::from_value(value).unwrap();
    read.0
}

/// A service `ext` that wants four tasks, with a host that has room for more.
fn external() -> (House, ServiceKey) {
    let mut house = House::new();
    house.host("a", 4096, 4096);
    house.define_app("web", 128);
    house.define_app("web", 128);
    let asked: CreateServiceRequest = input(json!({"serviceName": "ext", "desiredCount": 4,
        "deploymentController": {"type": "EXTERNAL"}}));
    let made = house.write(|txn, ctx| ops::create_service::create_service(txn, ctx, &asked));
    made.unwrap();
    let key = house.service_key("ext");
    (house, key)
}

/// A task set of this revision, at this share of what is desired; its id.
fn set(house: &mut House, revision: &str, percent: f64) -> String {
    let asked: CreateTaskSetRequest = input(json!({"cluster": "default", "service": "ext",
        "taskDefinition": revision, "scale": {"value": percent, "unit": "PERCENT"}}));
    let made = house.write(|txn, ctx| ops::create_task_set::create_task_set(txn, ctx, &asked));
    made.unwrap().task_set.unwrap().id.unwrap()
}

fn scale(house: &mut House, set: &str, percent: f64) {
    let asked: UpdateTaskSetRequest = input(json!({"cluster": "default", "service": "ext",
        "taskSet": set, "scale": {"value": percent, "unit": "PERCENT"}}));
    let scaled = house.write(|txn, ctx| ops::update_task_set::update_task_set(txn, ctx, &asked));
    scaled.unwrap();
}

fn delete(house: &mut House, set: &str) {
    let asked: DeleteTaskSetRequest = input(json!({"cluster": "default", "service": "ext",
        "taskSet": set, "force": true}));
    let deleted = house.write(|txn, ctx| ops::delete_task_set::delete_task_set(txn, ctx, &asked));
    deleted.unwrap();
}

/// Tasks of this set that are not asked to stop.
fn kept(house: &House, key: &ServiceKey, set: &str) -> Vec<Arc<TaskRecord>> {
    let mut kept = house.kept(key);
    kept.retain(|task| task.started_by.as_deref() == Some(set));
    kept
}

fn run(house: &mut House, key: &ServiceKey) {
    for _ in 0..3 {
        house.settle(key);
        house.play(key);
        house.pass(40);
        house.settle(key);
    }
}

fn told(house: &House, key: &ServiceKey, text: &str) -> usize {
    let events = house.events(key).into_iter();
    events.filter(|event| event == text).count()
}

#[test]
fn each_keeps_its_share_and_tells_of_itself() {
    let (mut house, key) = external();
    let (a, b) = (
        set(&mut house, "web:1", 50.0),
        set(&mut house, "web:2", 100.0),
    );
    run(&mut house, &key);
    assert_eq!(kept(&house, &key, &a).len(), 2);
    assert_eq!(kept(&house, &key, &b).len(), 4);
    for id in [&a, &b] {
        let steady = format!("(service ext, taskSet {id}) updated state to STEADY_STATE.");
        assert_eq!(told(&house, &key, &steady), 1);
    }
    scale(&mut house, &a, 0.0);
    run(&mut house, &key);
    assert_eq!(kept(&house, &key, &a).len(), 0);
    assert_eq!(kept(&house, &key, &b).len(), 4);
    let stopped = format!("(service ext, taskSet {a}) has stopped 2 running tasks: ");
    assert!(house.events(&key).iter().any(|e| e.starts_with(&stopped)));
}

#[test]
fn one_whose_tasks_do_not_start_says_so_and_the_other_does_not() {
    let (mut house, key) = external();
    let (bad, good) = (
        set(&mut house, "web:1", 25.0),
        set(&mut house, "web:2", 25.0),
    );
    run(&mut house, &key);
    for task in kept(&house, &key, &bad) {
        house.report_stopped(&task.key, &["app"], 1);
    }
    for _ in 0..8 {
        house.settle(&key);
        for task in kept(&house, &key, &bad) {
            house.fail_to_start(&task.key);
        }
        house.settle(&key);
        house.pass(900);
    }
    let of = |id: &str| {
        format!(
            "(service ext, taskSet {id}) is unable to consistently start tasks successfully. {SEE}"
        )
    };
    assert_eq!(
        told(&house, &key, &of(&bad)),
        1,
        "{:#?}",
        house.events(&key)
    );
    assert_eq!(told(&house, &key, &of(&good)), 0);
    assert_eq!(house.record(&key).told.len(), 1);
    run(&mut house, &key);
    assert!(house.record(&key).told.is_empty(), "it recovered");
}

#[test]
fn protected_tasks_keep_their_set_from_scaling_in_until_they_are_no_more() {
    let (mut house, key) = external();
    let (a, b) = (
        set(&mut house, "web:1", 100.0),
        set(&mut house, "web:2", 50.0),
    );
    run(&mut house, &key);
    let until = house.ctx.now.plus(Duration::from_secs(3600));
    for task in kept(&house, &key, &a).into_iter().skip(1) {
        house.change(|txn, _| txn.update(&TASKS, &task.key, |t| t.protected_until = Some(until)));
    }
    scale(&mut house, &a, 50.0);
    scale(&mut house, &b, 0.0);
    let wake_at = house.settle(&key);
    assert_eq!(
        kept(&house, &key, &a).len(),
        3,
        "the one that is not protected went"
    );
    assert!(
        kept(&house, &key, &b).is_empty(),
        "not held up by the other"
    );
    let text = |tasks: u32| {
        format!(
            "(service ext) was unable to reach steady state because (taskSet {a}) was unable to \
             scale in due to (reason {tasks} tasks under protection)"
        )
    };
    assert_eq!(told(&house, &key, &text(3)), 1, "{:#?}", house.events(&key));
    assert_eq!(wake_at, Some(until));
    house.pass(60);
    house.settle(&key);
    assert_eq!(told(&house, &key, &text(3)), 1, "once");
    delete(&mut house, &a);
    house.settle(&key);
    assert_eq!(
        kept(&house, &key, &a).len(),
        3,
        "nor does its end stop them"
    );
    house.ctx.now = until;
    run(&mut house, &key);
    let record = house.record(&key);
    assert!(house.live(&key).is_empty() && record.told.is_empty());
    let left: Vec<_> = record.task_sets.iter().map(TaskSet::id).collect();
    assert_eq!(left, [b], "the deleted one is gone with its last task");
}

#[test]
fn a_task_that_goes_as_one_too_many_replaces_nothing() {
    let (mut house, key) = external();
    let drained = house.host("b", 4096, 4096);
    let id = set(&mut house, "web:1", 50.0);
    run(&mut house, &key);
    let tasks = kept(&house, &key, &id);
    let of_drained = |task: &&Arc<TaskRecord>| task.instance == drained.id;
    let old = tasks.iter().find(of_drained).unwrap().key.clone();
    house.change(|txn, _| {
        assert!(txn.update(&CONTAINER_INSTANCES, &drained, |instance| {
            instance.status = InstanceStatus::Draining;
        }));
    });
    house.settle(&key);
    house.play(&key);
    // The replacement is too young to count, and cannot go: the other one goes.
    let until = house.ctx.now.plus(Duration::from_secs(3600));
    let known: Vec<_> = tasks.iter().map(|task| task.key.clone()).collect();
    let now = kept(&house, &key, &id);
    let young = now.iter().find(|task| !known.contains(&task.key)).unwrap();
    let young = young.key.clone();
    house.change(|txn, _| txn.update(&TASKS, &young, |task| task.protected_until = Some(until)));
    scale(&mut house, &id, 25.0);
    house.settle(&key);
    let left: Vec<_> = kept(&house, &key, &id);
    assert!(left.iter().any(|task| task.key == old), "none counts yet");
    house.play(&key);
    house.pass(40);
    house.settle(&key);
    let left: Vec<_> = kept(&house, &key, &id);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].key, young);
}
