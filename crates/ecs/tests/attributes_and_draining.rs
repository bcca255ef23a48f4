//! What callers do to container instances: attributes put, listed and deleted; draining; updates of
//! the agent.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::*;
use aws_types::AwsError;
use ecs::instance::life::{self, SessionVersions};
use ecs::ops;
use ecs::records::InstanceKey;
use support::{House, container, run};

fn refused<T>(answer: Result<T, AwsError>) -> (&'static str, String) {
    let error = answer.err().expect("it is refused");
    (error.code().name, error.message().into())
}

fn attribute(name: &str, value: Option<&str>, target: &str) -> Attribute {
    Attribute {
        name: Some(name.into()),
        value: value.map(Into::into),
        target_id: Some(target.into()),
        target_type: None,
    }
}

fn put(house: &mut House, attributes: Vec<Attribute>) -> Result<Vec<Attribute>, AwsError> {
    let input = PutAttributesRequest {
        attributes: Some(attributes),
        ..PutAttributesRequest::default()
    };
    house
        .write(|txn, ctx| ops::put_attributes::put_attributes(txn, ctx, &input))
        .map(|answer| answer.attributes.unwrap())
}

fn delete(house: &mut House, attributes: Vec<Attribute>) -> Result<Vec<Attribute>, AwsError> {
    let input = DeleteAttributesRequest {
        attributes: Some(attributes),
        ..DeleteAttributesRequest::default()
    };
    house
        .write(|txn, ctx| ops::delete_attributes::delete_attributes(txn, ctx, &input))
        .map(|answer| answer.attributes.unwrap())
}

fn listing(name: Option<&str>, value: Option<&str>) -> ListAttributesRequest {
    ListAttributesRequest {
        target_type: Some("container-instance".into()),
        attribute_name: name.map(Into::into),
        attribute_value: value.map(Into::into),
        ..ListAttributesRequest::default()
    }
}

fn list(
    house: &mut House,
    input: &ListAttributesRequest,
) -> Result<ListAttributesResponse, AwsError> {
    let world = house.world.clone();
    ops::list_attributes::list_attributes(&world, &mut house.ctx, input)
}

/// What `stack` is, instance by instance.
fn stacks(house: &mut House, value: Option<&str>) -> Vec<(String, Option<String>)> {
    let answer = list(house, &listing(Some("stack"), value)).unwrap();
    let found = answer.attributes.unwrap().into_iter();
    found.map(|a| (a.target_id.unwrap(), a.value)).collect()
}

#[test]
fn what_is_put_is_listed_shown_and_survives_a_registration() {
    let mut house = House::new();
    let (a, b) = (house.host("a", 1024, 1024), house.host("b", 1024, 1024));
    let version = house.instance(&a).version.unwrap();
    let given = attribute("stack", Some("production"), &a.arn());
    assert_eq!(put(&mut house, vec![given.clone()]).unwrap(), [given]);
    assert_eq!(house.instance(&a).version.unwrap(), version + 1);
    let short = Attribute {
        target_type: Some("container-instance".into()),
        ..attribute("stack", None, &b.id.0)
    };
    put(&mut house, vec![short]).unwrap();
    let mut expected = vec![
        (a.arn(), Some("production".to_owned())),
        (b.arn(), None::<String>),
    ];
    expected.sort();
    assert_eq!(stacks(&mut house, None), expected);
    assert_eq!(stacks(&mut house, Some("production")).len(), 1);
    assert_eq!(stacks(&mut house, Some("test")), []);

    house.register("a", 2048, 1024);
    assert_eq!(stacks(&mut house, None), expected, "kept");
    let shown = house.instance(&a).attributes.unwrap();
    assert_eq!(shown.last().unwrap().name.as_deref(), Some("stack"));

    let gone = delete(&mut house, vec![attribute("stack", None, &a.arn())]).unwrap();
    assert_eq!(gone, [attribute("stack", Some("production"), &a.arn())]);
    let again = delete(&mut house, vec![attribute("stack", None, &a.arn())]).unwrap();
    assert_eq!(again, [], "not there any more, and no error");
    house.register("a", 2048, 1024);
    assert_eq!(stacks(&mut house, None), [(b.arn(), None)]);
}

