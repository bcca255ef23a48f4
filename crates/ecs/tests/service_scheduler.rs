//! What a service's scheduler does, step by step, by AWS's rules (semantics section 6).
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::{DescribeServicesRequest, RegisterTaskDefinitionRequest, RuntimePlatform};
use ecs::ops::describe_services::describe_services;
use ecs::records::container_instance::AttributeRecord;
use ecs::records::service::{Rollout, Scheduling, ServiceStatus};
use ecs::records::service_deployment::{DeploymentStatus, Monitor, SERVICE_DEPLOYMENTS};
use ecs::records::{CONTAINER_INSTANCES, InstanceStatus, TASKS};
use ecs::service::apply;
use ecs::service::waits::Waits;
use ecs::task::health::HealthStatus;
use support::services::Settings;
use support::{House, container};

fn house() -> House {
    let mut house = House::new();
    house.host("a", 2048, 4096);
    house.host("b", 2048, 4096);
    house.define_app("web", 128);
    house.define_app("web", 128);
    house.define_app("web", 128);
    house
}

fn statuses(house: &House) -> Vec<DeploymentStatus> {
    let all = house.world.scan(&SERVICE_DEPLOYMENTS);
    let mut all: Vec<_> = all.map(|record| (record.created, record.status)).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, status)| status).collect()
}

#[test]
fn a_new_service_starts_its_tasks_and_becomes_steady() {
    let mut house = house();
    let key = house.service("web", "web", Settings::default());
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 3);
    let task = house.kept(&key)[0].clone();
    let primary = house.record(&key).primary().unwrap().clone();
    assert_eq!(task.group, "service:web");
    assert_eq!(task.started_by.as_deref(), Some(primary.id().as_str()));
    assert_eq!(primary.rollout, Rollout::InProgress);
    house.play(&key);
    let wake_at = house.settle(&key);
    let after_40_s = house.ctx.now.plus(Waits::AWS.healthy_after);
    assert_eq!(wake_at, Some(after_40_s), "healthy after 40 s");
    assert_eq!(house.record(&key).steady, None);
    house.pass(40);
    house.settle(&key);
    let record = house.record(&key);
    assert_eq!(record.primary().unwrap().rollout, Rollout::Completed);
    assert!(record.steady.is_some());
    let events = house.events(&key);
    assert_eq!(events[0], "(service web) has reached a steady state.");
    let completed = format!(
        "(service web) (deployment {}) deployment completed.",
        primary.id()
    );
    assert_eq!(events[1], completed);
    assert!(
        events[2].starts_with("(service web) has started 3 tasks: (task "),
        "{events:?}"
    );
    assert_eq!(events.len(), 3);
    assert_eq!(statuses(&house), [DeploymentStatus::Successful]);
    let due = apply::is_due(&house.world, &key, house.ctx.now, Waits::AWS);
    assert!(!due.0, "a second plan of the same facts is empty");
}

#[test]
fn an_update_starts_the_new_before_it_stops_the_old() {
    let mut house = house();
    let key = house.service("web", "web", Settings::default());
    house.until_steady(&key);
    let old: Vec<_> = house
        .kept(&key)
        .iter()
        .map(|task| task.key.clone())
        .collect();
    house.deploy(&key, "web", 2);
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 6, "200 percent");
    house.play(&key);
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 6, "the new ones do not yet count");
    house.pass(40);
    house.settle(&key);
    let kept = house.kept(&key);
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|task| task.revision == 2));
    assert_eq!(
        house.record(&key).deployments.len(),
        2,
        "old tasks are not yet stopped"
    );
    house.until_steady(&key);
    let record = house.record(&key);
    assert_eq!(record.deployments.len(), 1);
    let id = record.primary().unwrap().id();
    let stopped = house.world.get(&TASKS, &old[0]).unwrap();
    let reason = format!("Scaling activity initiated by (deployment {id})");
    assert_eq!(stopped.stop.as_ref().unwrap().text, reason);
    assert!(
        house
            .events(&key)
            .iter()
            .any(|e| e.starts_with("(service web) has stopped 3 running tasks: "))
    );
}

