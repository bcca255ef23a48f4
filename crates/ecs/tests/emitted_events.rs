//! The events that transactions emit: one for each transition, with the API's version.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use aws_api::Stored;
use aws_api::ecs::{CreateServiceRequest, CreateTaskSetRequest, PortMapping, UpdateServiceRequest};
use ecs::ops;
use ecs::ops::update_service::update_service;
use ecs::records::service::Scheduling;
use ecs::records::{CONTAINER_INSTANCES, InstanceKey, TaskKey};
use events::records::{
    DELIVERIES, RULES, RuleKey, RuleRecord, RuleState, TARGETS, TargetKey, TargetRecord,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::{Schema, World};
use support::services::Settings;
use support::{House, container, port};

const TASK: &str = "ECS Task State Change";
const INSTANCE: &str = "ECS Container Instance State Change";
const DEPLOYMENT: &str = "ECS Deployment State Change";
const ACTION: &str = "ECS Service Action";
const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/default";
const ZONE: &str = "ecs.availability-zone";

/// A house whose transactions end as the server's do.
fn house() -> House {
    let tables = [
        ecs::records::tables(),
        events::records::tables(),
        ec2::records::tables(),
    ]
    .concat();
    let schema = Schema::new(&tables).with_finish(ecs::finish::finish);
    House {
        world: World::empty(&schema),
        ctx: House::new().ctx,
        changes: Vec::new(),
    }
}

/// Has one rule with one target listen to everything of ECS.
fn listen(house: &mut House) {
    let key = RuleKey::new(&house.ctx.scope, "all");
    house.change(|txn, _| {
        txn.put(
            &RULES,
            RuleRecord {
                key: key.clone(),
                state: RuleState::Enabled,
                pattern: Some(r#"{"source":["aws.ecs"]}"#.into()),
                schedule: None,
                description: None,
                role: None,
                tags: Default::default(),
                created_by: "000000000000".into(),
            },
        );
        txn.put(
            &TARGETS,
            TargetRecord {
                key: TargetKey {
                    rule: key,
                    id: "t".into(),
                },
                target: Default::default(),
                stream: "s".into(),
            },
        );
    });
}

/// Takes the events that were staged, in the order of their moments.
fn taken(house: &mut House) -> Vec<Value> {
    let staged: Vec<_> = house.world.scan(&DELIVERIES).cloned().collect();
    house.change(|txn, _| {
        for delivery in &staged {
            txn.delete(&DELIVERIES, &delivery.key);
        }
    });
    staged
        .iter()
        .map(|delivery| serde_json::from_str(&delivery.input).unwrap())
        .collect()
}

fn of_type<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events
        .iter()
        .filter(|event| event["detail-type"] == kind)
        .collect()
}

fn named(events: &[Value], kind: &str) -> BTreeSet<String> {
    let names = of_type(events, kind)
        .into_iter()
        .map(|event| event["detail"]["eventName"].as_str().unwrap().to_owned());
    names.collect()
}

/// The details of the service actions of this name, in order.
fn actions<'e>(events: &'e [Value], name: &str) -> Vec<&'e Value> {
    let all = of_type(events, ACTION).into_iter();
    let details = all.map(|event| &event["detail"]);
    details
        .filter(|detail| detail["eventName"] == name)
        .collect()
}

/// What is read from JSON.
fn input<T: aws_api::Shape>(value: Value) -> T {
    let read: Stored<T> = serde_json::from_value(value).unwrap();
    read.0
}

