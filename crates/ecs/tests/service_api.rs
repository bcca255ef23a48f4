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
            "InvalidParameterException: Task definition does not support launch_type FARGATE",
        ),
        (
            "launchType",
            json!("EXTERNAL"),
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

fn task_set(house: &mut House, asked: Value) -> Result<TaskSet, AwsError> {
    let asked: CreateTaskSetRequest = input(asked);
    let answer = house.write(|txn, ctx| ops::create_task_set::create_task_set(txn, ctx, &asked));
    answer.map(|answer| answer.task_set.unwrap())
}

fn update_set(house: &mut House, asked: Value) -> Result<TaskSet, AwsError> {
    let asked: UpdateTaskSetRequest = input(asked);
    let answer = house.write(|txn, ctx| ops::update_task_set::update_task_set(txn, ctx, &asked));
    answer.map(|answer| answer.task_set.unwrap())
}

fn delete_set(house: &mut House, asked: Value) -> Result<TaskSet, AwsError> {
    let asked: DeleteTaskSetRequest = input(asked);
    let answer = house.write(|txn, ctx| ops::delete_task_set::delete_task_set(txn, ctx, &asked));
    answer.map(|answer| answer.task_set.unwrap())
}

fn make_primary(house: &mut House, asked: Value) -> Result<TaskSet, AwsError> {
    use ops::update_service_primary_task_set::update_service_primary_task_set as update;
    let asked: UpdateServicePrimaryTaskSetRequest = input(asked);
    let answer = house.write(|txn, ctx| update(txn, ctx, &asked));
    answer.map(|answer| answer.task_set.unwrap())
}

fn describe_sets(house: &mut House, asked: Value) -> Result<DescribeTaskSetsResponse, AwsError> {
    let world = house.world.clone();
    ops::describe_task_sets::describe_task_sets(&world, &mut house.ctx, &input(asked))
}

fn external(house: &mut House) -> Service {
    let asked = json!({"serviceName": "ext", "desiredCount": 3,
        "deploymentController": {"type": "EXTERNAL"}});
    create(house, asked).unwrap()
}

fn of_ext(more: Value) -> Value {
    let mut asked = json!({"cluster": "default", "service": "ext"});
    let members = asked.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    asked
}

#[test]
fn an_external_service_holds_task_sets_and_no_deployment() {
    let mut house = house();
    let service = shown(external(&mut house));
    assert_eq!(service["deployments"], json!([]));
    assert_eq!(service["taskSets"], json!([]));
    assert_eq!(service["taskDefinition"], Value::Null);
    assert_eq!(service["availabilityZoneRebalancing"], "DISABLED");
    let set = task_set(
        &mut house,
        of_ext(json!({"taskDefinition": "web:1", "externalId": "x"})),
    );
    let set = shown(set.unwrap());
    let id = set["id"].as_str().unwrap().to_owned();
    for (member, expected) in [
        ("status", json!("ACTIVE")),
        ("externalId", json!("x")),
        ("computedDesiredCount", json!(0)),
        ("runningCount", json!(0)),
        ("scale", json!({"value": 0.0, "unit": "PERCENT"})),
        ("stabilityStatus", json!("STABILIZING")),
        ("loadBalancers", json!([])),
        ("serviceRegistries", json!([])),
        ("launchType", json!("EC2")),
        (
            "taskDefinition",
            json!("arn:aws:ecs:us-east-1:000000000000:task-definition/web:1"),
        ),
        (
            "taskSetArn",
            json!(format!(
                "arn:aws:ecs:us-east-1:000000000000:task-set/default/ext/{id}"
            )),
        ),
    ] {
        assert_eq!(set[member], expected, "{member}");
    }
    house.pass(1);
    let scaled = of_ext(json!({"taskSet": set["taskSetArn"], "scale": {"value": 50.0}}));
    let scaled = update_set(&mut house, scaled).unwrap();
    assert_eq!(scaled.computed_desired_count, Some(2), "rounded up");
    assert!(scaled.updated_at > scaled.created_at);
}

#[test]
fn one_task_set_is_primary_and_a_deleted_one_drains() {
    let mut house = house();
    external(&mut house);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let asked = of_ext(json!({"taskDefinition": "web", "scale": {"value": 100.0}}));
        ids.push(task_set(&mut house, asked).unwrap().id.unwrap());
    }
    let statuses = |house: &mut House| -> Vec<String> {
        let sets = describe_sets(house, of_ext(json!({}))).unwrap();
        let sets = sets.task_sets.unwrap().into_iter();
        sets.map(|set| set.status.unwrap()).collect()
    };
    for (id, expected) in [
        (&ids[0], ["ACTIVE", "PRIMARY"]),
        (&ids[1], ["PRIMARY", "ACTIVE"]),
    ] {
        let primary = make_primary(&mut house, of_ext(json!({"primaryTaskSet": id}))).unwrap();
        assert_eq!(primary.status.as_deref(), Some("PRIMARY"));
        assert_eq!(statuses(&mut house), expected, "the newest first");
    }
    let scaled =
        "InvalidParameterException: The task set cannot be deleted while it is scaled above 0.";
    let asked = of_ext(json!({"taskSet": ids[0]}));
    assert_eq!(text(delete_set(&mut house, asked)), scaled);
    let forced = of_ext(json!({"taskSet": ids[0], "force": true}));
    let gone = delete_set(&mut house, forced.clone()).unwrap();
    assert_eq!(gone.status.as_deref(), Some("DRAINING"));
    assert_eq!(gone.computed_desired_count, Some(0));
    let none = "TaskSetNotFoundException: The specified task set does not exist.";
    assert_eq!(text(delete_set(&mut house, forced)), none);
    let found = describe_sets(
        &mut house,
        of_ext(json!({"taskSets": [ids[1], "ecs-svc/7"]})),
    );
    let found = found.unwrap();
    assert_eq!(found.task_sets.unwrap().len(), 1);
    let missing = "arn:aws:ecs:us-east-1:000000000000:task-set/default/ext/ecs-svc/7";
    assert_eq!(found.failures.unwrap()[0].arn.as_deref(), Some(missing));
    update(&mut house, json!({"service": "ext", "desiredCount": 0})).unwrap();
    let active =
        "InvalidParameterException: The service cannot be stopped while deployments are active.";
    assert_eq!(text(delete(&mut house, json!({"service": "ext"}))), active);
}

