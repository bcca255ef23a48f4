//! How a service's Availability Zones are evened out, and what it does where they cannot be (semantics
//! 6.3, 6.10).
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::Stored;
use aws_api::ecs::PlacementConstraint;
use ecs::records::service::ServiceKey;
use ecs::records::{CONTAINER_INSTANCES, InstanceStatus, SERVICES, TASKS, TaskKey, TaskRecord};
use ecs::service::waits::Waits;
use ecs::service::wanted::{self, Wanted};
use ecs::task::status::{DesiredStatus, TaskStatus};
use proptest::prelude::*;
use std::time::Duration;
use support::services::Settings;
use support::{House, run};

const A: &str = "us-east-1a";
const B: &str = "us-east-1b";
const C: &str = "us-east-1c";
const HOUR: u64 = 3600;

fn settings(desired: u32) -> Settings {
    Settings {
        desired,
        rebalances: true,
        ..Settings::default()
    }
}

/// A steady service of so many tasks, all of them in zone `A`.
fn all_in_a(desired: u32) -> (House, ServiceKey) {
    let mut house = House::new();
    house.zoned("a", A);
    house.define_app("web", 128);
    let key = house.service("web", "web", settings(desired));
    house.until_steady(&key);
    (house, key)
}

/// Tasks of the service that are kept in each zone.
fn by_zone(house: &House, key: &ServiceKey) -> [usize; 3] {
    let kept = house.kept(key);
    let zone = |task: &TaskKey| {
        let instance = house.world.get(&TASKS, task).unwrap().instance_key();
        let instance = house.world.get(&CONTAINER_INSTANCES, &instance).unwrap();
        let zone = instance.attribute("ecs.availability-zone").flatten();
        zone.unwrap().to_owned()
    };
    let zones: Vec<String> = kept.iter().map(|task| zone(&task.key)).collect();
    [A, B, C].map(|one| zones.iter().filter(|zone| *zone == one).count())
}

fn protect(house: &mut House, task: &TaskKey, hours: u64) {
    let until = Some(house.ctx.now.plus(Duration::from_secs(hours * HOUR)));
    house.change(|txn, _| txn.update(&TASKS, task, |task| task.protected_until = until));
}

fn protect_all(house: &mut House, key: &ServiceKey, hours: u64) {
    for task in house.kept(key) {
        protect(house, &task.key, hours);
    }
}

/// Hosts work and time passes, from one moment at which the service wants to look again to the next.
fn pass(house: &mut House, key: &ServiceKey, hours: u64) {
    let end = house.ctx.now.plus(Duration::from_secs(hours * HOUR));
    while house.ctx.now < end {
        house.settle(key);
        house.play(key);
        let wake_at = house.settle(key).unwrap_or(end);
        let soon = house.ctx.now.plus(Duration::from_secs(1));
        let works = |task: &TaskRecord| {
            task.desired == DesiredStatus::Stopped || task.last_status == TaskStatus::Pending
        };
        let is_idle = !house.live(key).iter().any(|task| works(task));
        house.ctx.now = if is_idle {
            wake_at.max(soon).min(end)
        } else {
            soon
        };
    }
    house.settle(key);
}

fn told(house: &House, key: &ServiceKey, text: &str) -> usize {
    let events = house.events(key);
    events.iter().filter(|event| event.contains(text)).count()
}

fn in_the_way(house: &House, key: &ServiceKey, tasks: u32) -> String {
    let id = house.record(key).primary().unwrap().id();
    format!(
        "(service web) was unable to AZ Rebalance because (taskSet {id}) was unable to scale in due \
         to (reason {tasks} tasks under protection)"
    )
}