#[test]
fn each_transition_of_a_task_is_told_once_with_the_version_of_the_api() {
    let mut house = house();
    let instance = house.host("h", 1024, 1024);
    let mut app = container("app", 10, 10);
    app.port_mappings = Some(vec![port(80, 0), PortMapping { ..port(81, 8081) }]);
    let definition = house.define("f", vec![app]);
    listen(&mut house);
    let task = house.run_all(&definition, 1).remove(0);
    let expect = |house: &mut House, status: &str, desired: &str| {
        let shown = house.describe(&task);
        let events = taken(house);
        let told = of_type(&events, TASK);
        assert_eq!(told.len(), 1, "{events:#?}");
        let detail = &told[0]["detail"];
        assert_eq!(detail["version"], json!(shown.version.unwrap()));
        assert_eq!(
            (&detail["lastStatus"], &detail["desiredStatus"]),
            (&json!(status), &json!(desired))
        );
        assert_eq!(told[0]["resources"], json!([task.arn()]));
        assert_eq!(told[0]["source"], "aws.ecs");
        events.clone()
    };
    let events = expect(&mut house, "PENDING", "RUNNING");
    let first = of_type(&events, TASK)[0]["detail"].clone();
    assert_eq!(first["createdAt"], "2023-11-14T22:13:20.000Z");
    assert_eq!(first["updatedAt"], "2023-11-14T22:13:20.000Z");
    assert_eq!(first["containers"][0]["name"], "app");
    assert_eq!(first["containers"][0]["image"], "longshore/hello");
    assert_eq!(first["containers"][0]["taskArn"], task.arn());
    assert_eq!(
        first["overrides"],
        json!({"containerOverrides": [{"name": "app"}]})
    );
    for absent in ["tags", "healthStatus", "inferenceAccelerators"] {
        assert_eq!(first.get(absent), None, "{absent}");
    }
    let load = of_type(&events, INSTANCE);
    assert_eq!(load.len(), 1, "the instance's resources changed");
    assert_eq!(load[0]["resources"], json!([instance.arn()]));
    let remaining = load[0]["detail"]["remainingResources"].as_array().unwrap();
    let cpu = remaining.iter().find(|r| r["name"] == "CPU").unwrap();
    assert_eq!(cpu["integerValue"], 1014);
    let taken_at = house.instance(&instance).version.unwrap();
    assert_eq!(load[0]["detail"]["version"], json!(taken_at));
    house.deliver(&instance);
    expect(&mut house, "PENDING", "RUNNING");
    house.report_running(&task, &["app"]);
    let events = expect(&mut house, "RUNNING", "RUNNING");
    assert!(
        of_type(&events, INSTANCE).is_empty(),
        "nothing was taken or freed"
    );
    house.report_running(&task, &["app"]);
    assert!(taken(&mut house).is_empty(), "said again, nothing changed");
    house.stop(&task.id.0, Some("enough")).unwrap();
    expect(&mut house, "RUNNING", "STOPPED");
    house.report_stopped(&task, &["app"], 3);
    let events = expect(&mut house, "STOPPED", "STOPPED");
    let last = &of_type(&events, TASK)[0]["detail"];
    assert_eq!(
        (&last["stoppedReason"], &last["stopCode"]),
        (&json!("enough"), &json!("UserInitiated"))
    );
    assert_eq!(last["containers"][0]["exitCode"], 3);
    let freed = of_type(&events, INSTANCE);
    assert_eq!(freed.len(), 1);
    assert_eq!(freed[0]["detail"]["version"], json!(taken_at + 1));
    assert_eq!(house.instance(&instance).version, Some(taken_at + 1));
}

#[test]
fn an_instance_is_told_of_once_for_each_version_whatever_changed() {
    let mut house = house();
    listen(&mut house);
    let instance = house.host("h", 1024, 1024);
    let definition = house.define("f", vec![container("app", 10, 10)]);
    let tasks = house.run_all(&definition, 5);
    house.change(|txn, ctx| ecs::instance::life::disconnected(txn, ctx, &instance));
    house.change(|txn, ctx| {
        // The instance itself, and a task that it may still run.
        let _ = ecs::instance::life::lost(txn, ctx, &instance, 1);
    });
    for task in &tasks {
        house.report_stopped(task, &["app"], 0);
    }
    let versions = ecs::instance::life::SessionVersions::default();
    house.change(|txn, _| ecs::instance::life::connected(txn, &instance, &versions));
    house.run_all(&definition, 1);
    let events = taken(&mut house);
    let told = of_type(&events, INSTANCE);
    let mut versions: Vec<i64> = told
        .iter()
        .map(|e| e["detail"]["version"].as_i64().unwrap())
        .collect();
    versions.sort_unstable();
    let last = house.instance(&instance).version.unwrap();
    assert!(last > 5, "{last}");
    assert_eq!(versions, (1..=last).collect::<Vec<_>>());
}

