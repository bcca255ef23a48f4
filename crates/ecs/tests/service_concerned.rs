//! Whom a change wakes: every service whose plan it may change, and no other, however many there are.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::Attribute;
use ecs::instance::life;
use ecs::records::service::{SERVICES, Scheduling, ServiceKey};
use ecs::records::{CONTAINER_INSTANCES, InstanceKey, InstanceStatus, TaskKey};
use ecs::service::concerned::all;
use std::collections::BTreeSet;
use store::visited;
use support::services::{Deploys, Settings};
use support::{House, registration, run};

const DAEMON: Settings = Settings {
    desired: 0,
    minimum: 0,
    maximum: 100,
    scheduling: Scheduling::Daemon,
    breaker: None,
    rebalances: false,
    grace: 0,
    deploys: Deploys::ROLLING,
};

/// A host in this zone, whose agent is connected.
fn host_in(house: &mut House, name: &str, zone: &str) -> InstanceKey {
    let mut input = registration(1024, 4096);
    input.attributes.get_or_insert_default().push(Attribute {
        name: Some("ecs.availability-zone".into()),
        value: Some(zone.into()),
        ..Attribute::default()
    });
    let key = house.register_with(name, input);
    connect(house, &key);
    key
}

fn connect(house: &mut House, key: &InstanceKey) {
    let versions = life::SessionVersions::default();
    house.change(|txn, _| life::connected(txn, key, &versions));
}

/// Whom this concerns.
fn woken(house: &mut House, by: impl FnOnce(&mut House)) -> BTreeSet<ServiceKey> {
    let before = house.changes.len();
    by(house);
    house.concerned_since(before)
}

fn only(key: &ServiceKey) -> BTreeSet<ServiceKey> {
    BTreeSet::from([key.clone()])
}

#[test]
fn the_change_of_a_task_wakes_its_own_service_and_costs_the_same_among_many() {
    let mut visits = Vec::new();
    for services in [3, 60] {
        let mut house = House::new();
        house.host("large", 100_000, 100_000);
        house.define_app("web", 1);
        let with = Settings {
            desired: 1,
            rebalances: true,
            ..Settings::default()
        };
        let keys: Vec<_> = (0..services)
            .map(|at| house.service(&format!("s{at}"), "web", with))
            .collect();
        for key in &keys {
            house.until_steady(key);
        }
        assert_eq!(all(&house.world).len(), services);
        let task = house.kept(&keys[1])[0].key.clone();
        let before = house.changes.len();
        house.report_stopped(&task, &["app"], 1);
        let (woken, visited) = visited(|| house.concerned_since(before));
        assert_eq!(woken, only(&keys[1]));
        let (_, by_step) = store::visited(|| house.step(&keys[1]));
        assert_eq!(house.kept(&keys[1]).len(), 1, "it was replaced");
        visits.push((visited, by_step));
    }
    assert_eq!(visits[0], visits[1]);
}

#[test]
fn a_service_that_lacks_room_is_woken_by_a_task_that_ends() {
    let mut house = House::new();
    house.host("small", 128, 4096);
    house.define_app("web", 64);
    let fits = house.service(
        "fits",
        "web",
        Settings {
            desired: 2,
            ..Settings::default()
        },
    );
    house.until_steady(&fits);
    let lacks = house.service(
        "lacks",
        "web",
        Settings {
            desired: 1,
            ..Settings::default()
        },
    );
    let _ = house.step(&lacks);
    assert!(house.record(&lacks).lacks_room);
    let task = house.kept(&fits)[0].key.clone();
    let woken = woken(&mut house, |house| house.report_stopped(&task, &["app"], 1));
    assert_eq!(woken, BTreeSet::from([fits, lacks]));
}

/// A host that was lost with a task of nobody's, and is back; the task that it still has to stop.
fn back_with_a_task(house: &mut House) -> TaskKey {
    let host = host_in(house, "lost", "a");
    let task = house.run_all("web", 1).remove(0);
    house.change(|txn, ctx| {
        life::disconnected(txn, ctx, &host);
        let _ = life::lost(txn, ctx, &host, 10);
    });
    connect(house, &host);
    task
}

#[test]
fn a_daemon_is_woken_when_a_lost_host_has_stopped_its_last_task() {
    let mut house = House::new();
    house.define_app("web", 64);
    let task = back_with_a_task(&mut house);
    let key = house.service("agent", "web", DAEMON);
    house.settle(&key);
    assert!(house.kept(&key).is_empty(), "the host takes no task yet");
    let woken = woken(&mut house, |house| {
        house.report_stopped(&task, &["app"], 137);
    });
    assert_eq!(woken, only(&key));
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 1);
}

#[test]
fn a_daemon_on_a_drained_instance_is_woken_when_its_neighbour_leaves() {
    let mut house = House::new();
    house.define_app("web", 64);
    let host = host_in(&mut house, "h", "a");
    let key = house.service("agent", "web", DAEMON);
    house.until_steady(&key);
    let neighbour = house.run(run("web", 1)).unwrap().tasks.unwrap().remove(0);
    let neighbour = neighbour.task_arn.unwrap();
    house.change(|txn, _| {
        txn.update(&CONTAINER_INSTANCES, &host, |i| {
            i.status = InstanceStatus::Draining;
        })
    });
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 1, "it goes last");
    let woken = woken(&mut house, |house| {
        house.stop(&neighbour, None).unwrap();
    });
    assert_eq!(woken, only(&key));
    house.settle(&key);
    assert!(house.kept(&key).is_empty());
}

#[test]
fn zones_are_evened_out_when_one_comes_or_goes_and_not_for_a_further_host() {
    let mut house = House::new();
    house.define_app("web", 64);
    host_in(&mut house, "a1", "a");
    let with = Settings {
        rebalances: true,
        ..Settings::default()
    };
    let key = house.service("svc", "web", with);
    house.until_steady(&key);
    let connects = |name: &'static str| {
        move |house: &mut House| {
            host_in(house, name, "b");
        }
    };
    assert_eq!(woken(&mut house, connects("b1")), only(&key));
    assert_eq!(woken(&mut house, connects("b2")), BTreeSet::new());
    let at_once = |house: &mut House| {
        for name in ["c1", "c2"] {
            host_in(house, name, "c");
        }
    };
    assert_eq!(woken(&mut house, at_once), only(&key));
    let instances: Vec<_> = house.world.scan(&CONTAINER_INSTANCES).cloned().collect();
    let in_c = instances
        .iter()
        .filter(|i| i.attribute("ecs.availability-zone") == Some(Some("c")));
    let in_c: Vec<_> = in_c.map(|instance| instance.key.clone()).collect();
    let away = |house: &mut House, at: usize| {
        let key = in_c[at].clone();
        house.change(|txn, ctx| life::disconnected(txn, ctx, &key));
    };
    assert_eq!(woken(&mut house, |house| away(house, 0)), BTreeSet::new());
    assert_eq!(woken(&mut house, |house| away(house, 1)), only(&key));
    house.change(|txn, _| txn.update(&SERVICES, &key, |s| s.rebalances_zones = false));
    assert_eq!(woken(&mut house, connects("d1")), BTreeSet::new());
}
