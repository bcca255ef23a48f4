//! The seam to load balancers: a target joins before it is RUNNING, counts by their checks, and leaves before it is
//! stopped. CreateService refuses load balancers until they are served: these services get theirs behind its back.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::Stored;
use aws_api::ecs::LoadBalancer;
use ecs::records::TaskKey;
use ecs::records::service::{Rollout, ServiceKey};
use ecs::records::service_revision::SERVICE_REVISIONS;
use ecs::task::delivery;
use ecs::task::stop_reason::StopReason;
use ecs::task::traffic::{Said, said};
use support::House;
use support::services::Settings;

fn service(house: &mut House, with: Settings) -> ServiceKey {
    house.host("a", 2048, 4096);
    house.define_app("web", 128);
    house.define_app("web", 128);
    let key = house.service("web", "web", with);
    balance(house);
    key
}

fn balance(house: &mut House) {
    house.change(|txn, _| {
        let all = txn.scan(&SERVICE_REVISIONS);
        let all: Vec<_> = all.map(|revision| revision.key.clone()).collect();
        for key in all {
            txn.update(&SERVICE_REVISIONS, &key, |revision| {
                let balancer = LoadBalancer {
                    container_name: Some("app".into()),
                    container_port: Some(80),
                    ..LoadBalancer::default()
                };
                revision.workload.load_balancers = vec![Stored(balancer)];
            });
        }
    });
}

fn one() -> Settings {
    Settings {
        desired: 1,
        ..Settings::default()
    }
}

fn say(house: &mut House, task: &TaskKey, word: Said) {
    house.change(|txn, ctx| said(txn, task, word, ctx.now));
}

fn status(house: &mut House, task: &TaskKey) -> String {
    house.describe(task).last_status.unwrap()
}

/// What its host is told: in payloads, and in a manifest.
fn told(house: &mut House, task: &TaskKey) -> (Vec<String>, String) {
    let instance = house.world.get(&ecs::records::TASKS, task).unwrap();
    let instance = instance.instance_key();
    let arn = Some(task.arn());
    let payloads = house.deliver(&instance).into_iter();
    let payloads = payloads.filter(|told| told.arn == arn);
    let manifest = delivery::manifest(&house.world, &instance);
    let listed = manifest.into_iter().find(|told| told.task_arn == arn);
    (
        payloads.filter_map(|told| told.desired_status).collect(),
        listed.unwrap().desired_status.unwrap(),
    )
}

/// A service of one task that is steady.
fn steady(house: &mut House, with: Settings) -> (ServiceKey, TaskKey) {
    let key = service(house, with);
    house.settle(&key);
    let task = house.kept(&key)[0].key.clone();
    house.report_running(&task, &["app"]);
    say(house, &task, Said::Registered);
    say(house, &task, Said::Healthy);
    house.settle(&key);
    assert!(house.record(&key).steady.is_some());
    (key, task)
}

#[test]
fn a_target_is_running_once_it_is_registered_and_counts_once_it_is_well() {
    let mut house = House::new();
    let key = service(&mut house, one());
    house.settle(&key);
    let task = house.kept(&key)[0].key.clone();
    house.report_running(&task, &["app"]);
    let shown = house.describe(&task);
    assert_eq!(shown.last_status.as_deref(), Some("ACTIVATING"));
    assert_eq!(shown.started_at, None);
    house.pass(5);
    say(&mut house, &task, Said::Registered);
    let shown = house.describe(&task);
    assert_eq!(shown.last_status.as_deref(), Some("RUNNING"));
    assert_eq!(shown.started_at, Some(house.ctx.now));
    house.pass(600);
    house.settle(&key);
    let rollout = |house: &House| house.record(&key).primary().unwrap().rollout;
    assert_eq!(rollout(&house), Rollout::InProgress, "not by its age");
    say(&mut house, &task, Said::Healthy);
    house.settle(&key);
    assert_eq!(rollout(&house), Rollout::Completed);
}

#[test]
fn a_target_runs_until_its_last_request_has_ended() {
    let mut house = House::new();
    let (key, old) = steady(&mut house, one());
    assert_eq!(
        told(&mut house, &old),
        (vec!["RUNNING".into()], "RUNNING".into())
    );
    house.deploy(&key, "web", 2);
    balance(&mut house);
    house.settle(&key);
    let new = house.kept(&key).into_iter().find(|task| task.revision == 2);
    let new = new.unwrap().key.clone();
    house.report_running(&new, &["app"]);
    say(&mut house, &new, Said::Registered);
    house.pass(60);
    house.settle(&key);
    assert_eq!(
        status(&mut house, &old),
        "RUNNING",
        "the new one does not count yet"
    );
    say(&mut house, &new, Said::Healthy);
    house.settle(&key);
    let shown = house.describe(&old);
    assert_eq!(shown.last_status.as_deref(), Some("DEACTIVATING"));
    assert_eq!(shown.desired_status.as_deref(), Some("STOPPED"));
    assert_eq!(told(&mut house, &old), (vec![], "RUNNING".into()));
    say(&mut house, &old, Said::Unhealthy);
    assert_eq!(
        status(&mut house, &old),
        "DEACTIVATING",
        "no word but one matters now"
    );
    say(&mut house, &old, Said::Gone);
    assert_eq!(
        told(&mut house, &old),
        (vec!["STOPPED".into()], "STOPPED".into())
    );
    house.report_stopped(&old, &["app"], 143);
    house.settle(&key);
    assert!(house.record(&key).steady.is_some());
}

#[test]
fn what_never_was_a_target_is_stopped_at_once_and_what_ended_by_itself_still_leaves() {
    let mut house = House::new();
    let key = service(&mut house, one());
    house.settle(&key);
    let task = house.kept(&key)[0].key.clone();
    house.report_running(&task, &["app"]);
    house.stop(&task.id.0, None).unwrap();
    assert_eq!(told(&mut house, &task).1, "STOPPED");
    say(&mut house, &task, Said::Registered);
    assert_eq!(told(&mut house, &task).1, "STOPPED", "too late");

    let mut house = House::new();
    let (_, task) = steady(&mut house, one());
    house.report_stopped(&task, &["app"], 1);
    let wanted = |house: &House| {
        let record = house.world.get(&ecs::records::TASKS, &task).unwrap();
        record.delivery.wanted
    };
    let before = wanted(&house);
    say(&mut house, &task, Said::Gone);
    assert_eq!(wanted(&house), before, "its host knows");
}

#[test]
fn a_target_that_fails_its_checks_is_replaced_after_the_grace_period() {
    let mut house = House::new();
    let with = Settings {
        grace: 120,
        ..one()
    };
    let (key, task) = steady(&mut house, with);
    say(&mut house, &task, Said::Unhealthy);
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 1, "within the grace period");
    house.pass(120);
    house.settle(&key);
    let kept = house.kept(&key);
    assert_eq!(kept.len(), 2, "replaced first");
    let new = kept.into_iter().find(|one| one.key != task).unwrap();
    house.report_running(&new.key, &["app"]);
    say(&mut house, &new.key, Said::Registered);
    say(&mut house, &new.key, Said::Healthy);
    house.settle(&key);
    let record = house.world.get(&ecs::records::TASKS, &task).unwrap();
    assert_eq!(record.stop, Some(StopReason::failed_health_checks()));
    assert_eq!(status(&mut house, &task), "DEACTIVATING");
}
