//! A task's life through the real operations: placed, delivered, running, stopped.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::agent::{ContainerHealth, TaskHealth};
use aws_api::ecs::*;
use ecs::instance::life::{self, Step};
use ecs::ops;
use ecs::records::container_instance::InstanceKey;
use ecs::task::{delivery, health, retention};
use std::time::Duration;
use support::{House, START, container, container_change, port, run, task_report};

fn web(house: &mut House) -> String {
    let log = LogConfiguration {
        log_driver: Some("awslogs".into()),
        options: Some(
            [
                ("awslogs-group", "/ecs/web"),
                ("awslogs-region", "us-east-1"),
                ("awslogs-stream-prefix", "web"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ),
        ..LogConfiguration::default()
    };
    house.define(
        "web",
        vec![
            ContainerDefinition {
                port_mappings: Some(vec![port(80, 0)]),
                log_configuration: Some(log),
                environment: Some(vec![KeyValuePair {
                    name: Some("A".into()),
                    value: Some("1".into()),
                }]),
                readonly_root_filesystem: Some(true),
                stop_timeout: Some(5),
                ..container("app", 100, 128)
            },
            ContainerDefinition {
                essential: Some(false),
                ..container("side", 0, 64)
            },
        ],
    )
}

#[test]
fn three_tasks_are_placed_delivered_run_and_stopped() {
    let mut house = House::new();
    let host = house.host("h1", 2048, 4096);
    let definition = web(&mut house);
    let answer = house.run(run("web", 3)).unwrap();
    let tasks = answer.tasks.unwrap();
    assert_eq!(tasks.len(), 3);
    let first = &tasks[0];
    assert_eq!(first.last_status.as_deref(), Some("PENDING"));
    assert_eq!(first.desired_status.as_deref(), Some("RUNNING"));
    assert_eq!(first.group.as_deref(), Some("family:web"));
    assert_eq!(first.version, Some(1));
    assert_eq!(first.task_definition_arn.as_ref(), Some(&definition));
    assert_eq!(first.container_instance_arn, Some(host.arn()));
    assert_eq!(first.containers.as_ref().unwrap().len(), 2);
    assert_eq!(house.remaining(&host).0, 2048 - 300);
    let keys = tasks.iter().map(|task| {
        ecs::task::reference::task_arn(&house.ctx.scope, task.task_arn.as_ref().unwrap()).unwrap()
    });
    let keys: Vec<_> = keys.collect();

    let payloads = house.deliver(&host);
    assert_eq!(payloads.len(), 3);
    assert!(
        house.deliver(&host).is_empty(),
        "what was acknowledged is not sent again"
    );
    house.pass(1);
    for key in &keys {
        house.report_running(key, &["app", "side"]);
    }
    let shown = house.describe(&keys[0]);
    assert_eq!(shown.last_status.as_deref(), Some("RUNNING"));
    assert_eq!(shown.connectivity.as_deref(), Some("CONNECTED"));
    assert_eq!(shown.connectivity_at, Some(START));
    assert_eq!(shown.started_at, Some(house.ctx.now));
    assert_eq!(house.instance(&host).running_tasks_count, Some(3));

    house.pass(1);
    let stopping = house.stop(&keys[0].id.0, None).unwrap();
    assert_eq!(stopping.last_status.as_deref(), Some("RUNNING"));
    assert_eq!(stopping.desired_status.as_deref(), Some("STOPPED"));
    assert_eq!(stopping.stop_code.as_deref(), Some("UserInitiated"));
    assert_eq!(
        stopping.stopped_reason.as_deref(),
        Some("Task stopped by user")
    );
    assert_eq!(stopping.stopping_at, Some(house.ctx.now));
    let told = house.deliver(&host);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].desired_status.as_deref(), Some("STOPPED"));
    assert_eq!(
        house.remaining(&host).0,
        2048 - 300,
        "held until the agent said STOPPED"
    );

    house.pass(1);
    house.report_stopped(&keys[0], &["app", "side"], 143);
    let stopped = house.describe(&keys[0]);
    assert_eq!(stopped.last_status.as_deref(), Some("STOPPED"));
    assert_eq!(stopped.stopped_at, Some(house.ctx.now));
    assert_eq!(stopped.containers.unwrap()[0].exit_code, Some(143));
    assert_eq!(stopped.stop_code.as_deref(), Some("UserInitiated"));
    assert_eq!(house.remaining(&host).0, 2048 - 200);
    let again = house.stop(&keys[0].arn(), Some("twice")).unwrap();
    assert_eq!(
        again.stopped_reason.as_deref(),
        Some("Task stopped by user")
    );
}

