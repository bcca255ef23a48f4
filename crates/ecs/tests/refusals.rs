//! What operations on clusters, tasks, definitions, instances, attributes, tags and settings refuse: the
//! code and the text of each, a row a rule. Nothing is written by a call that is refused.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::Stored;
use aws_types::AwsError;
use ecs::instance::life;
use ecs::ops;
use ecs::records::InstanceKey;
use serde_json::{Value, json};
use support::{House, container, run};

const PARAMETER: &str = "InvalidParameterException";
const CLIENT: &str = "ClientException";

/// One operation by its name, with its request as JSON.
fn call(house: &mut House, operation: &str, input: Value) -> Result<(), AwsError> {
    macro_rules! changes {
        ($name:ident) => {{
            let input: Stored<_> = serde_json::from_value(input).unwrap();
            let answer = house.write(|txn, ctx| ops::$name::$name(txn, ctx, &input.0));
            answer.map(drop)
        }};
    }
    macro_rules! looks {
        ($name:ident) => {{
            let input: Stored<_> = serde_json::from_value(input).unwrap();
            let world = house.world.clone();
            ops::$name::$name(&world, &mut house.ctx, &input.0).map(drop)
        }};
    }
    match operation {
        "CreateCluster" => changes!(create_cluster),
        "DeleteAttributes" => changes!(delete_attributes),
        "DeleteCluster" => changes!(delete_cluster),
        "DeleteTaskDefinitions" => changes!(delete_task_definitions),
        "DeregisterContainerInstance" => changes!(deregister_container_instance),
        "DeregisterTaskDefinition" => changes!(deregister_task_definition),
        "DescribeClusters" => looks!(describe_clusters),
        "DescribeContainerInstances" => looks!(describe_container_instances),
        "DescribeTasks" => looks!(describe_tasks),
        "GetTaskProtection" => looks!(get_task_protection),
        "ListAccountSettings" => looks!(list_account_settings),
        "ListAttributes" => looks!(list_attributes),
        "ListContainerInstances" => looks!(list_container_instances),
        "ListTaskDefinitionFamilies" => looks!(list_task_definition_families),
        "ListTaskDefinitions" => looks!(list_task_definitions),
        "ListTasks" => looks!(list_tasks),
        "PutAccountSetting" => changes!(put_account_setting),
        "PutAttributes" => changes!(put_attributes),
        "RunTask" => changes!(run_task),
        "StopTask" => changes!(stop_task),
        "SubmitAttachmentStateChanges" => changes!(submit_attachment_state_changes),
        "TagResource" => changes!(tag_resource),
        "UntagResource" => changes!(untag_resource),
        "UpdateClusterSettings" => changes!(update_cluster_settings),
        "UpdateContainerAgent" => looks!(update_container_agent),
        "UpdateContainerInstancesState" => changes!(update_container_instances_state),
        "UpdateTaskProtection" => changes!(update_task_protection),
        other => panic!("{other} is not among them"),
    }
}

/// A cluster with one host, whose agent never said its version, and two definitions: `app`, and
/// `going:1`, which is being deleted.
fn house() -> (House, InstanceKey) {
    let mut house = House::new();
    let host = house.host("h", 1000, 1000);
    house.define("app", vec![container("app", 10, 10)]);
    house.define("going", vec![container("app", 10, 10)]);
    let named = json!({"taskDefinition": "going:1"});
    call(&mut house, "DeregisterTaskDefinition", named).unwrap();
    let named = json!({"taskDefinitions": ["going:1"]});
    call(&mut house, "DeleteTaskDefinitions", named).unwrap();
    (house, host)
}

/// Each row is refused with its code and text.
fn refused(rows: &[(&str, Value, &str, &str)]) {
    let (mut house, _) = house();
    refused_in(&mut house, rows);
}

