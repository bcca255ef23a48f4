//! The loop of `control/src/controllers/services.rs` in virtual time, over the same functions of
//! `ecs`: a service is looked at when a commit concerns it, when its plan said so, and at a slow tick
//! that is as rare as there.

use crate::balancer;
use crate::event::Event;
use crate::plan::{Mutation, Wake};
use crate::service_check::View;
use crate::simulation::Simulation;
use crate::tamper;
use aws_types::Timestamp;
use ecs::records::container_instance::CONTAINER_INSTANCES;
use ecs::records::service::{SERVICES, ServiceKey};
use ecs::records::service_deployment::SERVICE_DEPLOYMENTS;
use ecs::records::task::TASKS;
use ecs::service::apply;
use ecs::service::concerned::{all, concerned, goes_first};
use ecs::service::waits::Waits;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::{Change, Txn, World};
use telemetry::alarms::records::ALARMS;

/// Milliseconds between two looks at every service, as in `control/src/timing.rs`.
const SLOW_TICK: u64 = 60_000;
/// A step that failed is taken again after this time, as in the controller.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The next step follows the last one's commit.
const NEXT_STEP: Duration = Duration::from_millis(5);

/// The loop's own state, and what the checks saw.
#[derive(Debug)]
pub struct Services {
    /// When the loop looks next.
    next: u64,
    /// The services that wait to be looked at, each with its earliest moment by the server's clock.
    due: BTreeMap<ServiceKey, Timestamp>,
    /// Those with a step that waits for its commit.
    stepping: BTreeSet<ServiceKey>,
    /// The server has just started, or its clock was set: only the next tick, which looks at every
    /// service, finds what follows from that.
    is_behind: bool,
    /// Mean milliseconds between the users' calls.
    pub calls_every: u64,
    /// When the faults ended.
    pub calm_at: u64,
    /// Every service is to be deleted.
    pub is_ending: bool,
    /// When each service was last seen steady, since the faults ended.
    pub steady_at: BTreeMap<ServiceKey, u64>,
    /// The task set that each token of a creation made.
    pub sets_made: BTreeMap<String, String>,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            next: u64::MAX,
            due: BTreeMap::new(),
            stepping: BTreeSet::new(),
            is_behind: false,
            calls_every: 0,
            calm_at: 0,
            is_ending: false,
            steady_at: BTreeMap::new(),
            sets_made: BTreeMap::new(),
        }
    }
}

impl Simulation {
    /// These changes are committed: wakes the services that they concern.
    pub fn concern_services(&mut self, changes: &[Change]) {
        self.services.stepping.clear();
        let heard = changes.iter().filter(|change| self.hears(change));
        let heard = heard.map(|change| (change.table, &change.key));
        let keys = concerned(&self.server.published, heard);
        self.check_woken(&keys);
        if !keys.is_empty() {
            let is_slow = self.random.chance(self.faults.slow_disk);
            let delay = self.random.wait(if is_slow { 1000 } else { 3 }) + 1;
            // A step with a planted bug writes even where it does nothing, and would wake itself at once.
            let least = if self.plan.mutation.is_some() {
                1000
            } else {
                0
            };
            self.wake(keys, delay.max(least));
        }
    }

    /// Whether the loop gets to know of this change: all, but for a planted bug.
    fn hears(&self, change: &Change) -> bool {
        let Some(Mutation::MissedWake(wake)) = self.plan.mutation else {
            return true;
        };
        let tables: &[&str] = match wake {
            Wake::Task => &[TASKS.name()],
            Wake::Instance => &[CONTAINER_INSTANCES.name()],
            Wake::Service => &[SERVICES.name(), SERVICE_DEPLOYMENTS.name()],
            Wake::Alarm => &[ALARMS.name()],
            Wake::Time => &[],
        };
        !tables.contains(&change.table)
    }

    /// Lets the loop look at these after so many milliseconds, or earlier.
    fn wake(&mut self, keys: BTreeSet<ServiceKey>, delay: u64) {
        let now = self.server.now(self.now);
        for key in keys {
            self.add_service(key, now);
        }
        self.turn_after(delay);
    }

    fn add_service(&mut self, key: ServiceKey, at: Timestamp) {
        let due = self.services.due.entry(key).or_insert(at);
        *due = at.min(*due);
    }

    fn turn_after(&mut self, delay: u64) {
        let at = self.now + delay;
        if at < self.services.next {
            self.services.next = at;
            let life = self.server.life;
            self.after(delay, Event::Services { life });
        }
    }

