//! Tasks of a service with a registry: instances of a Cloud Map service while they run and are well.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use aws_api::agent::{ContainerHealth, TaskHealth};
use aws_api::ecs::*;
use aws_types::AwsError;
use ecs::instance::life;
use ecs::ops;
use ecs::records::{InstanceKey, SERVICES, ServiceKey, TASKS, TaskKey, TaskRecord};
use ecs::task::health::{self, HealthStatus};
use ecs::task::status::{DesiredStatus, TaskStatus};
use proptest::prelude::*;
use servicediscovery::dns::{Dns, RecordType, Routing};
use servicediscovery::records as map;
use std::collections::{BTreeMap, BTreeSet};
use store::{Schema, World};
use support::{House, container, port, task_report};

/// A house whose transactions end as the server's do, with a Cloud Map service and two hosts.
fn house() -> House {
    let tables = [
        ecs::records::tables(),
        events::records::tables(),
        ec2::records::tables(),
        map::tables(),
    ]
    .concat();
    let schema = Schema::new(&tables).with_finish(ecs::finish::finish);
    let mut house = House {
        world: World::empty(&schema),
        ..House::new()
    };
    for name in ["a", "b"] {
        house.host(name, 4096, 8192);
    }
    house.able_to_check_health();
    let registry = map::ServiceRecord {
        key: registry(&house),
        namespace: "ns-1".into(),
        name: "web".into(),
        description: None,
        dns: Some(Dns {
            routing: Routing::Multivalue,
            records: vec![(RecordType::Srv, 10)],
        }),
        custom_health: true,
        revision: 0,
        creator_request_id: None,
        created: house.ctx.now,
        tags: BTreeMap::new(),
    };
    house.change(|txn, _| txn.put(&map::SERVICES, registry));
    house
}

fn registry(house: &House) -> map::ItemKey {
    map::ItemKey::new(&house.ctx.scope, "srv-1")
}

fn create(
    house: &mut House,
    definition: &str,
    registry: ServiceRegistry,
) -> Result<ServiceKey, AwsError> {
    let input = CreateServiceRequest {
        service_name: Some("web".into()),
        task_definition: Some(definition.into()),
        desired_count: Some(3),
        service_registries: Some(vec![registry]),
        ..CreateServiceRequest::default()
    };
    house.write(|txn, ctx| ops::create_service::create_service(txn, ctx, &input))?;
    Ok(house.service_key("web"))
}

fn of_container(house: &House) -> ServiceRegistry {
    ServiceRegistry {
        registry_arn: Some(registry(house).arn()),
        container_name: Some("app".into()),
        container_port: Some(80),
        port: None,
    }
}

fn define(house: &mut House, is_checked: bool) -> String {
    let check = HealthCheck {
        command: Some(vec!["CMD".into(), "true".into()]),
        ..HealthCheck::default()
    };
    let app = ContainerDefinition {
        port_mappings: Some(vec![port(80, 0)]),
        health_check: is_checked.then_some(check),
        ..container("app", 64, 64)
    };
    house.define("web", vec![app])
}

/// What is registered: the health by task.
fn registered(house: &House) -> BTreeMap<String, map::Health> {
    let all = house.world.scan(&map::INSTANCES);
    all.map(|one| (one.key.id.clone(), one.health)).collect()
}

/// The agent says that the task runs, its port at this one of the host.
fn run(house: &mut House, task: &TaskKey, at: i32) {
    let change = ContainerStateChange {
        network_bindings: Some(vec![NetworkBinding {
            container_port: Some(80),
            host_port: Some(at),
            ..NetworkBinding::default()
        }]),
        ..support::container_change("app", "RUNNING", None, None)
    };
    house.report(task_report(task, "RUNNING", vec![change]));
}

fn say_health(house: &mut House, task: &TaskRecord, status: &str) {
    let said = [TaskHealth {
        task_arn: Some(task.key.arn()),
        containers: Some(vec![ContainerHealth {
            container_name: Some("app".into()),
            health_status: Some(status.into()),
            ..ContainerHealth::default()
        }]),
        ..TaskHealth::default()
    }];
    let instance = task.instance_key();
    house.change(|txn, _| health::apply(txn, &instance, &said));
}