#[test]
fn zones_are_evened_out_one_task_after_another_each_started_before_one_stops() {
    let (mut house, key) = all_in_a(4);
    let first = house.kept(&key);
    house.zoned("b", B);
    house.settle(&key);
    assert!(house.record(&key).is_rebalancing);
    assert_eq!(house.record(&key).steady, None);
    assert_eq!(
        by_zone(&house, &key),
        [4, 1, 0],
        "one more in the poor zone"
    );
    for _ in 0..20 {
        house.play(&key);
        house.pass(40);
        house.settle(&key);
        assert!(house.kept(&key).len() >= 4);
    }
    assert_eq!(by_zone(&house, &key), [2, 2, 0]);
    assert!(!house.record(&key).is_rebalancing);
    let kept = house.kept(&key);
    let is_gone = |key: &TaskKey| kept.iter().all(|task| task.key != *key);
    let gone: Vec<_> = first.iter().filter(|task| is_gone(&task.key)).collect();
    assert_eq!(gone.len(), 2);
    let id = house.record(&key).primary().unwrap().id();
    for task in &gone {
        let stop = house.world.get(&TASKS, &task.key).unwrap().stop.clone();
        let stop = stop.unwrap();
        let reason = format!("Availability-zone rebalancing initiated by (deployment {id})");
        assert_eq!(stop.text, reason);
        assert_eq!(stop.code.name(), "ServiceSchedulerInitiated");
        let id = &task.key.id.0;
        let text = format!(
            "(service web) has stopped 1 running tasks in {A} due to AZ rebalancing: (task {id})."
        );
        assert_eq!(told(&house, &key, &text), 1, "{:#?}", house.events(&key));
    }
    for (text, times) in [
        (
            "(service web) has started 1 tasks in us-east-1b to AZ Rebalance: (task ",
            2,
        ),
        (
            "(service web) is not AZ balanced with 4 tasks in us-east-1a, 0 tasks in us-east-1b. \
             AZ Rebalancing in progress.",
            1,
        ),
        (
            "(service web) is AZ balanced with 2 tasks in us-east-1a, 2 tasks in us-east-1b.",
            1,
        ),
        ("has stopped 1 running tasks: ", 0),
    ] {
        assert_eq!(told(&house, &key, text), times, "{text}");
    }
}

#[test]
fn nothing_moves_where_all_tasks_of_the_rich_zone_are_protected_until_one_is_not() {
    let (mut house, key) = all_in_a(4);
    protect_all(&mut house, &key, 24);
    house.zoned("b", B);
    let steady = house.record(&key).steady;
    pass(&mut house, &key, 5);
    assert_eq!(by_zone(&house, &key), [4, 0, 0]);
    assert_eq!(house.record(&key).steady, steady, "it is as desired");
    let text = in_the_way(&house, &key, 4);
    assert_eq!(told(&house, &key, &text), 1, "{:#?}", house.events(&key));
    assert_eq!(told(&house, &key, "to AZ Rebalance: "), 0);
    let one = house.kept(&key)[0].key.clone();
    house.change(|txn, _| txn.update(&TASKS, &one, |task| task.protected_until = None));
    pass(&mut house, &key, 1);
    assert_eq!(by_zone(&house, &key), [3, 1, 0], "as far as it goes");
    assert!(house.kept(&key).iter().all(|task| task.key != one));
    pass(&mut house, &key, 24);
    assert_eq!(by_zone(&house, &key), [2, 2, 0]);
    assert!(house.record(&key).told.is_empty());
}

#[test]
fn what_was_started_in_the_poor_zone_stays_when_the_others_become_protected() {
    let (mut house, key) = all_in_a(2);
    house.zoned("b", B);
    house.settle(&key);
    assert_eq!(by_zone(&house, &key), [2, 1, 0]);
    let in_a = house.kept(&key);
    let in_a = in_a.iter().filter(|task| task.times.started.is_some());
    for task in in_a.cloned().collect::<Vec<_>>() {
        protect(&mut house, &task.key, 12);
    }
    pass(&mut house, &key, 3);
    assert_eq!(by_zone(&house, &key), [2, 1, 0]);
    let text = in_the_way(&house, &key, 2);
    assert_eq!(told(&house, &key, &text), 1, "{:#?}", house.events(&key));
    pass(&mut house, &key, 10);
    assert_eq!(by_zone(&house, &key), [1, 1, 0]);
    assert_eq!(
        told(&house, &key, "has stopped 1 running tasks in us-east-1a"),
        1
    );
    assert!(house.record(&key).steady.is_some() && house.record(&key).told.is_empty());
}

