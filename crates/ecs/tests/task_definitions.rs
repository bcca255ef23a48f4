//! Task definitions through the operations, on an empty World: rules, normal form, revisions.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A test: the functions beside #[test] count as plain code for clippy.

use aws_api::Stored;
use aws_api::ecs::{
    CONTAINER_DEFINITION, DeregisterTaskDefinitionRequest, DescribeTaskDefinitionRequest,
    ListTaskDefinitionsRequest, REGISTER_TASK_DEFINITION_REQUEST, RegisterTaskDefinitionRequest,
    RegisterTaskDefinitionResponse, TaskDefinition,
};
use aws_types::{AwsError, Ctx, Timestamp};
use ecs::ops;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeSet;
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

/// A member with a value that some definition may have, and what must stand beside it.
#[derive(Clone, Debug)]
struct Given {
    member: &'static str,
    value: Value,
    /// Of the task.
    task: Value,
    /// Of the first container.
    first: Value,
}

fn given(member: &'static str, value: Value) -> Given {
    Given {
        member,
        value,
        task: json!({}),
        first: json!({}),
    }
}

impl Given {
    fn with_task(self, task: Value) -> Self {
        Self { task, ..self }
    }

    fn with_first(self, first: Value) -> Self {
        Self { first, ..self }
    }
}

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:a-AbCdEf";

fn role() -> Value {
    json!({"executionRoleArn": "arn:aws:iam::000000000000:role/exec"})
}

fn volume() -> Value {
    json!({"volumes": [{"name": "v"}]})
}

/// Members of a container.
fn container_members() -> Vec<Given> {
    [process(), resources(), networking(), logging(), order()].concat()
}

fn process() -> Vec<Given> {
    let file = json!({"type": "s3", "value": "arn:aws:s3:::b/k.env"});
    let specification = "credentialspec:arn:aws:s3:::b/k";
    vec![
        given("essential", json!(false)),
        given("privileged", json!(false)),
        given("readonlyRootFilesystem", json!(true)),
        given("command", json!([])),
        given("command", json!(["a", ""])),
        given("entryPoint", json!(["/bin/sh"])),
        given("environment", json!([{"name": "A", "value": "1"}])),
        given("environment", json!([{"name": "B", "value": ""}])),
        given("environmentFiles", json!([file])),
        given("secrets", json!([{"name": "S", "valueFrom": "s"}])).with_task(role()),
        given("secrets", json!([{"name": "T", "valueFrom": SECRET}])).with_task(role()),
        given("user", json!("1000:1000")),
        given("workingDirectory", json!("/srv")),
        given("interactive", json!(true)),
        given("pseudoTerminal", json!(true)),
        given("dockerLabels", json!({"a": "b"})),
        given("dockerSecurityOptions", json!(["no-new-privileges"])),
        given("versionConsistency", json!("disabled")),
        given(
            "repositoryCredentials",
            json!({"credentialsParameter": SECRET}),
        ),
        given("credentialSpecs", json!([specification])),
    ]
}