fn refused_in(house: &mut House, rows: &[(&str, Value, &str, &str)]) {
    let written = house.changes.len();
    for (operation, input, code, text) in rows {
        let error = call(house, operation, input.clone()).unwrap_err();
        let expected = format!("{code}: {text}");
        assert_eq!(error.to_string(), expected, "{operation} {input}");
    }
    assert_eq!(house.changes.len(), written, "a refusal wrote something");
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("n{n}")).collect()
}

#[test]
fn of_placement() {
    let run = |patch: Value| {
        let mut input = json!({"taskDefinition": "app"});
        let patch = patch.as_object().unwrap().clone();
        input.as_object_mut().unwrap().extend(patch);
        input
    };
    let strategy = |kind: &str, field: Option<&str>| {
        let mut one = json!({"type": kind});
        if let Some(field) = field {
            one["field"] = field.into();
        }
        run(json!({"placementStrategy": [one]}))
    };
    let binpack = "binpack field should be one of [CPU,MEMORY]";
    let spread = "spread field should be instanceId, host or attribute:NAME.";
    let distinct = json!({"type": "distinctInstance"});
    let row = |input: Value, text: &'static str| ("RunTask", input, PARAMETER, text);
    refused(&[
        row(
            run(json!({"placementStrategy": vec![json!({"type": "random"}); 6]})),
            "Placement strategy cannot have more than 5 items.",
        ),
        row(
            strategy("random", Some("cpu")),
            "random field should not be specified.",
        ),
        row(strategy("binpack", Some("ports")), binpack),
        row(strategy("binpack", None), binpack),
        row(strategy("spread", Some("zone")), spread),
        row(strategy("spread", Some("attribute:")), spread),
        row(strategy("spread", None), spread),
        row(
            strategy("pack", Some("cpu")),
            "strategy type should be one of [random,spread,binpack]",
        ),
        row(
            run(json!({"placementConstraints": vec![distinct; 11]})),
            "Placement constraints cannot have more than 10 items.",
        ),
    ]);
}

#[test]
fn of_tasks() {
    let run = |member: &str, value: Value| json!({"taskDefinition": "app", member: value});
    let token = "Client token must be 1 to 64 printable ASCII characters.";
    let id = "0123456789abcdef0123456789abcdef";
    let minutes = "expiresInMinutes must be between 1 and 2880.";
    let protect = |patch: Value| {
        let mut input = json!({"tasks": [id], "protectionEnabled": true});
        let patch = patch.as_object().unwrap().clone();
        input.as_object_mut().unwrap().extend(patch);
        input
    };
    refused(&[
        (
            "RunTask",
            json!({"taskDefinition": "going:1"}),
            CLIENT,
            "TaskDefinition is DELETE_IN_PROGRESS",
        ),
        (
            "RunTask",
            run("propagateTags", json!("SERVICE")),
            PARAMETER,
            "propagateTags should be one of [TASK_DEFINITION,NONE] for a task.",
        ),
        ("RunTask", run("clientToken", json!("")), PARAMETER, token),
        (
            "RunTask",
            run("clientToken", json!("a b")),
            PARAMETER,
            token,
        ),
        ("RunTask", run("clientToken", json!("é")), PARAMETER, token),
        (
            "RunTask",
            run("clientToken", json!("a".repeat(65))),
            PARAMETER,
            token,
        ),
        (
            "StopTask",
            json!({"task": id, "reason": "é".repeat(1025)}),
            PARAMETER,
            "Reason cannot be longer than 1024 characters.",
        ),
        (
            "DescribeTasks",
            json!({"tasks": names(101)}),
            PARAMETER,
            "Tasks cannot be more than 100.",
        ),
        (
            "DescribeTasks",
            json!({"tasks": ["a"], "include": ["tags"]}),
            PARAMETER,
            "include should be one of [TAGS]",
        ),
        (
            "ListTasks",
            json!({"startedBy": "a", "family": "app"}),
            PARAMETER,
            "cannot specify startedBy with any other filter than desiredStatus.",
        ),
        (
            "ListTasks",
            json!({"startedBy": "a", "launchType": "EC2"}),
            PARAMETER,
            "cannot specify startedBy with any other filter than desiredStatus.",
        ),
        (
            "ListTasks",
            json!({"desiredStatus": "DONE"}),
            PARAMETER,
            "desiredStatus should be one of [RUNNING,PENDING,STOPPED]",
        ),
        (
            "ListTasks",
            json!({"launchType": "LAMBDA"}),
            PARAMETER,
            "launchType should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]",
        ),
        (
            "GetTaskProtection",
            json!({"tasks": names(101)}),
            PARAMETER,
            "Tasks cannot be more than 100.",
        ),
        (
            "UpdateTaskProtection",
            protect(json!({"tasks": names(11)})),
            PARAMETER,
            "Tasks cannot be more than 10.",
        ),
        (
            "UpdateTaskProtection",
            json!({"tasks": [id]}),
            PARAMETER,
            "protectionEnabled can not be empty.",
        ),
        (
            "UpdateTaskProtection",
            protect(json!({"expiresInMinutes": 0})),
            PARAMETER,
            minutes,
        ),
        (
            "UpdateTaskProtection",
            protect(json!({"expiresInMinutes": 2881})),
            PARAMETER,
            minutes,
        ),
    ]);
}

