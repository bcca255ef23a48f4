//! CloudWatch alarms that end deployments, step by step in virtual time (semantics 6.5).
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::cloudwatch::{PutMetricAlarmInput, SetAlarmStateInput};
use aws_api::ecs::{
    DeploymentAlarms, DescribeServiceDeploymentsRequest, ServiceDeployment, ServiceDeploymentAlarms,
};
use ecs::ops;
use ecs::records::service::{Rollout, ServiceKey};
use ecs::records::service_deployment::SERVICE_DEPLOYMENTS;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use support::House;
use support::services::Settings;
use telemetry::alarms::ops as alarms;

const NAMES: [&str; 2] = ["errors", "latency"];

/// A service of two tasks that is steady with revision 1 of `web`, and whose deployments watch both
/// alarms; each looks back two minutes.
fn steady(alarms: DeploymentAlarms) -> (House, ServiceKey) {
    let mut house = House::new();
    house.host("a", 2048, 4096);
    for _ in 0..2 {
        house.define_app("web", 128);
    }
    let settings = Settings {
        desired: 2,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.until_steady(&key);
    for name in NAMES {
        put(&mut house, name);
        set(&mut house, name, "OK");
    }
    house.edit(&key, |service| {
        service.configuration.0.alarms = Some(alarms);
    });
    (house, key)
}

fn both(rollback: bool) -> DeploymentAlarms {
    DeploymentAlarms {
        alarm_names: Some(NAMES.map(Into::into).to_vec()),
        enable: Some(true),
        rollback: Some(rollback),
    }
}

fn put(house: &mut House, name: &str) {
    let input = PutMetricAlarmInput {
        alarm_name: Some(name.into()),
        namespace: Some("app".into()),
        metric_name: Some(name.into()),
        statistic: Some("Sum".into()),
        period: Some(60),
        evaluation_periods: Some(2),
        threshold: Some(1.0),
        comparison_operator: Some("GreaterThanThreshold".into()),
        ..PutMetricAlarmInput::default()
    };
    let put = house.write(|txn, ctx| alarms::put_metric_alarm(txn, ctx, &input));
    put.unwrap();
}

fn set(house: &mut House, name: &str, state: &str) {
    let input = SetAlarmStateInput {
        alarm_name: Some(name.into()),
        state_value: Some(state.into()),
        state_reason: Some("test".into()),
        ..SetAlarmStateInput::default()
    };
    let set = house.write(|txn, ctx| alarms::set_alarm_state(txn, ctx, &input));
    set.unwrap();
}

/// Deploys revision 2; its tasks run and count. Then the old ones are being stopped.
fn roll_out(house: &mut House, key: &ServiceKey) {
    house.deploy(key, "web", 2);
    house.settle(key);
    house.play(key);
    house.pass(40);
    house.settle(key);
}

fn newest(house: &mut House) -> ServiceDeployment {
    let all = house.world.scan(&SERVICE_DEPLOYMENTS);
    let newest = all.max_by_key(|record| record.created).unwrap();
    let input = DescribeServiceDeploymentsRequest {
        service_deployment_arns: Some(vec![newest.key.arn()]),
    };
    let answer = house.write(|world, ctx| {
        ops::describe_service_deployments::describe_service_deployments(world, ctx, &input)
    });
    answer.unwrap().service_deployments.unwrap().remove(0)
}

fn shown(status: &str, triggered: &[&str]) -> ServiceDeploymentAlarms {
    let triggered: Vec<String> = triggered.iter().map(ToString::to_string).collect();
    ServiceDeploymentAlarms {
        status: Some(status.into()),
        alarm_names: Some(NAMES.map(Into::into).to_vec()),
        triggered_alarm_names: Some(triggered).filter(|names| !names.is_empty()),
    }
}

fn rollout(house: &House, key: &ServiceKey) -> Rollout {
    house.record(key).primary().unwrap().rollout
}

#[test]
fn an_alarm_during_a_rollout_rolls_it_back() {
    let (mut house, key) = steady(both(true));
    house.deploy(&key, "web", 2);
    house.settle(&key);
    house.play(&key);
    house.settle(&key);
    let failed = house.record(&key).primary().unwrap().number;
    assert_eq!(newest(&mut house).alarms, Some(shown("MONITORING", &[])));
    let before = house.changes.len();
    set(&mut house, "errors", "ALARM");
    assert!(house.concerned_since(before).contains(&key), "it is woken");
    house.settle(&key);
    let record = house.record(&key);
    let primary = record.primary().unwrap();
    assert!(primary.is_rollback && Some(primary.revision) == record.completed_revision);
    let expected = format!(
        "ECS deployment alarms: rolling back to deploymentId {}.",
        primary.id()
    );
    assert_eq!(primary.reason, expected);
    let mut others = record.deployments.iter();
    let ended = others.find(|one| one.number == failed).unwrap();
    assert_eq!(
        (ended.rollout, ended.reason.as_str()),
        (Rollout::Failed, "ECS deployment failed: alarm(s) detected.")
    );
    let told = house.events(&key);
    let failed = format!("(deployment ecs-svc/{failed}) deployment failed: alarm detected.");
    assert!(told.iter().any(|text| text.contains(&failed)), "{told:?}");
    let deployment = newest(&mut house);
    assert_eq!(deployment.status.as_deref(), Some("ROLLBACK_IN_PROGRESS"));
    assert_eq!(deployment.alarms, Some(shown("TRIGGERED", &["errors"])));
    house.until_steady(&key);
    assert_eq!(
        newest(&mut house).status.as_deref(),
        Some("ROLLBACK_SUCCESSFUL"),
        "the alarm still rings and the rollback goes on"
    );
    assert!(house.kept(&key).iter().all(|task| task.revision == 1));
}

#[test]
fn alarms_are_watched_from_the_first_task_that_runs() {
    let (mut house, key) = steady(both(true));
    house.deploy(&key, "web", 2);
    house.settle(&key);
    set(&mut house, "latency", "ALARM");
    house.settle(&key);
    assert!(!house.record(&key).primary().unwrap().is_rollback);
    house.play(&key);
    house.settle(&key);
    assert!(house.record(&key).primary().unwrap().is_rollback);
}

#[test]
fn a_deployment_that_begins_during_an_alarm_watches_none() {
    let (mut house, key) = steady(both(true));
    set(&mut house, "errors", "ALARM");
    roll_out(&mut house, &key);
    assert_eq!(newest(&mut house).alarms, Some(shown("DISABLED", &[])));
    set(&mut house, "errors", "OK");
    set(&mut house, "errors", "ALARM");
    house.play(&key);
    house.settle(&key);
    assert_eq!(rollout(&house, &key), Rollout::Completed, "without a bake");
}

#[test]
fn it_bakes_as_long_as_an_alarm_looks_back() {
    for (rings_at, expected) in [(119, Rollout::Failed), (121, Rollout::Completed)] {
        let (mut house, key) = steady(both(false));
        roll_out(&mut house, &key);
        house.play(&key);
        let wake = house.settle(&key);
        let end = house.ctx.now.plus(std::time::Duration::from_secs(120));
        assert!(wake.is_some_and(|at| at <= end), "{wake:?}");
        assert_eq!(rollout(&house, &key), Rollout::InProgress);
        house.pass(rings_at);
        if rings_at > 120 {
            house.settle(&key);
        }
        set(&mut house, "errors", "ALARM");
        house.settle(&key);
        assert_eq!(rollout(&house, &key), expected);
        let alarms = newest(&mut house).alarms;
        let watched = match expected {
            Rollout::Failed => shown("TRIGGERED", &["errors"]),
            _ => shown("MONITORING_COMPLETE", &[]),
        };
        assert_eq!(alarms, Some(watched));
    }
}

#[test]
fn without_a_rollback_it_fails_and_starts_no_more() {
    let (mut house, key) = steady(both(false));
    house.deploy(&key, "web", 2);
    house.settle(&key);
    house.play(&key);
    house.settle(&key);
    for name in NAMES {
        set(&mut house, name, "ALARM");
    }
    house.settle(&key);
    let deployment = newest(&mut house);
    assert_eq!(
        (
            deployment.status.as_deref(),
            deployment.status_reason.as_deref()
        ),
        (
            Some("STOPPED"),
            Some("ECS deployment failed: alarm(s) detected.")
        )
    );
    assert_eq!(deployment.alarms, Some(shown("TRIGGERED", &NAMES)));
    let lost = house.kept(&key);
    let lost = lost.iter().find(|task| task.revision == 2).unwrap();
    house.report_stopped(&lost.key, &["app"], 1);
    house.pass(60);
    house.settle(&key);
    let kept = house.kept(&key);
    let of_new = kept.iter().filter(|task| task.revision == 2);
    assert_eq!(of_new.count(), 1);
}

#[test]
fn alarms_that_are_not_enabled_or_not_there_end_nothing() {
    let off = DeploymentAlarms {
        enable: Some(false),
        ..both(true)
    };
    let missing = DeploymentAlarms {
        alarm_names: Some(vec!["nobody".into()]),
        ..both(true)
    };
    for (alarms, status) in [(off, "DISABLED"), (missing, "MONITORING_COMPLETE")] {
        let (mut house, key) = steady(alarms);
        roll_out(&mut house, &key);
        set(&mut house, "errors", "ALARM");
        house.play(&key);
        house.settle(&key);
        assert_eq!(rollout(&house, &key), Rollout::Completed, "{status}");
        let alarms = newest(&mut house).alarms.unwrap();
        assert_eq!(alarms.status.as_deref(), Some(status));
    }
}

#[test]
fn an_alarm_that_is_made_during_a_deployment_is_heard() {
    let (mut house, key) = steady(DeploymentAlarms {
        alarm_names: Some(vec!["late".into()]),
        ..both(true)
    });
    house.deploy(&key, "web", 2);
    house.settle(&key);
    house.play(&key);
    house.settle(&key);
    put(&mut house, "late");
    let before = house.changes.len();
    set(&mut house, "late", "ALARM");
    assert!(house.concerned_since(before).contains(&key));
    house.settle(&key);
    assert!(house.record(&key).primary().unwrap().is_rollback);
}

proptest! {
    /// Whatever alarms do, and when: no deployment that watches them goes on while one of them rings,
    /// none that is over is ended by one, and the service comes to a rest.
    #[test]
    fn a_deployment_ends_by_the_alarms_that_it_watches_and_no_others(
        steps in prop::collection::vec((0_usize..2, any::<bool>(), 0_u64..60), 1..12),
        rollback in any::<bool>(),
    ) {
        let (mut house, key) = steady(both(rollback));
        house.deploy(&key, "web", 2);
        for (alarm, rings, seconds) in steps {
            house.settle(&key);
            house.play(&key);
            house.settle(&key);
            let before = house.record(&key);
            let was = before.primary().unwrap();
            set(&mut house, NAMES[alarm], if rings { "ALARM" } else { "OK" });
            house.settle(&key);
            let after = house.record(&key);
            let is = after.deployments.iter().find(|one| one.number == was.number);
            let watches = was.rollout == Rollout::InProgress && !was.is_rollback;
            match is {
                Some(is) if watches && rings => prop_assert_eq!(is.rollout, Rollout::Failed),
                Some(is) => prop_assert_eq!(is.rollout == Rollout::Failed, was.rollout == Rollout::Failed),
                None => prop_assert!(false, "a deployment is gone"),
            }
            house.pass(seconds);
        }
        for name in NAMES {
            set(&mut house, name, "OK");
        }
        for _ in 0..4 {
            house.settle(&key);
            house.play(&key);
            house.pass(130);
        }
        house.settle(&key);
        prop_assert!(rollout(&house, &key) != Rollout::InProgress);
        let (_, is_due) = (house.settle(&key), house.step(&key));
        prop_assert!(!is_due.has_more);
    }
}
