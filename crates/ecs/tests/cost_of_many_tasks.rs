//! What a call costs does not grow with the tasks there are: rows visited, not time. And the sums
//! that make it so agree with a plain count.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::*;
use ecs::cluster::{self, Counts};
use ecs::instance::load;
use ecs::ops;
use ecs::place::problem;
use ecs::records::task_definition::TASK_DEFINITIONS;
use ecs::records::{
    CLUSTERS, CONTAINER_INSTANCES, InstanceKey, InstanceStatus, TASKS, TaskId, TaskRecord,
};
use ecs::task::status::{DesiredStatus, TaskStatus};
use ecs::task::{delivery, retention};
use proptest::prelude::*;
use std::time::Duration;
use store::{World, visited};
use support::{House, container, port, run};

/// More than any bound below, and more than a page or a sweep.
const MANY: usize = 2_000;

/// A cluster of one large host with many tasks, every second of them stopped long ago.
fn crowded() -> (House, InstanceKey) {
    let mut house = House::new();
    let host = house.host("large", 1_000_000, 1_000_000);
    house.define("small", vec![container("app", 1, 6)]);
    let first = house.run_all("small", 1).remove(0);
    house.deliver(&host);
    house.report_running(&first, &["app"]);
    let model = house.world.get(&TASKS, &first).unwrap().as_ref().clone();
    house.change(|txn, ctx| {
        for n in 0..MANY {
            let mut task = TaskRecord::clone(&model);
            task.key.id = TaskId(format!("{n:032x}"));
            task.started_by = Some("batch".into());
            if n % 2 == 0 {
                task.last_status = TaskStatus::Stopped;
                task.desired = DesiredStatus::Stopped;
                task.holds = false;
                task.times.stopped = Some(ctx.now);
            }
            txn.put(&TASKS, task);
        }
    });
    (house, host)
}

/// The rows that a call goes through.
fn cost<T>(with: impl FnOnce() -> T) -> u64 {
    visited(with).1
}

#[test]
fn clusters_and_instances_are_counted_without_a_look_at_their_tasks() {
    let (mut house, host) = crowded();
    let world = house.world.clone();
    let described = cost(|| {
        let include = Some(vec!["STATISTICS".into()]);
        let input = DescribeClustersRequest {
            include,
            ..Default::default()
        };
        let answer =
            ops::describe_clusters::describe_clusters(&world, &mut house.ctx, &input).unwrap();
        let shown = answer.clusters.unwrap().remove(0);
        assert_eq!(shown.running_tasks_count, Some(MANY as i32 / 2 + 1));
    });
    assert!(described <= 10, "{described} rows");
    let described = cost(|| {
        let shown = house.instance(&host);
        assert_eq!(shown.running_tasks_count, Some(MANY as i32 / 2 + 1));
    });
    assert!(described <= 10, "{described} rows");
    let refused = cost(|| {
        let input = DeregisterContainerInstanceRequest {
            container_instance: Some(host.id.0.clone()),
            ..Default::default()
        };
        let refused = house.write(|txn, ctx| {
            ops::deregister_container_instance::deregister_container_instance(txn, ctx, &input)
        });
        assert_eq!(
            refused.unwrap_err().message(),
            "Found running tasks on the instance."
        );
    });
    assert!(refused <= 10, "{refused} rows");
}

#[test]
fn a_task_is_placed_and_delivered_without_a_look_at_the_others() {
    let (mut house, host) = crowded();
    let placed = cost(|| house.run_all("small", 5));
    assert!(placed <= 100, "{placed} rows");
    let sent = cost(|| assert_eq!(delivery::undelivered(&house.world, &host, &[]).len(), 5));
    assert!(sent <= 20, "{sent} rows");
    house.run_all("small", 10);
    house.run_all("small", 10);
    let sent = cost(|| assert_eq!(delivery::undelivered(&house.world, &host, &[]).len(), 10));
    assert!(sent <= 40, "{sent} rows: no more than one payload takes");
}