#[test]
fn an_update_during_an_update_drains_both_deployments_before_it() {
    let mut house = house();
    let key = house.service("web", "web", Settings::default());
    house.until_steady(&key);
    house.deploy(&key, "web", 2);
    house.settle(&key);
    house.play(&key);
    house.settle(&key);
    let second = house.record(&key).primary().unwrap().number;
    house.deploy(&key, "web", 3);
    let shown = |house: &mut House| -> Vec<(String, String, i32, i32)> {
        let world = house.world.clone();
        let input = DescribeServicesRequest {
            services: Some(vec!["web".into()]),
            ..DescribeServicesRequest::default()
        };
        let shown = describe_services(&world, &mut house.ctx, &input).unwrap();
        let deployments = shown.services.unwrap().remove(0).deployments.unwrap();
        let one = |d: aws_api::ecs::Deployment| {
            let definition = d.task_definition.unwrap();
            let revision = definition.rsplit(':').next().unwrap().to_owned();
            let counts = (d.desired_count.unwrap(), d.running_count.unwrap());
            (revision, d.status.unwrap(), counts.0, counts.1)
        };
        deployments.into_iter().map(one).collect()
    };
    let entry = |revision: &str, status: &str, desired, running| {
        (revision.to_owned(), status.to_owned(), desired, running)
    };
    assert_eq!(
        shown(&mut house),
        [
            entry("3", "PRIMARY", 3, 0),
            entry("2", "ACTIVE", 3, 3),
            entry("1", "ACTIVE", 3, 3)
        ],
        "the PRIMARY first"
    );
    house.settle(&key);
    assert_eq!(
        shown(&mut house)[2],
        entry("1", "ACTIVE", 0, 0),
        "the oldest goes first, to make room, and stays until its tasks are stopped"
    );
    let revisions = |house: &House| -> Vec<u32> {
        let kept = house.kept(&key);
        let mut revisions: Vec<u32> = kept.iter().map(|task| task.revision).collect();
        revisions.sort_unstable();
        revisions
    };
    assert_eq!(revisions(&house), [2, 2, 2, 3, 3, 3]);
    let mut former = Vec::new();
    for _ in 0..12 {
        house.play(&key);
        house.pass(20);
        house.settle(&key);
        let record = house.record(&key);
        let of = record.deployments.iter().find(|d| d.number == second);
        former.push(of.map_or(0, |of| of.desired));
        let runs = |t: &&std::sync::Arc<ecs::records::TaskRecord>| t.times.started.is_some();
        assert!(house.kept(&key).iter().filter(runs).count() >= 3);
    }
    assert!(former.is_sorted_by(|a, b| a >= b), "it drains: {former:?}");
    assert_eq!(shown(&mut house), [entry("3", "PRIMARY", 3, 3)]);
}