#[test]
fn an_instance_is_told_of_when_its_version_grows() {
    let mut house = house();
    listen(&mut house);
    let instance = house.host("h", 1024, 1024);
    let shown = house.instance(&instance);
    let events = taken(&mut house);
    let versions: Vec<_> = of_type(&events, INSTANCE)
        .iter()
        .map(|e| e["detail"]["version"].clone())
        .collect();
    let last = shown.version.unwrap();
    let mut sorted: Vec<i64> = versions.iter().map(|v| v.as_i64().unwrap()).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=last).collect::<Vec<_>>());
    let newest = of_type(&events, INSTANCE)
        .into_iter()
        .find(|e| e["detail"]["version"] == last)
        .unwrap();
    assert_eq!(newest["detail"]["agentConnected"], true);
    assert_eq!(
        newest["detail"]["clusterArn"],
        "arn:aws:ecs:us-east-1:000000000000:cluster/default"
    );
    assert_eq!(newest["detail"]["containerInstanceArn"], instance.arn());
    assert_eq!(newest["detail"].get("runningTasksCount"), None);
}

#[test]
fn where_no_rule_listens_nothing_is_staged() {
    let mut house = house();
    house.host("h", 1024, 1024);
    let definition = house.define("f", vec![container("app", 10, 10)]);
    house.run_all(&definition, 3);
    assert_eq!(house.world.count(&DELIVERIES), 0);
}

#[test]
fn a_service_tells_its_deployments_and_its_actions() {
    let mut house = house();
    house.host("h", 4096, 4096);
    house.define("f", vec![container("app", 10, 10)]);
    listen(&mut house);
    let key = house.service(
        "web",
        "f",
        Settings {
            desired: 2,
            ..Settings::default()
        },
    );
    house.settle(&key);
    for _ in 0..3 {
        house.play(&key);
        house.pass(60);
        house.settle(&key);
    }
    let events = taken(&mut house);
    let names = named(&events, ACTION);
    assert_eq!(
        names,
        [
            "SERVICE_DEPLOYMENT_COMPLETED",
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            "SERVICE_STEADY_STATE",
            "TASKS_STARTED"
        ]
        .map(String::from)
        .into()
    );
    for name in ["IN_PROGRESS", "COMPLETED"] {
        let name = format!("SERVICE_DEPLOYMENT_{name}");
        let told = actions(&events, &name);
        assert_eq!(told.len(), 1, "{events:#?}");
        assert_eq!(told[0]["eventType"], "INFO");
        assert_eq!(told[0]["clusterArn"], CLUSTER);
    }
    let started = of_type(&events, ACTION)
        .into_iter()
        .find(|e| e["detail"]["eventName"] == "TASKS_STARTED")
        .unwrap();
    assert_eq!(started["detail"]["taskArns"].as_array().unwrap().len(), 2);
    assert_eq!(started["detail"]["eventType"], "INFO");
    assert_eq!(started["resources"], json!([key.arn()]));
    let deployments = of_type(&events, DEPLOYMENT);
    let told: Vec<_> = deployments
        .iter()
        .map(|e| e["detail"]["eventName"].as_str().unwrap())
        .collect();
    assert_eq!(
        told,
        [
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            "SERVICE_DEPLOYMENT_COMPLETED"
        ]
    );
    let id = house.record(&key).deployments[0].id();
    assert_eq!(deployments[1]["detail"]["deploymentId"], json!(id));
    assert_eq!(
        deployments[1]["detail"]["reason"],
        json!(format!("ECS deployment {id} completed."))
    );
    let input = UpdateServiceRequest {
        service: Some("web".into()),
        desired_count: Some(1),
        ..UpdateServiceRequest::default()
    };
    house
        .write(|txn, ctx| update_service(txn, ctx, &input))
        .unwrap();
    house.settle(&key);
    let events = taken(&mut house);
    let names = named(&events, ACTION);
    assert!(
        !names.contains("SERVICE_DESIRED_COUNT_UPDATED"),
        "a user asked for it"
    );
    assert!(names.contains("TASKS_STOPPED"));
}