#[test]
fn a_task_set_out_of_place_gets_awss_error() {
    let mut house = house();
    web(&mut house);
    external(&mut house);
    let base = json!({"taskDefinition": "web"});
    let of_web = json!({"cluster": "default", "service": "web", "taskDefinition": "web"});
    for (asked, expected) in [
        (
            of_web,
            "InvalidParameterException: Task sets can only be used by services",
        ),
        (
            of_ext(json!({})),
            "ClientException: TaskDefinition can not be blank.",
        ),
        (
            of_ext(json!({"taskDefinition": "no"})),
            "ClientException: TaskDefinition not found.",
        ),
        (
            of_ext(json!({"taskDefinition": "web", "scale": {"value": 101.0}})),
            "InvalidParameterException: scale value must be between 0 and 100.",
        ),
        (
            of_ext(json!({"taskDefinition": "web", "launchType": "FARGATE"})),
            "InvalidParameterException: Task definition does not support launch_type FARGATE",
        ),
        (
            of_ext(json!({"taskDefinition": "web", "launchType": "EXTERNAL"})),
            "ClientException: Longshore does not yet support launchType",
        ),
        (
            json!({"cluster": "default", "service": "no", "taskDefinition": "web"}),
            "ServiceNotFoundException: Service not found.",
        ),
        (
            json!({"cluster": "no", "service": "web", "taskDefinition": "web"}),
            "ClusterNotFoundException: Cluster not found.",
        ),
    ] {
        let got = text(task_set(&mut house, asked.clone()));
        assert!(got.starts_with(expected), "{asked}: {got}");
    }
    let mut tokened = of_ext(base);
    tokened["clientToken"] = "t".into();
    let first = task_set(&mut house, tokened.clone()).unwrap();
    assert_eq!(task_set(&mut house, tokened.clone()).unwrap(), first);
    tokened["externalId"] = "other".into();
    let refused = "InvalidParameterException: Creation of task set was not idempotent.";
    assert_eq!(text(task_set(&mut house, tokened)), refused);
}

