//! The deployment circuit breaker: after how many failures it trips, and what takes them back.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::{DeploymentCircuitBreaker, ThresholdConfiguration};
use ecs::records::TASKS;
use ecs::records::service::{Rollout, ServiceKey};
use ecs::service::circuit_breaker;
use ecs::task::health::HealthStatus;
use support::House;
use support::services::Settings;

/// A breaker with this threshold, type and value.
fn breaker(threshold: Option<(&str, i32)>) -> DeploymentCircuitBreaker {
    DeploymentCircuitBreaker {
        enable: Some(true),
        rollback: Some(false),
        threshold_configuration: threshold.map(|(kind, value)| ThresholdConfiguration {
            r#type: Some(kind.into()),
            value: Some(value),
        }),
        ..DeploymentCircuitBreaker::default()
    }
}

#[test]
fn the_threshold_is_a_count_or_a_share_of_what_is_desired() {
    let mut house = House::new();
    house.define_app("web", 1);
    let key = house.service("web", "web", Settings::default());
    let bounded = |percent| Some(("BOUNDED_PERCENT", percent));
    let unbounded = |percent| Some(("UNBOUNDED_PERCENT", percent));
    for (threshold, desired, expected) in [
        // Half of what is desired, rounded up, from 3 to 200.
        (None, 25, 13),
        (None, 1, 3),
        (None, 5, 3),
        (None, 7, 4),
        (None, 400, 200),
        (None, 401, 200),
        (bounded(50), 25, 13),
        (bounded(50), 26, 13),
        (bounded(10), 20, 3),
        (bounded(10), 31, 4),
        (bounded(100), 150, 150),
        (bounded(100), 201, 200),
        (bounded(50), 1000, 200),
        // The same share without these bounds; a deployment that fails at once would never begin.
        (unbounded(50), 25, 13),
        (unbounded(10), 20, 2),
        (unbounded(1), 1, 1),
        (unbounded(50), 1000, 500),
        (unbounded(50), 0, 1),
        // As it is, whatever is desired.
        (Some(("COUNT", 1)), 25, 1),
        (Some(("COUNT", 13)), 1, 13),
        (Some(("COUNT", 900)), 25, 900),
    ] {
        house.edit(&key, |service| {
            service.desired = desired;
            service.configuration.0.deployment_circuit_breaker = Some(breaker(threshold));
        });
        let found = circuit_breaker::threshold(&house.record(&key));
        assert_eq!(found, expected, "{threshold:?} of {desired}");
    }
}

/// Two tasks never ran; then one of two becomes healthy while the other fails its checks: what the
/// breaker, which trips at three, has counted at the end, and the state of the rollout.
fn counted(resets: Option<bool>) -> (u32, Rollout) {
    let mut house = House::new();
    house.host("a", 2048, 4096);
    house.able_to_check_health();
    house.define_checked("web");
    let settings = Settings {
        desired: 2,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.edit(&key, |service| {
        service.configuration.0.deployment_circuit_breaker = Some(DeploymentCircuitBreaker {
            reset_on_healthy_task: resets,
            ..breaker(Some(("COUNT", 3)))
        });
    });
    house.settle(&key);
    for task in house.kept(&key) {
        house.fail_to_start(&task.key);
    }
    house.settle(&key);
    assert_eq!(house.record(&key).primary().unwrap().failed_tasks, 2);
    house.pass(1);
    house.play(&key);
    house.pass(1);
    let tasks = house.kept(&key);
    set_health(&mut house, &key, 0, HealthStatus::Healthy);
    house.settle(&key);
    set_health(&mut house, &key, 1, HealthStatus::Unhealthy);
    house.settle(&key);
    // Its replacement: healthy as well, so that it goes.
    house.play(&key);
    let new = house.kept(&key);
    let at = new
        .iter()
        .position(|task| !tasks.iter().any(|old| old.key == task.key));
    set_health(&mut house, &key, at.unwrap(), HealthStatus::Healthy);
    // Lets the sick one stop, and no healthy one start after that.
    let _ = house.step(&key);
    house.report_stopped(&tasks[1].key, &["app"], 143);
    let _ = house.step(&key);
    let primary = house.record(&key).primary().unwrap().clone();
    (primary.failed_tasks, primary.rollout)
}

/// Rule: semantics 6.5: once a task was RUNNING, those that fail before that are no longer counted.
#[test]
fn a_task_that_never_ran_counts_only_until_one_did() {
    for has_run in [false, true] {
        let mut house = House::new();
        house.host("a", 2048, 4096);
        house.define_app("web", 128);
        let settings = Settings {
            desired: 2,
            ..Settings::default()
        };
        let key = house.service("web", "web", settings);
        house.edit(&key, |service| {
            service.configuration.0.deployment_circuit_breaker = Some(breaker(Some(("COUNT", 1))));
        });
        house.settle(&key);
        let tasks = house.kept(&key);
        if has_run {
            house.report_running(&tasks[0].key, &["app"]);
            house.settle(&key);
        }
        house.fail_to_start(&tasks[1].key);
        house.settle(&key);
        let primary = house.record(&key).primary().unwrap().clone();
        let expected = match has_run {
            false => (1, Rollout::Failed),
            true => (0, Rollout::InProgress),
        };
        assert_eq!(
            (primary.failed_tasks, primary.rollout),
            expected,
            "{has_run}"
        );
    }
}

fn set_health(house: &mut House, key: &ServiceKey, at: usize, health: HealthStatus) {
    let task = house.kept(key)[at].key.clone();
    house.change(|txn, _| txn.update(&TASKS, &task, |t| t.containers[0].health = health));
}

#[test]
fn a_healthy_task_takes_failures_back_unless_told_otherwise() {
    assert_eq!(counted(None).0, 1, "the default");
    assert_eq!(counted(Some(true)).0, 1);
    assert_eq!(counted(Some(false)), (3, Rollout::Failed));
}