#[test]
fn with_half_as_the_minimum_and_no_surplus_old_tasks_go_first() {
    let mut house = house();
    let settings = Settings {
        desired: 4,
        minimum: 50,
        maximum: 100,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.until_steady(&key);
    house.deploy(&key, "web", 2);
    house.settle(&key);
    assert_eq!(
        house.kept(&key).len(),
        4,
        "two old, and two new in place of two that stop"
    );
    assert_eq!(
        house.kept(&key).iter().filter(|t| t.revision == 1).count(),
        2
    );
    house.until_steady(&key);
    assert!(house.kept(&key).iter().all(|task| task.revision == 2));
}

#[test]
fn a_deployment_that_may_neither_start_nor_stop_says_so_once() {
    let mut house = house();
    let settings = Settings {
        desired: 1,
        minimum: 50,
        maximum: 100,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.until_steady(&key);
    house.deploy(&key, "web", 2);
    for _ in 0..5 {
        house.settle(&key);
        house.pass(60);
    }
    let blocked = |e: &&String| e.contains("was unable to stop or start tasks during a deployment");
    assert_eq!(house.events(&key).iter().filter(blocked).count(), 1);
    assert_eq!(house.kept(&key)[0].revision, 1);
    house.pass(6 * 3600);
    house.settle(&key);
    assert_eq!(
        house.events(&key).iter().filter(blocked).count(),
        2,
        "again after six hours"
    );
}

#[test]
fn a_stopped_task_is_replaced_at_once_and_crash_loops_slow_down() {
    let mut house = house();
    let key = house.service(
        "web",
        "web",
        Settings {
            desired: 1,
            ..Settings::default()
        },
    );
    house.until_steady(&key);
    let mut delays = Vec::new();
    for _ in 0..12 {
        let task = house.kept(&key)[0].key.clone();
        house.report_stopped(&task, &["app"], 1);
        let ended = house.ctx.now;
        let wake_at = house.settle(&key);
        if house.kept(&key).is_empty() {
            house.ctx.now = wake_at.unwrap();
            house.settle(&key);
        }
        delays.push(house.ctx.now.since(ended).as_secs());
        house.play(&key);
        house.pass(1);
    }
    assert_eq!(
        &delays[..2],
        [0, 0],
        "the first is replaced at once, the next failure too"
    );
    assert!(
        delays.windows(2).all(|pair| pair[0] <= pair[1]),
        "{delays:?}"
    );
    assert_eq!(
        *delays.last().unwrap(),
        900,
        "15 minutes at most: {delays:?}"
    );
    let impaired = "(service web) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";
    assert!(house.events(&key).iter().any(|event| event == impaired));
    house.until_steady(&key);
    assert_eq!(
        house.record(&key).primary().unwrap().throttle.rounds,
        0,
        "recovered"
    );
}

#[test]
fn the_circuit_breaker_rolls_back_to_what_completed() {
    let mut house = house();
    let settings = Settings {
        breaker: Some(true),
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.until_steady(&key);
    house.deploy(&key, "web", 2);
    let failed = house.record(&key).primary().unwrap().clone();
    for _ in 0..10 {
        house.settle(&key);
        for task in house.kept(&key).iter().filter(|task| task.revision == 2) {
            house.fail_to_start(&task.key);
        }
        house.settle(&key);
        if house.record(&key).primary().unwrap().number != failed.number {
            break;
        }
        house.pass(60);
    }
    let record = house.record(&key);
    let primary = record.primary().unwrap();
    assert!(primary.is_rollback && primary.number != failed.number);
    let text = format!(
        "ECS deployment circuit breaker: rolling back to deploymentId {}.",
        primary.id()
    );
    assert_eq!(primary.reason, text);
    let events = house.events(&key).join("\n");
    let told = format!(
        "(service web) (deployment {}) deployment failed: tasks failed to start.",
        failed.id()
    );
    assert!(events.contains(&told), "{events}");
    assert!(
        house.kept(&key).iter().all(|task| task.revision == 1),
        "the old ones never went"
    );
    house.until_steady(&key);
    assert_eq!(statuses(&house)[1], DeploymentStatus::RollbackSuccessful);
    let of = house
        .world
        .scan(&SERVICE_DEPLOYMENTS)
        .find(|d| d.rollback.is_some())
        .unwrap();
    assert_eq!(
        (of.breaker, of.failures >= of.threshold),
        (Monitor::Triggered, true)
    );
}

#[test]
fn without_rollback_a_tripped_deployment_starts_nothing_more() {
    let mut house = house();
    let settings = Settings {
        breaker: Some(false),
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    for _ in 0..6 {
        house.settle(&key);
        for task in house.kept(&key) {
            house.fail_to_start(&task.key);
        }
        house.settle(&key);
        house.pass(900);
    }
    let record = house.record(&key);
    assert_eq!(record.primary().unwrap().rollout, Rollout::Failed);
    assert_eq!(
        record.primary().unwrap().reason,
        "ECS deployment circuit breaker: tasks failed to start."
    );
    assert!(house.kept(&key).is_empty());
    assert_eq!(statuses(&house), [DeploymentStatus::Stopped]);
}

#[test]
fn scaling_keeps_the_deployment_and_stops_what_does_not_count_first() {
    let mut house = house();
    let key = house.service("web", "web", Settings::default());
    house.until_steady(&key);
    let number = house.record(&key).primary().unwrap().number;
    house.edit(&key, |service| service.desired = 5);
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 5);
    house.edit(&key, |service| service.desired = 3);
    house.settle(&key);
    let kept = house.kept(&key);
    assert_eq!(kept.len(), 3);
    assert!(
        kept.iter().all(|task| task.times.started.is_some()),
        "pending ones went"
    );
    house.edit(&key, |service| service.desired = 0);
    house.until_steady(&key);
    assert!(house.live(&key).is_empty());
    assert_eq!(house.record(&key).primary().unwrap().number, number);
}

#[test]
fn protected_tasks_stay() {
    let mut house = house();
    let key = house.service("web", "web", Settings::default());
    house.until_steady(&key);
    let until = house.ctx.now.plus(std::time::Duration::from_secs(3600));
    for task in house.kept(&key) {
        house.change(|txn, _| {
            txn.update(&TASKS, &task.key, |task| task.protected_until = Some(until))
        });
    }
    house.edit(&key, |service| service.desired = 1);
    let wake_at = house.settle(&key);
    assert_eq!(house.kept(&key).len(), 3);
    assert_eq!(wake_at, Some(until));
    let id = house.record(&key).primary().unwrap().id();
    assert_eq!(house.events(&key)[0], in_the_way("web", &id, 3));
    house.ctx.now = until;
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 1);
    assert!(house.record(&key).told.is_empty(), "no more in the way");
}

fn in_the_way(service: &str, deployment: &str, tasks: u32) -> String {
    format!(
        "(service {service}) was unable to reach steady state because (taskSet {deployment}) was \
         unable to scale in due to (reason {tasks} tasks under protection)"
    )
}

#[test]
fn a_deployment_says_once_that_protected_tasks_are_all_that_it_waits_for() {
    let mut house = house();
    let key = house.service("web", "web", Settings::default());
    house.until_steady(&key);
    let until = house.ctx.now.plus(std::time::Duration::from_secs(3600));
    let old = house.kept(&key)[0].key.clone();
    house.change(|txn, _| txn.update(&TASKS, &old, |task| task.protected_until = Some(until)));
    let id = house.record(&key).primary().unwrap().id();
    house.deploy(&key, "web", 2);
    house.settle(&key);
    let told = |house: &House| {
        let events = house.events(&key).into_iter();
        events.filter(|e| *e == in_the_way("web", &id, 1)).count()
    };
    assert_eq!(told(&house), 0, "there is more to wait for");
    for _ in 0..5 {
        house.play(&key);
        house.pass(40);
        house.settle(&key);
    }
    assert_eq!((house.kept(&key).len(), told(&house)), (4, 1));
    house.ctx.now = until;
    house.until_steady(&key);
    assert!(house.kept(&key).iter().all(|task| task.revision == 2));
    assert_eq!(told(&house), 1);
}

#[test]
fn unhealthy_tasks_are_replaced_before_they_go() {
    let mut house = House::new();
    house.host("a", 2048, 4096);
    house.host("b", 2048, 4096);
    house.able_to_check_health();
    house.define_checked("web");
    let key = house.service(
        "web",
        "web",
        Settings {
            desired: 2,
            ..Settings::default()
        },
    );
    house.settle(&key);
    house.play(&key);
    let set = |house: &mut House, health| {
        for task in house.kept(&key) {
            house.change(|txn, _| {
                txn.update(&TASKS, &task.key, |task| {
                    if task.containers[0].health == HealthStatus::Unknown {
                        task.containers[0].health = health;
                    }
                })
            });
        }
    };
    house.pass(100);
    house.settle(&key);
    assert!(
        house.record(&key).steady.is_none(),
        "with a check, time alone does not count"
    );
    set(&mut house, HealthStatus::Healthy);
    house.settle(&key);
    assert!(house.record(&key).steady.is_some());
    let sick = house.kept(&key)[0].key.clone();
    house.change(|txn, _| {
        txn.update(&TASKS, &sick, |t| {
            t.containers[0].health = HealthStatus::Unhealthy;
        })
    });
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 3, "its replacement comes first");
    house.play(&key);
    set(&mut house, HealthStatus::Healthy);
    house.settle(&key);
    let stopped = house.world.get(&TASKS, &sick).unwrap();
    assert_eq!(
        stopped.stop.as_ref().unwrap().text,
        "Task failed container health checks"
    );
    assert_eq!(
        stopped.stop.as_ref().unwrap().code.name(),
        "ServiceSchedulerInitiated"
    );
    assert!(house.events(&key).iter().any(|e| *e
        == format!(
            "(service web) (task {}) failed container health checks.",
            sick.id.0
        )));
}

#[test]
fn a_draining_instance_is_left_within_the_limits() {
    let mut house = house();
    let key = house.service(
        "web",
        "web",
        Settings {
            desired: 4,
            ..Settings::default()
        },
    );
    house.until_steady(&key);
    let from = house.kept(&key)[0].instance_key();
    house.change(|txn, _| {
        txn.update(&CONTAINER_INSTANCES, &from, |i| {
            i.status = InstanceStatus::Draining;
        })
    });
    house.settle(&key);
    let there = |house: &House| {
        house
            .kept(&key)
            .iter()
            .filter(|t| t.instance == from.id)
            .count()
    };
    assert_eq!(
        (house.kept(&key).len(), there(&house)),
        (6, 2),
        "replacements first"
    );
    house.until_steady(&key);
    assert_eq!((house.kept(&key).len(), there(&house)), (4, 0));
}

#[test]
fn a_task_without_room_is_told_once_and_placed_when_there_is_room() {
    let mut house = House::new();
    house.define_app("big", 1024);
    let key = house.service(
        "web",
        "big",
        Settings {
            desired: 2,
            ..Settings::default()
        },
    );
    house.settle(&key);
    let nothing = "(service web) was unable to place a task because no container instance met all of its requirements. Reason: No Container Instances were found in your cluster. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";
    assert_eq!(house.events(&key), [nothing]);
    let a = house.host("a", 1536, 4096);
    house.settle(&key);
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 1);
    let events = house.events(&key);
    assert!(
        events[0].contains(&format!(
            "The closest matching (container-instance {}) has insufficient CPU units available.",
            a.id.0
        )),
        "{events:?}"
    );
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(house.record(&key).lacks_room);
    house.host("b", 2048, 4096);
    house.until_steady(&key);
    assert!(!house.record(&key).lacks_room && house.record(&key).told.is_empty());
}

