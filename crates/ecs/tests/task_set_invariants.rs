//! What must always hold of task sets, whatever happens in whatever order (design, section 8, invariants 3
//! and 4): each keeps to its share of the desired count, a step stops nothing of what is wanted or protected, it
//! does something where it can or says why not, and once faults end every set has its share and is steady.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::Stored;
use aws_api::ecs::{
    CreateServiceRequest, CreateTaskSetRequest, DeleteTaskSetRequest,
    UpdateServicePrimaryTaskSetRequest, UpdateServiceRequest, UpdateTaskSetRequest,
};
use ecs::ops;
use ecs::records::service::ServiceKey;
use ecs::records::task_set::{TaskSet, TaskSetStatus};
use ecs::records::{InstanceKey, InstanceStatus, TASKS, TaskKey, TaskRecord};
use ecs::task::status::{DesiredStatus, TaskStatus};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use support::House;
use support::fates::{Fate, Fated, View, befalls};

const CASES: u32 = 200;
const HOSTS: usize = 3;
const SETS_MAX: usize = 3;
/// As many tasks are told apart by what befalls them.
const TASKS_LEN: usize = 24;
/// Tasks count as healthy after so many seconds. Rule: API reference, `minimumHealthyPercent`.
const HEALTHY_AFTER: u64 = 40;
/// `scale`, in percent.
const SCALES: [f64; 5] = [0.0, 25.0, 33.3, 50.0, 100.0];

#[derive(Clone, Copy, Debug)]
enum Move {
    Create(u32, usize),
    Scale(usize, usize),
    Delete(usize),
    Primary(usize),
    Desired(u32),
    Task(Fated),
    Drain(usize),
    Activate(usize),
    Pass(u64),
}

fn moves() -> impl Strategy<Value = Vec<(Move, bool)>> {
    let task = |fate| befalls(fate, TASKS_LEN).prop_map(Move::Task);
    let (set, scale) = (0..SETS_MAX, 0..SCALES.len());
    let one = prop_oneof![
        3 => (1..3_u32, scale.clone()).prop_map(|(revision, scale)| Move::Create(revision, scale)),
        3 => (set.clone(), scale).prop_map(|(set, scale)| Move::Scale(set, scale)),
        1 => set.clone().prop_map(Move::Delete),
        1 => set.prop_map(Move::Primary),
        2 => (0..7_u32).prop_map(Move::Desired),
        12 => task(Fate::Runs),
        4 => task(Fate::Fails),
        3 => task(Fate::Crashes),
        8 => task(Fate::Stops),
        1 => task(Fate::UserStops),
        3 => (0..TASKS_LEN, 1..1200_u64).prop_map(|(at, seconds)| Move::Task((at, Fate::Protected(seconds)))),
        2 => (0..HOSTS).prop_map(Move::Drain),
        2 => (0..HOSTS).prop_map(Move::Activate),
        8 => prop_oneof![1..20_u64, Just(40), Just(900)].prop_map(Move::Pass),
    ];
    prop::collection::vec((one, prop::bool::weighted(0.7)), 1..50)
}

impl View {
    /// Those of a set that are not asked to stop.
    fn kept_of(&self, set: u64) -> impl Iterator<Item = &Arc<TaskRecord>> {
        let of = move |task: &&Arc<TaskRecord>| task.service.unwrap().deployment == set;
        self.kept().filter(of)
    }

    fn has_live(&self, set: u64) -> bool {
        let mut live = self.live.values();
        live.any(|task| task.service.unwrap().deployment == set)
    }

    /// Rule: API reference, Scale: a share of the desired count, rounded up; a deleted set wants nothing.
    fn wanted(&self, set: &TaskSet) -> usize {
        let scaled = u64::from(self.record.desired) * u64::from(set.scale_hundredths);
        match set.status {
            TaskSetStatus::Draining => 0,
            TaskSetStatus::Primary | TaskSetStatus::Active => scaled.div_ceil(10_000) as usize,
        }
    }
}

struct Play {
    house: House,
    key: ServiceKey,
    hosts: Vec<InstanceKey>,
}

fn input<T: aws_api::Shape>(value: Value) -> T {
    let read: Stored<T> = serde_json::from_value(value).unwrap();
    read.0
}

fn of_ext(more: Value) -> Value {
    let mut asked = json!({"cluster": "default", "service": "ext"});
    let members = asked.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    asked
}

impl Play {
    fn new(desired: u32) -> Self {
        let mut house = House::new();
        for _ in 0..2 {
            house.define_app("web", 128);
        }
        let hosts = (0..HOSTS).map(|at| house.host(&format!("h{at}"), 768, 4096));
        let hosts = hosts.collect();
        let asked: CreateServiceRequest = input(json!({"serviceName": "ext",
            "desiredCount": desired, "deploymentController": {"type": "EXTERNAL"}}));
        let made = house.write(|txn, ctx| ops::create_service::create_service(txn, ctx, &asked));
        made.unwrap();
        let key = house.service_key("ext");
        Self { house, key, hosts }
    }