#[test]
fn a_task_is_registered_with_its_attributes_and_gone_before_its_host_is_told() {
    let mut house = house();
    let definition = define(&mut house, false);
    let asked = of_container(&house);
    let key = create(&mut house, &definition, asked.clone()).unwrap();
    house.settle(&key);
    let task = house.live(&key)[0].key.clone();
    assert_eq!(registered(&house), BTreeMap::new());
    run(&mut house, &task, 32_768);
    let instance = house.world.scan(&map::INSTANCES).next().unwrap().clone();
    assert_eq!(instance.key.id, task.id.0);
    let shown = |name: &str| instance.attributes.get(name).map(String::as_str);
    for (name, value) in [
        ("AWS_INSTANCE_IPV4", "127.0.0.1"),
        ("AWS_INSTANCE_PORT", "32768"),
        ("AWS_INIT_HEALTH_STATUS", "HEALTHY"),
        ("ECS_CLUSTER_NAME", "default"),
        ("ECS_SERVICE_NAME", "web"),
        ("ECS_TASK_DEFINITION_FAMILY", "web"),
        ("REGION", "us-east-1"),
    ] {
        assert_eq!(shown(name), Some(value), "{name}");
    }
    house.stop(&task.arn(), None).unwrap();
    assert_eq!(registered(&house), BTreeMap::new());
    let told = house.world.get(&TASKS, &task).unwrap();
    assert!(told.is_undelivered(), "the host does not know yet");
    let services = DescribeServicesRequest {
        services: Some(vec!["web".into()]),
        ..DescribeServicesRequest::default()
    };
    let world = house.world.clone();
    let answer = ops::describe_services::describe_services(&world, &mut house.ctx, &services);
    let service = answer.unwrap().services.unwrap().remove(0);
    assert_eq!(service.service_registries, Some(vec![asked]));
}

#[test]
fn a_registry_that_is_not_there_or_does_not_fit_is_refused_and_leaves_nothing() {
    let mut house = house();
    let definition = define(&mut house, false);
    let unknown = ServiceRegistry {
        registry_arn: Some(map::ItemKey::new(&house.ctx.scope, "srv-2").arn()),
        ..of_container(&house)
    };
    let without = ServiceRegistry {
        registry_arn: Some(registry(&house).arn()),
        ..ServiceRegistry::default()
    };
    for given in [unknown, without] {
        let error = create(&mut house, &definition, given).unwrap_err();
        assert_eq!(error.code().name, "InvalidParameterException");
        assert_eq!(house.world.count(&SERVICES), 0);
    }
}