/// Every host says that its processor is this.
fn of_processor(house: &mut House, value: &str) {
    let keys: Vec<_> = house.world.scan(&CONTAINER_INSTANCES).collect();
    let keys: Vec<_> = keys.into_iter().map(|i| i.key.clone()).collect();
    for key in keys {
        let attribute = AttributeRecord {
            name: "ecs.cpu-architecture".into(),
            value: Some(value.into()),
        };
        house.change(|txn, _| {
            txn.update(&CONTAINER_INSTANCES, &key, |i| i.attributes.push(attribute))
        });
    }
}

#[test]
fn a_service_for_another_processor_is_told_of_and_placed_where_there_is_one() {
    for scheduling in [Scheduling::Replica, Scheduling::Daemon] {
        let mut house = house();
        of_processor(&mut house, "x86_64");
        house.define_with(RegisterTaskDefinitionRequest {
            family: Some("arm".into()),
            container_definitions: Some(vec![container("app", 10, 10)]),
            runtime_platform: Some(RuntimePlatform {
                cpu_architecture: Some("ARM64".into()),
                ..RuntimePlatform::default()
            }),
            ..RegisterTaskDefinitionRequest::default()
        });
        let with = Settings {
            desired: 1,
            minimum: 0,
            maximum: 100,
            scheduling,
            ..Settings::default()
        };
        let key = house.service("web", "arm", with);
        house.settle(&key);
        assert_eq!(house.kept(&key).len(), 0, "{scheduling:?}");
        if scheduling == Scheduling::Replica {
            let told = &house.events(&key)[0];
            assert!(
                told.contains("is missing an attribute required by your task."),
                "{told}"
            );
        }
        // One that does not say which it has.
        let silent = house.host("c", 2048, 4096);
        house.until_steady(&key);
        let on: Vec<_> = house
            .kept(&key)
            .iter()
            .map(|task| task.instance.clone())
            .collect();
        assert_eq!(on, [silent.id], "{scheduling:?}");
    }
}