#[test]
fn a_code_deploy_service_begins_with_a_primary_task_set() {
    let mut house = house();
    let asked = json!({"serviceName": "cd", "taskDefinition": "web", "desiredCount": 2,
        "deploymentController": {"type": "CODE_DEPLOY"}});
    let service = shown(create(&mut house, asked).unwrap());
    assert_eq!(service["deployments"], json!([]));
    let set = &service["taskSets"][0];
    assert_eq!(set["status"], "PRIMARY");
    assert_eq!(set["computedDesiredCount"], 2);
}

fn deployments(house: &mut House, asked: Value) -> Result<Vec<ServiceDeploymentBrief>, AwsError> {
    let world = house.world.clone();
    let asked: ListServiceDeploymentsRequest = input(asked);
    let answer =
        ops::list_service_deployments::list_service_deployments(&world, &mut house.ctx, &asked);
    answer.map(|answer| answer.service_deployments.unwrap())
}

fn stop(house: &mut House, asked: Value) -> Result<StopServiceDeploymentResponse, AwsError> {
    use ops::stop_service_deployment::stop_service_deployment;
    let asked: StopServiceDeploymentRequest = input(asked);
    house.write(|txn, ctx| stop_service_deployment(txn, ctx, &asked))
}

#[test]
fn the_history_of_a_service_is_listed_and_described() {
    let mut house = house();
    let arn = web(&mut house).service_arn.unwrap();
    house.pass(1);
    let asked = json!({"service": "web", "taskDefinition": "web:2", "desiredCount": 3});
    update(&mut house, asked).unwrap();
    let all = deployments(&mut house, json!({"service": arn})).unwrap();
    let statuses: Vec<_> = all.iter().map(|d| d.status.clone().unwrap()).collect();
    assert_eq!(statuses, ["PENDING", "STOPPED"], "the newest first");
    for (asked, expected) in [
        (json!({"service": "web", "status": ["STOPPED"]}), 1),
        (json!({"service": "web", "status": ["SUCCESSFUL"]}), 0),
        (
            json!({"service": "web", "createdAt": {"after": support::START.millis() + 500}}),
            1,
        ),
        (
            json!({"service": "web", "createdAt": {"before": support::START.millis() + 500}}),
            1,
        ),
        (json!({"service": "web", "maxResults": 1}), 1),
    ] {
        assert_eq!(
            deployments(&mut house, asked.clone()).unwrap().len(),
            expected,
            "{asked}"
        );
    }
    let not_found = "ServiceNotFoundException: Service not found.";
    assert_eq!(
        text(deployments(&mut house, json!({"service": "no"}))),
        not_found
    );

    let world = house.world.clone();
    let newest = all[0].service_deployment_arn.clone().unwrap();
    let asked = json!({"serviceDeploymentArns": [newest, "arn:aws:ecs:no"]});
    let found = ops::describe_service_deployments::describe_service_deployments(
        &world,
        &mut house.ctx,
        &input(asked),
    );
    let found = found.unwrap();
    assert_eq!(
        found.failures.unwrap()[0].reason.as_deref(),
        Some("MISSING")
    );
    let full = shown(found.service_deployments.unwrap().remove(0));
    assert_eq!(full["targetServiceRevision"]["requestedTaskCount"], 3);
    assert_eq!(full["sourceServiceRevisions"][0]["requestedTaskCount"], 2);
    let off = json!({"status": "DISABLED", "failureCount": 0, "threshold": 3});
    assert_eq!(full["deploymentCircuitBreaker"], off);
    assert_eq!(full["alarms"], json!({"status": "DISABLED"}));

    let arns = vec![full["targetServiceRevision"]["arn"].clone()];
    let found = ops::describe_service_revisions::describe_service_revisions(
        &world,
        &mut house.ctx,
        &input(json!({"serviceRevisionArns": arns})),
    );
    let revision = shown(found.unwrap().service_revisions.unwrap().remove(0));
    let definition = "arn:aws:ecs:us-east-1:000000000000:task-definition/web:2";
    assert_eq!(revision["taskDefinition"], definition);
    assert_eq!(revision["containerImages"], json!([]));
    assert_eq!(revision["guardDutyEnabled"], false);
}