    fn view(&self) -> View {
        self.house.view(&self.key)
    }

    /// A set that is not being deleted.
    fn set(&self, at: usize) -> Option<String> {
        let record = self.house.record(&self.key);
        let sets = record.task_sets.iter();
        let sets: Vec<_> = sets
            .filter(|s| s.status != TaskSetStatus::Draining)
            .collect();
        let set = sets.get(at % sets.len().max(1))?;
        Some(set.id())
    }

    /// Makes the move; where it does not wake the service, nothing has changed for it.
    fn make(&mut self, one: Move) {
        let (before, written) = (self.house.world.clone(), self.house.changes.len());
        self.happen(one);
        self.house.check_woken(&self.key, (&before, written), one);
    }

    fn happen(&mut self, one: Move) {
        match one {
            Move::Create(..) | Move::Scale(..) | Move::Delete(_) | Move::Primary(_) => {
                self.call(one);
            }
            Move::Desired(desired) => {
                let asked: UpdateServiceRequest =
                    input(json!({"service": "ext", "desiredCount": desired}));
                let updated = self
                    .house
                    .write(|txn, ctx| ops::update_service::update_service(txn, ctx, &asked));
                updated.unwrap();
            }
            Move::Drain(at) => self.set_status(at, InstanceStatus::Draining),
            Move::Activate(at) => self.set_status(at, InstanceStatus::Active),
            Move::Pass(seconds) => self.house.pass(seconds),
            Move::Task(fated) => self.house.befall(&self.key, fated),
        }
    }

    /// What the user asks of task sets.
    fn call(&mut self, one: Move) {
        let scale = |at: usize| json!({"value": SCALES[at], "unit": "PERCENT"});
        match one {
            Move::Create(revision, at)
                if self.house.record(&self.key).task_sets.len() < SETS_MAX =>
            {
                let definition = format!("web:{revision}");
                let asked: CreateTaskSetRequest = input(of_ext(
                    json!({"taskDefinition": definition, "scale": scale(at)}),
                ));
                let made = self
                    .house
                    .write(|txn, ctx| ops::create_task_set::create_task_set(txn, ctx, &asked));
                made.unwrap();
            }
            Move::Scale(set, at) => {
                if let Some(id) = self.set(set) {
                    let asked: UpdateTaskSetRequest =
                        input(of_ext(json!({"taskSet": id, "scale": scale(at)})));
                    let scaled = self
                        .house
                        .write(|txn, ctx| ops::update_task_set::update_task_set(txn, ctx, &asked));
                    scaled.unwrap();
                }
            }
            Move::Delete(set) => {
                if let Some(id) = self.set(set) {
                    let asked: DeleteTaskSetRequest =
                        input(of_ext(json!({"taskSet": id, "force": true})));
                    let deleted = self
                        .house
                        .write(|txn, ctx| ops::delete_task_set::delete_task_set(txn, ctx, &asked));
                    deleted.unwrap();
                }
            }
            Move::Primary(set) => {
                if let Some(id) = self.set(set) {
                    use ops::update_service_primary_task_set::update_service_primary_task_set;
                    let asked: UpdateServicePrimaryTaskSetRequest =
                        input(of_ext(json!({"primaryTaskSet": id})));
                    let made = self
                        .house
                        .write(|txn, ctx| update_service_primary_task_set(txn, ctx, &asked));
                    made.unwrap();
                }
            }
            _ => {}
        }
    }

    fn set_status(&mut self, at: usize, status: InstanceStatus) {
        let key = self.hosts[at].clone();
        self.house.set_status(&key, status);
    }

    fn is_protected(&self, task: &TaskRecord) -> bool {
        let until = task.protected_until;
        until.is_some_and(|until| until > self.house.ctx.now)
    }

    fn is_healthy(&self, task: &TaskRecord) -> bool {
        let since = |started| self.house.ctx.now.since(started).as_secs();
        task.last_status == TaskStatus::Running
            && task
                .times
                .started
                .is_some_and(|started| since(started) >= HEALTHY_AFTER)
    }

    /// Tasks of a set that need no replacement.
    fn good(&self, view: &View, set: u64) -> usize {
        view.kept_of(set)
            .filter(|task| !self.house.is_draining(task))
            .count()
    }

    /// One step, with what it may and may not do; whether it changed anything.
    fn step(&mut self) -> bool {
        let before = self.view();
        let outcome = self.house.step(&self.key);
        let after = self.view();
        for set in &before.record.task_sets {
            self.check_set(&before, &after, set);
        }
        let sets = &after.record.task_sets;
        let is_known = |task: &TaskRecord| {
            sets.iter()
                .any(|set| set.number == task.service.unwrap().deployment)
        };
        assert!(
            after.live.values().all(|task| is_known(task)),
            "a task of no set"
        );
        let is_there = |kind: &str| match kind.split_once(' ') {
            Some((_, id)) => sets.iter().any(|set| set.id() == id),
            None => true,
        };
        assert!(
            after.record.told.keys().all(|kind| is_there(kind)),
            "told of a set that is gone"
        );
        outcome.has_more || before != after
    }

