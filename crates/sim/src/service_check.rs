//! What must always hold of a service (design, section 8, invariant 3; 9 at the end): its own steps
//! start nothing above the maximum and stop nothing below the minimum, and when faults end it comes to
//! what it wants.
//!
//! Counts for itself, over the records before and after each step, with AWS's waits in its own words.

use crate::rollout_check::{kept_beside, rollout_step, staged_step};
use crate::service_calls::{CHECKED, SERVICE_FAMILIES};
use crate::simulation::Simulation;
use crate::task_set_check::task_set_step;
use crate::workload::HOST;
use aws_types::Timestamp;
use ecs::records::service::{
    Rollout, SERVICES, Scheduling, ServiceKey, ServiceRecord, ServiceStatus,
};
use ecs::records::service_deployment::{
    DeploymentStatus, Monitor, SERVICE_DEPLOYMENTS, ServiceDeploymentKey,
};
use ecs::records::task_set::TaskSetStatus;
use ecs::records::task_table::{BY_SERVICE, LIVE, service_parts};
use ecs::records::traffic::Traffic;
use ecs::records::{CONTAINER_INSTANCES, InstanceStatus, TASKS, TaskKey, TaskRecord};
use ecs::task::health::HealthStatus;
use ecs::task::status::{DesiredStatus, TaskStatus};
use std::sync::Arc;
use store::World;
use telemetry::alarms::records::{ALARMS, AlarmKey, State};

/// API reference, `minimumHealthyPercent`: a task without a health check counts after 40 seconds.
const HEALTHY_AFTER_MS: u64 = 40_000;
/// Developer guide, "service event messages": the steady state is told again after six hours.
const TOLD_AGAIN_MS: u64 = 6 * 3_600_000;
/// How long a service may be unsteady at the end: a program ended and another took its place.
const UNSTEADY_MAX: u64 = 5 * 60_000;

/// A service's tasks at one moment.
#[derive(Clone)]
pub struct View {
    pub record: Arc<ServiceRecord>,
    /// Those that are not STOPPED, each with whether its instance is being drained.
    pub live: Vec<(Arc<TaskRecord>, bool)>,
    /// The status of the service deployment of its PRIMARY.
    pub requested: Option<DeploymentStatus>,
    /// The alarms in ALARM that this service deployment watches.
    pub ringing: Vec<String>,
}

impl View {
    /// What is recorded of it.
    pub fn of(world: &World, key: &ServiceKey) -> Option<Self> {
        let record = world.get(&SERVICES, key)?.clone();
        let within = TaskKey::new(&key.scope, &key.cluster, "");
        let parts = service_parts(&within, &key.group(), LIVE);
        let live = world.find(&TASKS, &BY_SERVICE, &parts).map(|task| {
            let instance = world.get(&CONTAINER_INSTANCES, &task.instance_key());
            let drains = instance.is_some_and(|i| i.status == InstanceStatus::Draining);
            (task.clone(), drains)
        });
        let live = live.collect();
        let part_of = record.primary().and_then(|primary| primary.part_of.clone());
        let under_way = part_of.and_then(|id| {
            let service = key.clone();
            world.get(&SERVICE_DEPLOYMENTS, &ServiceDeploymentKey { service, id })
        });
        let watch = under_way.map(|of| &of.alarms);
        let watch = watch.filter(|watch| watch.status == Monitor::Monitoring);
        let ringing = watch.iter().flat_map(|watch| &watch.names).filter(|name| {
            let alarm = world.get(&ALARMS, &AlarmKey::new(&key.scope, name));
            alarm.is_some_and(|alarm| alarm.state.value == State::Alarm)
        });
        let (ringing, requested) = (ringing.cloned().collect(), under_way.map(|of| of.status));
        Some(Self {
            record,
            live,
            requested,
            ringing,
        })
    }

    /// Those that are not asked to stop.
    pub fn kept(&self) -> impl Iterator<Item = &(Arc<TaskRecord>, bool)> {
        let live = self.live.iter();
        live.filter(|(task, _)| task.desired == DesiredStatus::Running)
    }

    /// Those of them that need no replacement.
    pub fn good(&self, now: Timestamp) -> impl Iterator<Item = &(Arc<TaskRecord>, bool)> {
        let kept = self.kept();
        kept.filter(move |(task, drains)| !drains && !self.is_sick(task, now))
    }

    /// Whether it has this task.
    pub fn has(&self, key: &TaskKey) -> bool {
        self.live.iter().any(|(task, _)| task.key == *key)
    }

    /// Whether it has this task, which is not asked to stop.
    pub fn keeps(&self, key: &TaskKey) -> bool {
        self.kept().any(|(task, _)| task.key == *key)
    }

