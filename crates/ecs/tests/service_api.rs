//! What the operations on services answer, and with which words they refuse; nothing is scheduled.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::Stored;
use aws_api::ecs::*;
use aws_types::AwsError;
use ecs::ops;
use ecs::records::service::{SERVICES, ServiceKey, ServiceStatus};
use ecs::records::{SERVICE_DEPLOYMENTS, SERVICE_REVISIONS};
use serde_json::{Value, json};
use support::{House, container};

fn input<T: aws_api::Shape>(value: Value) -> T {
    let read: Stored<T> = serde_json::from_value(value).unwrap();
    read.0
}

fn house() -> House {
    let mut house = House::new();
    house.host("h1", 1024, 1024);
    for _ in 0..2 {
        house.define("web", vec![container("app", 10, 10)]);
    }
    house
}

fn create(house: &mut House, asked: Value) -> Result<Service, AwsError> {
    let asked: CreateServiceRequest = input(asked);
    let answer = house.write(|txn, ctx| ops::create_service::create_service(txn, ctx, &asked));
    answer.map(|answer| answer.service.unwrap())
}

fn update(house: &mut House, asked: Value) -> Result<Service, AwsError> {
    let asked: UpdateServiceRequest = input(asked);
    let answer = house.write(|txn, ctx| ops::update_service::update_service(txn, ctx, &asked));
    answer.map(|answer| answer.service.unwrap())
}

fn delete(house: &mut House, asked: Value) -> Result<Service, AwsError> {
    let asked: DeleteServiceRequest = input(asked);
    let answer = house.write(|txn, ctx| ops::delete_service::delete_service(txn, ctx, &asked));
    answer.map(|answer| answer.service.unwrap())
}

fn describe(house: &mut House, asked: Value) -> Result<DescribeServicesResponse, AwsError> {
    let world = house.world.clone();
    ops::describe_services::describe_services(&world, &mut house.ctx, &input(asked))
}

fn list(house: &mut House, asked: Value) -> Result<ListServicesResponse, AwsError> {
    let world = house.world.clone();
    ops::list_services::list_services(&world, &mut house.ctx, &input(asked))
}

fn web(house: &mut House) -> Service {
    let asked = json!({"serviceName": "web", "taskDefinition": "web:1", "desiredCount": 2});
    create(house, asked).unwrap()
}

/// What the plan does once every task is stopped.
fn end(house: &mut House, name: &str) {
    let key = ServiceKey::new(&house.ctx.scope, "default", name);
    house.change(|txn, ctx| {
        txn.update(&SERVICES, &key, |service| {
            service.status = ServiceStatus::Inactive;
            service.ended = Some(ctx.now);
        });
    });
}

fn shown<T: aws_api::Shape>(shape: T) -> Value {
    serde_json::to_value(Stored(shape)).unwrap()
}

fn text<T>(answer: Result<T, AwsError>) -> String {
    answer.err().expect("it is refused").to_string()
}

#[test]
fn a_new_service_is_shown_as_aws_shows_it() {
    let mut house = house();
    let service = shown(web(&mut house));
    let arn = |resource: &str| format!("arn:aws:ecs:us-east-1:000000000000:{resource}");
    for (member, expected) in [
        ("serviceArn", json!(arn("service/default/web"))),
        ("serviceName", json!("web")),
        ("clusterArn", json!(arn("cluster/default"))),
        ("loadBalancers", json!([])),
        ("serviceRegistries", json!([])),
        ("status", json!("ACTIVE")),
        ("desiredCount", json!(2)),
        ("runningCount", json!(0)),
        ("pendingCount", json!(0)),
        ("launchType", json!("EC2")),
        ("taskDefinition", json!(arn("task-definition/web:1"))),
        ("events", json!([])),
        ("placementConstraints", json!([])),
        ("placementStrategy", json!([])),
        ("schedulingStrategy", json!("REPLICA")),
        ("deploymentController", json!({"type": "ECS"})),
        ("createdBy", json!("arn:aws:iam::000000000000:root")),
        ("enableECSManagedTags", json!(false)),
        ("propagateTags", json!("NONE")),
        ("enableExecuteCommand", json!(false)),
        ("availabilityZoneRebalancing", json!("ENABLED")),
        ("taskSets", Value::Null),
        ("networkConfiguration", Value::Null),
        ("platformVersion", Value::Null),
        ("healthCheckGracePeriodSeconds", Value::Null),
        (
            "deploymentConfiguration",
            json!({"deploymentCircuitBreaker": {"enable": false, "rollback": false},
                "maximumPercent": 200, "minimumHealthyPercent": 100,
                "strategy": "ROLLING", "bakeTimeInMinutes": 0}),
        ),
    ] {
        let got = service.get(member).cloned().unwrap_or(Value::Null);
        assert_eq!(got, expected, "{member}");
    }
    let deployment = &service["deployments"][0];
    let id = deployment["id"].as_str().unwrap();
    for (member, expected) in [
        ("status", json!("PRIMARY")),
        ("desiredCount", json!(2)),
        ("pendingCount", json!(0)),
        ("runningCount", json!(0)),
        ("failedTasks", json!(0)),
        ("launchType", json!("EC2")),
        ("taskDefinition", json!(arn("task-definition/web:1"))),
        ("rolloutState", json!("IN_PROGRESS")),
        (
            "rolloutStateReason",
            json!(format!("ECS deployment {id} in progress.")),
        ),
    ] {
        assert_eq!(deployment[member], expected, "{member}");
    }
    assert!(id.starts_with("ecs-svc/"), "{id}");
    let revision = &service["currentServiceRevisions"][0];
    assert_eq!(revision["requestedTaskCount"], 2);
    assert_eq!(house.world.count(&SERVICE_DEPLOYMENTS), 1);
}