    fn check_set(&self, before: &View, after: &View, set: &TaskSet) {
        let (id, number, wanted) = (set.id(), set.number, before.wanted(set));
        let mut left = after.record.task_sets.iter();
        match left.find(|left| left.number == number) {
            Some(left) => assert_eq!(left.status, set.status, "{id} by itself"),
            None => assert!(
                set.status == TaskSetStatus::Draining && !after.has_live(number),
                "{id} is gone"
            ),
        }
        let is_new = |task: &&Arc<TaskRecord>| !before.live.contains_key(&task.key);
        let started = after.kept_of(number).filter(is_new).count();
        let good = self.good(before, number);
        assert!(
            started == 0 || good + started <= wanted,
            "{id}: {started} were started beside {good}, {wanted} are wanted"
        );
        let is_kept = |key: &TaskKey| after.kept_of(number).any(|task| task.key == *key);
        for task in before.kept_of(number).filter(|task| !is_kept(&task.key)) {
            if self.house.is_draining(task) {
                let counting = after
                    .kept_of(number)
                    .filter(|t| self.house.is_draining(t) || self.is_healthy(t));
                let counting = counting.count();
                assert!(
                    counting >= wanted,
                    "{id}: {counting} count, {wanted} are wanted"
                );
                continue;
            }
            assert!(
                !self.is_protected(task),
                "one that is protected was stopped"
            );
            let good = self.good(after, number);
            assert!(good >= wanted, "{id}: {good} are left, {wanted} are wanted");
        }
    }

    /// With nothing happening, steps come to an end.
    fn rest(&mut self) {
        for _ in 0..60 {
            if !self.step() {
                return self.check_progress();
            }
        }
        panic!(
            "it does not come to rest: {:#?}",
            self.house.events(&self.key)
        );
    }

    /// At rest every set has its share, or there is a reason.
    fn check_progress(&self) {
        let (view, now) = (self.view(), self.house.ctx.now);
        for set in &view.record.task_sets {
            let (id, wanted) = (set.id(), view.wanted(set));
            let good = self.good(&view, set.number);
            let is_held = set.throttle.until.is_some_and(|until| until > now);
            assert!(
                good >= wanted || is_held || view.record.lacks_room,
                "{id} has {good} of {wanted}: {:#?}",
                self.house.events(&self.key)
            );
            let kept = view.kept_of(set.number);
            let protected = kept
                .filter(|t| self.is_protected(t) && !self.house.is_draining(t))
                .count();
            assert!(good <= wanted.max(protected), "{id} has {good} of {wanted}");
            let told = view.record.told.contains_key(&format!("protected {id}"));
            assert_eq!(
                told,
                protected > wanted,
                "{id}: {protected} are protected, {wanted} wanted"
            );
        }
    }

    /// Hosts do what they are told.
    fn host_turn(&mut self) {
        let all = self.house.world.scan(&TASKS);
        let held: Vec<_> = all.filter(|t| t.holds).cloned().collect();
        for task in held {
            if task.desired == DesiredStatus::Stopped {
                self.house.report_stopped(&task.key, &["app"], 143);
            } else if task.last_status == TaskStatus::Pending {
                self.house.report_running(&task.key, &["app"]);
            }
        }
    }

    /// Faults end: what is desired is reached, and nothing moves any more.
    fn check_reached(&mut self) {
        for at in 0..HOSTS {
            self.set_status(at, InstanceStatus::Active);
        }
        self.house.host("big", 4096, 8192);
        self.house.pass(1200);
        for _ in 0..60 {
            self.rest();
            self.host_turn();
            self.house.pass(40);
        }
        self.rest();
        let view = self.view();
        let mut live = 0;
        for set in &view.record.task_sets {
            let (id, wanted) = (set.id(), view.wanted(set));
            assert_ne!(
                set.status,
                TaskSetStatus::Draining,
                "{id} has nothing left to do"
            );
            assert_eq!(view.kept_of(set.number).count(), wanted, "{id}");
            assert!(view.kept_of(set.number).all(|task| self.is_healthy(task)));
            assert!(set.steady.is_some(), "{id} is as desired");
            live += wanted;
        }
        assert_eq!(view.live.len(), live, "nothing else is left");
        assert!(view.record.told.is_empty(), "{:?}", view.record.told);
        self.house.pass(3600);
        self.rest();
        assert!(self.view().live == view.live, "it moved by itself");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_task_set_keeps_to_its_share_and_reaches_it(desired in 0..7_u32, moves in moves()) {
        let mut play = Play::new(desired);
        for (one, looks) in moves {
            play.make(one);
            if looks {
                play.rest();
            } else {
                play.step();
            }
        }
        play.check_reached();
    }
}