#[test]
fn an_update_without_registries_keeps_them_and_an_empty_list_ends_them() {
    let mut house = house();
    let definition = define(&mut house, false);
    let asked = of_container(&house);
    create(&mut house, &definition, asked.clone()).unwrap();
    for (given, expected) in [(None, vec![asked]), (Some(vec![]), vec![])] {
        let input = UpdateServiceRequest {
            service: Some("web".into()),
            force_new_deployment: Some(true),
            service_registries: given,
            ..UpdateServiceRequest::default()
        };
        let answer = house.write(|txn, ctx| ops::update_service::update_service(txn, ctx, &input));
        let service = answer.unwrap().service.unwrap();
        assert_eq!(service.service_registries, Some(expected));
    }
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Run(usize),
    Crash(usize),
    Stopped(usize),
    UserStops(usize),
    Health(usize, &'static str),
    Scale(i32),
    Lost(usize),
    Back(usize),
    Deploy,
    Step,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let task = 0..12_usize;
    let said = prop::sample::select(&["HEALTHY", "UNHEALTHY", "UNKNOWN"][..]);
    let one = prop_oneof![
        8 => task.clone().prop_map(Move::Run),
        2 => task.clone().prop_map(Move::Crash),
        3 => task.clone().prop_map(Move::Stopped),
        2 => task.clone().prop_map(Move::UserStops),
        8 => (task, said).prop_map(|(at, said)| Move::Health(at, said)),
        2 => (0..5).prop_map(Move::Scale),
        1 => (0..2_usize).prop_map(Move::Lost),
        2 => (0..2_usize).prop_map(Move::Back),
        1 => Just(Move::Deploy),
        6 => Just(Move::Step),
    ];
    prop::collection::vec(one, 1..60)
}

/// What should be registered, worked out from the tasks alone and remembered from moment to moment.
#[derive(Default)]
struct Expected(BTreeMap<String, map::Health>);

impl Expected {
    fn look(&mut self, house: &House, is_checked: bool) {
        let mut runs = BTreeSet::new();
        for task in house.world.scan(&TASKS) {
            let id = task.key.id.0.clone();
            if (task.desired, task.last_status) != (DesiredStatus::Running, TaskStatus::Running) {
                continue;
            }
            runs.insert(id.clone());
            match task.containers[0].health {
                _ if !is_checked => drop(self.0.insert(id, map::Health::Healthy)),
                HealthStatus::Healthy => drop(self.0.insert(id, map::Health::Healthy)),
                HealthStatus::Unhealthy => {
                    // Only what was well before is there.
                    self.0
                        .entry(id)
                        .and_modify(|known| *known = map::Health::Unhealthy);
                }
                HealthStatus::Unknown => {}
            }
        }
        self.0.retain(|id, _| runs.contains(id));
    }
}

struct Play {
    house: House,
    key: ServiceKey,
    hosts: Vec<InstanceKey>,
}

impl Play {
    fn make(&mut self, one: Move) {
        let Self { house, key, hosts } = self;
        let live = house.live(key);
        let task = |at: usize| live.get(at % live.len().max(1)).cloned();
        match one {
            Move::Run(at) => {
                if let Some(task) = task(at) {
                    run(house, &task.key, 32_768);
                }
            }
            Move::Crash(at) => {
                if let Some(task) = task(at) {
                    let change = support::container_change("app", "STOPPED", Some(1), None);
                    house.report(task_report(&task.key, "RUNNING", vec![change]));
                }
            }
            Move::Stopped(at) => {
                if let Some(task) = task(at) {
                    house.report_stopped(&task.key, &["app"], 1);
                }
            }
            Move::UserStops(at) => {
                if let Some(task) = task(at) {
                    house.stop(&task.key.arn(), None).unwrap();
                }
            }
            Move::Health(at, said) => {
                if let Some(task) = task(at) {
                    say_health(house, &task, said);
                }
            }
            Move::Scale(desired) => update(house, Some(desired), false),
            Move::Deploy => update(house, None, true),
            Move::Lost(at) => {
                let host = hosts[at].clone();
                house.change(|txn, ctx| life::disconnected(txn, ctx, &host));
                let _ = house.change(|txn, ctx| life::lost(txn, ctx, &host, 32));
            }
            Move::Back(at) => {
                let versions = life::SessionVersions::default();
                house.change(|txn, _| life::connected(txn, &hosts[at], &versions));
            }
            Move::Step => {
                let _ = house.step(key);
            }
        }
        house.pass(7);
    }
}

fn update(house: &mut House, desired_count: Option<i32>, force: bool) {
    let input = UpdateServiceRequest {
        service: Some("web".into()),
        desired_count,
        force_new_deployment: Some(force),
        ..UpdateServiceRequest::default()
    };
    house
        .write(|txn, ctx| ops::update_service::update_service(txn, ctx, &input))
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn after_any_history_exactly_the_tasks_that_run_and_were_well_are_registered(
        is_checked in any::<bool>(),
        moves in moves(),
    ) {
        let mut house = house();
        let definition = define(&mut house, is_checked);
        let asked = of_container(&house);
        let key = create(&mut house, &definition, asked).unwrap();
        let hosts = house.world.scan(&ecs::records::CONTAINER_INSTANCES);
        let hosts = hosts.map(|one| one.key.clone()).collect();
        let mut play = Play { house, key, hosts };
        let mut expected = Expected::default();
        let _ = play.house.step(&play.key);
        for one in moves {
            play.make(one);
            expected.look(&play.house, is_checked);
            prop_assert_eq!(&registered(&play.house), &expected.0, "after {:?}", one);
        }
    }
}
