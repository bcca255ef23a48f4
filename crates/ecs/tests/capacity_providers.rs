//! The seam to capacity providers: a strategy decides whose instances a service's tasks go to. CreateService takes
//! Fargate's providers alone: these services get theirs behind its back, as instances get their provider.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::Stored;
use aws_api::ecs::CapacityProviderStrategyItem;
use ecs::records::CONTAINER_INSTANCES;
use ecs::records::service::ServiceKey;
use ecs::records::service_revision::SERVICE_REVISIONS;
use ecs::service::shape;
use std::collections::BTreeMap;
use support::House;
use support::services::Settings;

/// CPU units of each task, and of hosts that take `tasks` of them.
const CPU: i32 = 128;

/// A host of this provider with room for so many tasks.
fn host(house: &mut House, name: &str, provider: &str, tasks: i32) {
    let key = house.host(name, tasks * CPU, 4096);
    house.change(|txn, _| {
        assert!(txn.update(&CONTAINER_INSTANCES, &key, |instance| {
            instance.capacity_provider = Some(provider.into());
        }));
    });
}

fn item((provider, base, weight): (&str, i32, i32)) -> Stored<CapacityProviderStrategyItem> {
    Stored(CapacityProviderStrategyItem {
        capacity_provider: Some(provider.into()),
        base: Some(base),
        weight: Some(weight),
    })
}

/// A service with this strategy, in each of its revisions.
fn service(house: &mut House, desired: u32, strategy: &[(&str, i32, i32)]) -> ServiceKey {
    house.define_app("web", CPU);
    house.define_app("web", CPU);
    let key = house.service(
        "web",
        "web",
        Settings {
            desired,
            ..Settings::default()
        },
    );
    follow(house, strategy);
    key
}

fn follow(house: &mut House, strategy: &[(&str, i32, i32)]) {
    house.change(|txn, _| {
        let all = txn.scan(&SERVICE_REVISIONS);
        let all: Vec<_> = all.map(|revision| revision.key.clone()).collect();
        for key in all {
            txn.update(&SERVICE_REVISIONS, &key, |revision| {
                let items = strategy.iter().copied().map(item);
                revision.workload.capacity_provider_strategy = items.collect();
            });
        }
    });
}

/// Tasks of each provider, after a look that each is on an instance of its own.
fn shares(house: &mut House, key: &ServiceKey) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for task in house.kept(key) {
        let instance = house
            .world
            .get(&CONTAINER_INSTANCES, &task.instance_key())
            .unwrap();
        assert_eq!(task.capacity_provider, instance.capacity_provider);
        let shown = house.describe(&task.key);
        assert_eq!(shown.capacity_provider_name, task.capacity_provider);
        assert_eq!(shown.launch_type.as_deref(), Some("EC2"));
        *shares
            .entry(task.capacity_provider.clone().unwrap())
            .or_default() += 1;
    }
    shares
}

fn of(shares: &[(&str, usize)]) -> BTreeMap<String, usize> {
    shares
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[test]
fn tasks_go_by_base_and_weight_to_instances_of_their_provider() {
    let mut house = House::new();
    host(&mut house, "a", "steady", 20);
    host(&mut house, "b", "cheap", 20);
    house.host("c", 20 * CPU, 4096);
    let key = service(&mut house, 12, &[("steady", 2, 1), ("cheap", 0, 4)]);
    house.until_steady(&key);
    assert_eq!(shares(&mut house, &key), of(&[("steady", 4), ("cheap", 8)]));
}

#[test]
fn a_task_that_ended_is_replaced_where_its_provider_lacks_one() {
    let mut house = House::new();
    host(&mut house, "a", "steady", 20);
    host(&mut house, "b", "cheap", 20);
    let key = service(&mut house, 8, &[("steady", 0, 1), ("cheap", 0, 1)]);
    house.until_steady(&key);
    for task in house.kept(&key) {
        if task.capacity_provider.as_deref() == Some("cheap") {
            house.report_stopped(&task.key, &["app"], 0);
        }
    }
    house.until_steady(&key);
    assert_eq!(shares(&mut house, &key), of(&[("steady", 4), ("cheap", 4)]));
}

#[test]
fn a_deployment_fills_the_base_anew() {
    let mut house = House::new();
    host(&mut house, "a", "steady", 20);
    host(&mut house, "b", "cheap", 20);
    let strategy = [("steady", 3, 0), ("cheap", 0, 1)];
    let key = service(&mut house, 6, &strategy);
    house.until_steady(&key);
    house.deploy(&key, "web", 2);
    follow(&mut house, &strategy);
    house.until_steady(&key);
    assert!(house.kept(&key).iter().all(|task| task.revision == 2));
    assert_eq!(shares(&mut house, &key), of(&[("steady", 3), ("cheap", 3)]));
}

#[test]
fn a_provider_without_room_keeps_its_tasks_waiting() {
    let mut house = House::new();
    host(&mut house, "a", "steady", 1);
    host(&mut house, "b", "cheap", 20);
    let key = service(&mut house, 6, &[("steady", 0, 1), ("cheap", 0, 1)]);
    house.settle(&key);
    assert_eq!(shares(&mut house, &key), of(&[("steady", 1), ("cheap", 3)]));
    assert!(house.record(&key).lacks_room);
    assert!(
        house
            .events(&key)
            .iter()
            .any(|text| text.contains("was unable to place a task"))
    );
    host(&mut house, "more", "steady", 5);
    house.until_steady(&key);
    assert_eq!(shares(&mut house, &key), of(&[("steady", 3), ("cheap", 3)]));
}

#[test]
fn answers_show_the_strategy_in_place_of_a_launch_type() {
    let mut house = House::new();
    host(&mut house, "a", "steady", 20);
    let key = service(&mut house, 1, &[("steady", 1, 2)]);
    let shown = shape::service(&house.world, &house.record(&key), false);
    let strategy = Some(vec![item(("steady", 1, 2)).0]);
    assert_eq!(shown.launch_type, None);
    assert_eq!(shown.capacity_provider_strategy, strategy);
    let deployment = &shown.deployments.unwrap()[0];
    assert_eq!(deployment.launch_type, None);
    assert_eq!(deployment.capacity_provider_strategy, strategy);
}

#[test]
fn a_strategy_of_no_weight_places_nothing_beyond_its_base() {
    let mut house = House::new();
    host(&mut house, "a", "steady", 20);
    let key = service(&mut house, 4, &[("steady", 2, 0)]);
    house.settle(&key);
    assert_eq!(shares(&mut house, &key), of(&[("steady", 2)]));
    assert!(house.record(&key).steady.is_none());
}