fn revision(house: &mut House, arn: &Value) -> Value {
    let world = house.world.clone();
    let asked = input(json!({"serviceRevisionArns": [arn]}));
    let found =
        ops::describe_service_revisions::describe_service_revisions(&world, &mut house.ctx, &asked);
    let found = found.unwrap();
    assert_eq!(found.failures, Some(vec![]));
    shown(found.service_revisions.unwrap().remove(0))
}

#[test]
fn an_update_leaves_the_earlier_revision_as_it_was() {
    let mut house = house();
    let service = web(&mut house);
    let newest = |house: &mut House| {
        let all = deployments(house, json!({"service": "web"})).unwrap();
        json!(all[0].target_service_revision_arn)
    };
    let first = newest(&mut house);
    let before = revision(&mut house, &first);
    assert_eq!(
        before["taskDefinition"],
        "arn:aws:ecs:us-east-1:000000000000:task-definition/web:1"
    );
    assert_eq!(before["serviceArn"], json!(service.service_arn));
    for asked in [
        json!({"service": "web", "taskDefinition": "web:2", "desiredCount": 5}),
        json!({"service": "web", "taskDefinition": "web:1", "forceNewDeployment": true}),
        json!({"service": "web", "deploymentConfiguration": {"maximumPercent": 150}}),
    ] {
        house.pass(10);
        update(&mut house, asked.clone()).unwrap();
        assert_eq!(revision(&mut house, &first), before, "{asked}");
    }
    let last = newest(&mut house);
    assert_ne!(last, first, "the same definition again is a revision anew");
    assert!(revision(&mut house, &last)["createdAt"].as_f64() > before["createdAt"].as_f64());
    delete(&mut house, json!({"service": "web", "force": true})).unwrap();
    assert_eq!(revision(&mut house, &first), before, "deleted");
}

#[test]
fn a_deployment_under_way_can_be_stopped_once() {
    let mut house = house();
    let closed = "ConflictException: The service deployment can't be stopped because it is not in \
                  progress.";
    for (name, kind, status) in [
        ("a", Value::Null, "ROLLBACK_REQUESTED"),
        ("b", json!("ROLLBACK"), "ROLLBACK_REQUESTED"),
        ("c", json!("ABORT"), "STOP_REQUESTED"),
    ] {
        let service = create(
            &mut house,
            json!({"serviceName": name, "taskDefinition": "web"}),
        );
        let arn = service.unwrap().current_service_deployment.unwrap();
        let asked = json!({"serviceDeploymentArn": arn, "stopType": kind});
        let got = stop(&mut house, asked.clone()).unwrap();
        assert_eq!(got.service_deployment_arn, Some(arn));
        let all = deployments(&mut house, json!({"service": name})).unwrap();
        assert_eq!(all[0].status.as_deref(), Some(status));
        assert_eq!(text(stop(&mut house, asked)), closed);
    }
    let unknown = "arn:aws:ecs:us-east-1:000000000000:service-deployment/default/a/x";
    for (asked, expected) in [
        (
            json!({"serviceDeploymentArn": unknown}),
            "ServiceDeploymentNotFoundException",
        ),
        (
            json!({"serviceDeploymentArn": "x"}),
            "InvalidParameterException",
        ),
        (
            json!({"serviceDeploymentArn": unknown, "stopType": "HALT"}),
            "InvalidParameterException: stopType should be one of [ABORT,ROLLBACK]",
        ),
    ] {
        let got = text(stop(&mut house, asked.clone()));
        assert!(got.starts_with(expected), "{asked}: {got}");
    }
    let all = deployments(&mut house, json!({"service": "a"})).unwrap();
    let arn = all[0].service_deployment_arn.clone();
    let asked = input(json!({"serviceDeploymentArn": arn, "hookId": "h"}));
    let go_on = house.write(|txn, ctx| {
        ops::continue_service_deployment::continue_service_deployment(txn, ctx, &asked)
    });
    assert!(
        text(go_on).contains("no paused lifecycle hook"),
        "it has no hook"
    );
}

#[test]
fn a_deleted_service_ends_its_deployment() {
    let mut house = house();
    web(&mut house);
    delete(&mut house, json!({"service": "web", "force": true})).unwrap();
    let all = deployments(&mut house, json!({"service": "web"})).unwrap();
    assert_eq!(all[0].status.as_deref(), Some("STOPPED"));
}