#[test]
fn the_agents_value_wins_over_what_was_put_under_its_name() {
    let mut house = House::new();
    let a = house.host("a", 1024, 1024);
    put(&mut house, vec![attribute("rack", Some("1"), &a.arn())]).unwrap();
    house.ctx.caller.principal = aws_types::Principal::Host { host: "a".into() };
    let mut input = support::registration(1024, 1024);
    let sent = Attribute {
        name: Some("rack".into()),
        value: Some("2".into()),
        ..Attribute::default()
    };
    input.attributes.as_mut().unwrap().push(sent);
    let answer = house.write(|txn, ctx| {
        ops::register_container_instance::register_container_instance(txn, ctx, &input)
    });
    let shown = answer.unwrap().container_instance.unwrap().attributes;
    let racks: Vec<_> = shown
        .unwrap()
        .into_iter()
        .filter(|a| a.name.as_deref() == Some("rack"))
        .map(|a| a.value.unwrap())
        .collect();
    assert_eq!(racks, ["2"]);
}

#[test]
fn pages_of_attributes_hold_each_once() {
    let mut house = House::new();
    for host in ["a", "b", "c"] {
        house.host(host, 1024, 1024);
    }
    let all = list(&mut house, &listing(None, None)).unwrap();
    let all: Vec<_> = all.attributes.unwrap();
    assert_eq!(all.len(), 3 * (support::CAPABILITIES.len() + 2));
    let (mut shown, mut token) = (Vec::new(), None);
    loop {
        let input = ListAttributesRequest {
            max_results: Some(4),
            next_token: token,
            ..listing(None, None)
        };
        let answer = list(&mut house, &input).unwrap();
        shown.extend(answer.attributes.unwrap());
        token = answer.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(shown, all);
}

#[test]
fn attributes_that_are_refused_change_nothing() {
    let mut house = House::new();
    let a = house.host("a", 1024, 1024);
    let arn = a.arn();
    let many = |n: usize| -> Vec<_> {
        let names = (0..n).map(|i| format!("n{i}"));
        names.map(|name| attribute(&name, None, &arn)).collect()
    };
    let elsewhere = arn.replace("/default/", "/other/");
    let before = house.instance(&a);
    for (given, code) in [
        (vec![], "InvalidParameterException"),
        (many(11), "InvalidParameterException"),
        (
            vec![attribute("ecs.os-type", Some("x"), &arn)],
            "InvalidParameterException",
        ),
        (
            vec![attribute("a b", None, &arn)],
            "InvalidParameterException",
        ),
        (
            vec![attribute("a", Some(" b"), &arn)],
            "InvalidParameterException",
        ),
        (vec![attribute("a", None, "")], "InvalidParameterException"),
        (
            vec![attribute("a", None, &a.id.0)],
            "InvalidParameterException",
        ),
        (
            vec![attribute("a", None, &elsewhere)],
            "TargetNotFoundException",
        ),
        (
            vec![attribute("a", None, &arn), attribute("b", None, "arn:x")],
            "TargetNotFoundException",
        ),
    ] {
        assert_eq!(refused(put(&mut house, given)).0, code);
    }
    assert_eq!(house.instance(&a), before);
    put(&mut house, many(10)).unwrap();
    put(&mut house, vec![attribute("n3", Some("new"), &arn)]).unwrap();
    let eleventh = put(&mut house, vec![attribute("one-more", None, &arn)]);
    assert_eq!(refused(eleventh).0, "AttributeLimitExceededException");
    for (input, code) in [
        (
            ListAttributesRequest::default(),
            "InvalidParameterException",
        ),
        (listing(None, Some("v")), "InvalidParameterException"),
        (
            ListAttributesRequest {
                max_results: Some(101),
                ..listing(None, None)
            },
            "InvalidParameterException",
        ),
        (
            ListAttributesRequest {
                cluster: Some("none".into()),
                ..listing(None, None)
            },
            "ClusterNotFoundException",
        ),
    ] {
        assert_eq!(refused(list(&mut house, &input)).0, code);
    }
}

fn set_state(
    house: &mut House,
    instances: &[&str],
    status: &str,
) -> Result<UpdateContainerInstancesStateResponse, AwsError> {
    let input = UpdateContainerInstancesStateRequest {
        container_instances: Some(instances.iter().map(ToString::to_string).collect()),
        status: Some(status.into()),
        ..UpdateContainerInstancesStateRequest::default()
    };
    house.write(|txn, ctx| {
        ops::update_container_instances_state::update_container_instances_state(txn, ctx, &input)
    })
}

fn drain(house: &mut House, key: &InstanceKey) {
    let answer = set_state(house, &[&key.id.0], "DRAINING").unwrap();
    let shown = answer.container_instances.unwrap();
    assert_eq!(shown[0].status.as_deref(), Some("DRAINING"));
    assert_eq!(answer.failures, Some(vec![]));
}

#[test]
fn a_draining_instance_keeps_its_tasks_and_takes_no_other() {
    let mut house = House::new();
    let (a, b) = (house.host("a", 1024, 1024), house.host("b", 1024, 1024));
    house.define("web", vec![container("app", 100, 100)]);
    let tasks = house.run_all("web", 2);
    drain(&mut house, &a);
    for task in &tasks {
        assert_eq!(
            house.describe(task).desired_status.as_deref(),
            Some("RUNNING")
        );
    }
    for _ in 0..3 {
        let task = house.run_all("web", 1).remove(0);
        assert_eq!(house.describe(&task).container_instance_arn, Some(b.arn()));
    }
    let input = StartTaskRequest {
        task_definition: Some("web".into()),
        container_instances: Some(vec![a.arn(), b.arn()]),
        ..StartTaskRequest::default()
    };
    let started = house
        .write(|txn, ctx| ops::start_task::start_task(txn, ctx, &input))
        .unwrap();
    assert_eq!(started.tasks.unwrap().len(), 1);
    let failures = started.failures.unwrap();
    assert_eq!(failures[0].arn, Some(a.arn()));
    assert_eq!(failures[0].reason.as_deref(), Some("INACTIVE"));

    // Neither the session's end nor a registration anew ends the draining.
    house.change(|txn, ctx| life::disconnected(txn, ctx, &a));
    house.host("a", 1024, 1024);
    assert_eq!(house.instance(&a).status.as_deref(), Some("DRAINING"));
    drain(&mut house, &b);
    let nowhere = house.run(run("web", 1)).unwrap();
    let failures = nowhere.failures.unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].reason.as_deref(), Some("NO ACTIVE INSTANCES"));
    assert_eq!(failures[0].arn, None);
    set_state(&mut house, &[&a.id.0], "ACTIVE").unwrap();
    let task = house.run_all("web", 1).remove(0);
    assert_eq!(house.describe(&task).container_instance_arn, Some(a.arn()));
}