#[test]
fn a_smaller_desired_count_is_kept_also_while_zones_are_evened_out() {
    let (mut house, key) = all_in_a(4);
    house.zoned("b", B);
    house.settle(&key);
    house.play(&key);
    protect_all(&mut house, &key, 1);
    let young = house.kept(&key);
    let young = young.iter().max_by_key(|task| task.times.started).unwrap();
    let young = young.key.clone();
    house.change(|txn, _| txn.update(&TASKS, &young, |task| task.protected_until = None));
    house.edit(&key, |service| service.desired = 1);
    house.settle(&key);
    assert_eq!(by_zone(&house, &key), [4, 0, 0], "what may go goes");
    pass(&mut house, &key, 2);
    assert_eq!(by_zone(&house, &key), [1, 0, 0]);
}

/// Why a zone with an instance takes no task.
#[derive(Clone, Copy, Debug)]
enum Refuses {
    /// A constraint that only the other zone's instances meet.
    Constraint,
    /// Each task on an instance of its own; the other zone has more instances.
    Distinct,
    /// No CPU units are left.
    Full,
}

/// A steady service of four tasks, three or four of which are in zone `A`.
fn refused(why: Refuses) -> (House, ServiceKey) {
    let mut house = House::new();
    for name in ["a1", "a2", "a3"] {
        house.zoned(name, A);
    }
    house.define_app("web", 128);
    house.define_app("filler", 2048);
    house.zoned("b", B);
    if let Refuses::Full = why {
        // Fills one instance whole; which one does not matter until the zones are named.
        let task = house
            .run(run("filler", 1))
            .unwrap()
            .tasks
            .unwrap()
            .remove(0);
        let full = task.container_instance_arn.unwrap();
        let all: Vec<_> = house.world.scan(&CONTAINER_INSTANCES).cloned().collect();
        for instance in all {
            let zone = if instance.key.arn() == full { B } else { A };
            house.change(|txn, _| {
                txn.update(&CONTAINER_INSTANCES, &instance.key, |i| {
                    let mut zones = i.attributes.iter_mut();
                    let is_zone = |a: &&mut ecs::records::container_instance::AttributeRecord| {
                        a.name == "ecs.availability-zone"
                    };
                    zones.find(is_zone).unwrap().value = Some(zone.into());
                })
            });
        }
    }
    let key = house.service("web", "web", settings(4));
    let constraint = match why {
        Refuses::Constraint => Some((
            "memberOf",
            Some("attribute:ecs.availability-zone == us-east-1a"),
        )),
        Refuses::Distinct => Some(("distinctInstance", None)),
        Refuses::Full => None,
    };
    if let Some((kind, expression)) = constraint {
        let constraint = Stored(PlacementConstraint {
            r#type: Some(kind.into()),
            expression: expression.map(Into::into),
        });
        house.edit(&key, |service| service.constraints.push(constraint));
    }
    house.until_steady(&key);
    (house, key)
}

#[test]
fn a_zone_that_takes_no_task_is_told_of_once_in_six_hours_and_the_service_stays_steady() {
    for why in [Refuses::Constraint, Refuses::Distinct, Refuses::Full] {
        let (mut house, key) = refused(why);
        let in_b = usize::from(matches!(why, Refuses::Distinct));
        assert_eq!(by_zone(&house, &key), [4 - in_b, in_b, 0], "{why:?}");
        pass(&mut house, &key, 13);
        assert_eq!(by_zone(&house, &key), [4 - in_b, in_b, 0], "{why:?}");
        let text = "(service web) is unable to place a task in us-east-1b because no container \
                    instance met all of its requirements.";
        for (text, times) in [
            (text, 3),
            ("has reached a steady state.", 3),
            ("has started", 1),
            ("deployment completed.", 1),
        ] {
            let events = house.events(&key);
            assert_eq!(
                told(&house, &key, text),
                times,
                "{why:?}: {text} {events:#?}"
            );
        }
        assert_eq!(house.record(&key).last_event, 8, "and nothing else");
        let after = house.record(&key).unevened.clone().unwrap().after;
        assert!(after > house.ctx.now, "{why:?}");
        assert!(
            after <= house.ctx.now.plus(Waits::AWS.even_out_max),
            "{why:?}"
        );
        assert!(house.record(&key).steady.is_some() && !house.record(&key).is_rebalancing);
        house.edit(&key, |service| service.constraints.clear());
        house.zoned("b2", B);
        pass(&mut house, &key, 1);
        assert_eq!(by_zone(&house, &key), [2, 2, 0], "{why:?}: when it does");
        assert!(house.record(&key).told.is_empty(), "{why:?}");
        assert_eq!(house.record(&key).unevened, None, "{why:?}");
    }
}

