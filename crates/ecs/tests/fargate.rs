//! Tasks of launch type FARGATE: without an instance, on hosts that lend capacity.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use aws_api::Stored;
use aws_api::ecs::*;
use aws_types::{AwsError, Caller, Principal};
use ec2::records::SUBNETS;
use ecs::instance::life;
use ecs::ops;
use ecs::records::container_instance::{AttributeRecord, CONTAINER_INSTANCES};
use ecs::records::service::{Scheduling, ServiceKey};
use ecs::records::{InstanceKey, TaskKey};
use ecs::service::apply;
use ecs::service::waits::Waits;
use ecs::task::reference;
use std::collections::BTreeMap;
use store::{Schema, World};
use support::{House, container, registration, run, task_report};

const CLUSTER: &str = "aws:fargate";

/// A house whose transactions end as the server's do, with the default VPC and a cluster without instances.
fn house() -> House {
    let tables = [
        ecs::records::tables(),
        events::records::tables(),
        ec2::records::tables(),
    ]
    .concat();
    let schema = Schema::new(&tables).with_finish(ecs::finish::finish);
    let mut house = House {
        world: World::empty(&schema),
        ctx: House::new().ctx,
        changes: Vec::new(),
    };
    house.change(ec2::defaults::ensure);
    let input = CreateClusterRequest::default();
    house
        .write(|txn, ctx| ops::create_cluster::create_cluster(txn, ctx, &input))
        .unwrap();
    house
}

/// A host that lends capacity, in a zone or in all.
fn lender(house: &mut House, name: &str, zone: Option<&str>) -> InstanceKey {
    let mut input = RegisterContainerInstanceRequest {
        cluster: Some(CLUSTER.into()),
        ..registration(1024, 4096)
    };
    let attribute = |name: &str, value: Option<&str>| Attribute {
        name: Some(name.into()),
        value: value.map(Into::into),
        ..Attribute::default()
    };
    let attributes = input.attributes.as_mut().unwrap();
    attributes.push(attribute("ecs.capability.task-eni", None));
    attributes.extend(zone.map(|zone| attribute("ecs.availability-zone", Some(zone))));
    let key = house.register_with(name, input);
    let versions = life::SessionVersions::default();
    assert!(house.change(|txn, _| life::connected(txn, &key, &versions)));
    key
}

fn definition(family: &str) -> RegisterTaskDefinitionRequest {
    RegisterTaskDefinitionRequest {
        family: Some(family.into()),
        network_mode: Some("awsvpc".into()),
        requires_compatibilities: Some(vec!["FARGATE".into()]),
        cpu: Some("256".into()),
        memory: Some("512".into()),
        container_definitions: Some(vec![ContainerDefinition {
            cpu: None,
            memory: None,
            ..container("app", 0, 0)
        }]),
        ..RegisterTaskDefinitionRequest::default()
    }
}

fn network(house: &House, zones: &[&str], public: bool) -> NetworkConfiguration {
    let of = |zone: &&str| {
        let mut all = house.world.scan(&SUBNETS);
        all.find(|subnet| subnet.zone == **zone)
            .unwrap()
            .key
            .id
            .clone()
    };
    NetworkConfiguration {
        awsvpc_configuration: Some(AwsVpcConfiguration {
            subnets: Some(zones.iter().map(of).collect()),
            assign_public_ip: public.then(|| "ENABLED".into()),
            ..AwsVpcConfiguration::default()
        }),
    }
}

