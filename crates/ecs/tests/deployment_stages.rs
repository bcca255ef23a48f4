//! Blue beside green, step by step in virtual time, by AWS's rules (semantics 6.5, 6.7, trap 33).
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::Stored;
use aws_api::ecs::{
    ContinueServiceDeploymentRequest, DeploymentConfiguration, DescribeServiceDeploymentsRequest,
    DescribeServiceRevisionsRequest, ServiceDeployment, StopServiceDeploymentRequest,
};
use ecs::ops;
use ecs::records::deployment_stage::{HookStatus, Stage, Staged};
use ecs::records::service::{Rollout, ServiceKey};
use ecs::records::service_deployment::{DeploymentStatus, SERVICE_DEPLOYMENTS};
use ecs::records::target::{TargetKind, TargetRecord};
use ecs::records::{CONTAINER_INSTANCES, InstanceStatus, TASKS, TaskKey, TaskRecord};
use ecs::service::hooks::{self, Answer, Call};
use ecs::service::images;
use ecs::targets;
use ecs::task::health::HealthStatus;
use ecs::task::status::DesiredStatus;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::services::Settings;
use support::{House, container_change, task_report};

/// A service of three tasks that is steady with revision 1 of `web`, deployed so from now on.
fn steady(configuration: Value) -> (House, ServiceKey) {
    let mut house = House::new();
    house.host("a", 2048, 4096);
    house.host("b", 2048, 4096);
    for _ in 0..3 {
        house.define_app("web", 128);
    }
    let settings = Settings {
        breaker: Some(true),
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.until_steady(&key);
    configure(&mut house, &key, configuration);
    (house, key)
}

fn configure(house: &mut House, key: &ServiceKey, configuration: Value) {
    let given: Stored<DeploymentConfiguration> = serde_json::from_value(configuration).unwrap();
    house.edit(key, |service| {
        let breaker = service.configuration.0.deployment_circuit_breaker.clone();
        service.configuration = Stored(DeploymentConfiguration {
            deployment_circuit_breaker: breaker,
            maximum_percent: Some(200),
            minimum_healthy_percent: Some(100),
            ..given.0
        });
    });
}

fn staged(house: &House, key: &ServiceKey) -> Staged {
    let record = house.record(key);
    record.primary().unwrap().staged.clone().unwrap()
}

fn stage(house: &House, key: &ServiceKey) -> Stage {
    staged(house, key).stage
}

/// Tasks that are not asked to stop, of revisions 1, 2 and 3 of the definition.
fn kept(house: &House, key: &ServiceKey) -> [usize; 3] {
    let kept = house.kept(key);
    [1, 2, 3].map(|revision| kept.iter().filter(|t| t.revision == revision).count())
}

/// Green's tasks run, and count.
fn scale_up(house: &mut House, key: &ServiceKey) {
    house.settle(key);
    house.play(key);
    house.pass(40);
    house.settle(key);
}

fn set_health(house: &mut House, task: &TaskKey, health: HealthStatus) {
    house.change(|txn, _| txn.update(&TASKS, task, |task| task.containers[0].health = health));
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

fn status(house: &House) -> DeploymentStatus {
    let all = house.world.scan(&SERVICE_DEPLOYMENTS);
    all.max_by_key(|record| record.created).unwrap().status
}

fn resolve(house: &mut House, action: &str) -> Result<(), String> {
    let shown = newest(house);
    let hooks = shown.lifecycle_hook_details.unwrap();
    let input = ContinueServiceDeploymentRequest {
        service_deployment_arn: shown.service_deployment_arn,
        hook_id: hooks.last().unwrap().hook_id.clone(),
        action: Some(action.into()),
    };
    let answer = house.write(|txn, ctx| {
        ops::continue_service_deployment::continue_service_deployment(txn, ctx, &input)
    });
    answer.map(drop).map_err(|error| error.to_string())
}

#[test]
fn blue_is_kept_whole_until_the_bake_time_is_over() {
    let (mut house, key) = steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}));
    let blue = house.record(&key).primary().unwrap().number;
    house.deploy(&key, "web", 2);
    house.settle(&key);
    assert_eq!(
        (stage(&house, &key), kept(&house, &key)),
        (Stage::ScaleUp, [3, 3, 0])
    );
    scale_up(&mut house, &key);
    assert_eq!(
        (stage(&house, &key), kept(&house, &key)),
        (Stage::BakeTime, [3, 3, 0])
    );
    let weights = staged(&house, &key);
    assert_eq!(
        (weights.test_weight, weights.production_weight),
        (1000, 1000)
    );
    let lost = house
        .kept(&key)
        .into_iter()
        .find(|t| t.revision == 1)
        .unwrap();
    house.report_stopped(&lost.key, &["app"], 1);
    house.settle(&key);
    assert_eq!(
        kept(&house, &key),
        [3, 3, 0],
        "blue's lost task is replaced by blue"
    );
    house.pass(299);
    house.settle(&key);
    assert_eq!(kept(&house, &key), [3, 3, 0]);
    house.pass(1);
    house.settle(&key);
    assert_eq!(
        (stage(&house, &key), kept(&house, &key)),
        (Stage::CleanUp, [0, 3, 0])
    );
    assert_eq!(
        status(&house),
        DeploymentStatus::InProgress,
        "blue's tasks are not yet stopped"
    );
    house.until_steady(&key);
    let record = house.record(&key);
    assert_eq!(record.deployments.len(), 1);
    assert!(record.primary().unwrap().number != blue);
    assert_eq!(status(&house), DeploymentStatus::Successful);
    let shown = newest(&mut house);
    assert_eq!(shown.lifecycle_stage.as_deref(), Some("CLEAN_UP"));
    let target = shown.target_service_revision.unwrap();
    assert_eq!(target.requested_production_traffic_weight, Some(100.0));
}