#[test]
fn of_a_client_token_that_meant_something_else() {
    let (mut house, _) = house();
    let first = json!({"taskDefinition": "app", "clientToken": "job-1"});
    call(&mut house, "RunTask", first).unwrap();
    let other = json!({"taskDefinition": "app", "clientToken": "job-1", "count": 2});
    refused_in(
        &mut house,
        &[(
            "RunTask",
            other,
            "ConflictException",
            "The client token was already used with different parameters.",
        )],
    );
}

#[test]
fn of_task_definitions() {
    refused(&[
        (
            "ListTaskDefinitions",
            json!({"status": "GONE"}),
            PARAMETER,
            "status should be one of [ACTIVE,INACTIVE,DELETE_IN_PROGRESS]",
        ),
        (
            "ListTaskDefinitions",
            json!({"sort": "UP"}),
            PARAMETER,
            "sort should be one of [ASC,DESC]",
        ),
        (
            "ListTaskDefinitionFamilies",
            json!({"status": "GONE"}),
            PARAMETER,
            "status should be one of [ACTIVE,INACTIVE,ALL]",
        ),
    ]);
    let (mut house, _) = house();
    let input = aws_api::ecs::DeleteTaskDefinitionsRequest {
        task_definitions: Some(vec!["app:1".into()]),
    };
    let answer = house
        .write(|txn, ctx| ops::delete_task_definitions::delete_task_definitions(txn, ctx, &input));
    let failure = answer.unwrap().failures.unwrap().remove(0);
    assert_eq!(
        failure.reason.as_deref(),
        Some(
            "The specified task definition is still in ACTIVE status. Please deregister the target \
             and try again."
        )
    );
}

#[test]
fn of_clusters() {
    let execute = |patch: Value| {
        let name = "other";
        json!({"clusterName": name, "configuration": {"executeCommandConfiguration": patch}})
    };
    let setting = |name: &str, value: &str| json!({"settings": [{"name": name, "value": value}]});
    let create = "CreateCluster";
    refused(&[
        (
            "DescribeClusters",
            json!({"clusters": names(101)}),
            PARAMETER,
            "Clusters cannot have more than 100 elements.",
        ),
        (
            "DescribeClusters",
            json!({"include": ["EVERYTHING"]}),
            PARAMETER,
            "include should be one of [ATTACHMENTS,CONFIGURATIONS,SETTINGS,STATISTICS,TAGS]",
        ),
        (
            "UpdateClusterSettings",
            json!({"settings": []}),
            PARAMETER,
            "Settings cannot be empty.",
        ),
        (
            "UpdateClusterSettings",
            setting("insights", "enabled"),
            PARAMETER,
            "Cluster setting name should be one of [containerInsights]",
        ),
        (
            "UpdateClusterSettings",
            setting("containerInsights", "on"),
            PARAMETER,
            "Cluster setting value should be one of [enabled,disabled,enhanced]",
        ),
        (
            create,
            execute(json!({"logging": "SOME"})),
            PARAMETER,
            "Execute command logging should be one of [NONE,DEFAULT,OVERRIDE]",
        ),
        (
            create,
            execute(json!({"logging": "OVERRIDE"})),
            PARAMETER,
            "A logConfiguration must be specified when logging is OVERRIDE.",
        ),
        (
            create,
            json!({"clusterName": "other", "capacityProviders": ["mine"]}),
            PARAMETER,
            "The specified capacity provider does not exist. Specify a valid name or ARN and try \
             again.",
        ),
        (
            create,
            json!({
                "clusterName": "other", "capacityProviders": ["FARGATE"],
                "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}],
            }),
            PARAMETER,
            "The default capacity provider strategy can only name capacity providers of the \
             cluster.",
        ),
    ]);
}