#[test]
fn creation_is_idempotent_by_its_token_alone() {
    let mut house = house();
    let asked = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1,
        "clientToken": "t"});
    let first = create(&mut house, asked.clone()).unwrap();
    let again = create(&mut house, asked.clone()).unwrap();
    assert_eq!(first, again);
    let refused = "InvalidParameterException: Creation of service was not idempotent.";
    for (member, value) in [
        ("desiredCount", json!(2)),
        ("clientToken", json!("u")),
        ("clientToken", Value::Null),
    ] {
        let mut other = asked.clone();
        other[member] = value;
        assert_eq!(text(create(&mut house, other)), refused, "{member}");
    }
}

#[test]
fn a_creation_that_cannot_be_gets_awss_error_and_leaves_nothing() {
    let mut house = house();
    house.define("old", vec![container("app", 10, 10)]);
    house.change(|txn, ctx| {
        let asked = input(json!({"taskDefinition": "old:1"}));
        ops::deregister_task_definition::deregister_task_definition(txn, ctx, &asked).unwrap();
    });
    let base = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1});
    for (member, value, expected) in [
        (
            "cluster",
            json!("blue"),
            "ClusterNotFoundException: Cluster not found.",
        ),
        (
            "taskDefinition",
            Value::Null,
            "ClientException: TaskDefinition can not be blank.",
        ),
        (
            "taskDefinition",
            json!("no"),
            "ClientException: TaskDefinition not found.",
        ),
        (
            "taskDefinition",
            json!("old:1"),
            "ClientException: TaskDefinition is inactive",
        ),
        (
            "networkConfiguration",
            json!({"awsvpcConfiguration": {"subnets": ["s"]}}),
            "InvalidParameterException: Network Configuration is not valid for the given \
             `networkMode` of this task definition.",
        ),
        (
            "launchType",
            json!("FARGATE"),
            "ClientException: Longshore does not yet support launchType",
        ),
        (
            "loadBalancers",
            json!([{"containerName": "app", "containerPort": 80}]),
            "ClientException: Longshore does not yet support loadBalancers",
        ),
        (
            "enableExecuteCommand",
            json!(true),
            "InvalidParameterException: The service couldn't be created because a valid \
             taskRoleArn is not being used. Specify a valid task role in your task definition and \
             try again.",
        ),
        (
            "placementStrategy",
            json!([{"type": "near"}]),
            "InvalidParameterException: strategy type should be one of [random,spread,binpack]",
        ),
        (
            "tags",
            json!([{"key": "aws:x", "value": "y"}]),
            "InvalidParameterException: Tag keys cannot start with aws:.",
        ),
    ] {
        let mut asked = base.clone();
        asked[member] = value;
        assert_eq!(text(create(&mut house, asked)), expected, "{member}");
    }
    assert_eq!(house.world.count(&SERVICES), 0);
    assert_eq!(house.world.count(&SERVICE_REVISIONS), 0);
}

#[test]
fn zones_are_evened_out_where_they_can_be_unless_told_otherwise() {
    let mut house = house();
    let zone = json!([{"type": "spread", "field": "attribute:ecs.availability-zone"}]);
    let packed = json!([{"type": "binpack", "field": "cpu"}]);
    let tight = json!({"maximumPercent": 100, "minimumHealthyPercent": 50});
    let enabled = "ENABLED";
    for (name, more, expected) in [
        ("a", json!({}), Ok("ENABLED")),
        ("b", json!({"placementStrategy": zone}), Ok("ENABLED")),
        ("c", json!({"placementStrategy": packed}), Ok("DISABLED")),
        (
            "d",
            json!({"deploymentConfiguration": tight}),
            Ok("DISABLED"),
        ),
        ("e", json!({"schedulingStrategy": "DAEMON"}), Ok("DISABLED")),
        (
            "f",
            json!({"availabilityZoneRebalancing": "DISABLED"}),
            Ok("DISABLED"),
        ),
        (
            "g",
            json!({"availabilityZoneRebalancing": enabled, "placementStrategy": packed}),
            Err("whose first placement strategy is not spread by Availability Zone"),
        ),
        (
            "h",
            json!({"availabilityZoneRebalancing": enabled, "deploymentConfiguration": tight}),
            Err("whose maximumPercent is 100 or less"),
        ),
    ] {
        let mut asked = json!({"serviceName": name, "taskDefinition": "web"});
        let members = asked.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let got = create(&mut house, asked);
        match expected {
            Ok(expected) => {
                let got = got.unwrap().availability_zone_rebalancing.unwrap();
                assert_eq!(got, expected, "{name}");
            }
            Err(why) => assert!(text(got).contains(why), "{name}"),
        }
    }
}

