//! What RunTask, StartTask, StopTask, DescribeTasks and ListTasks answer, and with which words they
//! refuse. One row is one sentence of the documentation.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::*;
use aws_types::AwsError;
use ecs::ops;
use support::{House, container, port, run};

fn refused<T>(answer: Result<T, AwsError>) -> (String, String) {
    let error = answer.err().expect("it is refused");
    (error.code().name.into(), error.message().into())
}

fn reasons(answer: RunTaskResponse) -> (usize, Vec<String>) {
    let reasons = answer
        .failures
        .unwrap()
        .into_iter()
        .map(|f| f.reason.unwrap());
    (answer.tasks.unwrap().len(), reasons.collect())
}

fn list(house: &mut House, input: ListTasksRequest) -> Result<ListTasksResponse, AwsError> {
    let world = house.world.clone();
    ops::list_tasks::list_tasks(&world, &mut house.ctx, &input)
}

#[test]
fn bad_input_gets_awss_error() {
    let mut house = House::new();
    house.host("h1", 1024, 1024);
    house.define("web", vec![container("app", 10, 10)]);
    let base = run("web", 1);
    let override_of = |name: &str| TaskOverride {
        container_overrides: Some(vec![ContainerOverride {
            name: Some(name.into()),
            ..ContainerOverride::default()
        }]),
        ..TaskOverride::default()
    };
    for (input, code, text) in [
        (
            run("nope", 1),
            "ClientException",
            "TaskDefinition not found.",
        ),
        (
            run("", 1),
            "ClientException",
            "TaskDefinition can not be blank.",
        ),
        (
            run("web", 0),
            "InvalidParameterException",
            "Count cannot be less than 1.",
        ),
        (
            run("web", 11),
            "InvalidParameterException",
            "Count cannot be more than 10.",
        ),
        (
            RunTaskRequest {
                cluster: Some("blue".into()),
                ..base.clone()
            },
            "ClusterNotFoundException",
            "Cluster not found.",
        ),
        (
            RunTaskRequest {
                overrides: Some(override_of("db")),
                ..base.clone()
            },
            "InvalidParameterException",
            "Override for container named db is not a container in the TaskDefinition.",
        ),
        (
            RunTaskRequest {
                network_configuration: Some(NetworkConfiguration::default()),
                ..base.clone()
            },
            "InvalidParameterException",
            "Network Configuration is not valid for the given `networkMode` of this task definition.",
        ),
        (
            RunTaskRequest {
                launch_type: Some("FARGATE".into()),
                ..base.clone()
            },
            "InvalidParameterException",
            "Task definition does not support launch_type FARGATE",
        ),
        (
            RunTaskRequest {
                launch_type: Some("EXTERNAL".into()),
                ..base.clone()
            },
            "ClientException",
            "Longshore does not yet support launchType",
        ),
        (
            RunTaskRequest {
                enable_execute_command: Some(true),
                ..base.clone()
            },
            "InvalidParameterException",
            NO_TASK_ROLE,
        ),
    ] {
        let got = refused(house.run(input.clone()));
        assert_eq!((got.0.as_str(), got.1.as_str()), (code, text), "{input:?}");
    }
    assert_eq!(house.world.count(&ecs::records::TASKS), 0);
}

const NO_TASK_ROLE: &str = "The execute command failed because a valid task role is not being used. Specify a valid task role in your task definition or as a task override and try again.";