#[test]
fn of_a_cluster_that_is_not_empty() {
    let (mut house, host) = house();
    let delete = || json!({"cluster": "default"});
    house.run(run("app", 1)).unwrap();
    refused_in(
        &mut house,
        &[(
            "DeleteCluster",
            delete(),
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        )],
    );
    // Its task is not yet taken from it.
    house.change(|txn, ctx| life::deregister(txn, ctx, &host));
    refused_in(
        &mut house,
        &[(
            "DeleteCluster",
            delete(),
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        )],
    );
    let _ = house.change(|txn, ctx| life::orphan(txn, ctx, &host, 32));
    call(&mut house, "DeleteCluster", delete()).unwrap();
}

#[test]
fn of_container_instances() {
    let (mut house, host) = house();
    let unknown = || json!({"containerInstance": "0123456789abcdef0123456789abcdef"});
    let not_found = "The referenced container instance was not found.";
    refused_in(
        &mut house,
        &[
            (
                "DescribeContainerInstances",
                json!({"containerInstances": ["a"], "include": ["HEALTH"]}),
                PARAMETER,
                "include should be one of [TAGS,CONTAINER_INSTANCE_HEALTH]",
            ),
            (
                "DeregisterContainerInstance",
                unknown(),
                PARAMETER,
                not_found,
            ),
            ("UpdateContainerAgent", unknown(), PARAMETER, not_found),
            (
                "UpdateContainerAgent",
                json!({"containerInstance": host.arn()}),
                "MissingVersionException",
                "The version of the container agent cannot be determined.",
            ),
            (
                "UpdateContainerInstancesState",
                json!({"containerInstances": [host.arn()], "status": "INACTIVE"}),
                PARAMETER,
                "Container instance status should be one of [ACTIVE, DRAINING]",
            ),
            (
                "ListContainerInstances",
                json!({"status": "GONE"}),
                PARAMETER,
                "Container instance status should be one of [ACTIVE,DRAINING]",
            ),
            (
                "SubmitAttachmentStateChanges",
                json!({}),
                PARAMETER,
                "Attachments cannot be empty.",
            ),
        ],
    );
}

