//! What a host's agent may do, and what of another host's it may not.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::{ContainerDefinition, LogConfiguration};
use ecs::host_rights::host_rights;
use iam::{Ask, Holder};
use support::{House, container};

fn logging(group: &str, prefix: Option<&str>) -> ContainerDefinition {
    let options = [
        ("awslogs-group", Some(group)),
        ("awslogs-stream-prefix", prefix),
    ];
    let given = options
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    ContainerDefinition {
        log_configuration: Some(LogConfiguration {
            log_driver: Some("awslogs".into()),
            options: Some(
                given
                    .chain([("awslogs-region".to_owned(), "us-east-1".to_owned())])
                    .collect(),
            ),
            ..LogConfiguration::default()
        }),
        ..container("app", 10, 10)
    }
}

#[test]
fn a_host_acts_for_its_own_instance_its_own_tasks_and_their_logs() {
    let mut house = House::new();
    let own = house.host("h1", 1024, 1024);
    house.define("web", vec![logging("/ecs/web", Some("web"))]);
    house.define("raw", vec![logging("/ecs/raw", None)]);
    let web = house.run_all("web", 1).remove(0);
    house.run_all("raw", 1);
    let other = house.host("h2", 1024, 1024);
    house.define("db", vec![logging("/ecs/db", Some("db"))]);
    let db = house.run_all("db", 1).remove(0);
    let logs = |rest: &str| format!("arn:aws:logs:us-east-1:000000000000:log-group:{rest}");
    let docker_id = "a".repeat(64);
    for (action, resource, allowed) in [
        (
            "ecs:RegisterContainerInstance",
            "arn:aws:ecs:us-east-1:000000000000:cluster/default".into(),
            true,
        ),
        ("ecs:DiscoverPollEndpoint", own.arn(), true),
        ("ecs:Poll", own.arn(), true),
        ("ecs:Poll", other.arn(), false),
        ("ecs:StartTelemetrySession", other.arn(), false),
        ("ecs:ListTagsForResource", own.arn(), true),
        ("ecs:ListTagsForResource", web.arn(), true),
        ("ecs:ListTagsForResource", other.arn(), false),
        ("ecs:ListTagsForResource", db.arn(), false),
        // A task asks in its own name.
        ("ecs:UpdateTaskProtection", web.arn(), false),
        ("ecs:UpdateTaskProtection", db.arn(), false),
        ("ecs:GetTaskProtection", web.arn(), false),
        ("ecs:GetTaskProtection", db.arn(), false),
        ("ecs:SubmitTaskStateChange", web.arn(), true),
        ("ecs:SubmitTaskStateChange", db.arn(), false),
        (
            "ecs:SubmitTaskStateChange",
            web.arn().replace(&web.id.0, "unknown"),
            true,
        ),
        ("ecs:RunTask", web.arn(), false),
        ("ecs:StopTask", web.arn(), false),
        ("logs:CreateLogGroup", logs("/ecs/web"), true),
        ("logs:CreateLogGroup", logs("/ecs/web:*"), true),
        ("logs:CreateLogGroup", logs("/ecs/db:*"), false),
        (
            "logs:CreateLogStream",
            logs(&format!("/ecs/web:log-stream:web/app/{}", web.id.0)),
            true,
        ),
        (
            "logs:PutLogEvents",
            logs(&format!("/ecs/web:log-stream:web/app/{}", web.id.0)),
            true,
        ),
        (
            "logs:PutLogEvents",
            logs(&format!("/ecs/web:log-stream:web/other/{}", web.id.0)),
            false,
        ),
        (
            "logs:PutLogEvents",
            logs("/ecs/web:log-stream:anything"),
            false,
        ),
        (
            "logs:PutLogEvents",
            logs(&format!("/ecs/db:log-stream:db/app/{}", db.id.0)),
            false,
        ),
        (
            "logs:PutLogEvents",
            logs(&format!("/ecs/raw:log-stream:{docker_id}")),
            true,
        ),
        (
            "logs:PutLogEvents",
            logs(&format!("/ecs/web:log-stream:{docker_id}")),
            false,
        ),
        ("logs:GetLogEvents", logs("/ecs/web:*"), false),
        ("logs:PutLogEvents", "*".into(), false),
    ] {
        let ask = Ask::new(action, resource);
        assert_eq!(
            host_rights(&house.world, Holder::Host("h1"), &ask),
            allowed,
            "{ask:?}"
        );
        assert!(
            action == "ecs:RegisterContainerInstance"
                || resource_is_nobodys(&ask)
                || !host_rights(&house.world, Holder::Host(""), &ask)
        );
    }
    house.report_stopped(&web, &["app"], 0);
    let last = Ask::new(
        "logs:PutLogEvents",
        logs(&format!("/ecs/web:log-stream:web/app/{}", web.id.0)),
    );
    assert!(
        host_rights(&house.world, Holder::Host("h1"), &last),
        "the last lines of a stopped task arrive"
    );
}

fn resource_is_nobodys(ask: &Ask) -> bool {
    ask.resource.ends_with("unknown")
}

#[test]
fn an_execution_role_writes_the_logs_of_its_own_task() {
    let mut house = House::new();
    house.host("h1", 1024, 1024);
    house.define("web", vec![logging("/ecs/web", Some("web"))]);
    house.define("raw", vec![logging("/ecs/raw", None)]);
    let web = house.run_all("web", 1).remove(0);
    let raw = house.run_all("raw", 1).remove(0);
    let may = |task: &ecs::records::TaskKey, action: &str, rest: &str| {
        let resource = format!("arn:aws:logs:us-east-1:000000000000:log-group:{rest}");
        let ask = Ask::new(action, resource);
        host_rights(&house.world, Holder::Task(&task.arn()), &ask)
    };
    let own = format!("/ecs/web:log-stream:web/app/{}", web.id.0);
    let by_id = format!("/ecs/raw:log-stream:{}", "a".repeat(64));
    for (task, place, allowed) in [
        (&web, own.as_str(), true),
        (&raw, own.as_str(), false),
        (&web, "/ecs/web:*", true),
        (&web, "/ecs/web:log-stream:web/app/another", false),
        (&web, "/ecs/raw:*", false),
        (&raw, by_id.as_str(), true),
        (&web, by_id.as_str(), false),
        (&raw, "/ecs/raw:log-stream:web", false),
    ] {
        assert_eq!(may(task, "logs:PutLogEvents", place), allowed, "{place}");
    }
    let gone = Ask::new(
        "logs:PutLogEvents",
        "arn:aws:logs:us-east-1:000000000000:log-group:/ecs/web:*",
    );
    assert!(!host_rights(&house.world, Holder::Task("no ARN"), &gone));
}
