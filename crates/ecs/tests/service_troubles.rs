//! A service in several troubles at once tells each of them once, and then waits.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::Stored;
use aws_api::ecs::{CreateServiceRequest, CreateTaskSetRequest};
use ecs::instance::life;
use ecs::ops::create_service::create_service;
use ecs::ops::create_task_set::create_task_set;
use ecs::records::service::{Scheduling, ServiceKey};
use serde_json::json;
use support::House;
use support::services::Settings;

/// A service whose task sets are made by the user, with one of each of these definitions.
fn with_sets(house: &mut House, definitions: &[&str]) -> ServiceKey {
    let asked = json!({"serviceName": "ext", "desiredCount": 2, "deploymentController": {"type": "EXTERNAL"}});
    let asked: Stored<CreateServiceRequest> = serde_json::from_value(asked).unwrap();
    house
        .write(|txn, ctx| create_service(txn, ctx, &asked))
        .unwrap();
    for definition in definitions {
        let asked = json!({"cluster": "default", "service": "ext", "taskDefinition": definition,
            "scale": {"value": 100.0, "unit": "PERCENT"}});
        let asked: Stored<CreateTaskSetRequest> = serde_json::from_value(asked).unwrap();
        house
            .write(|txn, ctx| create_task_set(txn, ctx, &asked))
            .unwrap();
    }
    house.service_key("ext")
}

/// The network of this task set is in a subnet that is gone.
fn without_subnet(house: &mut House, key: &ServiceKey, set: usize, subnet: &str) {
    house.edit(key, |service| {
        let network = json!({"awsvpcConfiguration": {"subnets": [subnet]}});
        service.task_sets[set].workload.network = Some(serde_json::from_value(network).unwrap());
    });
}

#[test]
fn a_task_set_without_its_subnet_beside_one_without_room_is_told_once() {
    let mut house = House::new();
    house.host("a", 128, 4096);
    let (web, large) = (house.define_app("web", 64), house.define_app("large", 1024));
    let key = with_sets(&mut house, &[&web, &large]);
    let sets = house.record(&key).task_sets.clone();
    let of_web = sets.iter().position(|set| set.workload.family == "web");
    without_subnet(&mut house, &key, of_web.unwrap(), "subnet-gone");
    house.settle(&key);
    let events = house.events(&key);
    assert_eq!(events.len(), 2, "{events:#?}");
    house.pass(60);
    house.settle(&key);
    assert_eq!(house.events(&key), events, "nothing is new");
    house.pass(6 * 3600);
    house.settle(&key);
    assert_eq!(house.events(&key).len(), 4, "told again after six hours");
}

#[test]
fn two_task_sets_without_their_subnets_are_each_told_once() {
    let mut house = House::new();
    house.host("a", 2048, 4096);
    let web = house.define_app("web", 64);
    let key = with_sets(&mut house, &[&web, &web]);
    without_subnet(&mut house, &key, 0, "subnet-gone");
    without_subnet(&mut house, &key, 1, "subnet-lost");
    house.settle(&key);
    let events = house.events(&key);
    assert_eq!(events.len(), 2, "{events:#?}");
    without_subnet(&mut house, &key, 1, "subnet-other");
    house.settle(&key);
    assert_eq!(house.events(&key).len(), 3, "another reason is news");
}

#[test]
fn a_daemon_tells_of_each_instance_that_takes_it_not_once() {
    let mut house = House::new();
    house.host("a", 32, 4096);
    house.host("b", 32, 4096);
    house.define_app("web", 64);
    let daemon = Settings {
        scheduling: Scheduling::Daemon,
        minimum: 0,
        maximum: 100,
        ..Settings::default()
    };
    let key = house.service("agent", "web", daemon);
    house.settle(&key);
    let events = house.events(&key);
    assert_eq!(events.len(), 2, "{events:#?}");
    house.pass(60);
    house.settle(&key);
    assert_eq!(house.events(&key), events, "nothing is new");
}

#[test]
fn a_reason_that_comes_back_while_no_task_finds_a_place_is_no_news() {
    let mut house = House::new();
    let host = house.host("a", 32, 4096);
    house.define_app("web", 64);
    let key = house.service("svc", "web", Settings::default());
    house.settle(&key);
    let is_connected = |house: &mut House, connected| {
        house.change(|txn, ctx| match connected {
            true => {
                life::connected(txn, &host, &life::SessionVersions::default());
            }
            false => life::disconnected(txn, ctx, &host),
        });
        house.settle(&key);
    };
    is_connected(&mut house, false);
    let events = house.events(&key);
    assert_eq!(events.len(), 2, "its CPU, then its agent: {events:#?}");
    for connected in [true, false, true] {
        house.pass(20);
        is_connected(&mut house, connected);
        assert_eq!(house.events(&key), events, "told already");
    }
}