#[test]
fn execute_command_needs_a_task_role_of_the_definition_or_the_call() {
    let mut house = House::new();
    let host = house.host("h1", 1024, 1024);
    house.define("web", vec![container("app", 10, 10)]);
    let role = "arn:aws:iam::000000000000:role/app";
    house.define_with(RegisterTaskDefinitionRequest {
        family: Some("own".into()),
        container_definitions: Some(vec![container("app", 10, 10)]),
        task_role_arn: Some(role.into()),
        ..RegisterTaskDefinitionRequest::default()
    });
    let overrides = TaskOverride {
        task_role_arn: Some(role.into()),
        ..TaskOverride::default()
    };
    for (definition, overrides, is_accepted) in [
        ("web", None, false),
        ("web", Some(overrides), true),
        ("own", None, true),
    ] {
        let run = house.run(RunTaskRequest {
            enable_execute_command: Some(true),
            overrides: overrides.clone(),
            ..run(definition, 1)
        });
        assert_eq!(run.is_ok(), is_accepted, "{run:?}");
        let start = StartTaskRequest {
            container_instances: Some(vec![host.id.0.clone()]),
            task_definition: Some(definition.into()),
            enable_execute_command: Some(true),
            overrides,
            ..StartTaskRequest::default()
        };
        let start = house.write(|txn, ctx| ops::start_task::start_task(txn, ctx, &start));
        match start {
            Ok(_) => assert!(is_accepted),
            Err(error) => assert_eq!((is_accepted, error.message()), (false, NO_TASK_ROLE)),
        }
    }
}

#[test]
fn a_cluster_without_instances_raises() {
    let mut house = House::new();
    house
        .write(|txn, ctx| {
            let input = CreateClusterRequest::default();
            ops::create_cluster::create_cluster(txn, ctx, &input)
        })
        .unwrap();
    house.define("web", vec![container("app", 10, 10)]);
    let got = refused(house.run(run("web", 1)));
    assert_eq!(got.1, "No Container Instances were found in your cluster.");
}

#[test]
fn an_inactive_definition_does_not_run() {
    let mut house = House::new();
    house.host("h1", 1024, 1024);
    let arn = house.define("web", vec![container("app", 10, 10)]);
    let input = DeregisterTaskDefinitionRequest {
        task_definition: Some(arn.clone()),
    };
    house
        .write(|txn, ctx| {
            ops::deregister_task_definition::deregister_task_definition(txn, ctx, &input)
        })
        .unwrap();
    let got = refused(house.run(run(&arn, 1)));
    assert_eq!(
        (got.0.as_str(), got.1.as_str()),
        ("ClientException", "TaskDefinition is inactive")
    );
}

#[test]
fn what_finds_no_room_is_a_failure_with_its_reason() {
    let mut house = House::new();
    house.host("h1", 1024, 1024);
    house.register("h2", 1024, 1024);
    house.define("cpu", vec![container("app", 600, 10)]);
    house.define("memory", vec![container("app", 0, 2000)]);
    house.define(
        "port",
        vec![ContainerDefinition {
            port_mappings: Some(vec![port(80, 8080)]),
            ..container("app", 0, 10)
        }],
    );
    house.define(
        "ssh",
        vec![ContainerDefinition {
            port_mappings: Some(vec![port(22, 22)]),
            ..container("app", 0, 10)
        }],
    );
    house.define(
        "driver",
        vec![ContainerDefinition {
            log_configuration: Some(LogConfiguration {
                log_driver: Some("json-file".into()),
                ..LogConfiguration::default()
            }),
            ..container("app", 0, 10)
        }],
    );
    for (family, count, placed, reason) in [
        ("cpu", 2, 1, "RESOURCE:CPU"),
        ("memory", 1, 0, "RESOURCE:MEMORY"),
        ("port", 2, 1, "RESOURCE:PORTS"),
        ("ssh", 1, 0, "RESOURCE:PORTS"),
        ("driver", 1, 0, "ATTRIBUTE"),
    ] {
        let (tasks, mut got) = reasons(house.run(run(family, count)).unwrap());
        got.sort();
        let mut expected = vec!["AGENT".to_owned(), reason.to_owned()];
        expected.sort();
        assert_eq!((tasks, got), (placed, expected), "{family}");
    }
}