#[test]
fn a_page_of_a_listing_visits_little_more_than_it_shows() {
    let (mut house, host) = crowded();
    let world = house.world.clone();
    let text = |text: &str| Some(text.to_owned());
    let filters = [
        ListTasksRequest::default(),
        ListTasksRequest {
            family: text("small"),
            ..Default::default()
        },
        ListTasksRequest {
            started_by: text("batch"),
            ..Default::default()
        },
        ListTasksRequest {
            desired_status: text("STOPPED"),
            ..Default::default()
        },
        ListTasksRequest {
            family: text("small"),
            desired_status: text("STOPPED"),
            ..Default::default()
        },
    ];
    for filter in filters {
        let (mut token, mut shown) = (None, Vec::new());
        loop {
            let input = ListTasksRequest {
                next_token: token,
                ..filter.clone()
            };
            let (answer, rows) =
                visited(|| ops::list_tasks::list_tasks(&world, &mut house.ctx, &input).unwrap());
            assert!(rows <= 110, "{rows} rows for {input:?}");
            shown.extend(answer.task_arns.unwrap());
            token = answer.next_token;
            if token.is_none() {
                break;
            }
        }
        assert!(shown.len() >= MANY / 2, "{} of {filter:?}", shown.len());
        assert!(shown.is_sorted());
    }
    let of_instance = ListTasksRequest {
        container_instance: Some(host.id.0.clone()),
        max_results: Some(10),
        ..Default::default()
    };
    let listed = ops::list_tasks::list_tasks(&world, &mut house.ctx, &of_instance).unwrap();
    assert_eq!(listed.task_arns.unwrap().len(), 10);
}

#[test]
fn a_sweep_with_nothing_due_visits_one_task() {
    let (house, _) = crowded();
    let keep = Duration::from_secs(3600);
    let swept = cost(|| assert!(retention::expired(&house.world, house.ctx.now, keep).is_empty()));
    assert_eq!(swept, 1);
}

#[test]
fn revisions_are_deregistered_without_a_search_but_for_the_latest() {
    let mut house = House::new();
    for _ in 0..100 {
        house.define("many", vec![container("app", 1, 6)]);
    }
    let deregister = |house: &mut House, revision: u32| {
        let input = DeregisterTaskDefinitionRequest {
            task_definition: Some(format!("many:{revision}")),
        };
        let answer = house.write(|txn, ctx| {
            ops::deregister_task_definition::deregister_task_definition(txn, ctx, &input)
        });
        answer.unwrap();
    };
    let latest = |house: &House| {
        let found = ecs::task_definition::name::find(&house.world, &house.ctx.scope, "many");
        found.map(|record| record.revision)
    };
    for revision in 1..=98 {
        let rows = cost(|| deregister(&mut house, revision));
        assert!(rows <= 10, "{rows} rows for revision {revision}");
        assert_eq!(latest(&house), Some(100));
    }
    deregister(&mut house, 100);
    assert_eq!(latest(&house), Some(99));
    deregister(&mut house, 99);
    assert_eq!(latest(&house), None);
    assert_eq!(house.world.count(&TASK_DEFINITIONS), 100);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Run { family: usize, count: i32 },
    Stop { task: usize },
    Report { task: usize, running: bool },
    Away,
    Lost,
    Deregister,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        4 => (0usize..3, 1i32..5).prop_map(|(family, count)| Step::Run { family, count }),
        2 => (0usize..30).prop_map(|task| Step::Stop { task }),
        5 => (0usize..30, any::<bool>()).prop_map(|(task, running)| Step::Report { task, running }),
        1 => Just(Step::Away),
        1 => Just(Step::Lost),
        1 => Just(Step::Deregister),
    ];
    prop::collection::vec(one, 1..30)
}

/// The counts by looking at every task and instance.
fn plain_counts(world: &World) -> Counts {
    let mut counts = Counts::default();
    for task in world.scan(&TASKS) {
        let runs = task.last_status == TaskStatus::Running;
        counts.running += i32::from(runs && task.desired == DesiredStatus::Running);
        counts.pending += i32::from(task.last_status.counts_as_pending());
        counts.unfinished += i32::from(task.last_status != TaskStatus::Stopped);
    }
    let instances = world.scan(&CONTAINER_INSTANCES);
    counts.instances = instances
        .map(|i| i32::from(i.status != InstanceStatus::Inactive))
        .sum();
    counts
}

