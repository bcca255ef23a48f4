//! What a service says that it waits for, beside what its scheduler does.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use ecs::explain;
use ecs::records::service::{Scheduling, ServiceKey};
use ecs::records::{CONTAINER_INSTANCES, TASKS};
use ecs::service::waits::Waits;
use serde_json::{Value, json};
use std::time::Duration;
use support::House;
use support::services::Settings;

fn house() -> House {
    let mut house = House::new();
    house.host("a", 1024, 4096);
    house.define_app("web", 128);
    house.define_app("web", 128);
    house
}

fn explained(house: &House, key: &ServiceKey) -> Value {
    explain::service(&house.world, &house.record(key), house.ctx.now, Waits::AWS)
}

fn kinds(house: &House, key: &ServiceKey) -> Vec<String> {
    let explained = explained(house, key);
    let waits = explained["waits_for"].as_array().unwrap().iter();
    waits
        .map(|wait| wait["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// The wait of this kind.
fn wait(house: &House, key: &ServiceKey, kind: &str) -> Value {
    let explained = explained(house, key);
    let waits = explained["waits_for"].as_array().unwrap();
    let found = waits.iter().find(|wait| wait["kind"] == kind);
    found
        .unwrap_or_else(|| panic!("no {kind}: {explained:#}"))
        .clone()
}

#[test]
fn a_new_service_waits_for_each_step_in_turn_and_then_for_nothing() {
    let mut house = house();
    let key = house.service("web", "web", Settings::default());
    assert_eq!(kinds(&house, &key), ["due"]);
    house.settle(&key);
    assert_eq!(kinds(&house, &key), ["starting"]);
    house.play(&key);
    house.settle(&key);
    assert_eq!(kinds(&house, &key), ["unproven"]);
    let from = house.ctx.now.plus(Waits::AWS.healthy_after).iso8601();
    assert_eq!(wait(&house, &key, "unproven")["from"], from.as_str());
    assert_eq!(explained(&house, &key)["looks_again_at"], from.as_str());
    house.until_steady(&key);
    let explained = explained(&house, &key);
    assert_eq!(explained["waits_for"], json!([]));
    assert!(explained["steady_since"].is_string());
    assert_eq!(
        explained["limits"],
        json!({ "minimum_healthy": 3, "maximum": 6 })
    );
    let [deployment] = explained["deployments"].as_array().unwrap().as_slice() else {
        panic!("one deployment: {explained:#}");
    };
    let members = [
        "status",
        "definition",
        "desired",
        "running",
        "pending",
        "state",
    ];
    assert_eq!(
        members.map(|member| deployment[member].clone()),
        [
            json!("PRIMARY"),
            json!("web:1"),
            json!(3),
            json!(3),
            json!(0),
            json!("COMPLETED")
        ]
    );
    let newest = explained["events"][0][1].as_str().unwrap();
    assert!(newest.ends_with("has reached a steady state."), "{newest}");
}

#[test]
fn an_update_waits_at_its_limits() {
    for (minimum, maximum, expected) in [
        (100, 200, vec!["minimum", "unproven"]),
        (50, 100, vec!["maximum", "stopping"]),
    ] {
        let mut house = house();
        let settings = Settings {
            desired: 2,
            minimum,
            maximum,
            ..Settings::default()
        };
        let key = house.service("web", "web", settings);
        house.until_steady(&key);
        house.deploy(&key, "web", 2);
        house.settle(&key);
        if minimum == 100 {
            house.play(&key);
            house.settle(&key);
        }
        // With half as the minimum one of two is being stopped, and the other has to stay.
        let mut kinds = kinds(&house, &key);
        kinds.retain(|kind| expected.contains(&kind.as_str()));
        assert_eq!(kinds, expected, "{minimum} to {maximum} percent");
    }
}

#[test]
fn the_limits_that_stand_in_the_way_are_told_with_their_numbers() {
    let mut house = house();
    let settings = Settings {
        desired: 2,
        minimum: 100,
        maximum: 100,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.until_steady(&key);
    house.deploy(&key, "web", 2);
    house.settle(&key);
    assert_eq!(kinds(&house, &key), ["maximum", "minimum", "blocked"]);
    let maximum = json!({ "kind": "maximum", "missing": 2, "maximum": 2, "present": 2 });
    assert_eq!(wait(&house, &key, "maximum"), maximum);
    let minimum = json!({ "kind": "minimum", "outdated": 2, "minimum": 2, "serving": 2 });
    assert_eq!(wait(&house, &key, "minimum"), minimum);
}

#[test]
fn tasks_that_find_no_place_are_told_with_the_instances_that_came_closest() {
    let mut house = house();
    let instance = house
        .world
        .scan(&CONTAINER_INSTANCES)
        .next()
        .unwrap()
        .key
        .clone();
    let key = house.service(
        "web",
        "web",
        Settings {
            desired: 10,
            ..Settings::default()
        },
    );
    house.settle(&key);
    assert_eq!(kinds(&house, &key), ["no-place", "starting"]);
    let wait = wait(&house, &key, "no-place");
    assert_eq!(wait["missing"], 2);
    assert_eq!(wait["refused"], json!({ "RESOURCE:CPU": 1 }));
    let closest = json!([{
        "instance": instance.id.0, "reason": "RESOURCE:CPU",
        "detail": "needs 128 CPU units, 0 are left",
    }]);
    assert_eq!(wait["closest"], closest);
    // With room the next try is due.
    house.host("b", 1024, 4096);
    assert_eq!(kinds(&house, &key), ["due", "starting"]);
}

#[test]
fn a_cluster_without_instances_has_none_that_came_close() {
    let mut house = House::new();
    house.define_app("web", 128);
    let key = house.service("web", "web", Settings::default());
    house.settle(&key);
    let wait = wait(&house, &key, "no-place");
    assert_eq!(
        (&wait["missing"], &wait["closest"]),
        (&json!(3), &json!([]))
    );
}

#[test]
fn failing_tasks_are_held_back_until_a_moment_that_is_told() {
    let mut house = house();
    let settings = Settings {
        desired: 1,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    for _ in 0..2 {
        house.settle(&key);
        let task = house.kept(&key)[0].key.clone();
        house.fail_to_start(&task);
    }
    house.settle(&key);
    let primary = house.record(&key).primary().unwrap().clone();
    let until = primary.throttle.until.unwrap();
    let expected = json!({
        "kind": "held", "of": primary.id(), "rounds": 2, "until": until.iso8601(),
    });
    assert_eq!(explained(&house, &key)["waits_for"], json!([expected]));
    house.ctx.now = until;
    assert_eq!(kinds(&house, &key), ["due"]);
}

#[test]
fn a_deployment_that_the_breaker_ended_waits_for_another() {
    let mut house = house();
    let settings = Settings {
        desired: 1,
        breaker: Some(false),
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    assert_eq!(explained(&house, &key)["failures_that_end_a_deployment"], 3);
    for _ in 0..3 {
        house.settle(&key);
        house.pass(60);
        house.settle(&key);
        let task = house.kept(&key)[0].key.clone();
        house.fail_to_start(&task);
    }
    house.settle(&key);
    assert_eq!(kinds(&house, &key), ["failed"]);
    let reason = wait(&house, &key, "failed")["reason"].clone();
    assert!(
        reason.as_str().unwrap().contains("circuit breaker"),
        "{reason}"
    );
}

#[test]
fn protected_tasks_that_are_too_many_are_told() {
    let mut house = house();
    let key = house.service(
        "web",
        "web",
        Settings {
            desired: 2,
            ..Settings::default()
        },
    );
    house.until_steady(&key);
    let until = house.ctx.now.plus(Duration::from_secs(600));
    for task in house.kept(&key) {
        house.change(|txn, _| {
            txn.update(&TASKS, &task.key, |task| task.protected_until = Some(until))
        });
    }
    house.edit(&key, |service| service.desired = 1);
    house.settle(&key);
    let wait = wait(&house, &key, "protected");
    assert_eq!(wait["until"], until.iso8601().as_str());
    assert_eq!(wait["tasks"].as_array().unwrap().len(), 2);
}

#[test]
fn a_daemon_waits_for_the_instance_that_has_no_room() {
    let mut house = house();
    let small = house.host("small", 64, 4096);
    let settings = Settings {
        scheduling: Scheduling::Daemon,
        minimum: 0,
        maximum: 100,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.settle(&key);
    let closest = wait(&house, &key, "no-place")["closest"].clone();
    assert_eq!(closest.as_array().unwrap().len(), 1);
    assert_eq!(closest[0]["instance"], small.id.0.as_str());
    assert_eq!(explained(&house, &key)["limits"], Value::Null);
}

/// A steady service of four tasks in zone `us-east-1a` that is to keep its zones even, with an instance in
/// `us-east-1b` that is only just there. `then` comes before that.
fn uneven(maximum: i32, then: impl FnOnce(&mut House, &ServiceKey)) -> (House, ServiceKey) {
    let mut house = House::new();
    house.zoned("a", "us-east-1a");
    house.define_app("web", 128);
    house.define_app("web", 128);
    let settings = Settings {
        desired: 4,
        maximum,
        rebalances: true,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.until_steady(&key);
    then(&mut house, &key);
    house.zoned("b", "us-east-1b");
    (house, key)
}

/// The wait of uneven zones but for the tasks in them, which are as they were.
fn stays(house: &House, key: &ServiceKey) -> Value {
    let mut wait = wait(house, key, "uneven");
    let members = wait.as_object_mut().unwrap();
    assert_eq!(members.remove("kind"), Some("uneven".into()));
    let tasks = members.remove("tasks_by_zone");
    assert_eq!(tasks, Some(json!({ "us-east-1a": 4, "us-east-1b": 0 })));
    wait
}

#[test]
fn zones_that_stay_uneven_tell_which_tasks_are_protected() {
    let (mut house, key) = uneven(200, |_, _| {});
    let until = house.ctx.now.plus(Duration::from_secs(600));
    for task in house.kept(&key) {
        house.change(|txn, _| {
            txn.update(&TASKS, &task.key, |task| task.protected_until = Some(until))
        });
    }
    house.settle(&key);
    let expected = json!({ "why": "protected", "protected": 4, "until": until.iso8601() });
    assert_eq!(stays(&house, &key), expected);
}

#[test]
fn zones_that_stay_uneven_tell_the_most_tasks_that_may_be_there() {
    let (mut house, key) = uneven(110, |_, _| {});
    house.settle(&key);
    let expected = json!({ "why": "maximum", "maximum": 4 });
    assert_eq!(stays(&house, &key), expected);
}

#[test]
fn zones_that_stay_uneven_tell_what_the_instances_that_take_no_task_say_and_when_they_are_asked_again()
 {
    let (mut house, key) = uneven(200, |_, _| {});
    let instances: Vec<_> = house.world.scan(&CONTAINER_INSTANCES).cloned().collect();
    let in_b = instances
        .iter()
        .find(|instance| instance.attribute("ecs.availability-zone") == Some(Some("us-east-1b")));
    let in_b = in_b.unwrap().key.clone();
    house.change(|txn, _| {
        txn.update(&CONTAINER_INSTANCES, &in_b, |i| {
            i.registered.cpu_units = 100;
        })
    });
    assert_eq!(kinds(&house, &key), ["due"]);
    for (tries, seconds) in [(1, 15), (2, 30)] {
        house.settle(&key);
        let until = house.ctx.now.plus(Duration::from_secs(seconds));
        let closest = json!([{
            "instance": in_b.id.0, "reason": "RESOURCE:CPU",
            "detail": "needs 128 CPU units, 100 are left",
        }]);
        let expected = json!({
            "why": "no-place", "lacking": ["us-east-1b"], "tries": tries, "until": until.iso8601(),
            "refused": { "RESOURCE:CPU": 1 }, "closest": closest,
        });
        assert_eq!(stays(&house, &key), expected);
        assert_eq!(
            explained(&house, &key)["looks_again_at"],
            until.iso8601().as_str()
        );
        house.ctx.now = until;
    }
}

#[test]
fn zones_that_are_uneven_wait_for_the_deployment_and_then_for_each_task_that_moves() {
    let (mut house, key) = uneven(200, |house, key| {
        house.deploy(key, "web", 2);
        house.settle(key);
        house.play(key);
    });
    // Of the new deployment too all are in the first zone.
    let explained = |house: &House| explained(house, &key)["waits_for"].clone();
    let why = |house: &House| {
        let waits = explained(house);
        let found = waits.as_array().unwrap().iter();
        let mut found = found.filter(|wait| wait["kind"] == "uneven");
        found
            .next()
            .map(|wait| wait["why"].as_str().unwrap().to_owned())
    };
    assert_eq!(why(&house).as_deref(), Some("deploying"));
    let mut seen = Vec::new();
    for _ in 0..60 {
        house.settle(&key);
        let now = why(&house);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        house.play(&key);
        house.pass(10);
    }
    let seen: Vec<_> = seen.iter().map(Option::as_deref).collect();
    assert_eq!(seen, [Some("deploying"), Some("moving"), None]);
    assert_eq!(explained(&house), json!([]), "they are even");
}

#[test]
fn a_service_that_need_not_keep_its_zones_even_says_nothing_of_them() {
    let (mut house, key) = uneven(200, |house, key| {
        house.edit(key, |service| service.rebalances_zones = false);
    });
    house.settle(&key);
    assert_eq!(explained(&house, &key)["waits_for"], json!([]));
}

#[test]
fn a_service_is_found_by_its_name_and_by_what_names_its_cluster() {
    let mut house = house();
    let key = house.service("web", "web", Settings::default());
    for text in ["web", "default/web", key.arn().as_str()] {
        assert_eq!(explain::find(&house.world, text).len(), 1, "{text}");
    }
    for text in [
        "we",
        "other/web",
        "arn:aws:ecs:us-east-1:000000000000:service/other/web",
    ] {
        assert_eq!(explain::find(&house.world, text).len(), 0, "{text}");
    }
}

#[test]
fn a_deleted_service_waits_for_its_tasks_alone() {
    let mut house = house();
    let key = house.service("web", "web", Settings::default());
    house.until_steady(&key);
    house.edit(&key, |service| {
        service.status = ecs::records::service::ServiceStatus::Draining;
    });
    house.change(|txn, ctx| {
        let _ = ecs::service::apply::step(txn, ctx, &key, Waits::AWS);
    });
    let kinds = kinds(&house, &key);
    assert!(
        !kinds.is_empty() && kinds.iter().all(|kind| kind == "stopping"),
        "{kinds:?}"
    );
    let ids = explain::task_ids(&house.world, &key);
    assert_eq!(ids.len(), 3);
}