#[test]
fn a_daemon_is_on_every_instance() {
    let mut house = house();
    let daemon = Settings {
        desired: 0,
        minimum: 0,
        maximum: 100,
        scheduling: Scheduling::Daemon,
        ..Settings::default()
    };
    let key = house.service("agent", "web", daemon);
    house.until_steady(&key);
    assert_eq!((house.kept(&key).len(), house.record(&key).desired), (2, 2));
    let c = house.host("c", 2048, 4096);
    house.until_steady(&key);
    assert!(house.kept(&key).iter().any(|task| task.instance == c.id));
    house.deploy(&key, "web", 2);
    house.settle(&key);
    assert_eq!(
        house.kept(&key).len(),
        0,
        "the old one goes before the new one starts"
    );
    house.until_steady(&key);
    assert!(house.kept(&key).iter().all(|task| task.revision == 2));
    house.run_all("web", 10);
    house.change(|txn, _| {
        txn.update(&CONTAINER_INSTANCES, &c, |i| {
            i.status = InstanceStatus::Draining;
        })
    });
    house.settle(&key);
    assert!(
        house.kept(&key).iter().any(|t| t.instance == c.id),
        "while other tasks are there"
    );
    let others: Vec<_> = house
        .world
        .scan(&TASKS)
        .filter(|t| t.service.is_none() && t.instance == c.id)
        .map(|t| t.key.clone())
        .collect();
    for task in others {
        house.report_stopped(&task, &["app"], 0);
    }
    house.settle(&key);
    assert!(
        !house.kept(&key).iter().any(|t| t.instance == c.id),
        "last of all"
    );
    house.until_steady(&key);
    assert_eq!(house.record(&key).desired, 2);
}

