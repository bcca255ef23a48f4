//! What callers see of placement: strategies, constraints, GPUs and filters, through the operations.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::*;
use ecs::instance::life;
use ecs::ops;
use ecs::place::feed::PLACEMENT;
use ecs::records::InstanceKey;
use support::{House, container, registration, run};

fn attribute(name: &str, value: &str) -> Attribute {
    Attribute {
        name: Some(name.into()),
        value: Some(value.into()),
        ..Attribute::default()
    }
}

/// Four hosts, two of each zone, each with a type of its own.
fn house() -> (House, Vec<InstanceKey>) {
    let mut house = House::new();
    let mut hosts = Vec::new();
    for (at, zone) in ["a", "a", "b", "b"].into_iter().enumerate() {
        let mut input = registration(1000, 1000);
        let attributes = input.attributes.as_mut().unwrap();
        attributes.push(attribute("ecs.availability-zone", zone));
        attributes.push(attribute("type", &format!("t{at}")));
        let key = house.register_with(&format!("h{at}"), input);
        house.change(|txn, _| life::connected(txn, &key, &life::SessionVersions::default()));
        hosts.push(key);
    }
    house.define("app", vec![container("app", 100, 100)]);
    (house, hosts)
}

fn strategy(all: &[(&str, &str)]) -> Option<Vec<PlacementStrategy>> {
    let one = |(kind, field): &(&str, &str)| PlacementStrategy {
        r#type: Some((*kind).into()),
        field: Some((*field).into()),
    };
    Some(all.iter().map(one).collect())
}

fn constraint(kind: &str, expression: Option<&str>) -> PlacementConstraint {
    PlacementConstraint {
        r#type: Some(kind.into()),
        expression: expression.map(Into::into),
    }
}

/// How many of the tasks went to each host, and why each host refused the rest.
fn placed(
    house: &mut House,
    hosts: &[InstanceKey],
    input: RunTaskRequest,
) -> (Vec<usize>, Vec<String>) {
    let answer = house.run(input).unwrap();
    let tasks = answer.tasks.unwrap();
    let on = |host: &InstanceKey| {
        let arn = host.arn();
        let there = tasks
            .iter()
            .filter(|task| task.container_instance_arn.as_ref() == Some(&arn));
        there.count()
    };
    let failures = answer.failures.unwrap().into_iter();
    (
        hosts.iter().map(on).collect(),
        failures.map(|failure| failure.reason.unwrap()).collect(),
    )
}

#[test]
fn binpack_fills_one_host_and_spread_uses_every_one() {
    let (mut house, hosts) = house();
    let (mut counts, _) = placed(
        &mut house,
        &hosts,
        RunTaskRequest {
            placement_strategy: strategy(&[("binpack", "memory")]),
            ..run("app", 10)
        },
    );
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 0, 10]);

    let (mut house, hosts) = self::house();
    let by_zone = [
        ("spread", "attribute:ecs.availability-zone"),
        ("binpack", "cpu"),
    ];
    let (counts, _) = placed(
        &mut house,
        &hosts,
        RunTaskRequest {
            placement_strategy: strategy(&by_zone),
            ..run("app", 10)
        },
    );
    assert_eq!(counts[0] + counts[1], 5, "{counts:?}");
    assert_eq!(counts.iter().filter(|count| **count == 0).count(), 2);

    let (counts, _) = placed(
        &mut house,
        &hosts,
        RunTaskRequest {
            placement_strategy: strategy(&[("spread", "host")]),
            group: Some("other".into()),
            ..run("app", 8)
        },
    );
    assert_eq!(counts, [2, 2, 2, 2], "of its own group");
}

#[test]
fn random_reaches_every_host_and_gives_none_the_most() {
    let (mut house, hosts) = house();
    house.define("small", vec![container("app", 1, 6)]);
    let mut on = vec![0; hosts.len()];
    for _ in 0..20 {
        let random = PlacementStrategy {
            r#type: Some("random".into()),
            ..PlacementStrategy::default()
        };
        let input = RunTaskRequest {
            placement_strategy: Some(vec![random]),
            ..run("small", 10)
        };
        let (counts, failures) = placed(&mut house, &hosts, input);
        assert_eq!(failures, [""; 0]);
        on.iter_mut()
            .zip(counts)
            .for_each(|(sum, count)| *sum += count);
    }
    // Of 200; each has room for 166.
    assert!(on.iter().all(|count| (20..=100).contains(count)), "{on:?}");
}