#[test]
fn a_tripped_breaker_has_words_of_its_own_in_events() {
    let mut house = house();
    house.host("h", 4096, 4096);
    house.define("f", vec![container("app", 10, 10)]);
    listen(&mut house);
    let settings = Settings {
        breaker: Some(false),
        ..Settings::default()
    };
    let key = house.service("web", "f", settings);
    house.settle(&key);
    for task in house.kept(&key) {
        house.fail_to_start(&task.key);
    }
    house.settle(&key);
    let events = taken(&mut house);
    let failed = of_type(&events, DEPLOYMENT)
        .into_iter()
        .find(|e| e["detail"]["eventType"] == "ERROR")
        .unwrap();
    assert_eq!(failed["detail"]["eventName"], "SERVICE_DEPLOYMENT_FAILED");
    assert_eq!(
        failed["detail"]["reason"],
        "ECS deployment circuit breaker: task failed to start."
    );
    let shown = house.record(&key).primary().unwrap().reason.clone();
    assert_eq!(
        shown,
        "ECS deployment circuit breaker: tasks failed to start."
    );
}

#[test]
fn a_task_without_room_is_an_error_with_its_reason() {
    let mut house = house();
    house.host("h", 15, 1024);
    house.define("f", vec![container("app", 10, 10)]);
    listen(&mut house);
    let key = house.service(
        "web",
        "f",
        Settings {
            desired: 2,
            ..Settings::default()
        },
    );
    house.settle(&key);
    let events = taken(&mut house);
    let failure = of_type(&events, ACTION)
        .into_iter()
        .find(|e| e["detail"]["eventType"] == "ERROR")
        .unwrap();
    assert_eq!(
        failure["detail"]["eventName"],
        "SERVICE_TASK_PLACEMENT_FAILURE"
    );
    assert_eq!(failure["detail"]["reason"], "RESOURCE:CPU");
}

#[test]
fn a_deployment_that_is_rolled_back_is_told_as_failed_and_then_its_rollback_as_begun() {
    let mut house = house();
    house.host("h", 4096, 4096);
    house.define("f", vec![container("app", 10, 10)]);
    house.define("f", vec![container("app", 10, 10)]);
    let settings = Settings {
        breaker: Some(true),
        ..Settings::default()
    };
    let key = house.service("web", "f", settings);
    house.until_steady(&key);
    listen(&mut house);
    house.deploy(&key, "f", 2);
    let failed = house.record(&key).primary().unwrap().id();
    for _ in 0..10 {
        house.settle(&key);
        for task in house.kept(&key).iter().filter(|task| task.revision == 2) {
            house.fail_to_start(&task.key);
        }
        house.settle(&key);
        if house.record(&key).primary().unwrap().is_rollback {
            break;
        }
        house.pass(60);
    }
    let rollback = house.record(&key).primary().unwrap().id();
    assert_ne!(rollback, failed);
    let events = taken(&mut house);
    let told = of_type(&events, DEPLOYMENT);
    let mut told: Vec<_> = told
        .iter()
        .map(|event| {
            let text = |name: &str| event["detail"][name].as_str().unwrap().to_owned();
            (text("eventName"), text("deploymentId"), text("reason"))
        })
        .collect();
    told.sort();
    let expected = [
        (
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            &failed,
            format!("ECS deployment {failed} in progress."),
        ),
        (
            "SERVICE_DEPLOYMENT_FAILED",
            &failed,
            "ECS deployment circuit breaker: task failed to start.".into(),
        ),
        (
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            &rollback,
            format!("ECS deployment circuit breaker: rolling back to deploymentId {rollback}."),
        ),
    ];
    let mut expected = expected.map(|(name, id, reason)| (name.into(), id.clone(), reason));
    // The failure and what follows from it are of one moment, and have no order.
    expected.sort();
    assert_eq!(told, expected);
    let failed = actions(&events, "SERVICE_DEPLOYMENT_FAILED");
    assert_eq!(
        (failed.len(), &failed[0]["eventType"]),
        (1, &json!("ERROR"))
    );
    assert_eq!(actions(&events, "SERVICE_DEPLOYMENT_IN_PROGRESS").len(), 2);
}