#[test]
fn the_first_deployment_of_a_service_has_nothing_to_bake() {
    let (mut house, key) = steady(json!({}));
    house.edit(&key, |service| {
        service.deployments.clear();
        service.completed_revision = None;
    });
    for task in house.kept(&key) {
        house.report_stopped(&task.key, &["app"], 0);
    }
    configure(
        &mut house,
        &key,
        json!({"strategy": "CANARY", "bakeTimeInMinutes": 60}),
    );
    house.deploy(&key, "web", 2);
    house.until_steady(&key);
    assert_eq!(staged(&house, &key).stage, Stage::CleanUp);
    assert_eq!(status(&house), DeploymentStatus::Successful);
}

#[test]
fn linear_and_canary_move_traffic_in_steps_with_a_bake_time_between_them() {
    for (configuration, steps) in [
        (
            json!({"strategy": "LINEAR",
                "linearConfiguration": {"stepPercent": 40.0, "stepBakeTimeInMinutes": 6}}),
            vec![(400, 6), (800, 6), (1000, 0)],
        ),
        (
            json!({"strategy": "CANARY",
                "canaryConfiguration": {"canaryPercent": 0.1, "canaryBakeTimeInMinutes": 10}}),
            vec![(1, 10), (1000, 0)],
        ),
    ] {
        let (mut house, key) = steady(configuration);
        house.deploy(&key, "web", 2);
        scale_up(&mut house, &key);
        for (weight, minutes) in steps {
            assert_eq!(staged(&house, &key).production_weight, weight);
            if minutes == 0 {
                continue;
            }
            assert_eq!(stage(&house, &key), Stage::ProductionTrafficShift);
            let shown = newest(&mut house);
            let percent = f64::from(weight) / 10.0;
            let green = shown.target_service_revision.unwrap();
            assert_eq!(green.requested_production_traffic_weight, Some(percent));
            let blue = shown.source_service_revisions.unwrap().remove(0);
            let left = f64::from(1000 - weight) / 10.0;
            assert_eq!(blue.requested_production_traffic_weight, Some(left));
            let wake_at = house.settle(&key).unwrap();
            let due = house.ctx.now.plus(Duration::from_secs(minutes * 60));
            assert!(wake_at <= due, "the step is looked at when it is due");
            house.pass(minutes * 60 - 1);
            house.settle(&key);
            assert_eq!(staged(&house, &key).production_weight, weight, "not yet");
            house.pass(1);
            house.settle(&key);
        }
        assert_eq!(stage(&house, &key), Stage::CleanUp);
        house.until_steady(&key);
        assert_eq!(status(&house), DeploymentStatus::Successful);
    }
}