#[test]
fn constraints_refuse_with_their_reasons_and_a_part_is_placed() {
    let (mut house, hosts) = house();
    let distinct = RunTaskRequest {
        placement_constraints: Some(vec![constraint("distinctInstance", None)]),
        ..run("app", 6)
    };
    let (counts, failures) = placed(&mut house, &hosts, distinct);
    assert_eq!(counts, [1, 1, 1, 1]);
    assert_eq!(
        failures,
        ["DistinctInstance placement constraint unsatisfied."; 4]
    );
    let member = |text: &str| RunTaskRequest {
        placement_constraints: Some(vec![constraint("memberOf", Some(text))]),
        ..run("app", 2)
    };
    for (text, expected) in [
        ("attribute:type in [t1, t9]", vec![0, 2, 0, 0]),
        (
            "attribute:ecs.availability-zone == a and not(attribute:type == t0)",
            vec![0, 2, 0, 0],
        ),
        ("task:group == nothing", vec![0, 0, 0, 0]),
        ("runningTasksCount > 0", vec![0, 0, 0, 0]),
    ] {
        let (counts, failures) = placed(&mut house, &hosts, member(text));
        assert_eq!(counts, expected, "{text}");
        let refused = if expected.iter().sum::<usize>() == 2 {
            0
        } else {
            4
        };
        assert_eq!(
            failures,
            vec!["MemberOf placement constraint unsatisfied."; refused]
        );
    }
    let beside = member("task:group == 'family:app' and attribute:type =~ 't[23]'");
    assert_eq!(placed(&mut house, &hosts, beside).0[..2], [0, 0]);
    let refused = house.run(member("attribute:type ==")).unwrap_err();
    assert_eq!(refused.code().name, "InvalidParameterException");
}

#[test]
fn a_definitions_own_constraint_holds_too() {
    let (mut house, hosts) = house();
    let own = TaskDefinitionPlacementConstraint {
        r#type: Some("memberOf".into()),
        expression: Some("attribute:type == t3".into()),
    };
    house.define_with(RegisterTaskDefinitionRequest {
        family: Some("bound".into()),
        container_definitions: Some(vec![container("app", 10, 10)]),
        placement_constraints: Some(vec![own]),
        ..RegisterTaskDefinitionRequest::default()
    });
    let (counts, _) = placed(&mut house, &hosts, run("bound", 3));
    assert_eq!(counts, [0, 0, 0, 3]);
}

/// A definition for this processor.
fn define_for(house: &mut House, architecture: &str) -> String {
    house.define_with(RegisterTaskDefinitionRequest {
        family: Some(architecture.to_lowercase()),
        container_definitions: Some(vec![container("app", 10, 10)]),
        runtime_platform: Some(RuntimePlatform {
            cpu_architecture: Some(architecture.into()),
            ..RuntimePlatform::default()
        }),
        ..RegisterTaskDefinitionRequest::default()
    })
}

/// A host that registers this processor, or says nothing of it.
fn host_of(house: &mut House, name: &str, architecture: Option<&str>) -> InstanceKey {
    let mut input = registration(1000, 1000);
    let said = architecture.map(|value| attribute("ecs.cpu-architecture", value));
    input.attributes.as_mut().unwrap().extend(said);
    let key = house.register_with(name, input);
    house.change(|txn, _| life::connected(txn, &key, &life::SessionVersions::default()));
    key
}

#[test]
fn a_definition_for_a_processor_goes_to_hosts_that_have_it_or_do_not_say() {
    let mut house = House::new();
    let mut hosts = vec![host_of(&mut house, "x", Some("x86_64"))];
    let (arm, x86) = (
        define_for(&mut house, "ARM64"),
        define_for(&mut house, "X86_64"),
    );
    house.define("any", vec![container("app", 10, 10)]);
    let refused = (vec![0], vec!["ATTRIBUTE".to_owned()]);
    assert_eq!(placed(&mut house, &hosts, run(&arm, 1)), refused);
    assert_eq!(placed(&mut house, &hosts, run(&x86, 1)), (vec![1], vec![]));
    assert_eq!(placed(&mut house, &hosts, run("any", 1)), (vec![1], vec![]));
    let start = StartTaskRequest {
        task_definition: Some(arm.clone()),
        container_instances: Some(vec![hosts[0].arn()]),
        ..StartTaskRequest::default()
    };
    let answer = house.write(|txn, ctx| ops::start_task::start_task(txn, ctx, &start));
    let failures = answer.unwrap().failures.unwrap();
    assert_eq!(failures[0].reason.as_deref(), Some("ATTRIBUTE"));
    hosts.push(host_of(&mut house, "arm", Some("arm64")));
    assert_eq!(placed(&mut house, &hosts, run(&arm, 2)).0, [0, 2]);
    assert_eq!(placed(&mut house, &hosts, run(&x86, 2)).0, [2, 0]);
    // As AWS's agent does on EC2.
    hosts.push(host_of(&mut house, "silent", None));
    assert_eq!(placed(&mut house, &hosts, run(&arm, 2)).0, [0, 0, 2]);
}