fn check(world: &World, host: &InstanceKey) -> Result<(), TestCaseError> {
    let cluster = world.scan(&CLUSTERS).next().unwrap();
    prop_assert_eq!(cluster::counts(world, cluster), plain_counts(world));
    let instance = world.get(&CONTAINER_INSTANCES, host).unwrap();
    let found = load::of(world, instance);
    let mut expected = load::Load {
        free: problem::Free {
            cpu_units: instance.registered.cpu_units,
            memory_mib: instance.registered.memory_mib,
            gpus: Vec::new(),
            interfaces: u32::MAX,
            tcp_used: instance.registered.tcp.iter().copied().collect(),
            udp_used: instance.registered.udp.iter().copied().collect(),
        },
        running: 0,
        pending: 0,
        held: 0,
        unconfirmed: 0,
    };
    let mut of_small = 0;
    let held = world
        .scan(&TASKS)
        .filter(|task| task.holds && task.instance == host.id);
    for task in held {
        expected.free.cpu_units -= task.reserved.cpu_units;
        expected.free.memory_mib -= task.reserved.memory_mib;
        expected.free.tcp_used.extend(&task.reserved.tcp);
        expected.held += 1;
        expected.unconfirmed += u32::from(task.last_status == TaskStatus::Stopped);
        expected.pending += u32::from(task.last_status.counts_as_pending());
        let runs = task.last_status == TaskStatus::Running;
        expected.running += u32::from(runs && task.desired == DesiredStatus::Running);
        let is_active = task.desired == DesiredStatus::Running;
        of_small += u32::from(is_active && task.group == "family:small");
    }
    prop_assert_eq!(found, expected);
    prop_assert_eq!(load::of_group(world, host, "family:small"), of_small);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn sums_agree_with_a_plain_count(steps in steps()) {
        use ecs::instance::life;
        let mut house = House::new();
        let host = house.host("h", 500, 1000);
        house.define("small", vec![container("app", 60, 50)]);
        house.define("large", vec![container("app", 200, 300)]);
        let mapped = ContainerDefinition {
            port_mappings: Some(vec![port(80, 8080)]),
            ..container("app", 10, 10)
        };
        house.define("port", vec![mapped]);
        let mut tasks = Vec::new();
        for step in steps {
            house.pass(1);
            match step {
                Step::Run { family, count } => {
                    let asked = run(["small", "large", "port"][family], count);
                    let _ = house.run(asked);
                    tasks = house.world.scan(&TASKS).map(|task| task.key.clone()).collect();
                }
                Step::Stop { task } if !tasks.is_empty() => {
                    let key = &tasks[task % tasks.len()];
                    house.stop(&key.id.0.clone(), None).unwrap();
                }
                Step::Report { task, running } if !tasks.is_empty() => {
                    let key = tasks[task % tasks.len()].clone();
                    match running {
                        true => house.report_running(&key, &["app"]),
                        false => house.report_stopped(&key, &["app"], 0),
                    }
                }
                Step::Stop { .. } | Step::Report { .. } => {}
                Step::Away => house.change(|txn, ctx| life::disconnected(txn, ctx, &host)),
                Step::Lost => {
                    let _ = house.change(|txn, ctx| life::lost(txn, ctx, &host, 2));
                }
                Step::Deregister => {
                    house.change(|txn, ctx| life::deregister(txn, ctx, &host));
                    let _ = house.change(|txn, ctx| life::orphan(txn, ctx, &host, 3));
                }
            }
            check(&house.world, &host)?;
        }
        // The same after a restart: sums are made anew from the rows.
        let mut loaded = World::empty(house.world.schema());
        for (table, key, bytes) in house.world.encoded_rows() {
            loaded.put_encoded(table, &key, &bytes).unwrap();
        }
        check(&loaded, &host)?;
    }
}
