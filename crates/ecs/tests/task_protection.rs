//! Protection of tasks of services: whom it can be given to, and how long it holds.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::*;
use aws_types::AwsError;
use ecs::ops;
use ecs::records::{TASKS, TaskKey};
use ecs::task::protection;
use std::time::Duration;
use support::services::Settings;
use support::{House, container};

fn update(
    house: &mut House,
    tasks: &[&str],
    enabled: Option<bool>,
    minutes: Option<i32>,
) -> Result<UpdateTaskProtectionResponse, AwsError> {
    let input = UpdateTaskProtectionRequest {
        cluster: None,
        tasks: Some(tasks.iter().map(ToString::to_string).collect()),
        protection_enabled: enabled,
        expires_in_minutes: minutes,
    };
    house.write(|txn, ctx| ops::update_task_protection::update_task_protection(txn, ctx, &input))
}

fn get(house: &mut House, task: &str) -> GetTaskProtectionResponse {
    let input = GetTaskProtectionRequest {
        cluster: None,
        tasks: Some(vec![task.into()]),
    };
    let world = house.world.clone();
    ops::get_task_protection::get_task_protection(&world, &mut house.ctx, &input).unwrap()
}

/// A running house with one task of a service, and one of none.
fn house() -> (House, TaskKey, TaskKey) {
    let mut house = House::new();
    house.host("h", 1024, 1024);
    house.define("web", vec![container("app", 10, 10)]);
    let mut tasks = house.run_all("web", 2);
    let (of_service, alone) = (tasks.remove(0), tasks.remove(0));
    house.change(|txn, _| {
        txn.update(&TASKS, &of_service, |task| {
            task.group = "service:web".into();
        });
    });
    (house, of_service, alone)
}

#[test]
fn a_protection_holds_until_it_ends_or_is_taken_back() {
    let (mut house, task, _) = house();
    let arn = task.arn();
    let none = get(&mut house, &arn).protected_tasks.unwrap().remove(0);
    assert_eq!(none.protection_enabled, Some(false));
    assert_eq!(
        (none.expiration_date, none.task_arn),
        (None, Some(arn.clone()))
    );
    for (minutes, seconds) in [(None, 7200), (Some(1), 60), (Some(2880), 172_800)] {
        let answer = update(&mut house, &[&arn], Some(true), minutes).unwrap();
        let end = house.ctx.now.plus(Duration::from_secs(seconds));
        let shown = answer.protected_tasks.unwrap();
        assert_eq!(shown[0].protection_enabled, Some(true));
        assert_eq!(shown[0].expiration_date, Some(end), "set anew");
        assert_eq!(get(&mut house, &arn).protected_tasks.unwrap(), shown);
    }
    house.pass(172_800);
    let over = get(&mut house, &arn).protected_tasks.unwrap().remove(0);
    assert_eq!(
        (over.protection_enabled, over.expiration_date),
        (Some(false), None)
    );
    update(&mut house, &[&arn], Some(true), None).unwrap();
    let record = house.world.get(&TASKS, &task).unwrap().clone();
    assert!(protection::until(&record, house.ctx.now).is_some());
    update(&mut house, &[&arn], Some(false), None).unwrap();
    let record = house.world.get(&TASKS, &task).unwrap().clone();
    assert_eq!(protection::until(&record, house.ctx.now), None);
}

#[test]
fn only_living_tasks_of_services_are_protected() {
    let (mut house, task, alone) = house();
    let unknown = "0".repeat(32);
    let answer = update(
        &mut house,
        &[&alone.arn(), &unknown, &task.id.0],
        Some(true),
        None,
    );
    let answer = answer.unwrap();
    assert_eq!(answer.protected_tasks.unwrap().len(), 1);
    let failures: Vec<_> = answer
        .failures
        .unwrap()
        .into_iter()
        .map(|f| (f.arn.unwrap(), f.reason.unwrap()))
        .collect();
    let missing = TaskKey::new(&house.ctx.scope, "default", &unknown).arn();
    assert_eq!(
        failures,
        [
            (alone.arn(), "TASK_NOT_VALID".into()),
            (missing, "MISSING".into())
        ]
    );
    house.stop(&task.id.0, None).unwrap();
    let failures = get(&mut house, &task.arn()).failures.unwrap();
    assert_eq!(failures[0].reason.as_deref(), Some("TASK_NOT_VALID"));
}

#[test]
fn no_other_task_joins_those_that_hold_up_their_service() {
    let mut house = House::new();
    house.host("h", 1024, 1024);
    house.define_app("web", 10);
    let key = house.service("web", "web", Settings::default());
    house.until_steady(&key);
    let tasks: Vec<_> = house.kept(&key).iter().map(|t| t.key.arn()).collect();
    let failed = |house: &mut House, tasks: &[&str], enabled: bool| -> Vec<String> {
        let answer = update(house, tasks, Some(enabled), None).unwrap();
        assert_eq!(
            answer.protected_tasks.unwrap().len() + answer.failures.as_ref().unwrap().len(),
            tasks.len()
        );
        let failures = answer.failures.unwrap().into_iter();
        failures.map(|f| f.reason.unwrap()).collect()
    };
    assert!(failed(&mut house, &[&tasks[0], &tasks[1]], true).is_empty());
    house.edit(&key, |service| service.desired = 1);
    assert_eq!(
        failed(&mut house, &[&tasks[2], &tasks[0]], true),
        ["DEPLOYMENT_BLOCKED"],
        "two are protected and one is wanted; one of the two may be so for longer"
    );
    let third = get(&mut house, &tasks[2]).protected_tasks.unwrap();
    assert_eq!(third[0].protection_enabled, Some(false));
    assert!(failed(&mut house, &[&tasks[1], &tasks[2]], false).is_empty());
    assert!(
        failed(&mut house, &[&tasks[2]], true).is_empty(),
        "as many as wanted"
    );
    house.edit(&key, |service| service.desired = 3);
    assert!(failed(&mut house, &[&tasks[1]], true).is_empty());
}

#[test]
fn bad_input_is_refused() {
    let (mut house, task, _) = house();
    let arn = task.arn();
    let eleven = [arn.as_str(); 11];
    for (tasks, enabled, minutes) in [
        (&[][..], Some(true), None),
        (&eleven[..], Some(true), None),
        (&[arn.as_str()][..], None, None),
        (&[arn.as_str()], Some(true), Some(0)),
        (&[arn.as_str()], Some(true), Some(2881)),
        (&[arn.as_str()], Some(true), Some(-1)),
    ] {
        let error = update(&mut house, tasks, enabled, minutes).unwrap_err();
        assert_eq!(error.code().name, "InvalidParameterException", "{tasks:?}");
    }
    let shown = get(&mut house, &arn).protected_tasks.unwrap();
    assert_eq!(shown[0].protection_enabled, Some(false));
}
