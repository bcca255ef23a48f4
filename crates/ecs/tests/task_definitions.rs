//! Task definitions through the operations, on an empty World: rules, normal form, revisions.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A test: the functions beside #[test] count as plain code for clippy.

use aws_api::Stored;
use aws_api::ecs::{
    DeregisterTaskDefinitionRequest, DescribeTaskDefinitionRequest, ListTaskDefinitionsRequest,
    RegisterTaskDefinitionRequest, TaskDefinition,
};
use aws_types::{AwsError, Ctx, Timestamp};
use ecs::ops;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use store::{Schema, Txn, World};

const DEFINITIONS: [&str; 5] = [
    include_str!("definitions/nginx-sidecar.json"),
    include_str!("definitions/fargate-web.json"),
    include_str!("definitions/datadog-daemon.json"),
    include_str!("definitions/wordpress-efs.json"),
    include_str!("definitions/firelens.json"),
];

fn start() -> (Txn, Ctx) {
    let world = World::empty(&Schema::new(&ecs::records::tables()));
    (
        Txn::new(world),
        Ctx::for_tests(1, Timestamp::from_millis(1_700_000_000_000)),
    )
}

fn register(txn: &mut Txn, ctx: &mut Ctx, input: Value) -> Result<TaskDefinition, AwsError> {
    let input: Stored<RegisterTaskDefinitionRequest> = serde_json::from_value(input).unwrap();
    ops::register_task_definition::register_task_definition(txn, ctx, &input.0)
        .map(|answer| answer.task_definition.unwrap())
}

fn describe(txn: &Txn, ctx: &mut Ctx, name: &str) -> Result<TaskDefinition, AwsError> {
    let input = DescribeTaskDefinitionRequest {
        task_definition: Some(name.into()),
        ..Default::default()
    };
    ops::describe_task_definition::describe_task_definition(txn, ctx, &input)
        .map(|answer| answer.task_definition.unwrap())
}

fn deregister(txn: &mut Txn, ctx: &mut Ctx, name: &str) -> Result<TaskDefinition, AwsError> {
    let input = DeregisterTaskDefinitionRequest {
        task_definition: Some(name.into()),
    };
    ops::deregister_task_definition::deregister_task_definition(txn, ctx, &input)
        .map(|answer| answer.task_definition.unwrap())
}

fn to_json(definition: &TaskDefinition) -> Value {
    serde_json::to_value(Stored(definition.clone())).unwrap()
}

/// What a tool that copies a definition sends: the answer without the computed members.
fn again(definition: &TaskDefinition) -> Value {
    let mut input = to_json(definition);
    let members = input.as_object_mut().unwrap();
    for computed in [
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
    ] {
        members.remove(computed);
    }
    input
}

#[test]
fn definitions_of_real_projects_register_and_register_again_the_same() {
    let (mut txn, mut ctx) = start();
    for text in DEFINITIONS {
        let input: Value = serde_json::from_str(text).unwrap();
        let first = register(&mut txn, &mut ctx, input).unwrap();
        let arn = first.task_definition_arn.clone().unwrap();
        assert_eq!(describe(&txn, &mut ctx, &arn).unwrap(), first);
        let second = register(&mut txn, &mut ctx, again(&first)).unwrap();
        assert_eq!(second.revision, Some(2));
        assert_eq!(again(&second), again(&first));
        assert_eq!(second.requires_attributes, first.requires_attributes);
    }
}