#[test]
fn of_an_instance_of_ec2_the_identity_document_says_its_processor() {
    let mut house = House::new();
    let processor = |house: &mut House, name: &str, document: &str, sent: &[&str]| {
        let mut input = registration(1000, 1000);
        input.instance_identity_document = Some(document.into());
        let sent = sent
            .iter()
            .map(|value| attribute("ecs.cpu-architecture", value));
        input.attributes.as_mut().unwrap().extend(sent);
        let key = house.register_with(name, input);
        let attributes = house.instance(&key).attributes.unwrap().into_iter();
        let of_name = |a: &Attribute| a.name.as_deref() == Some("ecs.cpu-architecture");
        let found = attributes.filter(of_name).map(|a| a.value.unwrap());
        found.collect::<Vec<_>>()
    };
    let arm = r#"{"instanceId": "i-1", "architecture": "arm64"}"#;
    for (document, sent, expected) in [
        (arm, &[][..], &["arm64"][..]),
        (arm, &["x86_64"], &["x86_64"]),
        (r#"{"architecture": "i386"}"#, &[], &[]),
        ("", &[], &[]),
    ] {
        assert_eq!(
            processor(&mut house, document, document, sent),
            expected,
            "{document}"
        );
    }
}

#[test]
fn a_listing_is_filtered_by_an_expression() {
    let (mut house, hosts) = house();
    let mut list = |filter: &str| {
        let input = ListContainerInstancesRequest {
            filter: Some(filter.into()),
            ..ListContainerInstancesRequest::default()
        };
        let world = house.world.clone();
        ops::list_container_instances::list_container_instances(&world, &mut house.ctx, &input)
    };
    let listed = list("attribute:ecs.availability-zone == b").unwrap();
    let mut expected = vec![hosts[2].arn(), hosts[3].arn()];
    expected.sort();
    assert_eq!(listed.container_instance_arns, Some(expected));
    let refused = list("colour == red").unwrap_err();
    assert_eq!(refused.code().name, "InvalidParameterException");
}

#[test]
fn gpus_are_given_by_id_told_to_the_agent_and_shown() {
    let mut house = House::new();
    let host = house.host_with_gpus("h", 1000, 1000, 3);
    let asks = |name: &str, count: &str| ContainerDefinition {
        resource_requirements: Some(vec![ResourceRequirement {
            r#type: Some("GPU".into()),
            value: Some(count.into()),
            ..ResourceRequirement::default()
        }]),
        ..container(name, 10, 10)
    };
    house.define(
        "train",
        vec![asks("one", "1"), container("none", 1, 6), asks("two", "2")],
    );
    let (counts, failures) = placed(&mut house, std::slice::from_ref(&host), run("train", 2));
    assert_eq!(
        (counts, failures),
        (vec![1], vec!["RESOURCE:GPU".to_owned()])
    );
    let payload = house.deliver(&host).remove(0);
    let told: Vec<_> = payload
        .associations
        .unwrap()
        .into_iter()
        .map(|a| (a.r#type.unwrap(), a.name.unwrap(), a.containers.unwrap()))
        .collect();
    let gpu = |id: &str, of: &str| ("gpu".to_owned(), id.to_owned(), vec![of.to_owned()]);
    assert_eq!(
        told,
        [
            gpu("GPU-0", "one"),
            gpu("GPU-1", "two"),
            gpu("GPU-2", "two")
        ]
    );
    let key = ecs::task::reference::task_arn(&house.ctx.scope, &payload.arn.unwrap()).unwrap();
    let shown = house.describe(&key).containers.unwrap();
    let ids: Vec<_> = shown
        .into_iter()
        .map(|c| c.gpu_ids.unwrap_or_default())
        .collect();
    assert_eq!(ids, [vec!["GPU-0"], vec![], vec!["GPU-1", "GPU-2"]]);
    let of = |resources: Option<Vec<Resource>>| {
        let all = resources.unwrap().into_iter();
        let mut gpus = all.filter(|r| r.name.as_deref() == Some("GPU"));
        gpus.next().unwrap().string_set_value.unwrap().len()
    };
    let instance = house.instance(&host);
    assert_eq!(of(instance.registered_resources), 3);
    assert_eq!(of(instance.remaining_resources), 0);
}

#[test]
fn of_a_cluster_without_instances_and_held_tasks_nothing_is_kept() {
    let (mut house, hosts) = house();
    let before = house.world.view(&PLACEMENT).clone();
    assert_eq!(before.len(), 1);
    house.run_all("app", 4);
    for host in &hosts {
        house.change(|txn, ctx| life::deregister(txn, ctx, host));
    }
    // Their tasks may still run.
    assert_eq!(house.world.view(&PLACEMENT).len(), 1);
    for host in &hosts {
        let _ = house.change(|txn, ctx| life::orphan(txn, ctx, host, 32));
    }
    assert!(house.world.view(&PLACEMENT).is_empty());
    assert_eq!(before.len(), 1, "a copy never changes");
    let refused = house.run(run("app", 1)).unwrap_err();
    assert_eq!(
        refused.message(),
        "No Container Instances were found in your cluster."
    );
    house.host("again", 1000, 1000);
    assert_eq!(house.run_all("app", 1).len(), 1);
}