#[test]
fn a_tripped_breaker_returns_to_blue_at_once_at_any_stage() {
    let bakes = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60});
    for has_run in [false, true] {
        let (mut house, key) = steady(bakes.clone());
        house.able_to_check_health();
        house.define_checked("checked");
        let blue = house.record(&key).primary().unwrap().number;
        house.deploy(&key, "checked", 1);
        house.settle(&key);
        if has_run {
            house.play(&key);
            for task in house.kept(&key).iter().filter(|t| t.family == "checked") {
                set_health(&mut house, &task.key, HealthStatus::Healthy);
            }
            house.settle(&key);
            assert_eq!(stage(&house, &key), Stage::BakeTime);
        }
        let blue_tasks: Vec<_> = house
            .kept(&key)
            .into_iter()
            .filter(|t| t.family == "web")
            .collect();
        for _ in 0..12 {
            for task in house.kept(&key).iter().filter(|t| t.family == "checked") {
                match has_run {
                    true => set_health(&mut house, &task.key, HealthStatus::Unhealthy),
                    false => house.fail_to_start(&task.key),
                }
            }
            house.settle(&key);
            if house.record(&key).primary().unwrap().number == blue {
                break;
            }
            house.play(&key);
            house.pass(60);
            house.settle(&key);
        }
        let record = house.record(&key);
        let primary = record.primary().unwrap();
        assert_eq!(
            primary.number,
            blue,
            "{has_run} {record:#?} {:#?}",
            house.events(&key)
        );
        assert!(primary.is_rollback);
        house.until_steady(&key);
        let kept = house.kept(&key);
        assert_eq!(kept.len(), 3);
        let ids = |tasks: &[std::sync::Arc<ecs::records::TaskRecord>]| {
            tasks
                .iter()
                .map(|task| task.key.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            ids(&kept),
            ids(&blue_tasks),
            "blue's tasks were never touched"
        );
        assert_eq!(status(&house), DeploymentStatus::RollbackSuccessful);
        let shown = newest(&mut house);
        let green = shown.target_service_revision.unwrap();
        assert_eq!(green.requested_production_traffic_weight, Some(0.0));
    }
}

#[test]
fn a_pause_waits_for_its_action_or_its_time() {
    let pause = |stage: &str, action: &str| {
        json!({"strategy": "BLUE_GREEN", "lifecycleHooks": [{"targetType": "PAUSE",
            "lifecycleStages": [stage],
            "timeoutConfiguration": {"timeoutInMinutes": 10, "action": action}}]})
    };
    for (answer, on_timeout, expected) in [
        (Some("CONTINUE"), "ROLLBACK", DeploymentStatus::Successful),
        (
            Some("ROLLBACK"),
            "CONTINUE",
            DeploymentStatus::RollbackSuccessful,
        ),
        (None, "CONTINUE", DeploymentStatus::Successful),
        (None, "ROLLBACK", DeploymentStatus::RollbackSuccessful),
    ] {
        let (mut house, key) = steady(pause("PRE_SCALE_UP", on_timeout));
        house.deploy(&key, "web", 2);
        house.settle(&key);
        assert_eq!(kept(&house, &key), [3, 0, 0], "green waits");
        let shown = newest(&mut house);
        assert_eq!(shown.lifecycle_stage.as_deref(), Some("PRE_SCALE_UP"));
        let hook = &shown.lifecycle_hook_details.unwrap()[0];
        assert_eq!(hook.status.as_deref(), Some("AWAITING_ACTION"));
        assert_eq!(hook.timeout_action.as_deref(), Some(on_timeout));
        assert_eq!(hook.target_arn, None);
        let expires = hook.expires_at.unwrap();
        let wake_at = house.settle(&key).unwrap();
        assert!(wake_at <= expires, "its time is looked at");
        match answer {
            Some(action) => {
                house.pass(599);
                resolve(&mut house, action).unwrap();
            }
            None => {
                house.pass(600);
                let late = resolve(&mut house, "CONTINUE").unwrap_err();
                assert!(late.contains("no paused lifecycle hook"), "{late}");
            }
        }
        house.until_steady(&key);
        assert_eq!(status(&house), expected, "{answer:?} {on_timeout}");
        let again = resolve(&mut house, "CONTINUE").unwrap_err();
        assert!(again.contains("no paused lifecycle hook"), "{again}");
    }
}

fn with_lambda(name: &str) -> Value {
    json!({"strategy": "BLUE_GREEN", "lifecycleHooks": [{
        "hookTargetArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"),
        "hookDetails": {"suite": "smoke"}, "lifecycleStages": ["POST_SCALE_UP"]}]})
}