#[test]
fn a_state_is_set_for_instances_that_are_registered() {
    let mut house = House::new();
    let (a, gone) = (house.host("a", 1024, 1024), house.host("b", 1024, 1024));
    house.change(|txn, ctx| life::deregister(txn, ctx, &gone));
    let unknown = "0".repeat(32);
    let version = house.instance(&a).version.unwrap();
    let named = [a.id.0.as_str(), &unknown, &gone.id.0, &a.arn()];
    let answer = set_state(&mut house, &named, "DRAINING").unwrap();
    let shown = answer.container_instances.unwrap();
    assert_eq!(shown.len(), 1, "named twice, shown once");
    assert_eq!(shown[0].version, Some(version + 1));
    let reasons: Vec<_> = answer.failures.unwrap();
    let reasons: Vec<_> = reasons.iter().map(|f| f.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("MISSING"), Some("INACTIVE")]);
    for status in ["INACTIVE", "REGISTERING", "", "draining"] {
        assert_eq!(
            refused(set_state(&mut house, &[&a.id.0], status)),
            (
                "InvalidParameterException",
                "Container instance status should be one of [ACTIVE, DRAINING]".into()
            )
        );
    }
    let eleven = vec![a.id.0.as_str(); 11];
    for named in [&[][..], &eleven] {
        let code = refused(set_state(&mut house, named, "ACTIVE")).0;
        assert_eq!(code, "InvalidParameterException");
    }
}

#[test]
fn an_agent_is_up_to_date_or_of_unknown_version() {
    let mut house = House::new();
    let key = house.host("a", 1024, 1024);
    let update = |house: &mut House, instance: &str| {
        let world = house.world.clone();
        let input = UpdateContainerAgentRequest {
            container_instance: Some(instance.into()),
            ..UpdateContainerAgentRequest::default()
        };
        refused(ops::update_container_agent::update_container_agent(
            &world,
            &mut house.ctx,
            &input,
        ))
    };
    assert_eq!(
        update(&mut house, &"0".repeat(32)).0,
        "InvalidParameterException"
    );
    assert_eq!(update(&mut house, &key.id.0).0, "MissingVersionException");
    let versions = SessionVersions {
        agent_version: Some("1.0.0".into()),
        ..SessionVersions::default()
    };
    assert!(house.change(|txn, _| life::connected(txn, &key, &versions)));
    assert_eq!(
        update(&mut house, &key.arn()),
        (
            "NoUpdateAvailableException",
            "There is no update available for your container agent.".into()
        )
    );
}