fn call(house: &House, definition: &str, count: i32) -> RunTaskRequest {
    RunTaskRequest {
        launch_type: Some("FARGATE".into()),
        network_configuration: Some(network(house, &["us-east-1a", "us-east-1b"], true)),
        ..run(definition, count)
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, AwsError>) -> String {
    result.unwrap_err().to_string()
}

fn zones(tasks: &[Task]) -> BTreeMap<String, usize> {
    let mut of = BTreeMap::new();
    for task in tasks {
        *of.entry(task.availability_zone.clone().unwrap())
            .or_default() += 1;
    }
    of
}

#[test]
fn a_task_shows_its_platform_and_no_instance() {
    let mut house = house();
    let host = lender(&mut house, "a", None);
    let arn = house.define_with(RegisterTaskDefinitionRequest {
        ephemeral_storage: Some(EphemeralStorage {
            size_in_gi_b: Some(30),
        }),
        ..definition("web")
    });
    let input = call(&house, &arn, 1);
    let answer = house.run(input).unwrap();
    assert_eq!(answer.failures, Some(vec![]));
    let task = answer.tasks.unwrap().remove(0);
    assert_eq!(task.launch_type.as_deref(), Some("FARGATE"));
    assert_eq!(task.platform_version.as_deref(), Some("1.4.0"));
    assert_eq!(task.platform_family.as_deref(), Some("Linux"));
    assert_eq!(task.container_instance_arn, None);
    assert_eq!(
        task.ephemeral_storage.as_ref().unwrap().size_in_gi_b,
        Some(30)
    );
    let disk = task.fargate_ephemeral_storage.as_ref().unwrap();
    assert_eq!(disk.size_in_gi_b, Some(30));
    assert_eq!(
        (task.cpu.as_deref(), task.memory.as_deref()),
        (Some("256"), Some("512"))
    );
    let key = reference::task_arn(&house.ctx.scope, task.task_arn.as_ref().unwrap()).unwrap();
    assert_eq!(key.cluster, "default");
    let payload = house.deliver(&host).remove(0);
    assert_eq!(payload.launch_type.as_deref(), Some("FARGATE"));
    let longshore = payload.longshore.as_ref().unwrap();
    assert_eq!(longshore.ephemeral_storage_gib, Some(30));
    let environment = payload.containers.as_ref().unwrap()[0]
        .environment
        .clone()
        .unwrap();
    assert_eq!(environment["AWS_EXECUTION_ENV"], "AWS_ECS_FARGATE");
    assert_eq!(environment["AWS_REGION"], "us-east-1");
    let id = "0123456789abcdef".repeat(4);
    let container = ContainerStateChange {
        container_name: Some("app".into()),
        runtime_id: Some(id),
        status: Some("RUNNING".into()),
        ..ContainerStateChange::default()
    };
    house.report(task_report(&key, "RUNNING", vec![container]));
    let shown = house.describe(&key);
    assert_eq!(shown.last_status.as_deref(), Some("RUNNING"));
    let runtime_id = shown.containers.unwrap()[0].runtime_id.clone().unwrap();
    let (task_id, number) = runtime_id.split_once('-').unwrap();
    assert_eq!((task_id, number.len()), (key.id.0.as_str(), 10));
    house.stop(&key.arn(), None).unwrap();
    house.report_stopped(&key, &["app"], 0);
    assert_eq!(house.describe(&key).last_status.as_deref(), Some("STOPPED"));
}

fn strategy(items: &[(&str, i32, i32)]) -> Option<Vec<CapacityProviderStrategyItem>> {
    let item = |(name, base, weight): &(&str, i32, i32)| CapacityProviderStrategyItem {
        capacity_provider: Some((*name).into()),
        base: Some(*base),
        weight: Some(*weight),
    };
    Some(items.iter().map(item).collect())
}

/// A cluster of both providers with this default strategy.
fn cluster(house: &mut House, name: &str, default: &[(&str, i32, i32)]) {
    let input = CreateClusterRequest {
        cluster_name: Some(name.into()),
        capacity_providers: Some(vec!["FARGATE".into(), "FARGATE_SPOT".into()]),
        default_capacity_provider_strategy: strategy(default),
        ..CreateClusterRequest::default()
    };
    house
        .write(|txn, ctx| ops::create_cluster::create_cluster(txn, ctx, &input))
        .unwrap();
}

fn providers(tasks: &[Task]) -> BTreeMap<String, usize> {
    let mut of = BTreeMap::new();
    for task in tasks {
        assert_eq!(task.launch_type.as_deref(), Some("FARGATE"));
        *of.entry(task.capacity_provider_name.clone().unwrap_or_default())
            .or_default() += 1;
    }
    of
}

fn counted(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    let each = expected.iter();
    each.map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[test]
fn tasks_go_by_the_calls_strategy_else_by_the_clusters_default() {
    let mut house = house();
    for name in ["a", "b", "c"] {
        lender(&mut house, name, None);
    }
    let arn = house.define_with(definition("web"));
    cluster(
        &mut house,
        "blue",
        &[("FARGATE", 1, 1), ("FARGATE_SPOT", 0, 2)],
    );
    let mut ran = |launch_type: Option<&str>, given: Option<Vec<CapacityProviderStrategyItem>>| {
        let input = RunTaskRequest {
            cluster: Some("blue".into()),
            launch_type: launch_type.map(Into::into),
            capacity_provider_strategy: given,
            ..call(&house, &arn, 4)
        };
        let answer = house
            .run(input)
            .map_err(|error| error.message().to_owned())?;
        Ok(providers(&answer.tasks.unwrap()))
    };
    let both = counted(&[("FARGATE", 2), ("FARGATE_SPOT", 2)]);
    assert_eq!(ran(None, None), Ok(both));
    let spot = ran(None, strategy(&[("FARGATE_SPOT", 0, 1)]));
    assert_eq!(spot, Ok(counted(&[("FARGATE_SPOT", 4)])));
    assert_eq!(ran(Some("FARGATE"), None), Ok(counted(&[("", 4)])));
    let refused: Result<_, String> = ran(None, strategy(&[("mine", 0, 1)]));
    let text = "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.";
    assert_eq!(refused.unwrap_err(), text);
    // Without a default, and without the provider in the cluster.
    let bare = RunTaskRequest {
        launch_type: None,
        capacity_provider_strategy: strategy(&[("FARGATE", 0, 1)]),
        ..call(&house, &arn, 1)
    };
    assert_eq!(house.run(bare).unwrap_err().message(), text);
    let none = RunTaskRequest {
        launch_type: None,
        ..call(&house, &arn, 1)
    };
    let text = "Task definition does not support launch_type EC2";
    assert_eq!(house.run(none).unwrap_err().message(), text);
}

#[test]
fn a_service_keeps_to_the_clusters_default_strategy() {
    let mut house = house();
    lender(&mut house, "a", None);
    lender(&mut house, "b", None);
    let arn = house.define_with(definition("web"));
    cluster(
        &mut house,
        "blue",
        &[("FARGATE", 2, 1), ("FARGATE_SPOT", 0, 3)],
    );
    let input = CreateServiceRequest {
        cluster: Some("blue".into()),
        service_name: Some("web".into()),
        task_definition: Some(arn),
        desired_count: Some(6),
        network_configuration: Some(network(&house, &["us-east-1a"], true)),
        ..CreateServiceRequest::default()
    };
    let created = house
        .write(|txn, ctx| ops::create_service::create_service(txn, ctx, &input))
        .unwrap();
    let shown = created.service.unwrap();
    assert_eq!(shown.launch_type, None);
    let items = strategy(&[("FARGATE", 2, 1), ("FARGATE_SPOT", 0, 3)]);
    assert_eq!(shown.capacity_provider_strategy, items);
    assert_eq!(shown.platform_version.as_deref(), Some("LATEST"));
    let key = ecs::records::service::ServiceKey::new(&house.ctx.scope, "blue", "web");
    while house.change(|txn, ctx| apply::step(txn, ctx, &key, Waits::AWS).has_more) {}
    let tasks = house.world.scan(&ecs::records::TASKS);
    let tasks: Vec<Task> = tasks
        .map(|task| ecs::task::shape::task(&house.world, task, false))
        .collect();
    assert_eq!(
        providers(&tasks),
        counted(&[("FARGATE", 3), ("FARGATE_SPOT", 3)])
    );
}

const FARGATE: &[(&str, i32, i32)] = &[("FARGATE", 0, 1)];
const SPOT: &[(&str, i32, i32)] = &[("FARGATE_SPOT", 0, 1)];

/// A service `web` of the cluster `blue`.
fn asked_of_blue(house: &House, definition: &str, desired: i32) -> CreateServiceRequest {
    CreateServiceRequest {
        cluster: Some("blue".into()),
        service_name: Some("web".into()),
        task_definition: Some(definition.into()),
        desired_count: Some(desired),
        network_configuration: Some(network(house, &["us-east-1a"], false)),
        ..CreateServiceRequest::default()
    }
}

fn created(house: &mut House, input: &CreateServiceRequest) -> ServiceKey {
    let made = house.write(|txn, ctx| ops::create_service::create_service(txn, ctx, input));
    let name = made.unwrap().service.unwrap().service_name.unwrap();
    ServiceKey::new(&house.ctx.scope, "blue", &name)
}

/// An update of `web` of the cluster `blue` by this strategy.
fn update(
    house: &mut House,
    strategy: Option<Vec<CapacityProviderStrategyItem>>,
    is_forced: bool,
) -> Result<Service, String> {
    let input = UpdateServiceRequest {
        cluster: Some("blue".into()),
        service: Some("web".into()),
        capacity_provider_strategy: strategy,
        force_new_deployment: is_forced.then_some(true),
        ..UpdateServiceRequest::default()
    };
    let updated = house.write(|txn, ctx| ops::update_service::update_service(txn, ctx, &input));
    let updated = updated.map_err(|error| error.message().to_owned())?;
    Ok(updated.service.unwrap())
}

/// Tasks of each provider that are to run, once the scheduler has nothing more to do.
fn settled(house: &mut House, key: &ServiceKey) -> BTreeMap<String, usize> {
    house.settle(key);
    let kept = house.kept(key);
    let shown = kept.iter();
    let shown: Vec<Task> = shown
        .map(|task| ecs::task::shape::task(&house.world, task, false))
        .collect();
    providers(&shown)
}

#[test]
fn an_update_leads_to_another_strategy_and_back_to_the_launch_type_by_a_forced_deployment() {
    let mut house = house();
    lender(&mut house, "a", None);
    lender(&mut house, "b", None);
    let arn = house.define_with(definition("web"));
    cluster(&mut house, "blue", &[]);
    let input = CreateServiceRequest {
        capacity_provider_strategy: strategy(FARGATE),
        ..asked_of_blue(&house, &arn, 2)
    };
    let key = created(&mut house, &input);
    assert_eq!(settled(&mut house, &key), counted(&[("FARGATE", 2)]));
    let text = "When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.";
    for next in [strategy(SPOT), Some(vec![])] {
        assert_eq!(update(&mut house, next, false).unwrap_err(), text);
    }
    let same = update(&mut house, strategy(FARGATE), false).unwrap();
    assert_eq!(same.deployments.unwrap().len(), 1);

    let shown = update(&mut house, strategy(SPOT), true).unwrap();
    assert_eq!(shown.capacity_provider_strategy, strategy(SPOT));
    assert_eq!(shown.launch_type, None);
    let deployments = shown.deployments.unwrap();
    let each = deployments
        .iter()
        .map(|one| one.capacity_provider_strategy.clone());
    assert_eq!(
        each.collect::<Vec<_>>(),
        [strategy(SPOT), strategy(FARGATE)]
    );
    assert_eq!(settled(&mut house, &key), counted(&[("FARGATE_SPOT", 2)]));

    let shown = update(&mut house, Some(vec![]), true).unwrap();
    assert_eq!(shown.capacity_provider_strategy, None);
    assert_eq!(shown.launch_type.as_deref(), Some("FARGATE"));
    assert_eq!(settled(&mut house, &key), counted(&[("", 2)]));
    // There is nothing left to end.
    let same = update(&mut house, Some(vec![]), false).unwrap();
    assert_eq!(same.launch_type.as_deref(), Some("FARGATE"));
}

#[test]
fn a_service_of_instances_goes_to_fargate_by_a_strategy_and_a_rollback_brings_it_back() {
    let mut house = house();
    let arn = house.define_with(RegisterTaskDefinitionRequest {
        requires_compatibilities: Some(vec!["EC2".into(), "FARGATE".into()]),
        ..definition("web")
    });
    cluster(&mut house, "blue", &[]);
    let input = CreateServiceRequest {
        launch_type: Some("EC2".into()),
        ..asked_of_blue(&house, &arn, 0)
    };
    let key = created(&mut house, &input);
    house.settle(&key);
    let shown = update(&mut house, strategy(FARGATE), true).unwrap();
    assert_eq!(shown.capacity_provider_strategy, strategy(FARGATE));
    assert_eq!(shown.platform_version.as_deref(), Some("LATEST"));
    assert_eq!(house.record(&key).launch_type, "FARGATE");
    let input = StopServiceDeploymentRequest {
        service_deployment_arn: shown.current_service_deployment,
        stop_type: Some("ROLLBACK".into()),
    };
    let stopped = house
        .write(|txn, ctx| ops::stop_service_deployment::stop_service_deployment(txn, ctx, &input));
    stopped.unwrap();
    house.settle(&key);
    let record = house.record(&key);
    assert_eq!(
        (
            record.launch_type.as_str(),
            record.platform_version.as_deref()
        ),
        ("EC2", None)
    );
    let shown = ecs::service::shape::service(&house.world, &record, false);
    assert_eq!(shown.launch_type.as_deref(), Some("EC2"));
    assert_eq!(shown.capacity_provider_strategy, None);

    // What Fargate does not take.
    let distinct = PlacementConstraint {
        r#type: Some("distinctInstance".into()),
        ..PlacementConstraint::default()
    };
    house.edit(&key, |service| service.constraints.push(Stored(distinct)));
    assert_eq!(
        update(&mut house, strategy(FARGATE), true).unwrap_err(),
        "Placement constraints are not supported with FARGATE launch type."
    );
    house.edit(&key, |service| {
        service.constraints.clear();
        service.scheduling = Scheduling::Daemon;
    });
    assert_eq!(
        update(&mut house, strategy(FARGATE), true).unwrap_err(),
        "The daemon scheduling strategy does not support the FARGATE launch type."
    );
    assert_eq!(house.record(&key).launch_type, "EC2");
}

#[test]
fn a_task_set_goes_by_a_strategy_of_its_own_or_by_the_clusters_default() {
    for (default, given, expected) in [
        (&[][..], SPOT, &[("FARGATE_SPOT", 2)][..]),
        (FARGATE, SPOT, &[("FARGATE_SPOT", 2)]),
        (FARGATE, &[], &[("FARGATE", 2)]),
    ] {
        let mut house = house();
        lender(&mut house, "a", None);
        let arn = house.define_with(definition("web"));
        cluster(&mut house, "blue", default);
        let input = CreateServiceRequest {
            task_definition: None,
            network_configuration: None,
            deployment_controller: Some(DeploymentController {
                r#type: Some("EXTERNAL".into()),
            }),
            ..asked_of_blue(&house, &arn, 2)
        };
        let key = created(&mut house, &input);
        let asked = CreateTaskSetRequest {
            cluster: Some("blue".into()),
            service: Some("web".into()),
            task_definition: Some(arn),
            network_configuration: Some(network(&house, &["us-east-1a"], true)),
            capacity_provider_strategy: strategy(given),
            scale: Some(Scale {
                value: Some(100.0),
                unit: Some("PERCENT".into()),
            }),
            ..CreateTaskSetRequest::default()
        };
        let both = CreateTaskSetRequest {
            launch_type: Some("FARGATE".into()),
            capacity_provider_strategy: strategy(SPOT),
            ..asked.clone()
        };
        let refused =
            house.write(|txn, ctx| ops::create_task_set::create_task_set(txn, ctx, &both));
        assert_eq!(
            refusal(refused),
            "InvalidParameterException: Specify either Launch Type or Capacity Provider Strategy, but not both."
        );
        let made = house.write(|txn, ctx| ops::create_task_set::create_task_set(txn, ctx, &asked));
        let shown = made.unwrap().task_set.unwrap();
        let by = if given.is_empty() { default } else { given };
        assert_eq!(shown.capacity_provider_strategy, strategy(by));
        assert_eq!(shown.launch_type, None);
        assert_eq!(shown.platform_version.as_deref(), Some("1.4.0"));
        assert_eq!(settled(&mut house, &key), counted(expected));
    }
}

#[test]
fn a_host_that_lends_capacity_is_nowhere_to_be_seen() {
    let mut house = house();
    let host = lender(&mut house, "a", None);
    let list = ListContainerInstancesRequest {
        cluster: Some(CLUSTER.into()),
        ..ListContainerInstancesRequest::default()
    };
    let world = house.world.clone();
    let listed =
        ops::list_container_instances::list_container_instances(&world, &mut house.ctx, &list);
    assert_eq!(
        refusal(listed),
        "ClusterNotFoundException: Cluster not found."
    );
    let clusters =
        ops::list_clusters::list_clusters(&world, &mut house.ctx, &ListClustersRequest::default());
    assert_eq!(clusters.unwrap().cluster_arns.unwrap().len(), 1);
    let tags = ListTagsForResourceRequest {
        resource_arn: Some(host.arn()),
    };
    let tags = ops::list_tags_for_resource::list_tags_for_resource(&world, &mut house.ctx, &tags);
    assert!(tags.is_err());
    // Only a host's own key lends.
    let input = RegisterContainerInstanceRequest {
        cluster: Some(CLUSTER.into()),
        ..registration(1024, 4096)
    };
    let by_root = house.write(|txn, ctx| {
        ops::register_container_instance::register_container_instance(txn, ctx, &input)
    });
    assert_eq!(
        refusal(by_root),
        "ClusterNotFoundException: Cluster not found."
    );
    let key = |principal: &Principal| matches!(principal, Principal::Host { .. });
    assert!(!key(&Caller::clone(&house.ctx.caller).principal));
}

#[test]
fn subnets_decide_the_zone_and_a_host_serves_its_own_or_all() {
    let mut house = house();
    lender(&mut house, "a", Some("us-east-1a"));
    let arn = house.define_with(definition("web"));
    let elsewhere = RunTaskRequest {
        network_configuration: Some(network(&house, &["us-east-1b"], false)),
        ..call(&house, &arn, 1)
    };
    let answer = house.run(elsewhere.clone()).unwrap();
    let failure = &answer.failures.unwrap()[0];
    assert_eq!(failure.reason.as_deref(), Some("RESOURCE:FARGATE"));
    assert_eq!(failure.arn, None);
    lender(&mut house, "any", None);
    let answer = house.run(elsewhere).unwrap();
    assert_eq!(
        zones(&answer.tasks.unwrap()),
        BTreeMap::from([("us-east-1b".into(), 1)])
    );
    let input = call(&house, &arn, 4);
    let answer = house.run(input).unwrap();
    let spread = BTreeMap::from([("us-east-1a".into(), 2), ("us-east-1b".into(), 2)]);
    assert_eq!(zones(&answer.tasks.unwrap()), spread);
    // Eight of a quarter of a vCPU are all that two hosts have; five run.
    let input = call(&house, &arn, 10);
    let answer = house.run(input).unwrap();
    assert_eq!(answer.tasks.unwrap().len(), 3);
    assert_eq!(answer.failures.unwrap().len(), 1);
}

#[test]
fn a_processor_that_no_host_has_is_capacity_that_no_host_lends() {
    let mut house = house();
    let attribute = AttributeRecord {
        name: "ecs.cpu-architecture".into(),
        value: Some("x86_64".into()),
    };
    let host = lender(&mut house, "a", None);
    house.change(|txn, _| {
        txn.update(&CONTAINER_INSTANCES, &host, |instance| {
            instance.attributes.push(attribute);
        })
    });
    for (architecture, reasons) in [("ARM64", &["RESOURCE:FARGATE"][..]), ("X86_64", &[])] {
        let arn = house.define_with(RegisterTaskDefinitionRequest {
            runtime_platform: Some(RuntimePlatform {
                cpu_architecture: Some(architecture.into()),
                ..RuntimePlatform::default()
            }),
            ..definition("web")
        });
        let input = call(&house, &arn, 1);
        let failures = house.run(input).unwrap().failures.unwrap();
        let found: Vec<_> = failures.into_iter().map(|f| f.reason.unwrap()).collect();
        assert_eq!(found, reasons, "{architecture}");
    }
}

#[test]
fn what_cannot_be_has_awss_words() {
    let mut house = house();
    lender(&mut house, "a", None);
    let arn = house.define_with(definition("web"));
    let on_ec2 = house.define_with(RegisterTaskDefinitionRequest {
        requires_compatibilities: Some(vec!["EC2".into()]),
        ..definition("ec2")
    });
    let old = house.define_with(RegisterTaskDefinitionRequest {
        ephemeral_storage: Some(EphemeralStorage {
            size_in_gi_b: Some(30),
        }),
        ..definition("disk")
    });
    let good = call(&house, &arn, 1);
    let with = |change: fn(&mut RunTaskRequest)| {
        let mut input = good.clone();
        change(&mut input);
        input
    };
    let of = |definition: &str| {
        let mut input = good.clone();
        input.task_definition = Some(definition.into());
        input
    };
    for (input, text) in [
        (
            of(&on_ec2),
            "InvalidParameterException: Task definition does not support launch_type FARGATE",
        ),
        (
            with(|input| input.launch_type = Some("EC2".into())),
            "InvalidParameterException: Task definition does not support launch_type EC2",
        ),
        (
            with(|input| input.platform_version = Some("9.9.9".into())),
            "PlatformUnknownException: The specified platform version does not exist.",
        ),
        (
            RunTaskRequest {
                platform_version: Some("1.3.0".into()),
                ..of(&old)
            },
            "PlatformTaskDefinitionIncompatibilityException: The specified platform version does \
             not satisfy the task definition’s required capabilities.",
        ),
        (
            with(|input| {
                input.placement_constraints = Some(vec![PlacementConstraint {
                    r#type: Some("distinctInstance".into()),
                    ..PlacementConstraint::default()
                }]);
            }),
            "InvalidParameterException: Placement constraints are not supported with FARGATE \
             launch type.",
        ),
        (
            with(|input| {
                input.placement_strategy = Some(vec![PlacementStrategy {
                    r#type: Some("random".into()),
                    ..PlacementStrategy::default()
                }]);
            }),
            "InvalidParameterException: Placement strategies are not supported with FARGATE \
             launch type.",
        ),
        (
            with(|input| {
                input.overrides = Some(TaskOverride {
                    cpu: Some("300".into()),
                    ..TaskOverride::default()
                });
            }),
            "InvalidParameterException: No Fargate configuration exists for given values: 300 \
             CPU, 512 memory. See the Amazon ECS documentation for the valid values.",
        ),
        (
            with(|input| input.network_configuration = None),
            "InvalidParameterException: Network Configuration must be provided when networkMode \
             'awsvpc' is specified.",
        ),
    ] {
        assert_eq!(refusal(house.run(input)), text);
    }
    let start = StartTaskRequest {
        task_definition: Some(arn),
        container_instances: Some(vec!["any".into()]),
        network_configuration: good.network_configuration,
        ..StartTaskRequest::default()
    };
    let started = house.write(|txn, ctx| ops::start_task::start_task(txn, ctx, &start));
    assert_eq!(
        refusal(started),
        "InvalidParameterException: Task definition does not support launch_type EC2"
    );
}

fn create(house: &House, name: &str, definition: &str) -> CreateServiceRequest {
    CreateServiceRequest {
        service_name: Some(name.into()),
        task_definition: Some(definition.into()),
        desired_count: Some(2),
        launch_type: Some("FARGATE".into()),
        network_configuration: Some(network(house, &["us-east-1a", "us-east-1b"], true)),
        ..CreateServiceRequest::default()
    }
}

/// Steps the service until nothing is left to do.
fn settle(house: &mut House, name: &str) {
    let key = house.service_key(name);
    while house.change(|txn, ctx| apply::step(txn, ctx, &key, Waits::AWS).has_more) {}
}

fn service_tasks(house: &mut House) -> Vec<Task> {
    let list = ListTasksRequest {
        launch_type: Some("FARGATE".into()),
        ..ListTasksRequest::default()
    };
    let world = house.world.clone();
    let listed = ops::list_tasks::list_tasks(&world, &mut house.ctx, &list).unwrap();
    let arns = listed.task_arns.unwrap().into_iter();
    let keys: Vec<TaskKey> = arns
        .map(|arn| reference::task_arn(&house.ctx.scope, &arn).unwrap())
        .collect();
    keys.iter().map(|key| house.describe(key)).collect()
}

#[test]
fn a_service_waits_for_capacity_and_spreads_over_zones() {
    let mut house = house();
    let arn = house.define_with(definition("web"));
    let input = create(&house, "web", &arn);
    let answer = house.write(|txn, ctx| ops::create_service::create_service(txn, ctx, &input));
    let service = answer.unwrap().service.unwrap();
    assert_eq!(service.platform_version.as_deref(), Some("LATEST"));
    assert_eq!(service.platform_family.as_deref(), Some("Linux"));
    let deployment = &service.deployments.unwrap()[0];
    assert_eq!(deployment.platform_version.as_deref(), Some("1.4.0"));
    settle(&mut house, "web");
    assert_eq!(service_tasks(&mut house), vec![]);
    let key = house.service_key("web");
    let told = ecs::service::events::kept(&house.world, &house.record(&key));
    let text = "(service web) was unable to place a task. Reason: Capacity is unavailable at this \
                time. Please try again later or in a different availability zone.";
    assert!(
        told.iter().any(|event| event.text.starts_with(text)),
        "{told:?}"
    );
    // A host that comes wakes the service.
    let host = lender(&mut house, "a", None);
    let row = store::TableKey::encode(&host);
    let changed = [("ecs.container_instances", &row)];
    let woken = ecs::service::concerned::concerned(&house.world, changed);
    assert!(woken.contains(&key));
    settle(&mut house, "web");
    let spread = BTreeMap::from([("us-east-1a".into(), 1), ("us-east-1b".into(), 1)]);
    assert_eq!(zones(&service_tasks(&mut house)), spread);
}

#[test]
fn a_service_takes_no_daemon_and_redeploys_with_its_version() {
    let mut house = house();
    lender(&mut house, "a", None);
    let arn = house.define_with(definition("web"));
    let daemon = CreateServiceRequest {
        scheduling_strategy: Some("DAEMON".into()),
        desired_count: None,
        ..create(&house, "each", &arn)
    };
    let created = house.write(|txn, ctx| ops::create_service::create_service(txn, ctx, &daemon));
    assert!(refusal(created).ends_with("does not support the FARGATE launch type."));
    let input = create(&house, "web", &arn);
    house
        .write(|txn, ctx| ops::create_service::create_service(txn, ctx, &input))
        .unwrap();
    let update = UpdateServiceRequest {
        service: Some("web".into()),
        platform_version: Some("1.4.0".into()),
        ..UpdateServiceRequest::default()
    };
    let answer = house.write(|txn, ctx| ops::update_service::update_service(txn, ctx, &update));
    let service = answer.unwrap().service.unwrap();
    assert_eq!(service.platform_version.as_deref(), Some("1.4.0"));
    let shown = service.deployments.unwrap().into_iter();
    let shown: Vec<_> = shown.filter_map(|one| one.platform_version).collect();
    assert_eq!(shown, ["1.4.0", "1.4.0"], "LATEST is that one");
}