/// The seconds from one try that finds no place to the next, and to how many writes of the service they came: as
/// many tries as asked for, with nothing else happening.
fn waits(house: &mut House, key: &ServiceKey, tries: usize) -> (Vec<u64>, usize) {
    let (mut waits, mut writes) = (Vec::new(), 0);
    for _ in 0..tries {
        let written = house.changes.len();
        let wake_at = house.settle(key).unwrap();
        writes += house.changes.len() - written;
        waits.push(wake_at.since(house.ctx.now).as_secs());
        house.ctx.now = wake_at;
    }
    (waits, writes)
}

#[test]
fn the_zone_that_takes_no_task_is_asked_less_and_less_and_each_try_is_one_write() {
    for why in [Refuses::Constraint, Refuses::Distinct, Refuses::Full] {
        let (mut house, key) = refused(why);
        house.settle(&key);
        house.ctx.now = house.record(&key).unevened.clone().unwrap().after;
        let (waits, writes) = waits(&mut house, &key, 6);
        assert_eq!(waits, [30, 60, 120, 240, 240, 240], "{why:?}");
        assert_eq!(writes, 6, "{why:?}");
        // Whatever wakes it in between, nothing is written.
        let written = house.changes.len();
        let wake_at = house.settle(&key);
        house.pass(1);
        assert_eq!(house.settle(&key), wake_at, "{why:?}");
        assert_eq!(
            house.changes.len() - written,
            1,
            "{why:?}: the try that was due"
        );
    }
}

/// Something that may let a task into the zone.
type Change = fn(&mut House, &ServiceKey);

#[test]
fn what_may_let_a_task_in_is_tried_at_once_and_waited_for_from_the_first_again() {
    let more_instances: Change = |house, _| {
        let small = house.zoned("b2", B);
        house.change(|txn, _| {
            txn.update(&CONTAINER_INSTANCES, &small, |i| {
                i.registered.cpu_units = 64;
            })
        });
    };
    let more_room: Change = |house, key| {
        let group = key.group();
        let all: Vec<_> = house.world.scan(&TASKS).cloned().collect();
        let filler = all.iter().find(|task| task.group != group).unwrap();
        house.report_stopped(&filler.key, &["app"], 0);
    };
    let updated: Change = |house, key| {
        let key = key.clone();
        house.change(|txn, ctx| {
            let mut record = txn.get(&SERVICES, &key).unwrap().as_ref().clone();
            wanted::want(txn, ctx, &mut record, Wanted::default());
            txn.put(&SERVICES, record);
        });
    };
    for (name, change, gets_in) in [
        ("an instance", more_instances, false),
        ("a task that ends", more_room, true),
        ("an update", updated, false),
    ] {
        let (mut house, key) = refused(Refuses::Full);
        waits(&mut house, &key, 5);
        house.settle(&key);
        house.pass(1);
        let written = house.changes.len();
        change(&mut house, &key);
        assert!(
            house.concerned_since(written).contains(&key),
            "{name} wakes it"
        );
        let wake_at = house.settle(&key);
        if gets_in {
            assert_eq!(by_zone(&house, &key), [4, 1, 0], "{name}: at once");
            continue;
        }
        assert_eq!(by_zone(&house, &key), [4, 0, 0], "{name}");
        let again = wake_at.unwrap().since(house.ctx.now);
        assert_eq!(
            again,
            Waits::AWS.place_again,
            "{name}: from the first again"
        );
    }
}