#[test]
fn only_another_workload_or_the_wish_makes_a_deployment() {
    let mut house = house();
    let first = web(&mut house);
    let id = |service: &Service| {
        let deployments = service.deployments.as_ref().unwrap();
        deployments[0].id.clone().unwrap()
    };
    house.pass(10);
    for asked in [
        json!({"service": "web"}),
        json!({"service": "web", "taskDefinition": "web:1"}),
        json!({"service": "web", "desiredCount": 3}),
        json!({"service": "web", "deploymentConfiguration": {"maximumPercent": 150}}),
        json!({"service": "web", "healthCheckGracePeriodSeconds": 5}),
        json!({"service": "web", "placementStrategy": [{"type": "random"}],
            "availabilityZoneRebalancing": "DISABLED"}),
        json!({"service": "web", "propagateTags": "SERVICE", "enableECSManagedTags": true}),
    ] {
        let got = update(&mut house, asked.clone()).unwrap();
        assert_eq!(id(&got), id(&first), "{asked}");
    }
    let now = describe(&mut house, json!({"services": ["web"]})).unwrap();
    let now = now.services.unwrap().remove(0);
    assert_eq!(now.desired_count, Some(3));
    let primary = now.deployments.as_ref().unwrap()[0].clone();
    assert_eq!(primary.desired_count, Some(3));
    assert!(
        primary.updated_at > primary.created_at,
        "its desired count changed"
    );
    assert_eq!(now.health_check_grace_period_seconds, Some(5));
    let configuration = now.deployment_configuration.unwrap();
    assert_eq!(configuration.maximum_percent, Some(150));
    assert_eq!(configuration.minimum_healthy_percent, Some(100));

    let forced = update(
        &mut house,
        json!({"service": "web", "forceNewDeployment": true}),
    );
    let forced = forced.unwrap();
    assert_ne!(id(&forced), id(&first));
    let newer = update(
        &mut house,
        json!({"service": "web", "taskDefinition": "web"}),
    )
    .unwrap();
    let deployments = newer.deployments.unwrap();
    let statuses: Vec<_> = deployments
        .iter()
        .map(|d| d.status.clone().unwrap())
        .collect();
    assert_eq!(statuses, ["PRIMARY", "ACTIVE", "ACTIVE"]);
    let definition = newer.task_definition.unwrap();
    assert!(
        definition.ends_with("task-definition/web:2"),
        "{definition}"
    );
    assert_eq!(house.world.count(&SERVICE_REVISIONS), 3);
}

#[test]
fn a_list_given_replaces_the_list_and_an_absent_one_leaves_it() {
    let mut house = house();
    let asked = json!({"serviceName": "web", "taskDefinition": "web",
        "placementConstraints": [{"type": "distinctInstance"}]});
    create(&mut house, asked).unwrap();
    let kept = update(&mut house, json!({"service": "web"})).unwrap();
    assert_eq!(kept.placement_constraints.map(|all| all.len()), Some(1));
    let gone = update(
        &mut house,
        json!({"service": "web", "placementConstraints": []}),
    );
    assert_eq!(gone.unwrap().placement_constraints, Some(vec![]));
}