#[test]
fn a_cluster_counts_its_services_and_is_not_deleted_under_them() {
    let mut house = house();
    house
        .write(|txn, ctx| {
            let asked = input(json!({"clusterName": "blue"}));
            ops::create_cluster::create_cluster(txn, ctx, &asked)
        })
        .unwrap();
    let asked = json!({"cluster": "blue", "serviceName": "web", "taskDefinition": "web"});
    create(&mut house, asked).unwrap();
    let describe = |house: &mut House| {
        let world = house.world.clone();
        let asked = input(json!({"clusters": ["blue"], "include": ["STATISTICS"]}));
        let answer = ops::describe_clusters::describe_clusters(&world, &mut house.ctx, &asked);
        let cluster = answer.unwrap().clusters.unwrap().remove(0);
        let statistics = cluster.statistics.unwrap();
        let of = |name: &str| {
            let found = statistics.iter().find(|s| s.name.as_deref() == Some(name));
            found.unwrap().value.clone().unwrap()
        };
        let draining = of("drainingEC2ServiceCount");
        (
            cluster.active_services_count.unwrap(),
            of("activeEC2ServiceCount"),
            draining,
        )
    };
    let delete_cluster = |house: &mut House| {
        house.write(|txn, ctx| {
            let asked = input(json!({"cluster": "blue"}));
            ops::delete_cluster::delete_cluster(txn, ctx, &asked)
        })
    };
    let contains = "ClusterContainsServicesException: The Cluster cannot be deleted while Services \
                    are active.";
    assert_eq!(describe(&mut house), (1, "1".into(), "0".into()));
    assert_eq!(text(delete_cluster(&mut house)), contains);
    delete(&mut house, json!({"cluster": "blue", "service": "web"})).unwrap();
    assert_eq!(describe(&mut house), (0, "0".into(), "1".into()));
    assert_eq!(text(delete_cluster(&mut house)), contains);
    let key = ServiceKey::new(&house.ctx.scope, "blue", "web");
    house.change(|txn, _| txn.update(&SERVICES, &key, |s| s.status = ServiceStatus::Inactive));
    assert!(delete_cluster(&mut house).is_ok());
    house.pass(7200);
    let expired = |house: &House| {
        let hour = std::time::Duration::from_secs(3600);
        ecs::cluster_retention::expired(&house.world, house.ctx.now, hour).len()
    };
    assert_eq!(
        expired(&house),
        0,
        "a service that was in it is still described"
    );
    house.change(|txn, _| ecs::service::retention::forget(txn, &key));
    assert_eq!(expired(&house), 1);
}

#[test]
fn services_and_task_sets_carry_tags() {
    let mut house = house();
    let service = web(&mut house).service_arn.unwrap();
    external(&mut house);
    let set = task_set(&mut house, of_ext(json!({"taskDefinition": "web"}))).unwrap();
    for arn in [service, set.task_set_arn.unwrap()] {
        let tags = json!([{"key": "team", "value": "a"}]);
        let asked = input(json!({"resourceArn": arn, "tags": tags}));
        house
            .write(|txn, ctx| ops::tag_resource::tag_resource(txn, ctx, &asked))
            .unwrap();
        let world = house.world.clone();
        let asked = input(json!({"resourceArn": arn}));
        let listed =
            ops::list_tags_for_resource::list_tags_for_resource(&world, &mut house.ctx, &asked);
        assert_eq!(
            listed.unwrap().tags.map(|tags| tags.len()),
            Some(1),
            "{arn}"
        );
        let asked = input(json!({"resourceArn": arn, "tagKeys": ["team"]}));
        house
            .write(|txn, ctx| ops::untag_resource::untag_resource(txn, ctx, &asked))
            .unwrap();
    }
    let short = "arn:aws:ecs:us-east-1:000000000000:service/web";
    let asked = input(json!({"resourceArn": short, "tags": []}));
    let got = house.write(|txn, ctx| ops::tag_resource::tag_resource(txn, ctx, &asked));
    assert_eq!(
        text(got),
        "InvalidParameterException: The ARN provided is invalid."
    );
    delete(&mut house, json!({"service": "web", "force": true})).unwrap();
    end(&mut house, "web");
    let gone = "arn:aws:ecs:us-east-1:000000000000:service/default/web";
    let asked = input(json!({"resourceArn": gone, "tags": [{"key": "a", "value": "b"}]}));
    let got = house.write(|txn, ctx| ops::tag_resource::tag_resource(txn, ctx, &asked));
    assert_eq!(
        text(got),
        "InvalidParameterException: The specified service is inactive."
    );
}