fn declare(house: &mut House) {
    house.change(|txn, _| {
        let url = TargetKind::Url("http://127.0.0.1:1/".into());
        let task = TargetKind::Task {
            cluster: "default".into(),
            definition: "check".into(),
        };
        let named = |name: &str, does| TargetRecord {
            name: name.into(),
            does,
        };
        targets::set(txn, vec![named("ask", url), named("run", task)]);
    });
}

fn answer(house: &mut House, answer: Answer) {
    let (due, _) = hooks::due(&house.world, house.ctx.now);
    let due = due.into_iter().next().unwrap();
    house.change(|txn, ctx| hooks::answered(txn, ctx, &due.service, &due.hook, answer));
}

#[test]
fn a_hook_is_asked_until_it_says_so() {
    let (mut house, key) = steady(with_lambda("ask"));
    declare(&mut house);
    house.deploy(&key, "web", 2);
    assert_eq!(
        hooks::due(&house.world, house.ctx.now),
        (vec![], None),
        "not its stage"
    );
    scale_up(&mut house, &key);
    assert_eq!(stage(&house, &key), Stage::PostScaleUp);
    let (due, _) = hooks::due(&house.world, house.ctx.now);
    let Call::Post { url, body } = &due[0].call else {
        panic!("{due:?}");
    };
    assert_eq!(url, "http://127.0.0.1:1/");
    let told: Value = serde_json::from_str(body).unwrap();
    assert_eq!(told["lifecycleStage"], "POST_SCALE_UP");
    assert_eq!(told["serviceArn"], key.arn());
    assert_eq!(told["hookDetails"], json!({"suite": "smoke"}));
    let green = told["targetServiceRevisionArn"].as_str().unwrap();
    assert_eq!(told["productionTrafficWeights"][green], 0.0);
    assert_eq!(
        told["productionTrafficWeights"].as_object().unwrap().len(),
        2
    );

    let later = Answer::InProgress(Duration::from_secs(60), Some(r#"{"n":1}"#.into()));
    answer(&mut house, later);
    house.settle(&key);
    let (due, next) = hooks::due(&house.world, house.ctx.now);
    assert_eq!(
        (due.len(), next),
        (0, Some(house.ctx.now.plus(Duration::from_secs(60))))
    );
    house.pass(60);
    let (due, _) = hooks::due(&house.world, house.ctx.now);
    let Call::Post { body, .. } = &due[0].call else {
        panic!("{due:?}");
    };
    let told: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        told["hookDetails"],
        json!({"n": 1}),
        "what it said is given back"
    );
    for _ in 0..4 {
        answer(&mut house, Answer::Unavailable);
        house.pass(8);
    }
    assert_eq!(
        stage(&house, &key),
        Stage::PostScaleUp,
        "four failed calls are retried"
    );
    answer(&mut house, Answer::Succeeded);
    house.until_steady(&key);
    assert_eq!(status(&house), DeploymentStatus::Successful);
}

#[test]
fn a_hook_that_fails_or_cannot_be_asked_rolls_back() {
    for last in [Answer::Failed, Answer::Unavailable] {
        let (mut house, key) = steady(with_lambda("ask"));
        declare(&mut house);
        house.deploy(&key, "web", 2);
        scale_up(&mut house, &key);
        if last == Answer::Unavailable {
            for _ in 0..4 {
                answer(&mut house, Answer::Unavailable);
                house.pass(8);
            }
        }
        answer(&mut house, last);
        house.until_steady(&key);
        assert_eq!(kept(&house, &key), [3, 0, 0]);
        let shown = newest(&mut house);
        assert_eq!(shown.status.as_deref(), Some("ROLLBACK_SUCCESSFUL"));
        let reason =
            "Service deployment rolled back because a lifecycle hook failed at POST_SCALE_UP.";
        assert_eq!(shown.status_reason.as_deref(), Some(reason));
        let hook = &shown.lifecycle_hook_details.unwrap()[0];
        assert_eq!(hook.status.as_deref(), Some("FAILED"));
    }
}

/// What the PRIMARY says while it is a rollback.
fn rolls_back(house: &mut House, key: &ServiceKey) -> String {
    house.settle(key);
    let record = house.record(key);
    let primary = record.primary().unwrap();
    assert!(primary.is_rollback && primary.rollout == Rollout::InProgress);
    let to = format!(" rolling back to deploymentId {}.", primary.id());
    let reason = primary.reason.strip_suffix(&to);
    reason.unwrap_or(&primary.reason).into()
}

#[test]
fn a_rollback_says_what_began_it() {
    let (mut house, key) = steady(with_lambda("ask"));
    declare(&mut house);
    house.deploy(&key, "web", 2);
    scale_up(&mut house, &key);
    answer(&mut house, Answer::Failed);
    let began = rolls_back(&mut house, &key);
    assert_eq!(began, "ECS deployment lifecycle hook:");

    let (mut house, key) = steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60}));
    house.deploy(&key, "web", 2);
    scale_up(&mut house, &key);
    let input = StopServiceDeploymentRequest {
        service_deployment_arn: newest(&mut house).service_deployment_arn,
        stop_type: Some("ROLLBACK".into()),
    };
    let stopped = house
        .write(|txn, ctx| ops::stop_service_deployment::stop_service_deployment(txn, ctx, &input));
    stopped.unwrap();
    assert_eq!(rolls_back(&mut house, &key), "ECS deployment stopped:");
}