    /// Fewest tasks that count, and most tasks, while it changes.
    pub fn limits(&self) -> (usize, usize) {
        let configuration = &self.record.configuration.0;
        let percent = |of: Option<i32>| {
            let of = u64::try_from(of.unwrap_or(0)).unwrap_or(0);
            of * u64::from(self.record.desired)
        };
        let lower = percent(configuration.minimum_healthy_percent).div_ceil(100);
        let upper = percent(configuration.maximum_percent) / 100;
        let upper = upper.max(self.record.desired.into());
        (lower as usize, upper as usize)
    }

    /// A container failed its checks, after the service's grace period.
    pub fn is_sick(&self, task: &TaskRecord, now: Timestamp) -> bool {
        let grace = u64::from(self.record.grace_seconds.unwrap_or(0)) * 1000;
        let mut containers = task.containers.iter();
        let is_ill = task.traffic == Some(Traffic::Unhealthy)
            || containers.any(|c| c.essential && c.health == HealthStatus::Unhealthy);
        task.last_status == TaskStatus::Running && is_ill && age_ms(task, now) >= grace
    }

    /// RUNNING, and no known trouble.
    pub fn is_serving(&self, task: &TaskRecord, now: Timestamp) -> bool {
        task.last_status == TaskStatus::Running && !self.is_sick(task, now)
    }

    /// Counts towards the minimum.
    pub fn is_healthy(&self, task: &TaskRecord, now: Timestamp) -> bool {
        let mut containers = task.containers.iter();
        let is_target = matches!(task.traffic, None | Some(Traffic::Healthy));
        self.is_serving(task, now)
            && is_target
            && match CHECKED.contains(&task.family.as_str()) {
                true => containers.all(|c| c.health == HealthStatus::Healthy),
                // A target that is well need not be old.
                false => task.traffic.is_some() || age_ms(task, now) >= HEALTHY_AFTER_MS,
            }
    }
}

fn age_ms(task: &TaskRecord, now: Timestamp) -> u64 {
    let started = task.times.started;
    started.map_or(0, |started| now.since(started).as_millis() as u64)
}

impl Simulation {
    /// After one step of the scheduler's, with nothing in between.
    pub fn check_service_step(&mut self, before: &View, after: &View) {
        if after.record.status != ServiceStatus::Active {
            return;
        }
        let now = self.server.now(self.now);
        let three = |what| (3, what);
        let found = match after.record.scheduling {
            _ if after.record.controller.has_task_sets() => task_set_step(before, after, now),
            Scheduling::Replica if kept_beside(after).is_some() => {
                staged_step(before, after, now).map(three)
            }
            Scheduling::Replica => replica_step(before, after, now).map(three),
            Scheduling::Daemon => daemon_step(before, after, now).map(three),
        };
        let found = found.or_else(|| rollout_step(before, after, now));
        if let Some((invariant, what)) = found {
            let name = &after.record.key.name;
            self.violate(invariant, format!("service {name}: {what}"));
        }
        self.see_waits(before, after);
        self.count_rollout(before, after);
    }

    /// How AWS's waits were kept, for the tests.
    fn see_waits(&mut self, before: &View, after: &View) {
        let now = self.server.now(self.now);
        let (Some(was), Some(is)) = (before.record.primary(), after.record.primary()) else {
            return;
        };
        if let Some(until) = is.throttle.until
            && was.throttle != is.throttle
        {
            let held = until.since(now).as_millis() as u64;
            self.seen.held_longest_ms = self.seen.held_longest_ms.max(held);
        }
        if was.rollout != Rollout::Completed && is.rollout == Rollout::Completed {
            let ages = after.live.iter().map(|(task, _)| age_ms(task, now));
            if let Some(youngest) = ages.min() {
                let seen = self.seen.counted_youngest_ms;
                self.seen.counted_youngest_ms =
                    seen.map_or(Some(youngest), |s| Some(s.min(youngest)));
            }
        }
        if let (Some(earlier), Some(later)) = (before.record.steady, after.record.steady)
            && earlier.told != later.told
        {
            self.seen.steady_again += 1;
            let waited = later.told.since(earlier.told).as_millis() as u64;
            if waited < TOLD_AGAIN_MS {
                let name = &after.record.key.name;
                self.violate(
                    3,
                    format!("service {name} told it is steady twice in {waited} ms"),
                );
            }
        }
    }

    /// Since the faults ended: when each service was last steady.
    pub fn watch_services(&mut self) {
        if !self.is_calm {
            return;
        }
        let now = self.now;
        let all = self.server.published.scan(&SERVICES);
        for service in all.filter(|service| is_settled(service)) {
            self.services.steady_at.insert(service.key.clone(), now);
        }
    }

    /// Long enough after the faults ended: every service has what it wants, and has had it.
    pub fn check_services_settled(&mut self) {
        let world = self.server.published.clone();
        let active = world
            .scan(&SERVICES)
            .filter(|service| service.status == ServiceStatus::Active);
        for service in active {
            let steady_at = self.services.steady_at.get(&service.key).copied();
            if steady_at.is_none_or(|at| self.now - at > UNSTEADY_MAX) {
                let view = View::of(&world, &service.key);
                let (kept, name) = (view.map_or(0, |v| v.kept().count()), &service.key.name);
                let (desired, told) = (service.desired, &service.told);
                let what = format!("service {name} has {kept} of {desired}, {told:?}");
                self.violate(9, what);
            }
        }
        self.check_deployments_closed();
    }