#[test]
fn a_daemon_is_left_alone_where_the_agent_is_away() {
    let mut house = house();
    let daemon = Settings {
        desired: 0,
        minimum: 0,
        maximum: 100,
        scheduling: Scheduling::Daemon,
        ..Settings::default()
    };
    let key = house.service("agent", "web", daemon);
    house.until_steady(&key);
    let away = house.kept(&key)[0].instance_key();
    house.change(|txn, ctx| ecs::instance::life::disconnected(txn, ctx, &away));
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 2);
    assert!(house.record(&key).steady.is_some());
}

#[test]
fn a_service_without_a_strategy_is_spread_over_zones() {
    let mut house = House::new();
    for name in ["a1", "a2", "a3"] {
        house.zoned(name, "us-east-1a");
    }
    let b = house.zoned("b", "us-east-1b");
    house.define_app("web", 128);
    house.define_app("web", 128);
    let settings = Settings {
        desired: 6,
        rebalances: false,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    let by_zone = |house: &House| {
        let kept = house.kept(&key);
        let in_b = kept.iter().filter(|task| task.instance == b.id).count();
        (kept.len() - in_b, in_b)
    };
    house.until_steady(&key);
    assert_eq!(by_zone(&house), (3, 3), "three hosts, and one");
    house.deploy(&key, "web", 2);
    house.until_steady(&key);
    assert_eq!(by_zone(&house), (3, 3), "the next deployment too");
    house.edit(&key, |service| service.desired = 4);
    house.until_steady(&key);
    assert_eq!(by_zone(&house), (2, 2), "the richer zone loses first");
}

#[test]
fn a_deleted_service_stops_its_tasks_and_is_inactive() {
    let mut house = house();
    let key = house.service(
        "web",
        "web",
        Settings {
            desired: 40,
            ..Settings::default()
        },
    );
    house.host("c", 8192, 8192);
    house.until_steady(&key);
    house.edit(&key, |service| {
        service.status = ServiceStatus::Draining;
        service.desired = 0;
    });
    house.settle(&key);
    house.settle(&key);
    assert!(house.kept(&key).is_empty());
    assert_eq!(house.record(&key).status, ServiceStatus::Inactive);
}

#[test]
fn events_are_the_hundred_newest() {
    let mut house = house();
    let key = house.service(
        "web",
        "web",
        Settings {
            desired: 1,
            ..Settings::default()
        },
    );
    for _ in 0..70 {
        house.until_steady(&key);
        let task = house.kept(&key)[0].key.clone();
        house.report_stopped(&task, &["app"], 0);
    }
    assert_eq!(house.events(&key).len(), 100);
}

#[test]
fn an_unhealthy_task_does_not_serve_whatever_the_clock_says() {
    let mut house = House::new();
    let host = house.host("a", 2048, 4096);
    for name in [
        "ecs.capability.container-health-check",
        "com.amazonaws.ecs.capability.docker-remote-api.1.24",
    ] {
        let attribute = AttributeRecord {
            name: name.into(),
            value: None,
        };
        house.change(|txn, _| {
            txn.update(&CONTAINER_INSTANCES, &host, |i| {
                i.attributes.push(attribute);
            })
        });
    }
    house.define_checked("web");
    house.define_checked("web");
    let settings = Settings {
        desired: 2,
        minimum: 50,
        maximum: 100,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.settle(&key);
    house.play(&key);
    let tasks: Vec<_> = house.kept(&key).iter().map(|t| t.key.clone()).collect();
    for (task, health) in tasks
        .iter()
        .zip([HealthStatus::Unknown, HealthStatus::Unhealthy])
    {
        house.change(|txn, _| {
            txn.update(&TASKS, task, |t| t.containers[0].health = health);
        });
    }
    // The server's clock is set back: the tasks began in what is now the future.
    house.ctx.now = house.ctx.now.minus(std::time::Duration::from_secs(60));
    house.deploy(&key, "web", 2);
    house.settle(&key);
    let kept = house.kept(&key);
    assert!(
        kept.iter().any(|task| task.key == tasks[0]),
        "the one that serves is the minimum"
    );
}

#[test]
fn a_task_that_is_asked_to_stop_lifts_no_throttle_by_growing_older() {
    let mut house = house();
    let settings = Settings {
        desired: 2,
        minimum: 0,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    house.settle(&key);
    let tasks = house.kept(&key);
    house.fail_to_start(&tasks[0].key);
    house.pass(1);
    house.report_running(&tasks[1].key, &["app"]);
    house.settle(&key);
    house.stop(&tasks[1].key.id.0, None).unwrap();
    let rounds = |house: &House| house.record(&key).primary().unwrap().throttle.rounds;
    assert_eq!(rounds(&house), 1);
    house.pass(60);
    house.settle(&key);
    assert_eq!(rounds(&house), 1);
}