/// API reference, PortMapping: 100 at a time, with the five that the agent reserves.
#[test]
fn an_instance_has_a_hundred_host_ports_at_most() {
    let mut house = House::new();
    let host = house.host("h1", 1024, 1024);
    for (family, ports) in [
        ("first", 8000..8050),
        ("rest", 9000..9045),
        ("one", 9100..9101),
    ] {
        let app = ContainerDefinition {
            port_mappings: Some(ports.map(|number| port(number, number)).collect()),
            ..container("app", 0, 10)
        };
        house.define(family, vec![app]);
    }
    house.define(
        "dynamic",
        vec![ContainerDefinition {
            port_mappings: Some(vec![port(80, 0)]),
            ..container("app", 0, 10)
        }],
    );
    house.run_all("first", 1);
    let rest = house.run_all("rest", 1).remove(0);
    let full = reasons(house.run(run("one", 1)).unwrap());
    assert_eq!(full, (0, vec!["RESOURCE:PORTS".to_owned()]));
    // Those that the agent chooses do not count.
    house.run_all("dynamic", 1);
    house.deliver(&host);
    house.report_stopped(&rest, &["app"], 0);
    house.run_all("one", 1);
}

#[test]
fn a_client_token_gives_the_same_tasks_or_a_conflict() {
    let mut house = House::new();
    house.host("h1", 1024, 1024);
    house.define("web", vec![container("app", 10, 10)]);
    let input = |count| RunTaskRequest {
        client_token: Some("t-1".into()),
        ..run("web", count)
    };
    let arns = |answer: RunTaskResponse| -> Vec<_> {
        answer
            .tasks
            .unwrap()
            .into_iter()
            .map(|task| task.task_arn.unwrap())
            .collect()
    };
    let first = arns(house.run(input(2)).unwrap());
    assert_eq!(arns(house.run(input(2)).unwrap()), first);
    let conflict = house.run(input(1)).unwrap_err();
    assert_eq!(conflict.code().name, "ConflictException");
    assert_eq!(conflict.list_members(), [("resourceIds", first.clone())]);
    house.pass(24 * 3600 + 1);
    assert_ne!(arns(house.run(input(2)).unwrap()), first);
    assert_eq!(
        ecs::task::tokens::expired(&house.world, house.ctx.now).len(),
        0
    );
    house.pass(24 * 3600 + 1);
    assert_eq!(
        ecs::task::tokens::expired(&house.world, house.ctx.now).len(),
        1
    );
}

#[test]
fn overrides_have_their_effect_and_are_shown_as_given() {
    let mut house = House::new();
    let host = house.host("h1", 1024, 1024);
    house.define(
        "web",
        vec![container("app", 10, 100), container("log", 10, 50)],
    );
    let app = ContainerOverride {
        name: Some("app".into()),
        command: Some(vec!["serve".into()]),
        cpu: Some(200),
        memory: Some(300),
        memory_reservation: Some(250),
        ..ContainerOverride::default()
    };
    let given = TaskOverride {
        container_overrides: Some(vec![app.clone()]),
        memory: Some("0.5 GB".into()),
        task_role_arn: Some("app".into()),
        ..TaskOverride::default()
    };
    let input = RunTaskRequest {
        overrides: Some(given),
        ..run("web", 1)
    };
    let task = house.run(input).unwrap().tasks.unwrap().remove(0);
    let untouched = ContainerOverride {
        name: Some("log".into()),
        ..ContainerOverride::default()
    };
    let shown = TaskOverride {
        container_overrides: Some(vec![app, untouched]),
        memory: Some("512".into()),
        task_role_arn: Some("app".into()),
        inference_accelerator_overrides: Some(vec![]),
        ..TaskOverride::default()
    };
    assert_eq!(task.overrides, Some(shown));
    assert_eq!(
        (task.cpu.as_deref(), task.memory.as_deref()),
        (Some("210"), Some("512"))
    );
    let sizes = task.containers.unwrap().remove(0);
    assert_eq!(
        [sizes.cpu, sizes.memory, sizes.memory_reservation],
        ["200", "300", "250"].map(|size| Some(size.to_owned()))
    );
    let payload = house.deliver(&host).remove(0);
    assert_eq!(payload.memory, Some(512));
    let app = payload.containers.unwrap().remove(0);
    assert_eq!((app.cpu, app.memory), (Some(200), Some(300)));
    assert_eq!(app.command, Some(vec!["serve".to_owned()]));
    assert_eq!(house.remaining(&host).0, 1024 - 210);
}