#[test]
fn the_normal_form_is_the_one_that_terraform_compares() {
    let (mut txn, mut ctx) = start();
    let input: Value = serde_json::from_str(DEFINITIONS[0]).unwrap();
    let shown = to_json(&register(&mut txn, &mut ctx, input).unwrap());
    assert_eq!(
        shown["taskDefinitionArn"],
        "arn:aws:ecs:us-east-1:000000000000:task-definition/web:1"
    );
    assert_eq!(shown["registeredBy"], "arn:aws:iam::000000000000:root");
    assert_eq!(shown["status"], "ACTIVE");
    assert_eq!(shown["volumes"], json!([{"name": "html", "host": {}}]));
    assert_eq!(shown["placementConstraints"], json!([]));
    assert_eq!(shown["compatibilities"], json!(["EXTERNAL", "EC2"]));
    let nginx = &shown["containerDefinitions"][0];
    assert_eq!(nginx["cpu"], 0);
    assert_eq!(nginx["essential"], true);
    assert_eq!(nginx["links"], json!([]));
    assert_eq!(nginx["volumesFrom"], json!([]));
    assert_eq!(nginx["systemControls"], json!([]));
    let port = json!([{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]);
    assert_eq!(nginx["portMappings"], port);
    for absent in [
        "networkMode",
        "requiresCompatibilities",
        "cpu",
        "memory",
        "deregisteredAt",
    ] {
        assert_eq!(shown.get(absent), None, "{absent}");
    }
    assert_eq!(nginx.get("readonlyRootFilesystem"), None);

    let input = json!({
        "family": "disk",
        "containerDefinitions": [{"name": "a", "image": "b", "memory": 64, "healthCheck": {"command": ["CMD", "true"]}}],
        "volumes": [{"name": "v", "dockerVolumeConfiguration": {}}, {"name": "e", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
    });
    let shown = to_json(&register(&mut txn, &mut ctx, input).unwrap());
    let volumes = json!([
        {"name": "v", "dockerVolumeConfiguration": {"scope": "task"}},
        {"name": "e", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}},
    ]);
    assert_eq!(shown["volumes"], volumes);
    let check = json!({"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3});
    assert_eq!(shown["containerDefinitions"][0]["healthCheck"], check);

    let input: Value = serde_json::from_str(DEFINITIONS[1]).unwrap();
    let shown = to_json(&register(&mut txn, &mut ctx, input).unwrap());
    assert_eq!(
        (&shown["cpu"], &shown["memory"]),
        (&json!("256"), &json!("512"))
    );
    assert_eq!(shown["compatibilities"], json!(["EC2", "FARGATE"]));
    assert_eq!(
        shown["containerDefinitions"][0]["portMappings"][0]["hostPort"],
        8080
    );
}

#[test]
fn revisions_only_grow_and_family_alone_is_the_latest_active() {
    let (mut txn, mut ctx) = start();
    let web = json!({"family": "web", "containerDefinitions": [{"name": "a", "image": "b", "memory": 64}]});
    for _ in 0..3 {
        register(&mut txn, &mut ctx, web.clone()).unwrap();
    }
    deregister(&mut txn, &mut ctx, "web:3").unwrap();
    assert_eq!(describe(&txn, &mut ctx, "web").unwrap().revision, Some(2));
    assert_eq!(
        describe(&txn, &mut ctx, "web:3").unwrap().status.as_deref(),
        Some("INACTIVE")
    );
    assert!(deregister(&mut txn, &mut ctx, "web:3").is_ok(), "again");
    deregister(&mut txn, &mut ctx, "web:1").unwrap();
    deregister(&mut txn, &mut ctx, "web:2").unwrap();
    let error = describe(&txn, &mut ctx, "web").unwrap_err();
    assert_eq!(
        error.to_string(),
        "ClientException: Unable to describe task definition."
    );
    assert_eq!(register(&mut txn, &mut ctx, web).unwrap().revision, Some(4));
    for (name, code) in [
        ("web", "ClientException"),
        ("web:foo", "InvalidParameterException"),
        ("web:9", "ClientException"),
    ] {
        assert_eq!(
            deregister(&mut txn, &mut ctx, name)
                .unwrap_err()
                .code()
                .name,
            code,
            "{name}"
        );
    }
}

#[test]
fn listings_page_in_both_directions() {
    let (mut txn, mut ctx) = start();
    let web = json!({"family": "web", "containerDefinitions": [{"name": "a", "image": "b", "memory": 64}]});
    for _ in 0..5 {
        register(&mut txn, &mut ctx, web.clone()).unwrap();
    }
    for (sort, expected) in [("ASC", [1, 2, 3, 4, 5]), ("DESC", [5, 4, 3, 2, 1])] {
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let input = ListTaskDefinitionsRequest {
                sort: Some(sort.into()),
                max_results: Some(2),
                next_token: token,
                ..Default::default()
            };
            let page =
                ops::list_task_definitions::list_task_definitions(&txn, &mut ctx, &input).unwrap();
            seen.extend(page.task_definition_arns.unwrap());
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        let arn = |n| format!("arn:aws:ecs:us-east-1:000000000000:task-definition/web:{n}");
        assert_eq!(seen, expected.map(arn), "{sort}");
    }
}

#[test]
fn each_broken_rule_answers_with_its_text() {
    let base = json!({"name": "x", "image": "busybox", "memory": 64});
    let with = |patch: Value| {
        let mut c = base.clone();
        for (key, value) in patch.as_object().unwrap() {
            c[key] = value.clone();
        }
        c
    };
    let one = |patch: Value| json!({"family": "f", "containerDefinitions": [with(patch)]});
    let task = |patch: Value| {
        let mut t = one(json!({}));
        for (key, value) in patch.as_object().unwrap() {
            t[key] = value.clone();
        }
        t
    };
    for (input, expected) in [
        (
            json!({"containerDefinitions": [base]}),
            "Family should not be null or empty.",
        ),
        (
            task(json!({"family": "a b"})),
            "Family contains invalid characters.",
        ),
        (
            one(json!({"name": ""})),
            "Container.name should not be null or empty.",
        ),
        (
            one(json!({"image": ""})),
            "Container.image should not be null or empty.",
        ),
        (
            one(json!({"image": "a b"})),
            "Container.image contains invalid characters.",
        ),
        (
            one(json!({"memory": null})),
            "Invalid setting for container 'x'. At least one of 'memory' or 'memoryReservation' must be specified.",
        ),
        (
            one(json!({"memoryReservation": 128})),
            "Invalid setting for container 'x'. 'memory' must be greater than or equal to 'memoryReservation'.",
        ),
        (
            one(json!({"essential": false})),
            "Task definition doesn't have any essential container",
        ),
        (
            one(json!({"portMappings": [{"containerPort": 0}]})),
            "Invalid 'containerPort' setting for container 'x'.",
        ),
        (
            one(json!({"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]})),
            "Unknown volume 'v'.",
        ),
        (
            one(json!({"volumesFrom": [{"sourceContainer": "y"}]})),
            "Invalid 'volumesFrom' setting. Unknown container: 'y'.",
        ),
        (
            one(json!({"logConfiguration": {"logDriver": "awslogs"}})),
            "Log driver awslogs requires options: awslogs-region, awslogs-group",
        ),
        (
            one(json!({"dependsOn": [{"containerName": "x", "condition": "START"}]})),
            "Cycle found in dependency graph.",
        ),
        (
            task(json!({"cpu": "12"})),
            "Invalid 'cpu' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
        ),
        (
            task(json!({"memory": "32"})),
            "The 'memory' setting for container 'x' is greater than for the task.",
        ),
        (
            task(json!({"requiresCompatibilities": ["FARGATE"]})),
            "Fargate only supports network mode ‘awsvpc’.",
        ),
        (
            task(
                json!({"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "memory": "512"}),
            ),
            "Fargate requires that 'cpu' be defined at the task level.",
        ),
        (
            task(
                json!({"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "8192"}),
            ),
            "No Fargate configuration exists for given values: 256 CPU, 8192 memory. See the Amazon ECS documentation for the valid values.",
        ),
        (
            task(json!({"taskRoleArn": "arn:aws:s3:::x"})),
            "Role is not valid",
        ),
        (task(json!({"tags": []})), "Tags can not be empty."),
    ] {
        let (mut txn, mut ctx) = start();
        let error = register(&mut txn, &mut ctx, input).unwrap_err();
        assert_eq!(error.to_string(), format!("ClientException: {expected}"));
        assert_eq!(txn.staged_rows(), 0);
    }
    let (mut txn, mut ctx) = start();
    let ports = json!([{"containerPort": 80, "hostPort": 81}]);
    let mut input = one(json!({"portMappings": ports}));
    input["networkMode"] = json!("awsvpc");
    let error = register(&mut txn, &mut ctx, input).unwrap_err();
    assert_eq!(
        error.message(),
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
    );
}

/// Members of a container, each with a value that some definition may have.
fn container_members() -> Vec<(&'static str, Value)> {
    let check = json!({"command": ["CMD", "true"], "interval": 10});
    let options = json!({
        "awslogs-region": "r", "awslogs-group": "g", "awslogs-stream-prefix": "p"
    });
    let linux = json!({
        "capabilities": {"add": ["SYS_PTRACE"], "drop": []}, "initProcessEnabled": true,
        "tmpfs": [{"containerPath": "/t", "size": 1}]
    });
    let limit = json!({"name": "nofile", "softLimit": 1, "hardLimit": 2});
    vec![
        ("memory", json!(64)),
        ("memoryReservation", json!(32)),
        ("cpu", json!(128)),
        ("essential", json!(false)),
        ("privileged", json!(false)),
        ("readonlyRootFilesystem", json!(true)),
        ("command", json!([])),
        ("entryPoint", json!(["/bin/sh"])),
        ("links", json!([])),
        ("portMappings", json!([{"containerPort": 80}])),
        (
            "portMappings",
            json!([{"containerPort": 443, "hostPort": 0, "name": "tls"}]),
        ),
        ("portMappings", json!([{"containerPortRange": "8000-8010"}])),
        ("environment", json!([{"name": "A", "value": "1"}])),
        ("secrets", json!([{"name": "S", "valueFrom": "s"}])),
        (
            "mountPoints",
            json!([{"sourceVolume": "v", "containerPath": "/v"}]),
        ),
        (
            "dependsOn",
            json!([{"containerName": "c0", "condition": "START"}]),
        ),
        ("healthCheck", check),
        ("restartPolicy", json!({"enabled": true})),
        (
            "logConfiguration",
            json!({"logDriver": "awslogs", "options": options}),
        ),
        ("linuxParameters", linux),
        ("ulimits", json!([limit])),
        (
            "systemControls",
            json!([{"namespace": "net.core.somaxconn", "value": "1"}]),
        ),
        ("dockerLabels", json!({"a": "b"})),
        ("stopTimeout", json!(30)),
        ("versionConsistency", json!("disabled")),
        (
            "resourceRequirements",
            json!([{"type": "GPU", "value": "1"}]),
        ),
        ("dnsServers", json!(["10.0.0.2"])),
    ]
}

/// The same for a task.
fn task_members() -> Vec<(&'static str, Value)> {
    vec![
        ("networkMode", json!("bridge")),
        ("networkMode", json!("host")),
        ("networkMode", json!("awsvpc")),
        ("networkMode", json!("none")),
        ("cpu", json!(".5 vCPU")),
        ("cpu", json!("512")),
        ("memory", json!("1 GB")),
        ("requiresCompatibilities", json!(["EC2"])),
        ("requiresCompatibilities", json!(["FARGATE"])),
        ("requiresCompatibilities", json!([])),
        (
            "executionRoleArn",
            json!("arn:aws:iam::000000000000:role/exec"),
        ),
        ("taskRoleArn", json!("app")),
        ("pidMode", json!("task")),
        ("ipcMode", json!("host")),
        ("runtimePlatform", json!({"cpuArchitecture": "ARM64"})),
        (
            "placementConstraints",
            json!([{"type": "memberOf", "expression": "a == b"}]),
        ),
        ("volumes", json!([{"name": "v"}])),
        (
            "volumes",
            json!([{"name": "v", "dockerVolumeConfiguration": {"driver": "local"}}]),
        ),
        (
            "volumes",
            json!([{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]),
        ),
        ("enableFaultInjection", json!(false)),
    ]
}

fn definitions() -> impl Strategy<Value = Value> {
    let some_of = |members: Vec<(&'static str, Value)>, most: usize| {
        prop::collection::vec(prop::sample::select(members), 0..=most)
    };
    let containers = prop::collection::vec(some_of(container_members(), 6), 1..=3);
    (some_of(task_members(), 6), containers).prop_map(|(task, containers)| {
        let fill = |mut base: Value, members: Vec<(&str, Value)>| {
            for (member, value) in members {
                base[member] = value;
            }
            base
        };
        let containers: Vec<Value> = containers
            .into_iter()
            .enumerate()
            .map(|(n, members)| {
                let base = json!({"name": format!("c{n}"), "image": "b", "memory": 64});
                fill(base, members)
            })
            .collect();
        fill(
            json!({"family": "f", "containerDefinitions": containers}),
            task,
        )
    })
}

#[test]
fn what_is_accepted_registers_again_with_the_same_result() {
    let cases = 512;
    let accepted = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
    let outcome = runner.run(&definitions(), |input| {
        let (mut txn, mut ctx) = start();
        let Ok(first) = register(&mut txn, &mut ctx, input) else {
            return Ok(());
        };
        accepted.set(accepted.get() + 1);
        prop_assert_eq!(&describe(&txn, &mut ctx, "f").unwrap(), &first);
        let second = register(&mut txn, &mut ctx, again(&first));
        prop_assert!(second.is_ok(), "{:?}", second);
        let second = second.unwrap();
        prop_assert_eq!(again(&second), again(&first));
        prop_assert_eq!(second.compatibilities, first.compatibilities);
        prop_assert_eq!(second.requires_attributes, first.requires_attributes);
        Ok(())
    });
    outcome.unwrap();
    let accepted = accepted.get();
    assert!(accepted > cases / 8, "{accepted} of {cases} were accepted");
}