#[test]
fn evening_out_zones_is_told_from_its_beginning_to_its_end() {
    let mut house = house();
    house.zoned("a", "us-east-1a");
    house.define("f", vec![container("app", 10, 10)]);
    let settings = Settings {
        desired: 2,
        rebalances: true,
        ..Settings::default()
    };
    let key = house.service("web", "f", settings);
    house.until_steady(&key);
    house.zoned("b", "us-east-1b");
    listen(&mut house);
    for _ in 0..4 {
        house.settle(&key);
        house.play(&key);
        house.pass(40);
    }
    house.settle(&key);
    let events = taken(&mut house);
    let mut told: Vec<_> = of_type(&events, ACTION)
        .iter()
        .map(|event| {
            let detail = &event["detail"];
            let text = |name: &str| detail[name].as_str().unwrap().to_owned();
            (text("createdAt"), text("eventName"))
        })
        .collect();
    // Those of one moment have no order.
    told.sort();
    let told: Vec<_> = told.iter().map(|(_, name)| name.as_str()).collect();
    let expected = [
        "SERVICE_REBALANCING_STARTED",
        "TASKS_STARTED",
        "TASKS_STOPPED",
        "SERVICE_REBALANCING_COMPLETED",
        "SERVICE_STEADY_STATE",
    ];
    assert_eq!(told, expected);
    let stopped = actions(&events, "TASKS_STOPPED")[0];
    assert_eq!(stopped["taskArns"].as_array().unwrap().len(), 1);
    for name in [
        "SERVICE_REBALANCING_STARTED",
        "SERVICE_REBALANCING_COMPLETED",
    ] {
        let detail = actions(&events, name)[0];
        assert_eq!(
            (&detail["eventType"], &detail["clusterArn"]),
            (&json!("INFO"), &json!(CLUSTER))
        );
    }
}

/// Moves a host to another zone.
fn move_to(house: &mut House, host: &InstanceKey, zone: &str) {
    house.change(|txn, _| {
        txn.update(&CONTAINER_INSTANCES, host, |instance| {
            let mut all = instance.attributes.iter_mut();
            all.find(|one| one.name == ZONE).unwrap().value = Some(zone.into());
        })
    });
}

#[test]
fn a_daemon_tells_how_many_it_is_to_have_and_which_task_is_out_of_place() {
    let mut house = house();
    house.zoned("a", "us-east-1a");
    let host = house.zoned("b", "us-east-1a");
    house.define("f", vec![container("app", 10, 10)]);
    listen(&mut house);
    let settings = Settings {
        desired: 0,
        minimum: 0,
        maximum: 100,
        scheduling: Scheduling::Daemon,
        ..Settings::default()
    };
    let key = house.service("agent", "f", settings);
    house.edit(&key, |service| {
        let asked =
            json!({"type": "memberOf", "expression": format!("attribute:{ZONE} == us-east-1a")});
        service.constraints.push(Stored(input(asked)));
    });
    house.until_steady(&key);
    let counts = |events: &[Value]| -> Vec<Value> {
        let told = actions(events, "SERVICE_DESIRED_COUNT_UPDATED");
        told.iter().map(|one| one["desiredCount"].clone()).collect()
    };
    assert_eq!(counts(&taken(&mut house)), [json!(2)]);
    let kept = house.kept(&key);
    let out = kept.iter().find(|task| task.instance == host.id).unwrap();
    let out = out.key.arn();
    move_to(&mut house, &host, "us-east-1b");
    house.until_steady(&key);
    let events = taken(&mut house);
    assert_eq!(counts(&events), [json!(1)]);
    let violated = actions(&events, "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED");
    assert_eq!(violated.len(), 1, "{events:#?}");
    assert_eq!(violated[0]["eventType"], "ERROR");
    assert_eq!(violated[0]["taskArns"], json!([out]));
    assert_eq!(violated[0]["clusterArn"], CLUSTER);
    assert_eq!(violated[0].get("taskSetArns"), None);
}