/// Whether the revision 1 of `web`, whose deletion was asked for, would be removed now.
fn is_due(house: &House) -> bool {
    !ecs::task_definition::deletion::due(&house.world).is_empty()
}

#[test]
fn a_definition_stays_while_a_service_runs_it() {
    let mut house = house();
    web(&mut house);
    external(&mut house);
    let set = task_set(&mut house, of_ext(json!({"taskDefinition": "web:1"}))).unwrap();
    house.change(|txn, ctx| {
        let asked = input(json!({"taskDefinition": "web:1"}));
        ops::deregister_task_definition::deregister_task_definition(txn, ctx, &asked).unwrap();
        let asked = input(json!({"taskDefinitions": ["web:1"]}));
        ops::delete_task_definitions::delete_task_definitions(txn, ctx, &asked).unwrap();
    });
    assert!(!is_due(&house), "a deployment and a task set");
    let key = ServiceKey::new(&house.ctx.scope, "default", "ext");
    let number = set.id.unwrap();
    let remove = |service: &mut ecs::records::ServiceRecord| {
        service.task_sets.retain(|set| set.id() != number);
    };
    house.change(|txn, _| txn.update(&SERVICES, &key, remove));
    assert!(!is_due(&house), "a deployment");
    delete(&mut house, json!({"service": "web", "force": true})).unwrap();
    assert!(!is_due(&house), "a service that drains");
    end(&mut house, "web");
    assert!(is_due(&house));
}

#[test]
fn an_inactive_service_is_forgotten_after_a_while_with_all_that_was_its() {
    let mut house = house();
    web(&mut house);
    delete(&mut house, json!({"service": "web", "force": true})).unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let expired =
        |house: &House| ecs::service::retention::expired(&house.world, house.ctx.now, hour);
    house.pass(7200);
    assert_eq!(expired(&house), [], "it is not INACTIVE");
    end(&mut house, "web");
    house.pass(3600);
    assert_eq!(expired(&house), [], "not longer than that");
    house.pass(1);
    let keys = expired(&house);
    assert_eq!(keys.len(), 1);
    house.change(|txn, _| ecs::service::retention::remove(txn, &keys));
    assert_eq!(house.world.count(&SERVICES), 0);
    assert_eq!(house.world.count(&SERVICE_REVISIONS), 0);
    assert_eq!(house.world.count(&SERVICE_DEPLOYMENTS), 0);
}

#[test]
fn tasks_are_listed_by_their_service() {
    let mut house = house();
    web(&mut house);
    house.run_all("web", 2);
    let list = |house: &mut House, name: &str| {
        let world = house.world.clone();
        let asked = input(json!({"serviceName": name}));
        ops::list_tasks::list_tasks(&world, &mut house.ctx, &asked)
    };
    assert_eq!(
        list(&mut house, "web").unwrap().task_arns,
        Some(vec![]),
        "theirs are not its"
    );
    let not_found = "ServiceNotFoundException: Service not found.";
    assert_eq!(text(list(&mut house, "no")), not_found);
    let keys: Vec<_> = house
        .world
        .scan(&ecs::records::TASKS)
        .map(|t| t.key.clone())
        .collect();
    let record = house.world.get(
        &SERVICES,
        &ServiceKey::new(&house.ctx.scope, "default", "web"),
    );
    let number = record.unwrap().deployments[0].number;
    house.change(|txn, _| {
        txn.update(&ecs::records::TASKS, &keys[0], |task| {
            task.group = "service:web".into();
            task.service = Some(ecs::records::task::Membership {
                deployment: number,
                is_settled: false,
            });
        });
    });
    assert_eq!(
        list(&mut house, "web").unwrap().task_arns,
        Some(vec![keys[0].arn()])
    );
    let described = describe(&mut house, json!({"services": ["web"]})).unwrap();
    let service = described.services.unwrap().remove(0);
    assert_eq!(service.pending_count, Some(1));
    assert_eq!(service.deployments.unwrap()[0].pending_count, Some(1));
}