    /// A server that starts knows of no hint, and looks at everything.
    pub fn restart_services(&mut self) {
        self.services.next = u64::MAX;
        self.services.due.clear();
        self.services.stepping.clear();
        self.services.is_behind = true;
        let life = self.server.life;
        self.after(100, Event::ServicesTick { life });
    }

    /// The slow tick: every service is looked at.
    pub fn service_tick(&mut self, life: u64) {
        if life != self.server.life || !self.server.up {
            return;
        }
        self.check_woken(&BTreeSet::new());
        self.services.is_behind = false;
        self.wake(all(&self.server.published), 1);
        self.after(SLOW_TICK, Event::ServicesTick { life });
    }

    /// The server's clock was set: moments that were due may be ahead again, or passed over.
    pub fn service_clock_set(&mut self) {
        self.services.is_behind = true;
    }

    /// Nothing is to be done for a service that neither waits for its turn nor is woken now: the slow
    /// tick finds nothing.
    fn check_woken(&mut self, woken: &BTreeSet<ServiceKey>) {
        if self.services.is_behind {
            return;
        }
        let (world, now) = (self.server.published.clone(), self.server.now(self.now));
        for key in all(&world).difference(woken) {
            // Room is looked for again after this time, whatever wakes the service in between.
            let lacks_room = world.get(&SERVICES, key).is_some_and(|s| s.lacks_room);
            let by = match lacks_room {
                true => now.plus(Waits::AWS.place_again),
                false => now,
            };
            let waits = self.services.due.get(key).is_some_and(|at| *at <= by);
            if waits || self.services.stepping.contains(key) {
                continue;
            }
            if self.is_due(&world, key, now).0 {
                let what = format!("nothing woke service {}, and it has to act", key.name);
                self.violate(9, what);
            }
        }
    }

    /// One look at each service whose time has come.
    pub fn service_turn(&mut self, life: u64) {
        if life != self.server.life || !self.server.up || self.now < self.services.next {
            return;
        }
        self.services.next = u64::MAX;
        let world = self.server.published.clone();
        let now = self.server.now(self.now);
        let due = self.services.due.iter().filter(|(_, at)| **at <= now);
        let mut keys: Vec<ServiceKey> = due.map(|(key, _)| key.clone()).collect();
        keys.sort_by_key(|key| !goes_first(&world, key));
        for key in keys {
            if !self.server.has_room() {
                return self.turn_after(10);
            }
            self.services.due.remove(&key);
            let (is_due, again) = self.is_due(&world, &key, now);
            let again = match is_due {
                true => self.service_step(&key),
                false => again,
            };
            if let Some(at) = again
                && self.plan.mutation != Some(Mutation::MissedWake(Wake::Time))
            {
                self.add_service(key, at);
            }
        }
        if let Some(at) = self.services.due.values().min() {
            self.turn_after((at.since(now).as_millis() as u64).max(1));
        }
    }

    /// Whether a step has anything to do, also one with a planted bug; and when next.
    fn is_due(&self, world: &World, key: &ServiceKey, now: Timestamp) -> (bool, Option<Timestamp>) {
        let mut seen = Txn::new(world.clone());
        tamper::begin(&mut seen, key, self.plan.mutation);
        apply::is_due(&seen, key, now, self.waits())
    }

    /// The waits in force.
    fn waits(&self) -> Waits {
        let healthy_after = match self.has(Mutation::HealthyAtOnce) {
            true => Duration::ZERO,
            false => Waits::AWS.healthy_after,
        };
        Waits {
            healthy_after,
            ..Waits::AWS
        }
    }

    /// One step; when to look again.
    fn service_step(&mut self, key: &ServiceKey) -> Option<Timestamp> {
        let waits = self.waits();
        let mutation = self.plan.mutation;
        let stepped = self.server.submit(self.now, None, |txn, ctx| {
            let before = View::of(txn, key);
            let kept = tamper::begin(txn, key, mutation);
            let outcome = apply::step(txn, ctx, key, waits);
            tamper::end(txn, key, kept);
            if mutation == Some(Mutation::TargetForgotten) {
                balancer::forget_targets(txn);
            }
            Ok((outcome, before, View::of(txn, key)))
        });
        self.wait_for_commit(None);
        let now = self.server.now(self.now);
        let Ok((outcome, before, after)) = stepped else {
            return Some(now.plus(AFTER_FAILURE));
        };
        self.services.stepping.insert(key.clone());
        if let (Some(before), Some(after)) = (before, after) {
            self.check_service_step(&before, &after);
            self.check_providers(&before, &after);
        }
        match outcome.has_more {
            true => Some(now.plus(NEXT_STEP)),
            false => outcome.wake_at,
        }
    }
}