#[test]
fn a_task_set_tells_its_computed_count_that_it_is_steady_and_that_its_tasks_do_not_start() {
    let mut house = house();
    house.host("h", 4096, 4096);
    house.define("f", vec![container("app", 10, 10)]);
    listen(&mut house);
    let asked: CreateServiceRequest = input(json!({"serviceName": "ext", "desiredCount": 4,
        "deploymentController": {"type": "EXTERNAL"}}));
    let made = house.write(|txn, ctx| ops::create_service::create_service(txn, ctx, &asked));
    made.unwrap();
    let key = house.service_key("ext");
    let asked: CreateTaskSetRequest = input(json!({"cluster": "default", "service": "ext",
        "taskDefinition": "f:1", "scale": {"value": 50.0, "unit": "PERCENT"}}));
    let made = house.write(|txn, ctx| ops::create_task_set::create_task_set(txn, ctx, &asked));
    let set = json!([made.unwrap().task_set.unwrap().task_set_arn]);
    let tasks = |house: &House| -> Vec<TaskKey> {
        let kept = house.kept(&key);
        kept.iter().map(|task| task.key.clone()).collect()
    };
    house.settle(&key);
    let arns: Vec<String> = tasks(&house).iter().map(TaskKey::arn).collect();
    house.play(&key);
    house.pass(40);
    house.settle(&key);
    let events = taken(&mut house);
    for (name, more) in [
        ("SERVICE_DESIRED_COUNT_UPDATED", ("desiredCount", json!(2))),
        ("TASKS_STARTED", ("taskArns", json!(arns))),
        ("TASKSET_STEADY_STATE", ("eventType", json!("INFO"))),
    ] {
        let told = actions(&events, name);
        assert_eq!(told.len(), 1, "{name}: {events:#?}");
        assert_eq!(told[0]["taskSetArns"], set, "{name}");
        assert_eq!(told[0]["clusterArn"], CLUSTER, "{name}");
        assert_eq!(told[0][more.0], more.1, "{name}");
    }
    let asked = UpdateServiceRequest {
        service: Some("ext".into()),
        desired_count: Some(8),
        ..UpdateServiceRequest::default()
    };
    house
        .write(|txn, ctx| update_service(txn, ctx, &asked))
        .unwrap();
    for _ in 0..6 {
        house.settle(&key);
        let young = house.kept(&key).into_iter();
        for task in young.filter(|task| task.times.started.is_none()) {
            house.fail_to_start(&task.key);
        }
        house.settle(&key);
        house.pass(900);
    }
    let events = taken(&mut house);
    let counted = actions(&events, "SERVICE_DESIRED_COUNT_UPDATED");
    assert_eq!(
        counted.len(),
        1,
        "of the task set, not of what the user asked for"
    );
    assert_eq!(
        (&counted[0]["desiredCount"], &counted[0]["taskSetArns"]),
        (&json!(4), &set)
    );
    let impaired = actions(&events, "SERVICE_TASK_START_IMPAIRED");
    assert_eq!(impaired.len(), 1, "{events:#?}");
    assert_eq!(impaired[0]["eventType"], "WARN");
    assert_eq!(impaired[0]["taskSetArns"], set);
    assert_eq!(impaired[0]["clusterArn"], CLUSTER);
    assert_eq!(impaired[0].get("taskArns"), None);
}