    /// The end: no service is left, and nothing of one is under way.
    pub fn check_services_gone(&mut self) {
        self.check_deployments_closed();
        let world = self.server.published.clone();
        for service in world.scan(&SERVICES) {
            if service.status != ServiceStatus::Inactive {
                let (name, status) = (&service.key.name, service.status);
                self.violate(
                    9,
                    format!("service {name} did not come to its end: {status:?}"),
                );
            }
        }
    }

    /// What really runs on a host fits into it: also what no record counts as living any more.
    pub fn check_room(&mut self, host: crate::event::HostIndex, arn: &str) {
        let Some(started) = self.check.record(arn).cloned() else {
            return;
        };
        let running = self.hosts[host].machine.running();
        let records = running.into_iter().filter_map(|arn| self.check.record(arn));
        let (mut cpu, mut memory) = (0, 0);
        // What a host that was deregistered by force still runs is nobody's business.
        for task in records.filter(|task| task.instance == started.instance) {
            cpu += task.reserved.cpu_units;
            memory += task.reserved.memory_mib;
        }
        if i64::from(cpu) > i64::from(HOST.0) || i64::from(memory) > i64::from(HOST.1) {
            let what = format!("{cpu} CPU units and {memory} MiB really run on host {host}");
            self.violate(2, what);
        }
    }
}

fn replica_step(before: &View, after: &View, now: Timestamp) -> Option<String> {
    let (lower, upper) = after.limits();
    let kept = before.kept().count();
    let is_new = |task: &TaskRecord| !before.has(&task.key);
    let started = after.live.iter().filter(|(task, _)| is_new(task)).count();
    if started > 0 && kept + started > upper {
        return Some(format!("{started} started beside {kept}, at most {upper}"));
    }
    let primary = before.record.primary()?.number;
    let is_replaced = |task: &TaskRecord, drains: bool| {
        drains || task.service.is_some_and(|of| of.deployment != primary)
    };
    let gone = before.kept().filter(|(task, _)| !after.keeps(&task.key));
    let (mut serving_gone, mut replaced_gone) = (false, false);
    for (task, drains) in gone.filter(|(task, _)| after.is_serving(task, now)) {
        serving_gone = true;
        replaced_gone |= is_replaced(task, *drains);
    }
    let serving = after
        .kept()
        .filter(|(task, _)| after.is_serving(task, now))
        .count();
    if serving_gone && serving < lower {
        return Some(format!(
            "{serving} serve after its own stops, at least {lower}"
        ));
    }
    let counts = |task: &TaskRecord, drains: bool| match is_replaced(task, drains) {
        true => after.is_serving(task, now),
        false => after.is_healthy(task, now),
    };
    let counting = after.kept().filter(|(task, drains)| counts(task, *drains));
    let counting = counting.count();
    (replaced_gone && counting < lower)
        .then(|| format!("{counting} count when others are replaced, at least {lower}"))
}

/// It has what it wants.
fn is_settled(service: &ServiceRecord) -> bool {
    let mut sets = service.task_sets.iter();
    match service.controller.has_task_sets() {
        true => sets.all(|set| set.status != TaskSetStatus::Draining && set.steady.is_some()),
        false => service.steady.is_some(),
    }
}

/// On each instance the old task is gone before the new one comes.
fn daemon_step(before: &View, after: &View, now: Timestamp) -> Option<String> {
    let is_new = |task: &TaskRecord| !before.has(&task.key);
    for (task, drains) in after.live.iter().filter(|(task, _)| is_new(task)) {
        let mut earlier = before.live.iter();
        if *drains || earlier.any(|(other, _)| other.instance == task.instance) {
            return Some("started where one of its tasks is, or none may be".into());
        }
    }
    let (lower, _) = after.limits();
    let primary = before.record.primary()?.number;
    let counts = |(task, drains): &&(Arc<TaskRecord>, bool)| {
        let is_replaced = task.service.is_some_and(|of| of.deployment != primary);
        !drains
            && match is_replaced {
                true => after.is_serving(task, now),
                false => after.is_healthy(task, now),
            }
    };
    let stops = before
        .kept()
        .filter(counts)
        .any(|(task, _)| !after.keeps(&task.key));
    let counting = after.kept().filter(counts).count();
    (stops && counting < lower)
        .then(|| format!("{counting} count after its own stops, at least {lower}"))
}

/// Mean milliseconds for which a program of such a task runs.
pub fn runs_for(family: &str) -> Option<u64> {
    let found = SERVICE_FAMILIES.iter().find(|one| one.name == family);
    found.map(|family| family.runs_for)
}
