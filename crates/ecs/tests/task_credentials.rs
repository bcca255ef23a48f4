//! Credentials of tasks' roles: who gets which, when anew, and when they end.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::agent::{IamRoleCredentials, Task as Payload};
use aws_api::ecs::*;
use aws_types::{Principal, Timestamp};
use ecs::instance::life;
use ecs::records::{InstanceKey, TASKS, TaskKey};
use ecs::task::{credentials, payload};
use iam::session::SessionKey;
use std::collections::BTreeSet;
use support::{House, container, registration, run};

const APP: &str = "arn:aws:iam::000000000000:role/app";
const HOUR: u64 = 3600;

fn key() -> SessionKey {
    SessionKey::new([7; 32])
}

fn house() -> (House, InstanceKey) {
    let mut house = House::new();
    let mut input = registration(4096, 4096);
    let names = ["com.amazonaws.ecs.capability.task-iam-role"];
    let attribute = |name: &&str| Attribute {
        name: Some((*name).into()),
        ..Attribute::default()
    };
    let attributes = input.attributes.as_mut().unwrap();
    attributes.extend(names.iter().map(attribute));
    let instance = house.register_with("h", input);
    let versions = life::SessionVersions::default();
    house.change(|txn, _| life::connected(txn, &instance, &versions));
    (house, instance)
}

fn define(house: &mut House, family: &str, role: Option<&str>, execution: Option<&str>) {
    house.define_with(RegisterTaskDefinitionRequest {
        family: Some(family.into()),
        container_definitions: Some(vec![container("c", 10, 10)]),
        task_role_arn: role.map(Into::into),
        execution_role_arn: execution.map(Into::into),
        ..RegisterTaskDefinitionRequest::default()
    });
}

/// The task as its agent reads it now.
fn told(house: &House, task: &TaskKey, now: Timestamp) -> Payload {
    let record = house.world.get(&TASKS, task).unwrap();
    let mut payload = payload::task(&house.world, record);
    credentials::add(&house.world, record, &mut payload, &key(), now);
    payload
}

fn text(member: &Option<String>) -> &str {
    member.as_deref().unwrap()
}

fn who(given: &IamRoleCredentials, now: Timestamp) -> (Principal, String) {
    let opened = key().open(text(&given.access_key_id), text(&given.session_token), now);
    let caller = opened.unwrap().known.caller;
    (caller.principal, caller.arn)
}

#[test]
fn a_task_is_its_role_and_its_agent_the_execution_role() {
    let (mut house, _) = house();
    define(&mut house, "both", Some("app"), Some("team/exec"));
    let task = house.run_all("both", 1).remove(0);
    let now = house.ctx.now;
    let payload = told(&house, &task, now);
    let (role, execution) = (
        payload.role_credentials.unwrap(),
        payload.execution_role_credentials.unwrap(),
    );
    assert_eq!(text(&role.role_arn), APP);
    let session = |name: &str| {
        format!(
            "arn:aws:sts::000000000000:assumed-role/{name}/{}",
            task.id.0
        )
    };
    let own = Principal::Task { arn: task.arn() };
    assert_eq!(who(&role, now), (own, session("app")));
    let agents = Principal::Execution { arn: task.arn() };
    assert_eq!(who(&execution, now), (agents, session("exec")));
    assert_ne!(role.credentials_id, execution.credentials_id);
    assert_ne!(role.secret_access_key, execution.secret_access_key);
    define(&mut house, "none", None, None);
    let bare = house.run_all("none", 1).remove(0);
    let payload = told(&house, &bare, now);
    assert_eq!(payload.role_credentials, None);
    assert_eq!(payload.execution_role_credentials, None);
}

#[test]
fn an_override_is_stronger_and_a_role_of_another_account_is_none() {
    let (mut house, _) = house();
    define(&mut house, "f", Some("app"), None);
    let with = |role: &str| RunTaskRequest {
        overrides: Some(TaskOverride {
            task_role_arn: Some(role.into()),
            ..TaskOverride::default()
        }),
        ..run("f", 1)
    };
    let answer = house.run(with("other")).unwrap();
    let arn = answer.tasks.unwrap().remove(0).task_arn.unwrap();
    let task = ecs::task::reference::task_arn(&house.ctx.scope, &arn).unwrap();
    let role = told(&house, &task, house.ctx.now).role_credentials.unwrap();
    assert!(text(&role.role_arn).ends_with("role/other"));
    let foreign = "arn:aws:iam::111111111111:role/app";
    let error = house.run(with(foreign)).unwrap_err();
    assert_eq!(
        (error.code().name, error.message()),
        ("ClientException", "Role is not valid")
    );
    define(&mut house, "foreign", None, Some(foreign));
    let error = house.run(run("foreign", 1)).unwrap_err();
    assert_eq!(error.message(), "Role is not valid");
}

#[test]
fn they_are_made_anew_each_three_hours_under_one_id() {
    let (mut house, instance) = house();
    define(&mut house, "f", Some("app"), None);
    let task = house.run_all("f", 1).remove(0);
    let renewed = |house: &House, from: Option<Timestamp>| {
        credentials::renewed(&house.world, &instance, &key(), (from, house.ctx.now))
    };
    assert!(
        renewed(&house, None).is_empty(),
        "its agent does not know it"
    );
    house.deliver(&instance);
    let (mut ids, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    for hour in 0..12 {
        let before = house.ctx.now;
        let all = renewed(&house, None);
        assert_eq!(all.len(), 1);
        let given = all[0].role_credentials.clone().unwrap();
        assert_eq!(all[0].role_type.as_deref(), Some("TaskApplication"));
        assert_eq!(all[0].task_arn, Some(task.arn()));
        let opens = |hours: u64| {
            let at = before.plus(std::time::Duration::from_secs(hours * HOUR));
            key()
                .open(text(&given.access_key_id), text(&given.session_token), at)
                .is_ok()
        };
        assert!(opens(3) && !opens(6), "hour {hour}");
        ids.insert(given.credentials_id);
        secrets.insert(given.secret_access_key);
        house.pass(HOUR);
        let is_due = (hour + 1) % 3 == 0;
        let due = renewed(&house, Some(before)).len();
        assert_eq!(due, usize::from(is_due), "hour {hour}");
    }
    assert_eq!((ids.len(), secrets.len()), (1, 4));
}

#[test]
fn they_end_with_their_task() {
    let (mut house, instance) = house();
    define(&mut house, "f", Some("app"), None);
    let task = house.run_all("f", 1).remove(0);
    house.deliver(&instance);
    house.report_running(&task, &["c"]);
    assert!(credentials::is_alive(&house.world, &task.arn()));
    house.stop(&task.id.0, None).unwrap();
    assert!(
        credentials::is_alive(&house.world, &task.arn()),
        "its containers may still have something to do"
    );
    house.report_stopped(&task, &["c"], 0);
    assert!(!credentials::is_alive(&house.world, &task.arn()));
    for unknown in [
        "arn:aws:ecs:us-east-1:000000000000:task/default/0",
        "",
        "arn",
    ] {
        assert!(!credentials::is_alive(&house.world, unknown));
    }
    let now = house.ctx.now;
    let all = credentials::renewed(&house.world, &instance, &key(), (None, now));
    assert!(all.is_empty());
    assert_eq!(told(&house, &task, now).role_credentials, None);
}