fn resources() -> Vec<Given> {
    let linux = json!({
        "capabilities": {"add": ["SYS_PTRACE"], "drop": []}, "initProcessEnabled": true,
        "tmpfs": [{"containerPath": "/t", "size": 1, "mountOptions": ["ro"]}]
    });
    let more = json!({
        "devices": [{"hostPath": "/dev/a", "permissions": ["read"]}], "sharedMemorySize": 1,
        "maxSwap": 0, "swappiness": 0
    });
    let limit = json!({"name": "nofile", "softLimit": 1, "hardLimit": 2});
    let mount = json!([{"sourceVolume": "v", "containerPath": "/v"}]);
    let read_only = json!([{"sourceVolume": "v", "containerPath": "/w", "readOnly": true}]);
    let controls = json!([{"namespace": "net.core.somaxconn", "value": "1"}]);
    vec![
        given("memory", json!(64)),
        given("memoryReservation", json!(32)),
        given("cpu", json!(128)),
        given("linuxParameters", linux),
        given("linuxParameters", more),
        given("ulimits", json!([limit])),
        given("systemControls", controls),
        given(
            "resourceRequirements",
            json!([{"type": "GPU", "value": "1"}]),
        ),
        given(
            "resourceRequirements",
            json!([{"type": "NeuronDevice", "value": "ALL"}]),
        ),
        given(
            "resourceRequirements",
            json!([{"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 1024}}}]),
        ),
        given("mountPoints", mount).with_task(volume()),
        given("mountPoints", read_only).with_task(volume()),
        given("volumesFrom", json!([{"sourceContainer": "c0"}])),
        given(
            "volumesFrom",
            json!([{"sourceContainer": "c0", "readOnly": true}]),
        ),
    ]
}

fn networking() -> Vec<Given> {
    let named =
        json!([{"containerPort": 443, "hostPort": 0, "name": "tls", "appProtocol": "http2"}]);
    vec![
        given("links", json!([])),
        given("links", json!(["c0:db"])),
        given("portMappings", json!([{"containerPort": 80}])),
        given(
            "portMappings",
            json!([{"containerPort": 81, "hostPort": 81, "protocol": "udp"}]),
        ),
        given("portMappings", named),
        given("portMappings", json!([{"containerPortRange": "8000-8010"}])),
        given("hostname", json!("box")),
        given("disableNetworking", json!(true)),
        given("dnsServers", json!(["10.0.0.2"])),
        given("dnsSearchDomains", json!(["a.internal"])),
        given(
            "extraHosts",
            json!([{"hostname": "db", "ipAddress": "10.0.0.3"}]),
        ),
    ]
}

fn logging() -> Vec<Given> {
    let log = |driver: &str, options: Value| {
        given(
            "logConfiguration",
            json!({"logDriver": driver, "options": options}),
        )
    };
    let awslogs = json!({
        "awslogs-region": "r", "awslogs-group": "g", "awslogs-stream-prefix": "p"
    });
    let with_secret = json!({
        "logDriver": "splunk", "options": {"splunk-url": "https://s"},
        "secretOptions": [{"name": "splunk-token", "valueFrom": "token"}],
    });
    let router = || json!({"type": "fluentbit", "options": {"enable-ecs-log-metadata": "true"}});
    let from_file = json!({
        "type": "fluentd", "options": {"config-file-type": "file", "config-file-value": "/f"}
    });
    vec![
        log("awslogs", awslogs),
        log("json-file", json!({"max-size": "1m"})),
        given("logConfiguration", json!({"logDriver": "none"})),
        log("syslog", json!({"syslog-address": "udp://a:1"})),
        log("journald", json!({})),
        log("gelf", json!({"gelf-address": "udp://a:1"})),
        log("fluentd", json!({"mode": "blocking"})),
        log(
            "splunk",
            json!({"splunk-url": "https://s", "splunk-token": "t"}),
        ),
        given("logConfiguration", with_secret).with_task(role()),
        log("awsfirelens", json!({"Name": "stdout"}))
            .with_first(json!({"firelensConfiguration": router()})),
        given("firelensConfiguration", router()),
        given("firelensConfiguration", from_file),
    ]
}

fn order() -> Vec<Given> {
    let check = json!({"command": ["CMD", "true"], "interval": 10});
    let whole = json!({
        "command": ["CMD-SHELL", "true"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 0
    });
    let restart = json!({
        "enabled": true, "ignoredExitCodes": [0], "restartAttemptPeriod": 60
    });
    vec![
        given(
            "dependsOn",
            json!([{"containerName": "c0", "condition": "START"}]),
        ),
        given("healthCheck", check),
        given("healthCheck", whole),
        given("restartPolicy", json!({"enabled": true})),
        given("restartPolicy", restart),
        given("startTimeout", json!(10)),
        given("stopTimeout", json!(30)),
    ]
}

/// The same of a task.
fn task_members() -> Vec<Given> {
    let awsvpc = || json!({"networkMode": "awsvpc"});
    let managed = || json!({"requiresCompatibilities": ["MANAGED_INSTANCES"]});
    let property = |(name, value): (&str, &str)| json!({"name": name, "value": value});
    let properties = [
        ("IgnoredUID", "1337"),
        ("AppPorts", "80"),
        ("ProxyIngressPort", "15000"),
        ("ProxyEgressPort", "15001"),
        ("EgressIgnoredIPs", "169.254.170.2"),
    ];
    let proxy = json!({
        "type": "APPMESH", "containerName": "c0", "properties": properties.map(property),
    });
    let fargate = json!({"networkMode": "awsvpc", "cpu": "512", "memory": "1024"});
    let plain = vec![
        given("networkMode", json!("bridge")),
        given("networkMode", json!("host")),
        given("networkMode", json!("awsvpc")),
        given("networkMode", json!("none")),
        given("cpu", json!(".5 vCPU")),
        given("cpu", json!("512")),
        given("memory", json!("1 GB")),
        given("requiresCompatibilities", json!(["EC2"])),
        given("requiresCompatibilities", json!(["FARGATE"])).with_task(fargate),
        given("requiresCompatibilities", json!(["EXTERNAL"])),
        given("requiresCompatibilities", json!(["MANAGED_INSTANCES"])),
        given("requiresCompatibilities", json!([])),
        given("executionRoleArn", role()["executionRoleArn"].clone()),
        given("taskRoleArn", json!("app")),
        given("pidMode", json!("task")),
        given("pidMode", json!("host")),
        given("ipcMode", json!("host")),
        given("ipcMode", json!("none")),
        given("runtimePlatform", json!({"cpuArchitecture": "ARM64"})),
        given("runtimePlatform", json!({"operatingSystemFamily": "LINUX"})),
        given(
            "placementConstraints",
            json!([{"type": "memberOf", "expression": "attribute:a == b"}]),
        ),
        given("proxyConfiguration", proxy).with_task(awsvpc()),
        given("ephemeralStorage", json!({"sizeInGiB": 30})),
        given("enableFaultInjection", json!(false)),
        given("enableFaultInjection", json!(true)).with_task(awsvpc()),
        given(
            "trustedExecutionConfiguration",
            json!({"isolationMode": "SHARED"}),
        )
        .with_task(managed()),
        given(
            "tags",
            json!([{"key": "k", "value": "v"}, {"key": "l", "value": ""}]),
        ),
    ];
    [plain, volumes()].concat()
}

fn volumes() -> Vec<Given> {
    let volume = |kind: &str, of: Value| given("volumes", json!([{"name": "v", kind: of}]));
    let shared = json!({
        "scope": "shared", "autoprovision": true, "driver": "local", "labels": {"a": "b"},
        "driverOpts": {"type": "none", "o": "bind", "device": "/srv"},
    });
    let efs = json!({
        "fileSystemId": "fs-1", "rootDirectory": "/", "transitEncryption": "ENABLED",
        "transitEncryptionPort": 2049,
        "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"},
    });
    let fsx = json!({
        "fileSystemId": "fs-1", "rootDirectory": "a",
        "authorizationConfig": {"credentialsParameter": SECRET, "domain": "d"},
    });
    let files = json!({"fileSystemArn": "arn:aws:s3files:us-east-1:000000000000:file-system/fs-1"});
    let mounted = json!({"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]});
    vec![
        given("volumes", json!([{"name": "v"}])),
        volume("host", json!({"sourcePath": "/srv"})),
        volume("dockerVolumeConfiguration", json!({"driver": "local"})),
        volume("dockerVolumeConfiguration", shared),
        volume("efsVolumeConfiguration", json!({"fileSystemId": "fs-1"})),
        volume("efsVolumeConfiguration", efs),
        volume("fsxWindowsFileServerVolumeConfiguration", fsx),
        volume("s3filesVolumeConfiguration", files),
        volume("configuredAtLaunch", json!(true)).with_first(mounted),
        volume("configuredAtLaunch", json!(false)),
    ]
}

fn lay(base: &mut Value, patch: &Value) {
    for (member, value) in patch.as_object().unwrap() {
        base[member] = value.clone();
    }
}

/// A definition of these: each container's own memory, then members of each and of the task.
fn whole(containers: &[(Value, Vec<Given>)], of_task: &[Given]) -> Value {
    let mut task = json!({"family": "f"});
    let mut all = Vec::new();
    for (n, (sizes, members)) in containers.iter().enumerate() {
        let mut container = json!({"name": format!("c{n}"), "image": "b"});
        lay(&mut container, sizes);
        for given in members {
            container[given.member] = given.value.clone();
            lay(&mut task, &given.task);
        }
        all.push(container);
    }
    let of_containers = containers.iter().flat_map(|(_, members)| members);
    for given in of_containers.chain(of_task) {
        lay(&mut all[0], &given.first);
    }
    for given in of_task {
        lay(&mut task, &given.task);
        task[given.member] = given.value.clone();
    }
    task["containerDefinitions"] = json!(all);
    task
}

fn definitions() -> impl Strategy<Value = Value> {
    let some_of = |members: Vec<Given>, most: usize| {
        prop::collection::vec(prop::sample::select(members), 0..=most)
    };
    let sizes = prop_oneof![
        4 => Just(json!({"memory": 64})),
        1 => Just(json!({"memoryReservation": 32})),
        1 => Just(json!({"memory": 64, "memoryReservation": 32})),
        1 => Just(json!({})),
    ];
    let containers = prop::collection::vec((sizes, some_of(container_members(), 5)), 1..=3);
    (some_of(task_members(), 4), containers)
        .prop_map(|(of_task, containers)| whole(&containers, &of_task))
}

/// What AWS answers, with the tags.
fn registered(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &Value,
) -> Result<RegisterTaskDefinitionResponse, AwsError> {
    let input: Stored<RegisterTaskDefinitionRequest> =
        serde_json::from_value(input.clone()).unwrap();
    ops::register_task_definition::register_task_definition(txn, ctx, &input.0)
}

/// Whether it is accepted; then it must be shown as it was answered, and register again with the same
/// result.
fn registers_again(input: &Value) -> Result<bool, TestCaseError> {
    let (mut txn, mut ctx) = start();
    let Ok(first) = registered(&mut txn, &mut ctx, input) else {
        return Ok(false);
    };
    let shown = DescribeTaskDefinitionRequest {
        task_definition: Some("f".into()),
        include: Some(vec!["TAGS".into()]),
    };
    let shown = ops::describe_task_definition::describe_task_definition(&txn, &mut ctx, &shown);
    let shown = shown.unwrap();
    prop_assert_eq!(&shown.task_definition, &first.task_definition);
    let tags = shown.tags.filter(|tags| !tags.is_empty());
    prop_assert_eq!(&tags, &first.tags);
    let shown = shown.task_definition.unwrap();
    let mut copy = again(&shown);
    if input.get("tags").is_some() {
        copy["tags"] = input["tags"].clone();
    }
    let second = registered(&mut txn, &mut ctx, &copy);
    prop_assert!(second.is_ok(), "{:?}", second);
    let second = second.unwrap();
    prop_assert_eq!(&second.tags, &first.tags);
    let (first, second) = (shown, second.task_definition.unwrap());
    prop_assert_eq!(again(&second), again(&first));
    prop_assert_eq!(second.compatibilities, first.compatibilities.clone());
    prop_assert_eq!(second.requires_attributes, first.requires_attributes);
    let fits = first.compatibilities.unwrap_or_default();
    for required in first.requires_compatibilities.iter().flatten() {
        prop_assert!(fits.contains(required), "{} is not of {:?}", required, fits);
    }
    Ok(true)
}

fn accepted_again(input: &Value, given: &Given) {
    let (mut txn, mut ctx) = start();
    let refused = registered(&mut txn, &mut ctx, input).err();
    assert!(refused.is_none(), "{given:?}: {refused:?}");
    assert!(registers_again(input).unwrap(), "{given:?}");
}

#[test]
fn each_member_is_accepted_alone_and_registers_again_with_the_same_result() {
    let sizes = || json!({"memory": 64});
    let plain = || (sizes(), Vec::new());
    for given in container_members() {
        let input = whole(&[plain(), (sizes(), vec![given.clone()])], &[]);
        accepted_again(&input, &given);
    }
    for given in task_members() {
        let input = whole(&[plain()], std::slice::from_ref(&given));
        accepted_again(&input, &given);
    }
}

#[test]
fn every_member_of_the_model_is_among_them() {
    let of = |all: &[Given]| -> BTreeSet<&str> { all.iter().map(|given| given.member).collect() };
    let (of_task, of_container) = (of(&task_members()), of(&container_members()));
    // The first two are in each definition; AWS takes the third no more.
    let known = ["family", "containerDefinitions", "inferenceAccelerators"];
    for member in REGISTER_TASK_DEFINITION_REQUEST.members {
        let name = member.name;
        assert!(known.contains(&name) || of_task.contains(name), "{name}");
    }
    for member in CONTAINER_DEFINITION.members {
        let name = member.name;
        assert!(
            ["name", "image"].contains(&name) || of_container.contains(name),
            "{name}"
        );
    }
}

#[test]
fn what_is_accepted_registers_again_with_the_same_result() {
    let cases = 512;
    let accepted = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
    let outcome = runner.run(&definitions(), |input| {
        if registers_again(&input)? {
            accepted.set(accepted.get() + 1);
        }
        Ok(())
    });
    outcome.unwrap();
    let accepted = accepted.get();
    assert!(accepted > cases / 8, "{accepted} of {cases} were accepted");
}
