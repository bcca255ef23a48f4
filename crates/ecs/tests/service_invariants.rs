//! What must always hold of a service, whatever happens in whatever order (design, section 8,
//! invariant 3): a step starts nothing above the maximum and stops nothing below the minimum; it
//! does something where it can; what gives it something to do wakes it; with nothing happening it comes to rest; and once faults end, what is
//! desired is there and stays.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::{Attribute, StopServiceDeploymentRequest};
use aws_types::Timestamp;
use ecs::instance::life;
use ecs::ops;
use ecs::records::deployment_stage::{Stage, Staged};
use ecs::records::service::{Rollout, Scheduling, ServiceKey, Workload};
use ecs::records::service_deployment::ServiceDeploymentKey;
use ecs::records::{
    CONTAINER_INSTANCES, InstanceKey, InstanceStatus, SERVICES, TASKS, TaskKey, TaskRecord,
};
use ecs::service::wanted::{self, Wanted};
use ecs::task::health::HealthStatus;
use ecs::task::status::{DesiredStatus, TaskStatus};
use proptest::prelude::*;
use std::sync::Arc;
use support::fates::{Fate, Fated, View, befalls};
use support::services::{Deploys, Settings};
use support::{House, registration};

const CASES: u32 = 200;
const HOSTS: usize = 4;
const HOSTS_MAX: usize = 6;
/// As many tasks are told apart by what befalls them.
const TASKS_LEN: usize = 24;
/// Tasks without a health check count as healthy after so many seconds. Rule: API reference,
/// `minimumHealthyPercent`.
const HEALTHY_AFTER: u64 = 40;
/// What a service may be made from: (family, revision).
const WORKLOADS: [(&str, u32); 4] = [("web", 1), ("web", 2), ("checked", 1), ("checked", 2)];
/// `minimumHealthyPercent` and `maximumPercent` of a REPLICA.
const LIMITS: [(i32, i32); 9] = [
    (100, 200),
    (100, 150),
    (100, 125),
    (50, 200),
    (50, 100),
    (75, 120),
    (34, 134),
    (0, 100),
    (100, 100),
];
/// `healthCheckGracePeriodSeconds`.
const GRACES: [u32; 4] = [0, 0, 30, 600];
/// How its deployments go: every strategy, with and without a wait between its steps, and early success.
const DEPLOYS: [Deploys; 9] = [
    Deploys::ROLLING,
    deploys("ROLLING", 1, None),
    deploys("ROLLING", 0, Some((50, "BLOCKING"))),
    deploys("ROLLING", 1, Some((60, "DEFERRED"))),
    deploys("BLUE_GREEN", 0, None),
    deploys("BLUE_GREEN", 1, None),
    deploys("LINEAR", 0, None),
    deploys("LINEAR", 1, None),
    deploys("CANARY", 1, None),
];
/// `minimumHealthyPercent` of a DAEMON, whose maximum is 100.
const DAEMON_MINIMA: [i32; 5] = [0, 25, 50, 75, 100];