#[test]
fn the_next_poorer_zone_gets_the_task_that_the_poorest_does_not_take() {
    let (mut house, key) = refused(Refuses::Full);
    house.zoned("c", C);
    pass(&mut house, &key, 1);
    assert_eq!(by_zone(&house, &key), [2, 0, 2]);
    assert_eq!(
        told(&house, &key, "is unable to place a task in us-east-1b"),
        1
    );
    assert_eq!(
        told(&house, &key, "is unable to place a task in us-east-1c"),
        0
    );
    assert!(!house.record(&key).is_rebalancing);
    assert_eq!(
        told(&house, &key, "(service web) stopped AZ Rebalancing."),
        1
    );
}

#[test]
fn tasks_that_fail_in_the_poor_zone_are_held_back_longer_and_longer() {
    let (mut house, key) = all_in_a(4);
    house.zoned("b", B);
    let end = house.ctx.now.plus(Duration::from_secs(HOUR));
    let mut failed = 0;
    while house.ctx.now < end {
        let wake_at = house.settle(&key).unwrap_or(end);
        let kept = house.kept(&key);
        let young = kept.iter().find(|task| task.times.started.is_none());
        let Some(young) = young else {
            house.ctx.now = wake_at;
            continue;
        };
        house.fail_to_start(&young.key);
        failed += 1;
    }
    assert!((5..12).contains(&failed), "{failed} within an hour");
    assert_eq!(by_zone(&house, &key), [4, 0, 0]);
    assert_eq!(
        told(&house, &key, "is unable to consistently start tasks"),
        1
    );
}

#[test]
fn a_service_that_is_to_even_out_no_zones_any_more_says_so() {
    let (mut house, key) = all_in_a(4);
    house.zoned("b", B);
    house.settle(&key);
    house.edit(&key, |service| service.rebalances_zones = false);
    pass(&mut house, &key, 1);
    assert_eq!(
        told(&house, &key, "(service web) stopped AZ Rebalancing."),
        1
    );
    assert_eq!(house.kept(&key).len(), 4);
    assert!(!house.record(&key).is_rebalancing && house.record(&key).steady.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is protected and whichever zones take tasks: it comes to rest, and stays so.
    #[test]
    fn a_service_whose_zones_cannot_all_be_even_comes_to_rest(
        desired in 1..8_u32,
        protected in any::<u8>(),
        zones in prop::collection::vec((0..3_usize, any::<bool>(), any::<bool>()), 1..4),
        distinct in any::<bool>(),
    ) {
        let (mut house, key) = all_in_a(desired);
        for (at, task) in house.kept(&key).into_iter().enumerate() {
            if protected & (1 << at) != 0 {
                protect(&mut house, &task.key, 100);
            }
        }
        if distinct {
            house.edit(&key, |service| service.constraints.push(Stored(PlacementConstraint {
                r#type: Some("distinctInstance".into()),
                expression: None,
            })));
        }
        for (at, (zone, is_full, drains)) in zones.into_iter().enumerate() {
            let host = house.zoned(&format!("h{at}"), [A, B, C][zone]);
            house.change(|txn, _| txn.update(&CONTAINER_INSTANCES, &host, |i| {
                if is_full {
                    i.registered.cpu_units = 100;
                }
                if drains {
                    i.status = InstanceStatus::Draining;
                }
            }));
        }
        pass(&mut house, &key, 1);
        let (kept, before) = (house.kept(&key), house.record(&key));
        let ids = |kept: &[std::sync::Arc<TaskRecord>]| -> Vec<TaskKey> {
            kept.iter().map(|task| task.key.clone()).collect()
        };
        pass(&mut house, &key, 7);
        prop_assert_eq!(ids(&kept), ids(&house.kept(&key)), "{:#?}", house.events(&key));
        let news = house.record(&key).last_event - before.last_event;
        // Once in six hours each: that it is steady, and what is in the way of two zones or of protected tasks.
        prop_assert!(news <= 2 * 4, "{} events: {:#?}", news, house.events(&key));
        let is_steady = house.record(&key).steady.is_some();
        prop_assert!(is_steady && kept.len() == desired as usize, "{:#?}", house.events(&key));
    }
}