#[test]
fn a_tasks_exit_code_decides() {
    for (exit_code, expected) in [(0, HookStatus::Succeeded), (3, HookStatus::Failed)] {
        let (mut house, key) = steady(with_lambda("run"));
        house.define_app("check", 64);
        declare(&mut house);
        house.deploy(&key, "web", 2);
        scale_up(&mut house, &key);
        let (due, _) = hooks::due(&house.world, house.ctx.now);
        assert_eq!(due[0].call, Call::Start);
        house.change(|txn, ctx| hooks::start(txn, ctx, &due[0].service, &due[0].hook));
        house.change(|txn, ctx| hooks::start(txn, ctx, &due[0].service, &due[0].hook));
        let check: Vec<_> = house
            .world
            .scan(&TASKS)
            .filter(|task| task.family == "check")
            .cloned()
            .collect();
        assert_eq!(check.len(), 1, "one task, however often it is asked for");
        assert_eq!(check[0].started_by.as_deref(), Some(due[0].hook.as_str()));
        assert_eq!(
            hooks::due(&house.world, house.ctx.now),
            (vec![], None),
            "it runs"
        );
        house.report_stopped(&check[0].key, &["app"], exit_code);
        let (due, _) = hooks::due(&house.world, house.ctx.now);
        let Call::Concluded(said) = due[0].call.clone() else {
            panic!("{due:?}");
        };
        answer(&mut house, said);
        assert_eq!(staged(&house, &key).hooks[0].status, expected);
        house.until_steady(&key);
        assert_eq!(
            house.kept(&key)[0].revision,
            if exit_code == 0 { 2 } else { 1 }
        );
    }
}

#[test]
fn an_update_under_way_goes_back_to_the_same_blue() {
    let (mut house, key) = steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60}));
    let blue = house.record(&key).primary().unwrap().number;
    house.deploy(&key, "web", 2);
    scale_up(&mut house, &key);
    house.deploy(&key, "web", 3);
    assert_eq!(stage(&house, &key), Stage::ReconcileService);
    assert_eq!(staged(&house, &key).blue, Some(blue));
    house.settle(&key);
    assert_eq!(
        kept(&house, &key),
        [3, 0, 0],
        "the green that is superseded goes first"
    );
    house.play(&key);
    scale_up(&mut house, &key);
    assert_eq!(
        (stage(&house, &key), kept(&house, &key)),
        (Stage::BakeTime, [3, 0, 3])
    );
}

#[test]
fn stopping_returns_to_blue_and_aborting_leaves_everything() {
    for (kind, expected, after) in [
        ("ROLLBACK", DeploymentStatus::RollbackSuccessful, [3, 0, 0]),
        ("ABORT", DeploymentStatus::Stopped, [3, 3, 0]),
    ] {
        let (mut house, key) = steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60}));
        house.deploy(&key, "web", 2);
        scale_up(&mut house, &key);
        let input = StopServiceDeploymentRequest {
            service_deployment_arn: newest(&mut house).service_deployment_arn,
            stop_type: Some(kind.into()),
        };
        let stopped = house.write(|txn, ctx| {
            ops::stop_service_deployment::stop_service_deployment(txn, ctx, &input)
        });
        stopped.unwrap();
        for _ in 0..5 {
            house.settle(&key);
            house.play(&key);
            house.pass(10);
        }
        house.settle(&key);
        assert_eq!(
            (status(&house), kept(&house, &key)),
            (expected, after),
            "{kind}"
        );
    }
}