#[test]
fn of_attributes() {
    let (mut house, host) = house();
    let attribute = |patch: Value| {
        let mut one = json!({"name": "a", "value": "b", "targetId": host.arn()});
        for (member, value) in patch.as_object().unwrap() {
            one[member] = value.clone();
        }
        json!({"attributes": [one]})
    };
    let (put, delete, list) = ("PutAttributes", "DeleteAttributes", "ListAttributes");
    let none = "attributes can not be empty.";
    let many = "attributes can not have more than 10 elements.";
    let name = "Attribute names must be 1 to 128 letters, numbers, hyphens, underscores, slashes, \
                back slashes and periods.";
    let value = "Attribute values must be 1 to 128 letters, numbers, hyphens, underscores, periods, \
                 at signs, slashes, back slashes, colons and spaces, without a space at either end.";
    let eleven = json!({"attributes": vec![json!({"name": "a"}); 11]});
    let unknown = "0123456789abcdef0123456789abcdef";
    let short = json!({"targetId": unknown, "targetType": "container-instance"});
    refused_in(
        &mut house,
        &[
            (put, json!({}), PARAMETER, none),
            (delete, json!({"attributes": []}), PARAMETER, none),
            (put, eleven.clone(), PARAMETER, many),
            (delete, eleven, PARAMETER, many),
            (put, attribute(json!({"name": "a:b"})), PARAMETER, name),
            (delete, attribute(json!({"name": ""})), PARAMETER, name),
            (
                put,
                attribute(json!({"name": "ecs.os-type"})),
                PARAMETER,
                "The attribute name ecs.os-type is reserved.",
            ),
            (put, attribute(json!({"value": " b"})), PARAMETER, value),
            (put, attribute(json!({"value": "a,b"})), PARAMETER, value),
            (
                put,
                attribute(json!({"targetId": ""})),
                PARAMETER,
                "targetId can not be empty.",
            ),
            (
                put,
                attribute(json!({"targetId": unknown})),
                PARAMETER,
                "targetType can not be empty when targetId is not an ARN.",
            ),
            (
                put,
                attribute(json!({"targetType": "task"})),
                PARAMETER,
                "targetType should be one of [container-instance]",
            ),
            (
                delete,
                attribute(short),
                "TargetNotFoundException",
                "Could not find 0123456789abcdef0123456789abcdef",
            ),
            (list, json!({}), PARAMETER, "targetType can not be empty."),
            (
                list,
                json!({"targetType": "container-instance", "attributeValue": "b"}),
                PARAMETER,
                "attributeName must be specified when attributeValue is.",
            ),
        ],
    );
    let ten: Vec<Value> = (0..10)
        .map(|n| json!({"name": format!("n{n}"), "targetId": host.arn()}))
        .collect();
    call(&mut house, put, json!({"attributes": ten})).unwrap();
    refused_in(
        &mut house,
        &[(
            put,
            attribute(json!({})),
            "AttributeLimitExceededException",
            "A resource can have at most 10 custom attributes.",
        )],
    );
    // One that is there is only replaced.
    call(&mut house, put, attribute(json!({"name": "n3"}))).unwrap();
}

#[test]
fn of_tags() {
    let arn = "arn:aws:ecs:us-east-1:000000000000:cluster/default";
    let tags = |tags: Value| json!({"resourceArn": arn, "tags": tags});
    let tag = |key: &str, value: &str| tags(json!([{"key": key, "value": value}]));
    let length = "Tag keys must be between 1 and 128 characters long.";
    let many: Vec<Value> = names(51)
        .into_iter()
        .map(|key| json!({"key": key, "value": "v"}))
        .collect();
    let row = |input: Value, text: &'static str| ("TagResource", input, PARAMETER, text);
    refused(&[
        row(tag("", "v"), length),
        row(tag(&"k".repeat(129), "v"), length),
        row(tag("aws:x", "v"), "Tag keys cannot start with aws:."),
        row(tag("AWS:x", "v"), "Tag keys cannot start with aws:."),
        row(tag("a{b}", "v"), "Tag keys contain invalid characters."),
        row(
            tag("k", &"v".repeat(257)),
            "Tag values cannot be longer than 256 characters.",
        ),
        row(tag("k", "a\tb"), "Tag values contain invalid characters."),
        row(
            tags(json!(many)),
            "The maximum number of tags has been exceeded. The limit is 50.",
        ),
        (
            "UntagResource",
            json!({"resourceArn": arn, "tagKeys": ["aws:x"]}),
            PARAMETER,
            "Tag keys cannot start with aws:.",
        ),
    ]);
}

#[test]
fn of_account_settings() {
    refused(&[
        (
            "ListAccountSettings",
            json!({"value": "enabled"}),
            PARAMETER,
            "You must specify an account setting name to filter by value.",
        ),
        (
            "PutAccountSetting",
            json!({"name": "awsvpcTrunking", "value": "enabled", "principalArn": "ann"}),
            PARAMETER,
            "Invalid principal ARN.",
        ),
    ]);
}