#[test]
fn the_payload_is_what_the_agent_reads() {
    let mut house = House::new();
    let host = house.host("h1", 2048, 4096);
    web(&mut house);
    let overrides = TaskOverride {
        container_overrides: Some(vec![ContainerOverride {
            name: Some("app".into()),
            command: Some(vec!["serve".into()]),
            environment: Some(vec![KeyValuePair {
                name: Some("A".into()),
                value: Some("2".into()),
            }]),
            ..ContainerOverride::default()
        }]),
        ..TaskOverride::default()
    };
    house
        .run(RunTaskRequest {
            overrides: Some(overrides),
            ..run("web", 1)
        })
        .unwrap();
    let payload = house.deliver(&host).remove(0);
    let id = payload
        .arn
        .as_ref()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(payload.family.as_deref(), Some("web"));
    assert_eq!(payload.version.as_deref(), Some("1"));
    assert_eq!(payload.network_mode.as_deref(), Some("bridge"));
    let app = &payload.containers.as_ref().unwrap()[0];
    let environment = app.environment.as_ref().unwrap();
    assert_eq!(environment["A"], "2");
    assert_eq!(environment["AWS_EXECUTION_ENV"], "AWS_ECS_EC2");
    assert_eq!(app.overrides.as_deref(), Some("{}"));
    assert_eq!(app.command.as_deref(), Some(&["serve".to_owned()][..]));
    assert_eq!(
        (app.memory, app.stop_timeout, app.essential),
        (Some(128), Some(5), Some(true))
    );
    assert_eq!(app.port_mappings.as_ref().unwrap()[0].host_port, Some(0));
    let docker: aws_api::agent::HostConfig = serde_json::from_str(
        app.docker_config
            .as_ref()
            .unwrap()
            .host_config
            .as_ref()
            .unwrap(),
    )
    .unwrap();
    assert_eq!(docker.readonly_rootfs, Some(true));
    let log = docker.log_config.unwrap();
    assert_eq!(log.r#type.as_deref(), Some("awslogs"));
    let options = log.config.unwrap();
    assert_eq!(options["awslogs-stream"], format!("web/app/{id}"));
    assert_eq!(options["mode"], "non-blocking");
    assert!(!options.contains_key("awslogs-stream-prefix"));
}

#[test]
fn a_task_stops_with_its_essential_container_and_says_so() {
    let mut house = House::new();
    let host = house.host("h1", 2048, 4096);
    web(&mut house);
    let key = house.run_all("web", 1).remove(0);
    house.deliver(&host);
    // One call, the same container twice, in order.
    let twice = vec![
        container_change("app", "RUNNING", None, None),
        container_change("side", "RUNNING", None, None),
        container_change("app", "STOPPED", Some(3), None),
    ];
    house.report(task_report(&key, "RUNNING", twice));
    let shown = house.describe(&key);
    assert_eq!(shown.last_status.as_deref(), Some("RUNNING"));
    assert_eq!(shown.desired_status.as_deref(), Some("STOPPED"));
    house.report(task_report(
        &key,
        "STOPPED",
        vec![container_change("side", "STOPPED", Some(143), None)],
    ));
    let shown = house.describe(&key);
    assert_eq!(shown.stop_code.as_deref(), Some("EssentialContainerExited"));
    assert_eq!(
        shown.stopped_reason.as_deref(),
        Some("Essential container in task exited")
    );
    assert_eq!(shown.containers.unwrap()[0].exit_code, Some(3));
    assert_eq!(house.remaining(&host).0, 2048);
}

#[test]
fn a_task_that_cannot_pull_failed_to_start() {
    let mut house = House::new();
    let host = house.host("h1", 2048, 4096);
    web(&mut house);
    let key = house.run_all("web", 1).remove(0);
    house.deliver(&host);
    let why = "CannotPullContainerError: not found";
    let change = container_change("app", "STOPPED", None, Some(why));
    house.report(task_report(&key, "STOPPED", vec![change]));
    let shown = house.describe(&key);
    assert_eq!(shown.stop_code.as_deref(), Some("TaskFailedToStart"));
    assert_eq!(
        shown.stopped_reason.as_deref(),
        Some("Task failed to start")
    );
    assert_eq!(shown.started_at, None);
    let app = shown.containers.unwrap().remove(0);
    assert_eq!((app.exit_code, app.reason.as_deref()), (None, Some(why)));
}

#[test]
fn a_late_or_unknown_report_is_accepted_and_changes_nothing() {
    let mut house = House::new();
    let host = house.host("h1", 2048, 4096);
    web(&mut house);
    let key = house.run_all("web", 1).remove(0);
    house.deliver(&host);
    house.report_running(&key, &["app", "side"]);
    house.report_stopped(&key, &["app", "side"], 0);
    let before = house.describe(&key);
    house.report_running(&key, &["app"]);
    house.report_stopped(&key, &["app"], 9);
    assert_eq!(house.describe(&key), before);
    let unknown = ecs::records::TaskKey::new(&house.ctx.scope, "default", "nobody");
    house.report_stopped(&unknown, &["app"], 0);
}

#[test]
fn tasks_of_a_lost_host_are_stopped_and_hold_their_room_until_it_confirms() {
    let mut house = House::new();
    let host = house.host("h1", 2048, 4096);
    web(&mut house);
    let keys = house.run_all("web", 3);
    house.deliver(&host);
    house.report_running(&keys[0], &["app", "side"]);
    house.change(|txn, ctx| life::disconnected(txn, ctx, &host));
    assert_eq!(house.instance(&host).agent_connected, Some(false));
    let shown = house.describe(&keys[0]);
    assert_eq!(shown.connectivity.as_deref(), Some("DISCONNECTED"));
    assert_eq!(shown.connectivity_at, Some(START));
    let refused = house.run(run("web", 1)).unwrap();
    assert_eq!(
        refused.failures.unwrap()[0].reason.as_deref(),
        Some("AGENT")
    );
    house.pass(60);
    assert_eq!(
        house.change(|txn, ctx| life::lost(txn, ctx, &host, 2)),
        Step::More
    );
    assert_eq!(
        house.change(|txn, ctx| life::lost(txn, ctx, &host, 2)),
        Step::Done
    );
    for key in &keys {
        let shown = house.describe(key);
        let ec2_id = house.instance(&host).ec2_instance_id.unwrap();
        assert_eq!(shown.last_status.as_deref(), Some("STOPPED"));
        assert_eq!(shown.connectivity.as_deref(), Some("CONNECTED"));
        assert_eq!(shown.stop_code.as_deref(), Some("TerminationNotice"));
        assert_eq!(
            shown.stopped_reason,
            Some(format!("Host EC2 (instance {ec2_id}) terminated."))
        );
    }
    assert_eq!(house.remaining(&host).0, 2048 - 300);

    assert!(house.change(|txn, _| life::connected(txn, &host, &life::SessionVersions::default())));
    let refused = house.run(run("web", 1)).unwrap();
    assert_eq!(
        refused.failures.unwrap()[0].reason.as_deref(),
        Some("AGENT")
    );
    let told = house.deliver(&host);
    assert!(
        told.iter()
            .all(|task| task.desired_status.as_deref() == Some("STOPPED"))
    );
    assert_eq!(told.len(), 3);
    for key in &keys {
        house.report_stopped(key, &["app", "side"], 137);
    }
    assert_eq!(house.remaining(&host).0, 2048);
    assert_eq!(house.run_all("web", 1).len(), 1);
}

#[test]
fn a_forced_deregistration_orphans_tasks_and_frees_the_host() {
    let mut house = House::new();
    let host = house.host("h1", 2048, 4096);
    web(&mut house);
    let keys = house.run_all("web", 2);
    let input = |force: Option<bool>| DeregisterContainerInstanceRequest {
        container_instance: Some(host.arn()),
        force,
        ..DeregisterContainerInstanceRequest::default()
    };
    let deregister = |house: &mut House, force| {
        let input = input(force);
        house.write(|txn, ctx| {
            ops::deregister_container_instance::deregister_container_instance(txn, ctx, &input)
        })
    };
    let refused = deregister(&mut house, None).unwrap_err();
    assert_eq!(refused.message(), "Found running tasks on the instance.");
    let gone = deregister(&mut house, Some(true))
        .unwrap()
        .container_instance
        .unwrap();
    assert_eq!(gone.status.as_deref(), Some("INACTIVE"));
    assert_eq!(gone.agent_connected, Some(false));
    let shown = house.describe(&keys[0]);
    assert_eq!(shown.last_status.as_deref(), Some("STOPPED"));
    assert_eq!(
        shown.stopped_reason.as_deref(),
        Some("Container instance deregistration forced by user")
    );
    assert!(!house.change(|txn, _| life::connected(txn, &host, &life::SessionVersions::default())));
    let anew = house.register("h1", 1024, 1024);
    assert_ne!(
        anew, host,
        "a deregistered instance never comes back under its ARN"
    );
    house.pass(7200);
    let expired = life::expired(&house.world, house.ctx.now, Duration::from_secs(3600));
    assert_eq!(expired, [host]);
}

#[test]
fn the_same_host_registered_again_is_the_same_instance() {
    let mut house = House::new();
    let first = house.host("h1", 1024, 1024);
    let again = house.register("h1", 2048, 1024);
    assert_eq!(again, first);
    assert_eq!(house.remaining(&first).0, 2048);
    assert_eq!(house.instance(&first).agent_connected, Some(true));
    assert_ne!(house.register("h2", 1024, 1024), first);
}

#[test]
fn the_timeline_only_grows_and_is_never_below_the_clock() {
    let mut house = House::new();
    let host = house.host("h1", 1024, 1024);
    let next = |house: &mut House| {
        house
            .change(|txn, ctx| life::reserve_timeline(txn, ctx, &host))
            .unwrap()
    };
    let first = next(&mut house);
    assert_eq!(first.start, START.millis());
    let second = next(&mut house);
    assert_eq!(second.start, first.end, "none is given twice");
    house.pass(10);
    let third = next(&mut house);
    assert_eq!(third.start, START.millis() + 10_000);
    house.ctx.now = START;
    assert_eq!(next(&mut house).start, third.end);
}

#[test]
fn a_task_not_in_the_manifest_is_stopped_unless_it_was_placed_since() {
    let mut house = House::new();
    let host = house.host("h1", 2048, 4096);
    web(&mut house);
    let keys = house.run_all("web", 2);
    house.deliver(&host);
    house.stop(&keys[1].id.0, None).unwrap();
    let manifest = delivery::manifest(&house.world, &host);
    let desired: Vec<_> = manifest
        .iter()
        .map(|task| task.desired_status.clone().unwrap())
        .collect();
    assert_eq!(desired.iter().filter(|d| *d == "RUNNING").count(), 1);
    let unknown = aws_api::agent::TaskIdentifier {
        task_arn: Some(keys[0].arn().replace(&keys[0].id.0, "ffff")),
        ..manifest[0].clone()
    };
    let mut candidates = manifest.clone();
    candidates.push(unknown.clone());
    let confirmed = delivery::stop_verification(&house.world, &house.ctx, &host, &candidates);
    let mut arns: Vec<_> = confirmed
        .iter()
        .map(|task| task.task_arn.clone().unwrap())
        .collect();
    arns.sort();
    let mut expected = vec![keys[1].arn(), unknown.task_arn.unwrap()];
    expected.sort();
    assert_eq!(arns, expected);
}

#[test]
fn a_stopped_task_is_described_for_an_hour_and_then_removed() {
    let mut house = House::new();
    house.host("h1", 2048, 4096);
    web(&mut house);
    let keys = house.run_all("web", 2);
    house.report_stopped(&keys[0], &["app", "side"], 0);
    house.pass(3600);
    assert!(retention::expired(&house.world, house.ctx.now, Duration::ZERO).is_empty());
    house.pass(1);
    let expired = retention::expired(&house.world, house.ctx.now, Duration::ZERO);
    assert_eq!(expired, [keys[0].clone()]);
    house.change(|txn, _| retention::remove(txn, &[keys[0].clone(), keys[1].clone()]));
    assert_eq!(
        house.world.count(&ecs::records::TASKS),
        1,
        "a living task is never removed"
    );
}

fn reported(task: &str, health: &[(&str, &str)]) -> Vec<TaskHealth> {
    let one = |&(name, status): &(&str, &str)| ContainerHealth {
        container_name: Some(name.into()),
        health_status: Some(status.into()),
        ..ContainerHealth::default()
    };
    vec![TaskHealth {
        task_arn: Some(task.into()),
        containers: Some(health.iter().map(one).collect()),
        ..TaskHealth::default()
    }]
}

#[test]
fn health_is_taken_from_the_tasks_own_host_once_and_changes_nothing_else() {
    let mut house = House::new();
    let host = house.host("h1", 2048, 4096);
    web(&mut house);
    let key = house.run_all("web", 1).remove(0);
    let other = house.host("h2", 2048, 4096);
    let containers = ["app", "side"];
    house.report_running(&key, &containers);
    let before = house.describe(&key);
    let ill = reported(
        &key.arn(),
        &[
            ("app", "HEALTHY"),
            ("side", "UNHEALTHY"),
            ("pause", "UNHEALTHY"),
        ],
    );
    let publish = |house: &mut House, from: &InstanceKey, health: &[TaskHealth]| {
        let from = from.clone();
        let health = health.to_vec();
        house.change(move |txn, _| {
            let news = health::news(&*txn, &from, &health);
            health::apply(txn, &from, &news);
            news.len()
        })
    };
    assert_eq!(publish(&mut house, &other, &ill), 0, "not its host");
    assert_eq!(publish(&mut house, &host, &ill), 1);
    assert_eq!(publish(&mut house, &host, &ill), 0, "said again");
    let after = house.describe(&key);
    assert_eq!(
        after.health_status.as_deref(),
        Some("HEALTHY"),
        "side is not essential"
    );
    let shown: Vec<_> = after
        .containers
        .iter()
        .flatten()
        .map(|c| c.health_status.clone().unwrap())
        .collect();
    assert_eq!(shown, ["HEALTHY", "UNHEALTHY"]);
    assert_eq!(after.version.unwrap(), before.version.unwrap() + 1);
    assert_eq!(
        (after.desired_status, after.stop_code),
        (Some("RUNNING".into()), None)
    );
    let ill = reported(&key.arn(), &[("app", "UNHEALTHY")]);
    assert_eq!(publish(&mut house, &host, &ill), 1);
    assert_eq!(
        house.describe(&key).health_status.as_deref(),
        Some("UNHEALTHY")
    );
    house.report_stopped(&key, &containers, 0);
    let late = reported(&key.arn(), &[("app", "HEALTHY")]);
    assert_eq!(publish(&mut house, &host, &late), 0, "it is over");
    assert_eq!(
        house.describe(&key).health_status.as_deref(),
        Some("UNHEALTHY")
    );
}