#[test]
fn a_rolling_deployment_bakes_once_it_is_complete() {
    let (mut house, key) = steady(json!({"bakeTimeInMinutes": 5}));
    house.deploy(&key, "web", 2);
    for _ in 0..8 {
        scale_up(&mut house, &key);
        house.play(&key);
    }
    assert_eq!(kept(&house, &key), [0, 3, 0]);
    let record = house.record(&key);
    let primary = record.primary().unwrap();
    let baking = primary.staged.as_ref().unwrap();
    assert_eq!(
        (primary.rollout, baking.stage),
        (Rollout::InProgress, Stage::BakeTime)
    );
    house.until_steady(&key);
    let baked = house.record(&key).steady.unwrap().since.since(baking.since);
    assert!(baked >= Duration::from_secs(300), "{baked:?}");
    assert_eq!(status(&house), DeploymentStatus::Successful);
}

#[test]
fn early_success_needs_a_share_and_the_end_of_the_old_or_not() {
    for (cleanup, expected) in [
        ("DEFERRED", DeploymentStatus::Successful),
        ("BLOCKING", DeploymentStatus::InProgress),
    ] {
        let (mut house, key) = steady(json!({"earlySuccessCriteria": {"enable": true,
            "healthyPercent": 60, "sourceServiceRevisionCleanup": cleanup}}));
        house.deploy(&key, "web", 2);
        house.settle(&key);
        let new: Vec<_> = house
            .kept(&key)
            .into_iter()
            .filter(|t| t.revision == 2)
            .collect();
        for task in &new[..2] {
            house.report_running(&task.key, &["app"]);
        }
        house.settle(&key);
        assert_eq!(status(&house), DeploymentStatus::InProgress);
        house.pass(40);
        house.settle(&key);
        assert_eq!(
            status(&house),
            expected,
            "{cleanup}: two of three, and old ones there"
        );
        house.until_steady(&key);
        assert_eq!(status(&house), DeploymentStatus::Successful);
        assert_eq!(kept(&house, &key), [0, 3, 0]);
    }
}

#[test]
fn tasks_of_a_revision_run_what_its_first_one_resolved() {
    let (mut house, key) = steady(json!({}));
    house.deploy(&key, "web", 2);
    house.settle(&key);
    let new: Vec<_> = house
        .kept(&key)
        .into_iter()
        .filter(|t| t.revision == 2)
        .collect();
    let report = |house: &mut House, at: usize, digit: &str| {
        let mut change = container_change("app", "RUNNING", None, None);
        change.image_digest = Some(format!("sha256:{}", digit.repeat(64)));
        house.report(task_report(&new[at].key, "RUNNING", vec![change]));
    };
    assert!(images::settled(&house.world, &new[0]).is_empty());
    report(&mut house, 0, "a");
    report(&mut house, 1, "b");
    let settled = images::settled(&house.world, &new[2]);
    assert_eq!(
        settled["app"],
        format!("sha256:{}", "a".repeat(64)),
        "the first word counts"
    );
    let target = newest(&mut house)
        .target_service_revision
        .unwrap()
        .arn
        .unwrap();
    let input = DescribeServiceRevisionsRequest {
        service_revision_arns: Some(vec![target]),
    };
    let shown = house.write(|world, ctx| {
        ops::describe_service_revisions::describe_service_revisions(world, ctx, &input)
    });
    let revision = shown.unwrap().service_revisions.unwrap().remove(0);
    let image = &revision.container_images.unwrap()[0];
    assert_eq!(image.container_name.as_deref(), Some("app"));
    assert_eq!(image.image_digest.as_ref(), Some(&settled["app"]));
    house.deploy(&key, "web", 2);
    house.settle(&key);
    let primary = house.record(&key).primary().unwrap().number;
    let fresh = house
        .kept(&key)
        .into_iter()
        .find(|t| t.service.unwrap().deployment == primary);
    let fresh = images::settled(&house.world, &fresh.unwrap());
    assert!(fresh.is_empty(), "a new revision resolves anew");
}