#[test]
fn an_override_of_what_is_not_built_is_refused_by_name() {
    let mut house = House::new();
    house.host("h1", 1024, 1024);
    house.define("web", vec![container("app", 10, 100)]);
    let file = EnvironmentFile {
        r#type: Some("s3".into()),
        value: Some("arn:aws:s3:::bucket/app.env".into()),
    };
    let app = ContainerOverride {
        name: Some("app".into()),
        environment_files: Some(vec![file]),
        ..ContainerOverride::default()
    };
    let input = RunTaskRequest {
        overrides: Some(TaskOverride {
            container_overrides: Some(vec![app]),
            ..TaskOverride::default()
        }),
        ..run("web", 1)
    };
    assert_eq!(
        refused(house.run(input)),
        (
            "ClientException".into(),
            "Longshore does not yet support environmentFiles (container app)".into()
        )
    );
}

#[test]
fn start_task_places_on_the_instances_named() {
    let mut house = House::new();
    let (ready, away) = (
        house.host("h1", 1024, 1024),
        house.register("h2", 1024, 1024),
    );
    house.define("web", vec![container("app", 600, 10)]);
    let input = StartTaskRequest {
        task_definition: Some("web".into()),
        container_instances: Some(vec![
            ready.arn(),
            away.id.0.clone(),
            "none".into(),
            ready.id.0,
        ]),
        ..StartTaskRequest::default()
    };
    let answer = house
        .write(|txn, ctx| ops::start_task::start_task(txn, ctx, &input))
        .unwrap();
    assert_eq!(answer.tasks.unwrap().len(), 1);
    let got: Vec<_> = answer
        .failures
        .unwrap()
        .into_iter()
        .map(|f| f.reason.unwrap())
        .collect();
    assert_eq!(got, ["AGENT", "MISSING", "RESOURCE:CPU"]);
}

#[test]
fn what_is_not_there_is_a_failure_to_describe_and_an_error_to_stop() {
    let mut house = House::new();
    house.host("h1", 1024, 1024);
    let unknown = "0".repeat(32);
    for (task, text) in [
        (unknown.as_str(), "The referenced task was not found."),
        ("short", "taskId length should be one of [32,36]"),
        (
            "arn:aws:ecs:us-east-1:000000000000:task/blue/x",
            "The referenced task was not found.",
        ),
    ] {
        let got = refused(house.stop(task, None));
        assert_eq!(
            (got.0.as_str(), got.1.as_str()),
            ("InvalidParameterException", text)
        );
    }
    let input = DescribeTasksRequest {
        tasks: Some(vec![unknown.clone()]),
        ..DescribeTasksRequest::default()
    };
    let world = house.world.clone();
    let answer = ops::describe_tasks::describe_tasks(&world, &mut house.ctx, &input).unwrap();
    assert_eq!(answer.tasks, Some(vec![]));
    let failure = answer.failures.unwrap().remove(0);
    assert_eq!(failure.reason.as_deref(), Some("MISSING"));
    let arn = format!("arn:aws:ecs:us-east-1:000000000000:task/default/{unknown}");
    assert_eq!(failure.arn, Some(arn));
}