const fn deploys(
    strategy: &'static str,
    bake_minutes: i32,
    early: Option<(i32, &'static str)>,
) -> Deploys {
    Deploys {
        strategy,
        bake_minutes,
        early,
    }
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Deploy(usize),
    Force,
    Scale(u32),
    /// StopServiceDeployment, to roll back or to leave everything.
    StopDeployment(bool),
    Task(Fated),
    Health(usize, bool),
    Drain(usize),
    Activate(usize),
    Away(usize),
    Lost(usize),
    Back(usize),
    Add,
    Pass(u64),
    /// A task of nobody's service comes onto some instance, or goes.
    Neighbour(bool),
}

fn moves() -> impl Strategy<Value = Vec<(Move, bool)>> {
    let task = |fate| befalls(fate, TASKS_LEN).prop_map(Move::Task);
    let host = 0..HOSTS_MAX;
    let one = prop_oneof![
        3 => (0..WORKLOADS.len()).prop_map(Move::Deploy),
        1 => Just(Move::Force),
        3 => (0..8_u32).prop_map(Move::Scale),
        1 => prop::bool::weighted(0.6).prop_map(Move::StopDeployment),
        12 => task(Fate::Runs),
        4 => task(Fate::Fails),
        4 => task(Fate::Crashes),
        6 => (0..TASKS_LEN, prop::bool::weighted(0.6)).prop_map(|(at, good)| Move::Health(at, good)),
        8 => task(Fate::Stops),
        1 => task(Fate::UserStops),
        2 => host.clone().prop_map(Move::Drain),
        2 => host.clone().prop_map(Move::Activate),
        2 => host.clone().prop_map(Move::Away),
        1 => host.clone().prop_map(Move::Lost),
        3 => host.prop_map(Move::Back),
        1 => Just(Move::Add),
        2 => (0..TASKS_LEN, 1..1200_u64).prop_map(|(at, seconds)| Move::Task((at, Fate::Protected(seconds)))),
        8 => prop_oneof![1..20_u64, Just(40), Just(900)].prop_map(Move::Pass),
        1 => any::<bool>().prop_map(Move::Neighbour),
    ];
    prop::collection::vec((one, prop::bool::weighted(0.7)), 1..50)
}

fn replicas() -> impl Strategy<Value = Settings> {
    let breaker = prop_oneof![3 => Just(None), 1 => Just(Some(false)), 1 => Just(Some(true))];
    let limits = prop::sample::select(&LIMITS[..]);
    let grace = prop::sample::select(&GRACES[..]);
    let deploys = prop_oneof![
        2 => Just(Deploys::ROLLING),
        3 => prop::sample::select(&DEPLOYS[..]),
    ];
    (0..7_u32, limits, breaker, any::<bool>(), grace, deploys).prop_map(
        |(desired, (minimum, maximum), breaker, rebalances, grace, deploys)| Settings {
            desired,
            minimum,
            maximum,
            scheduling: Scheduling::Replica,
            breaker,
            rebalances,
            grace,
            deploys,
        },
    )
}

fn daemons() -> impl Strategy<Value = Settings> {
    let minima = prop::sample::select(&DAEMON_MINIMA[..]);
    (minima, prop::sample::select(&GRACES[..])).prop_map(|(minimum, grace)| Settings {
        desired: 0,
        minimum,
        maximum: 100,
        scheduling: Scheduling::Daemon,
        breaker: None,
        rebalances: false,
        grace,
        deploys: Deploys::ROLLING,
    })
}

impl View {
    /// The stage of the PRIMARY while it keeps blue.
    fn kept_beside(&self) -> Option<&Staged> {
        let primary = self.record.primary()?;
        let staged = primary.staged.as_ref()?;
        (primary.rollout == Rollout::InProgress && staged.keeps_blue()).then_some(staged)
    }
}

fn fails_checks(task: &TaskRecord) -> bool {
    let is_sick = |c: &ecs::records::task::ContainerRecord| c.health == HealthStatus::Unhealthy;
    task.last_status == TaskStatus::Running && task.containers.iter().any(is_sick)
}

struct Play {
    house: House,
    key: ServiceKey,
    with: Settings,
    hosts: Vec<InstanceKey>,
    /// When the last step wanted to look again.
    wake_at: Option<Timestamp>,
}

impl Play {
    fn new(with: Settings) -> Self {
        let mut house = House::new();
        for _ in 0..2 {
            house.define_app("web", 128);
            house.define_checked("checked");
        }
        let mut play = Self {
            key: house.service_key("svc"),
            house,
            with,
            hosts: Vec::new(),
            wake_at: None,
        };
        for _ in 0..HOSTS {
            play.add_host(768);
        }
        play.key = play.house.service("svc", "web", with);
        play
    }

    fn add_host(&mut self, cpu: i32) {
        let at = self.hosts.len();
        let mut input = registration(cpu, 4096);
        let more = [
            ("ecs.capability.container-health-check", None),
            ("com.amazonaws.ecs.capability.docker-remote-api.1.24", None),
            ("ecs.availability-zone", Some(["a", "b"][at % 2])),
        ];
        let attribute = |(name, value): (&str, Option<&str>)| Attribute {
            name: Some(name.into()),
            value: value.map(Into::into),
            ..Attribute::default()
        };
        let attributes = input.attributes.get_or_insert_default();
        attributes.extend(more.map(attribute));
        let key = self.house.register_with(&format!("h{at}"), input);
        self.connect(&key);
        self.hosts.push(key);
    }

    fn connect(&mut self, key: &InstanceKey) {
        let versions = life::SessionVersions::default();
        self.house
            .change(|txn, _| life::connected(txn, key, &versions));
    }

    fn want(&mut self, wanted: Wanted) {
        let key = self.key.clone();
        self.house.change(|txn, ctx| {
            let mut record = txn.get(&SERVICES, &key).unwrap().as_ref().clone();
            wanted::want(txn, ctx, &mut record, wanted);
            txn.put(&SERVICES, record);
        });
    }

    fn deploy(&mut self, (family, revision): (&str, u32)) {
        let workload = Workload {
            family: family.into(),
            revision,
            launch_type: "EC2".into(),
            capacity_provider_strategy: Vec::new(),
            platform_version: None,
            network: None,
            registries: Vec::new(),
            load_balancers: Vec::new(),
            connect: None,
        };
        self.want(Wanted {
            workload: Some(workload),
            ..Wanted::default()
        });
    }

    fn view(&self) -> View {
        self.house.view(&self.key)
    }

    fn host(&self, at: usize) -> InstanceKey {
        self.hosts[at % self.hosts.len()].clone()
    }

    /// Makes the move; where it does not wake the service, nothing has changed for it.
    fn make(&mut self, one: Move) {
        let (before, written) = (self.house.world.clone(), self.house.changes.len());
        self.happen(one);
        self.house.check_woken(&self.key, (&before, written), one);
    }

    fn happen(&mut self, one: Move) {
        match one {
            Move::Deploy(which) => self.deploy(WORKLOADS[which]),
            Move::Force => self.want(Wanted {
                force: true,
                ..Wanted::default()
            }),
            Move::Scale(desired) => {
                if self.with.scheduling == Scheduling::Replica {
                    let desired = Some(desired);
                    self.want(Wanted {
                        desired,
                        ..Wanted::default()
                    });
                }
            }
            Move::StopDeployment(rolls_back) => self.stop_deployment(rolls_back),
            Move::Task(fated) => self.house.befall(&self.key, fated),
            Move::Health(at, is_good) => {
                let may =
                    |t: &TaskRecord| t.family == "checked" && t.last_status == TaskStatus::Running;
                if let Some(task) = self.house.pick(&self.key, at, may) {
                    self.set_health(&task, is_good);
                }
            }
            Move::Pass(seconds) => self.house.pass(seconds),
            Move::Neighbour(true) => {
                let _ = self.house.run(support::run("web", 1));
            }
            Move::Neighbour(false) => self.end_neighbours(),
            of_host => self.make_to_host(of_host),
        }
    }

    /// The deployment under way, if one is.
    fn stop_deployment(&mut self, rolls_back: bool) {
        let record = self.house.record(&self.key);
        let primary = record.primary().filter(|primary| !primary.is_rollback);
        let Some(id) = primary.and_then(|primary| primary.part_of.clone()) else {
            return;
        };
        let of = ServiceDeploymentKey {
            service: self.key.clone(),
            id,
        };
        let kind = if rolls_back { "ROLLBACK" } else { "ABORT" };
        let input = StopServiceDeploymentRequest {
            service_deployment_arn: Some(of.arn()),
            stop_type: Some(kind.into()),
        };
        // One that is not under way is refused.
        let _ = self.house.write(|txn, ctx| {
            ops::stop_service_deployment::stop_service_deployment(txn, ctx, &input)
        });
    }

    fn make_to_host(&mut self, one: Move) {
        match one {
            Move::Drain(at) => {
                let key = self.host(at);
                self.house.set_status(&key, InstanceStatus::Draining);
            }
            Move::Activate(at) => {
                let key = self.host(at);
                self.house.set_status(&key, InstanceStatus::Active);
            }
            Move::Away(at) => {
                let key = self.host(at);
                self.house
                    .change(|txn, ctx| life::disconnected(txn, ctx, &key));
            }
            Move::Lost(at) => {
                let key = self.host(at);
                self.house.change(|txn, ctx| {
                    life::disconnected(txn, ctx, &key);
                    let _ = life::lost(txn, ctx, &key, 1000);
                });
            }
            Move::Back(at) => self.connect(&self.host(at)),
            Move::Add if self.hosts.len() < HOSTS_MAX => self.add_host(768),
            _ => {}
        }
    }

    fn end_neighbours(&mut self) {
        let group = self.key.group();
        let all = self.house.world.scan(&TASKS);
        let others = all.filter(|t| t.group != group && t.holds);
        let others: Vec<_> = others.map(|t| t.key.clone()).collect();
        for task in others {
            self.house.report_stopped(&task, &["app"], 0);
        }
    }

    fn set_health(&mut self, task: &TaskKey, is_good: bool) {
        let health = match is_good {
            true => HealthStatus::Healthy,
            false => HealthStatus::Unhealthy,
        };
        self.house
            .change(|txn, _| txn.update(&TASKS, task, |t| t.containers[0].health = health));
    }

    /// One step, with what it may and may not do; whether it changed anything.
    fn step(&mut self) -> bool {
        let before = self.view();
        let outcome = self.house.step(&self.key);
        self.wake_at = outcome.wake_at;
        let after = self.view();
        match self.with.scheduling {
            Scheduling::Replica if after.kept_beside().is_some() => {
                self.check_staged(&before, &after);
            }
            Scheduling::Replica => self.check_replica(&before, &after),
            Scheduling::Daemon => self.check_daemon(&before, &after),
        }
        outcome.has_more || before != after
    }

    /// It fails its health checks, and the grace period has not ended. Rule: API reference,
    /// `healthCheckGracePeriodSeconds`.
    fn is_spared(&self, task: &TaskRecord) -> bool {
        let since = |started| self.house.ctx.now.since(started).as_secs();
        let mut started = task.times.started.into_iter();
        fails_checks(task) && started.any(|started| since(started) < self.with.grace.into())
    }

    fn is_unhealthy(&self, task: &TaskRecord) -> bool {
        fails_checks(task) && !self.is_spared(task)
    }

    fn is_serving(&self, task: &TaskRecord) -> bool {
        task.last_status == TaskStatus::Running && !self.is_unhealthy(task)
    }

    fn limits(&self, desired: u32) -> (usize, usize) {
        let percent = |of: i32| u64::from(desired) * u64::try_from(of).unwrap();
        let lower = percent(self.with.minimum).div_ceil(100);
        let upper = (percent(self.with.maximum) / 100).max(desired.into());
        (lower as usize, upper as usize)
    }

    /// Whether the PRIMARY wants this task.
    fn is_good(&self, view: &View, task: &TaskRecord) -> bool {
        let primary = view.record.primary().unwrap().number;
        task.service.unwrap().deployment == primary
            && !self.house.is_draining(task)
            && !self.is_unhealthy(task)
    }

    /// Whether it counts towards the minimum: of those that the PRIMARY wants only what is healthy, of
    /// those that it replaces also what is RUNNING and still young. Rule: semantics 6.1.
    fn counts(&self, view: &View, task: &TaskRecord) -> bool {
        let is_old = |started| self.house.ctx.now.since(started).as_secs() >= HEALTHY_AFTER;
        let is_healthy = || match task.family.as_str() {
            "checked" => task.containers[0].health == HealthStatus::Healthy,
            _ => task.times.started.is_some_and(is_old),
        };
        self.is_serving(task) && (!self.is_good(view, task) || is_healthy())
    }

    fn check_replica(&self, before: &View, after: &View) {
        let (lower, upper) = self.limits(after.record.desired);
        let kept = before.kept().count();
        let is_new = |key: &&TaskKey| !before.live.contains_key(*key);
        let started = after.live.keys().filter(is_new).count();
        assert!(
            started == 0 || kept + started <= upper,
            "{started} were started beside {kept}, at most {upper}"
        );
        let gone: Vec<_> = before.kept().filter(|t| !after.is_kept(&t.key)).collect();
        let serving = after.kept().filter(|task| self.is_serving(task)).count();
        if gone.iter().any(|task| self.is_serving(task)) {
            assert!(serving >= lower, "{serving} serve, at least {lower}");
        }
        let counting = after.kept().filter(|task| self.counts(after, task)).count();
        if gone.iter().any(|task| self.counts(after, task)) {
            assert!(counting >= lower, "{counting} count, at least {lower}");
        }
        let good = before.kept().filter(|t| self.is_good(after, t)).count();
        for task in gone {
            let is_good = self.is_good(after, task);
            assert!(
                !is_good || good > after.record.desired as usize,
                "one that is wanted was stopped"
            );
            let is_protected = task
                .protected_until
                .is_some_and(|until| until > self.house.ctx.now);
            assert!(
                !is_protected || self.house.is_draining(task) || self.is_unhealthy(task),
                "one that is protected was stopped"
            );
        }
    }

    /// While blue is kept, each side is a service of its own, and what is neither goes.
    fn check_staged(&self, before: &View, after: &View) {
        let (lower, upper) = self.limits(after.record.desired);
        let staged = after.kept_beside().unwrap();
        let green = after.record.primary().unwrap().number;
        let sides = [Some(green), staged.blue].into_iter().flatten();
        for side in sides {
            let (was, is) = (before.part(side), after.part(side));
            let kept = was.kept().count();
            let is_new = |key: &&TaskKey| !was.live.contains_key(*key);
            let started = is.live.keys().filter(is_new).count();
            assert!(
                started == 0 || kept + started <= upper,
                "{started} of one side were started beside {kept}, at most {upper}"
            );
        }
        let is_known = |task: &TaskRecord| {
            let of = task.service.unwrap().deployment;
            of == green || Some(of) == staged.blue
        };
        let mut new = after.live.values();
        assert!(
            new.all(|task| before.live.contains_key(&task.key) || is_known(task)),
            "a task of neither side was started"
        );
        // Blue has the traffic; without it whatever serves.
        let parts = match staged.blue {
            Some(blue) => vec![
                (before.part(blue), after.part(blue)),
                (before.clone(), after.clone()),
            ],
            None => vec![(before.clone(), after.clone())],
        };
        for (was, is) in parts {
            let gone = was.kept().filter(|task| !is.is_kept(&task.key));
            let serving = is.kept().filter(|task| self.is_serving(task)).count();
            for task in gone {
                assert!(
                    !self.is_serving(task) || serving >= lower,
                    "{serving} serve, at least {lower}"
                );
                let until = task.protected_until;
                let is_protected = until.is_some_and(|until| until > self.house.ctx.now);
                assert!(
                    !is_protected || self.house.is_draining(task) || self.is_unhealthy(task),
                    "one that is protected was stopped"
                );
            }
        }
    }

    fn check_daemon(&self, before: &View, after: &View) {
        let (lower, _) = self.limits(after.record.desired);
        let world = &self.house.world;
        for task in after.live.values() {
            if before.live.contains_key(&task.key) {
                continue;
            }
            let instance = world
                .get(&CONTAINER_INSTANCES, &task.instance_key())
                .unwrap();
            let takes = instance.status == InstanceStatus::Active && instance.is_connected();
            assert!(takes, "started where no task may be");
            let mut others = before.live.values();
            assert!(
                others.all(|other| other.instance != task.instance),
                "a second task on one instance"
            );
        }
        let counts =
            |task: &&&Arc<TaskRecord>| self.counts(after, task) && !self.house.is_draining(task);
        let gone = before.kept().filter(|t| !after.is_kept(&t.key));
        if gone.collect::<Vec<_>>().iter().any(|t| counts(&t)) {
            let serving = after.kept().collect::<Vec<_>>();
            let serving = serving.iter().filter(counts).count();
            assert!(serving >= lower, "{serving} count, at least {lower}");
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

    /// At rest with nothing on its way: all is as desired, or there is a reason.
    fn check_progress(&self) {
        let view = self.view();
        let primary = view.record.primary().unwrap();
        let is_held = primary
            .throttle
            .until
            .is_some_and(|u| u > self.house.ctx.now);
        let arrives = |task: &TaskRecord| {
            let is_young = |since: &aws_types::Timestamp| {
                self.house.ctx.now.since(*since).as_secs() < HEALTHY_AFTER
            };
            let is_unknown = task.containers[0].health == HealthStatus::Unknown;
            task.desired == DesiredStatus::Stopped
                || task.last_status != TaskStatus::Running
                || match task.family.as_str() {
                    "checked" => is_unknown || self.is_spared(task),
                    _ => task.times.started.iter().any(is_young),
                }
        };
        let is_moving = view.live.values().any(|task| arrives(task));
        if is_moving || is_held || primary.rollout == Rollout::Failed || view.record.lacks_room {
            return;
        }
        if primary.rollout == Rollout::InProgress
            && let Some(staged) = &primary.staged
            && staged.stage != Stage::CleanUp
        {
            return self.check_stage(&view, staged);
        }
        if self.is_as_desired(&view) {
            assert_eq!(primary.rollout, Rollout::Completed);
            assert!(view.record.steady.is_some());
            return;
        }
        let is_protected = view.kept().any(|task| task.protected_until.is_some());
        let is_left = |task: &Arc<TaskRecord>| self.house.is_draining(task);
        let is_daemon = self.with.scheduling == Scheduling::Daemon;
        if is_protected || (is_daemon && view.kept().any(is_left)) {
            return;
        }
        let (lower, upper) = self.limits(view.record.desired);
        let serving = view.kept().filter(|task| self.is_serving(task)).count();
        assert!(
            serving <= lower && view.kept().count() >= upper,
            "nothing is done: {serving} serve of {}, {lower}..={upper}, {:#?}",
            view.kept().count(),
            self.house.events(&self.key)
        );
        assert!(
            view.record.told.contains_key("blocked"),
            "it does not say why"
        );
    }

    /// At rest between two stages: it waits for a moment, or says what is in the way.
    fn check_stage(&self, view: &View, staged: &Staged) {
        let waits = self.wake_at.is_some_and(|at| at > self.house.ctx.now);
        let waits_for_time = match staged.stage {
            Stage::ProductionTrafficShift | Stage::BakeTime => true,
            Stage::ReconcileService | Stage::ScaleUp => false,
            stage => panic!("nothing holds up {stage:?}"),
        };
        if waits_for_time {
            return assert!(waits, "nothing ends {:?}", staged.stage);
        }
        let earlier = view.record.deployments.iter();
        let mut held = earlier.filter_map(|one| one.throttle.until);
        let is_protected = view.kept().any(|task| task.protected_until.is_some());
        assert!(
            held.any(|until| until > self.house.ctx.now)
                || is_protected
                || view.record.told.contains_key("blocked"),
            "it does not say why it stays at {:?}: {:#?}",
            staged.stage,
            self.house.events(&self.key)
        );
    }

    fn is_as_desired(&self, view: &View) -> bool {
        let is_good = |task: &Arc<TaskRecord>| self.is_good(view, task);
        view.live.len() == view.record.desired as usize
            && view.live.len() == view.kept().count()
            && view.kept().all(is_good)
    }

    /// Faults end: every host is there, images are good, programs run and pass their checks.
    fn mend(&mut self) {
        for key in self.hosts.clone() {
            self.house.set_status(&key, InstanceStatus::Active);
            self.connect(&key);
        }
        self.end_neighbours();
        for _ in 0..2 {
            self.add_host(2048);
        }
        self.house.pass(1200);
    }

    /// Hosts do what they are told.
    fn host_turn(&mut self) {
        let group = self.key.group();
        let all = self.house.world.scan(&TASKS);
        let held: Vec<_> = all
            .filter(|t| t.group == group && t.holds)
            .cloned()
            .collect();
        for task in held {
            if task.desired == DesiredStatus::Stopped {
                self.house.report_stopped(&task.key, &["app"], 143);
            } else if task.last_status == TaskStatus::Pending {
                self.house.report_running(&task.key, &["app"]);
            } else if task.family == "checked" && task.containers[0].health == HealthStatus::Unknown
            {
                self.set_health(&task.key, true);
            }
        }
    }

    /// What is desired is reached, and nothing moves any more.
    fn check_reached(&mut self) {
        let mut still = 0;
        for _ in 0..400 {
            let before = self.view();
            self.rest();
            self.host_turn();
            self.rest();
            let after = self.view();
            if after.record.primary().unwrap().rollout == Rollout::Failed {
                // What broke before the end may still trip the breaker: somebody deploys again.
                self.make(Move::Force);
            }
            still = match before == after {
                true => still + 1,
                false => 0,
            };
            if still == 12 {
                break;
            }
            self.house.pass(20);
        }
        assert_eq!(still, 12, "it flaps: {:#?}", self.house.events(&self.key));
        let view = self.view();
        let (lower, upper) = self.limits(view.record.desired);
        let desired = view.record.desired as usize;
        if lower >= desired && upper <= desired && !self.is_as_desired(&view) {
            assert!(
                view.record.told.contains_key("blocked"),
                "it does not say why"
            );
            return;
        }
        assert!(
            self.is_as_desired(&view) && view.record.steady.is_some(),
            "{desired} desired, {} there: {:#?}",
            view.live.len(),
            self.house.events(&self.key)
        );
        let told = view.record.last_event;
        self.house.pass(6 * 3600);
        self.rest();
        let after = self.view();
        assert!(view.live == after.live, "a steady service moved");
        let events = self.house.events(&self.key);
        assert!(
            events[0].ends_with("has reached a steady state."),
            "{events:#?}"
        );
        let news = after.record.last_event - told;
        assert_eq!(news, 1, "{events:#?}");
    }

    fn play(mut self, moves: Vec<(Move, bool)>) {
        self.rest();
        for (one, looks) in moves {
            self.make(one);
            if looks {
                self.rest();
            } else {
                self.step();
            }
        }
        self.mend();
        self.check_reached();
    }
}

fn daemon(minimum: i32) -> Play {
    Play::new(Settings {
        desired: 0,
        minimum,
        maximum: 100,
        scheduling: Scheduling::Daemon,
        ..Settings::default()
    })
}

impl Play {
    fn until_as_desired(&mut self) {
        for _ in 0..20 {
            self.rest();
            self.host_turn();
            self.house.pass(40);
        }
        self.rest();
        assert!(self.is_as_desired(&self.view()));
    }
}

#[test]
fn a_task_on_a_drained_instance_does_not_pay_for_what_a_daemon_replaces() {
    let mut play = daemon(75);
    play.until_as_desired();
    play.deploy(WORKLOADS[1]);
    play.make(Move::Drain(0));
    play.step();
    let view = play.view();
    let of = view.kept().filter(|task| !play.house.is_draining(task));
    assert_eq!(of.count(), 3, "75 percent of three are three");
}

#[test]
fn a_daemon_that_may_stop_nothing_says_so() {
    let mut play = daemon(100);
    play.until_as_desired();
    play.deploy(WORKLOADS[1]);
    play.rest();
    let events = play.house.events(&play.key);
    let blocked = "was unable to stop or start tasks during a deployment";
    assert!(events[0].contains(blocked), "{events:?}");
    assert_eq!(play.view().kept().count(), HOSTS);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_replica_service_keeps_its_limits_and_reaches_what_is_desired(
        with in replicas(),
        moves in moves(),
    ) {
        Play::new(with).play(moves);
    }

    #[test]
    fn a_daemon_service_keeps_its_minimum_and_is_on_every_instance(
        with in daemons(),
        moves in moves(),
    ) {
        Play::new(with).play(moves);
    }
}