#[test]
fn what_is_neither_blue_nor_green_goes_once_blue_is_whole_again() {
    let (mut house, key) = steady(json!({"strategy": "ROLLING"}));
    house.deploy(&key, "web", 2);
    scale_up(&mut house, &key);
    assert_eq!(
        kept(&house, &key),
        [0, 3, 0],
        "2 is complete but for its end"
    );
    configure(&mut house, &key, json!({"strategy": "BLUE_GREEN"}));
    house.deploy(&key, "web", 3);
    house.settle(&key);
    assert_eq!(
        (stage(&house, &key), kept(&house, &key)),
        (Stage::ReconcileService, [3, 3, 0]),
        "never below the minimum"
    );
    scale_up(&mut house, &key);
    assert_eq!(kept(&house, &key), [3, 0, 0]);
    house.play(&key);
    house.settle(&key);
    assert_eq!(
        (stage(&house, &key), kept(&house, &key)),
        (Stage::ScaleUp, [3, 0, 3])
    );
}

#[test]
fn blue_on_instances_that_are_drained_stays_until_its_own_replacements_count() {
    let (mut house, key) = steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}));
    house.deploy(&key, "web", 2);
    scale_up(&mut house, &key);
    house.deploy(&key, "web", 3);
    house.change(|txn, _| {
        let all: Vec<_> = txn.scan(&CONTAINER_INSTANCES).cloned().collect();
        for instance in all {
            txn.update(&CONTAINER_INSTANCES, &instance.key, |i| {
                i.status = InstanceStatus::Draining;
            });
        }
    });
    house.settle(&key);
    assert_eq!(
        (stage(&house, &key), kept(&house, &key)),
        (Stage::ReconcileService, [3, 0, 0]),
        "others serve, and yet the traffic is blue's"
    );
    let drained = house.kept(&key);
    house.host("c", 2048, 4096);
    house.play(&key);
    house.settle(&key);
    assert_eq!(kept(&house, &key), [6, 0, 3], "replaced first");
    scale_up(&mut house, &key);
    let is_old = |task: &&Arc<TaskRecord>| drained.iter().any(|old| old.key == task.key);
    let left = house.kept(&key);
    let of_blue = left.iter().filter(|task| task.revision == 1);
    assert_eq!(of_blue.clone().count(), 3);
    assert_eq!(of_blue.filter(is_old).count(), 0, "then stopped");
}

#[test]
fn blue_that_never_starts_keeps_nothing_from_what_comes_after_it() {
    let mut house = House::new();
    house.host("a", 4096, 4096);
    for _ in 0..3 {
        house.define_app("web", 128);
    }
    let key = house.service("web", "web", Settings::default());
    configure(
        &mut house,
        &key,
        json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1}),
    );
    house.settle(&key);
    house.play(&key);
    // Nothing ever completed: what was deployed last is blue, and its tasks fail to start.
    house.deploy(&key, "web", 2);
    house.settle(&key);
    house.deploy(&key, "web", 3);
    house.settle(&key);
    assert_eq!(stage(&house, &key), Stage::ReconcileService);
    for _ in 0..400 {
        for task in house.kept(&key) {
            match task.revision {
                2 => house.fail_to_start(&task.key),
                _ if task.times.started.is_none() => house.report_running(&task.key, &["app"]),
                _ => {}
            }
        }
        for task in house.live(&key) {
            if task.desired == DesiredStatus::Stopped {
                house.report_stopped(&task.key, &["app"], 143);
            }
        }
        house.settle(&key);
        if house.record(&key).steady.is_some() {
            break;
        }
        house.pass(20);
    }
    assert_eq!(status(&house), DeploymentStatus::Successful);
    assert_eq!(kept(&house, &key), [0, 0, 3]);
}

#[test]
fn blue_that_is_held_back_is_looked_at_when_its_wait_is_over() {
    let (mut house, key) = steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}));
    house.deploy(&key, "web", 2);
    scale_up(&mut house, &key);
    let blue = |house: &House| {
        let kept = house.kept(&key);
        kept.into_iter().find(|task| task.revision == 1).unwrap()
    };
    let lost = blue(&house);
    house.report_stopped(&lost.key, &["app"], 1);
    let mut next = house.settle(&key);
    while kept(&house, &key)[0] == 3 {
        let mut new = house.kept(&key);
        new.sort_by_key(|task| task.times.created);
        let new = new.into_iter().rfind(|task| task.revision == 1).unwrap();
        house.fail_to_start(&new.key);
        next = house.settle(&key);
    }
    let held = house.record(&key).deployments[1].throttle.until;
    assert!(
        held.is_some() && next <= held,
        "{next:?}, held until {held:?}"
    );
    house.pass(60);
    house.settle(&key);
    assert_eq!(kept(&house, &key)[0], 3);
}