#[test]
fn a_service_is_deleted_by_draining_and_its_name_is_free_when_it_is_inactive() {
    let mut house = house();
    web(&mut house);
    let scaled =
        "InvalidParameterException: The service cannot be stopped while it is scaled above 0.";
    assert_eq!(text(delete(&mut house, json!({"service": "web"}))), scaled);
    let draining = delete(&mut house, json!({"service": "web", "force": true})).unwrap();
    assert_eq!(draining.status.as_deref(), Some("DRAINING"));
    assert_eq!(draining.desired_count, Some(0));
    let again = json!({"serviceName": "web", "taskDefinition": "web:1"});
    let still = "InvalidParameterException: Unable to Start a service that is still Draining.";
    assert_eq!(text(create(&mut house, again.clone())), still);
    let not_active = "ServiceNotActiveException: Service was not ACTIVE.";
    assert_eq!(
        text(update(&mut house, json!({"service": "web"}))),
        not_active
    );
    assert_eq!(
        list(&mut house, json!({})).unwrap().service_arns,
        Some(vec![])
    );

    end(&mut house, "web");
    let not_found = "ServiceNotFoundException: Service not found.";
    assert_eq!(
        text(delete(&mut house, json!({"service": "web"}))),
        not_found
    );
    let described = describe(&mut house, json!({"services": ["web"]})).unwrap();
    assert_eq!(
        described.services.unwrap()[0].status.as_deref(),
        Some("INACTIVE")
    );
    create(&mut house, again).unwrap();
    assert_eq!(
        house.world.count(&SERVICE_REVISIONS),
        1,
        "the earlier ones are gone"
    );
    assert_eq!(house.world.count(&SERVICE_DEPLOYMENTS), 1);
}

#[test]
fn a_service_scaled_to_zero_and_a_daemon_need_no_force() {
    let mut house = house();
    web(&mut house);
    update(&mut house, json!({"service": "web", "desiredCount": 0})).unwrap();
    assert!(delete(&mut house, json!({"service": "web"})).is_ok());
    let asked =
        json!({"serviceName": "d", "taskDefinition": "web", "schedulingStrategy": "DAEMON"});
    create(&mut house, asked).unwrap();
    assert!(delete(&mut house, json!({"service": "d"})).is_ok());
}

#[test]
fn services_are_described_by_name_or_arn_and_what_is_missing_is_a_failure() {
    let mut house = house();
    let asked = json!({"serviceName": "web", "taskDefinition": "web",
        "tags": [{"key": "team", "value": "a"}]});
    let arn = create(&mut house, asked).unwrap().service_arn.unwrap();
    let short = "arn:aws:ecs:us-east-1:000000000000:service/web";
    let asked = json!({"services": ["web", arn, short, "no"]});
    let got = describe(&mut house, asked).unwrap();
    let services = got.services.unwrap();
    assert_eq!(services.len(), 1, "each once");
    assert_eq!(services[0].tags, None);
    let failure = got.failures.unwrap().remove(0);
    let missing = "arn:aws:ecs:us-east-1:000000000000:service/default/no";
    assert_eq!(failure.arn.as_deref(), Some(missing));
    assert_eq!(failure.reason.as_deref(), Some("MISSING"));
    let tagged = describe(
        &mut house,
        json!({"services": ["web"], "include": ["TAGS"]}),
    );
    let tags = tagged.unwrap().services.unwrap().remove(0).tags.unwrap();
    assert_eq!(tags.len(), 1);
    let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    for (asked, expected) in [
        (json!({}), "Services cannot be empty."),
        (json!({"services": []}), "Services cannot be empty."),
        (
            json!({"services": eleven}),
            "Services cannot be more than 10.",
        ),
        (
            json!({"services": ["a"], "include": ["ALL"]}),
            "include should be one of [TAGS]",
        ),
    ] {
        let got = text(describe(&mut house, asked.clone()));
        assert_eq!(
            got,
            format!("InvalidParameterException: {expected}"),
            "{asked}"
        );
    }
}

#[test]
fn services_are_listed_ten_at_a_time_and_filtered() {
    let mut house = house();
    for n in 0..12 {
        let asked = json!({"serviceName": format!("s{n:02}"), "taskDefinition": "web"});
        create(&mut house, asked).unwrap();
    }
    let asked =
        json!({"serviceName": "d", "taskDefinition": "web", "schedulingStrategy": "DAEMON"});
    create(&mut house, asked).unwrap();
    let first = list(&mut house, json!({})).unwrap();
    assert_eq!(first.service_arns.as_ref().map(Vec::len), Some(10));
    let rest = list(&mut house, json!({"nextToken": first.next_token})).unwrap();
    assert_eq!(rest.service_arns.as_ref().map(Vec::len), Some(3));
    assert_eq!(rest.next_token, None);
    for (asked, expected) in [
        (json!({"schedulingStrategy": "DAEMON"}), 1),
        (
            json!({"schedulingStrategy": "REPLICA", "maxResults": 100}),
            12,
        ),
        (json!({"launchType": "FARGATE"}), 0),
        (json!({"resourceManagementType": "ECS"}), 0),
    ] {
        let got = list(&mut house, asked.clone())
            .unwrap()
            .service_arns
            .unwrap();
        assert_eq!(got.len(), expected, "{asked}");
    }
    let world = house.world.clone();
    let by_namespace = ops::list_services_by_namespace::list_services_by_namespace(
        &world,
        &mut house.ctx,
        &input(json!({"namespace": "ns"})),
    );
    assert_eq!(
        text(by_namespace),
        "NamespaceNotFoundException: Namespace not found."
    );
}