#[test]
fn a_listing_filters_and_pages() {
    let mut house = House::new();
    let host = house.host("h1", 4096, 4096);
    house.define("web", vec![container("app", 10, 10)]);
    house.define("job", vec![container("app", 10, 10)]);
    let web = house.run_all("web", 4);
    let by_ci = RunTaskRequest {
        started_by: Some("ci".into()),
        ..run("job", 2)
    };
    house.run(by_ci).unwrap();
    house.stop(&web[0].id.0, None).unwrap();
    let base = ListTasksRequest::default;
    for (input, expected) in [
        (base(), 5),
        (
            ListTasksRequest {
                desired_status: Some("STOPPED".into()),
                ..base()
            },
            1,
        ),
        (
            ListTasksRequest {
                desired_status: Some("PENDING".into()),
                ..base()
            },
            0,
        ),
        (
            ListTasksRequest {
                family: Some("web".into()),
                ..base()
            },
            3,
        ),
        (
            ListTasksRequest {
                started_by: Some("ci".into()),
                ..base()
            },
            2,
        ),
        (
            ListTasksRequest {
                container_instance: Some(host.arn()),
                ..base()
            },
            5,
        ),
        (
            ListTasksRequest {
                container_instance: Some("other".into()),
                ..base()
            },
            0,
        ),
        (
            ListTasksRequest {
                launch_type: Some("FARGATE".into()),
                ..base()
            },
            0,
        ),
        (
            ListTasksRequest {
                launch_type: Some("EC2".into()),
                family: Some("job".into()),
                ..base()
            },
            2,
        ),
    ] {
        let got = list(&mut house, input.clone()).unwrap().task_arns.unwrap();
        assert_eq!(got.len(), expected, "{input:?}");
    }
    for (input, code) in [
        (
            ListTasksRequest {
                service_name: Some("s".into()),
                ..base()
            },
            "ServiceNotFoundException",
        ),
        (
            ListTasksRequest {
                started_by: Some("ci".into()),
                family: Some("job".into()),
                ..base()
            },
            "InvalidParameterException",
        ),
        (
            ListTasksRequest {
                desired_status: Some("DONE".into()),
                ..base()
            },
            "InvalidParameterException",
        ),
        (
            ListTasksRequest {
                max_results: Some(101),
                ..base()
            },
            "InvalidParameterException",
        ),
        (
            ListTasksRequest {
                next_token: Some("x".into()),
                ..base()
            },
            "InvalidParameterException",
        ),
    ] {
        assert_eq!(refused(list(&mut house, input)).0, code);
    }
    let (mut shown, mut token) = (Vec::new(), None);
    loop {
        let input = ListTasksRequest {
            max_results: Some(2),
            next_token: token,
            ..base()
        };
        let page = list(&mut house, input).unwrap();
        shown.extend(page.task_arns.unwrap());
        house.run_all("web", 1);
        token = page.next_token;
        if token.is_none() || shown.len() > 50 {
            break;
        }
    }
    let distinct: std::collections::BTreeSet<_> = shown.iter().collect();
    assert_eq!(distinct.len(), shown.len());
    assert!(shown.len() >= 5);
}

#[test]
fn an_instance_shows_what_it_registered_and_what_is_left() {
    let mut house = House::new();
    let host = house.host("h1", 1024, 900);
    house.define(
        "web",
        vec![ContainerDefinition {
            port_mappings: Some(vec![port(80, 8080)]),
            ..container("app", 100, 200)
        }],
    );
    house.run_all("web", 1);
    let (cpu, memory, ports) = house.remaining(&host);
    assert_eq!((cpu, memory), (924, 700));
    assert!(ports.contains(&"8080".to_owned()) && ports.contains(&"22".to_owned()));
    let shown = house.instance(&host);
    assert_eq!(
        (shown.running_tasks_count, shown.pending_tasks_count),
        (Some(0), Some(1))
    );
    assert_eq!(shown.tags, Some(vec![]));
    let sent = support::registration(1024, 900).attributes.unwrap();
    let echoed = shown.attributes.unwrap();
    assert!(
        sent.iter().all(|attribute| echoed.contains(attribute)),
        "the agent exits otherwise"
    );
}

#[test]
fn the_poll_endpoint_is_the_servers_own() {
    let mut house = House::new();
    let ask = |house: &mut House| {
        let world = house.world.clone();
        let input = DiscoverPollEndpointRequest::default();
        ops::discover_poll_endpoint::discover_poll_endpoint(&world, &mut house.ctx, &input)
    };
    assert_eq!(refused(ask(&mut house)).0, "ServerException");
    house.change(|txn, _| ecs::instance::endpoints::set(txn, "http://127.0.0.1:4566/"));
    let answer = ask(&mut house).unwrap();
    assert_eq!(answer.endpoint.as_deref(), Some("http://127.0.0.1:4566"));
    assert_eq!(answer.telemetry_endpoint, answer.endpoint);
}
