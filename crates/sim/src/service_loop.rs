//! The loop of `control/src/controllers/services.rs` in virtual time, over the same functions of
//! `ecs`: every service is looked at after a commit that may concern it, and when its plan said so.

use crate::event::Event;
use crate::plan::Mutation;
use crate::service_check::View;
use crate::simulation::Simulation;
use ecs::records::service::{SERVICES, ServiceKey, ServiceStatus};
use ecs::service::apply;
use ecs::service::waits::{Waits, earliest};
use std::collections::BTreeMap;
use std::time::Duration;
use store::Change;

/// Tables whose changes wake services.
const WAKING: [&str; 4] = [
    "ecs.services",
    "ecs.service_deployments",
    "ecs.tasks",
    "ecs.container_instances",
];

/// The loop's own state, and what the checks saw.
#[derive(Debug)]
pub struct Services {
    /// When the loop looks next.
    next: u64,
    /// Mean milliseconds between the users' calls.
    pub calls_every: u64,
    /// When the faults ended.
    pub calm_at: u64,
    /// Every service is to be deleted.
    pub is_ending: bool,
    /// When each service was last seen steady, since the faults ended.
    pub steady_at: BTreeMap<ServiceKey, u64>,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            next: u64::MAX,
            calls_every: 0,
            calm_at: 0,
            is_ending: false,
            steady_at: BTreeMap::new(),
        }
    }
}

impl Simulation {
    /// Wakes the loop if these changes may concern a service.
    pub fn concern_services(&mut self, changes: &[Change]) {
        if changes.iter().any(|change| WAKING.contains(&change.table)) {
            let is_slow = self.random.chance(self.faults.slow_disk);
            let delay = self.random.wait(if is_slow { 1000 } else { 3 }) + 1;
            self.wake_services(delay);
        }
    }

    /// Lets the loop look after so many milliseconds, or earlier.
    pub fn wake_services(&mut self, delay: u64) {
        let at = self.now + delay;
        if at < self.services.next {
            self.services.next = at;
            let life = self.server.life;
            self.after(delay, Event::Services { life });
        }
    }

    /// A server that starts looks at everything.
    pub fn restart_services(&mut self) {
        self.services.next = u64::MAX;
        self.wake_services(100);
    }

    /// One look at every service.
    pub fn service_turn(&mut self, life: u64) {
        if life != self.server.life || !self.server.up || self.now < self.services.next {
            return;
        }
        self.services.next = u64::MAX;
        let world = self.server.published.clone();
        let services = world.scan(&SERVICES);
        let kept = services.filter(|service| service.status != ServiceStatus::Inactive);
        let keys: Vec<_> = kept.map(|service| service.key.clone()).collect();
        let now = self.server.now(self.now);
        let mut wake_at = None;
        for key in keys {
            if !self.server.has_room() {
                return self.wake_services(10);
            }
            let (is_due, again) = apply::is_due(&world, &key, now, self.waits());
            let again = if is_due {
                self.service_step(&key)
            } else {
                again
            };
            wake_at = earliest(wake_at, again);
        }
        if let Some(at) = wake_at {
            self.wake_services((at.since(now).as_millis() as u64).max(1));
        }
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

    fn service_step(&mut self, key: &ServiceKey) -> Option<aws_types::Timestamp> {
        let waits = self.waits();
        let stepped = self.server.submit(self.now, None, |txn, ctx| {
            let before = View::of(txn, key);
            let outcome = apply::step(txn, ctx, key, waits);
            Ok((outcome, before, View::of(txn, key)))
        });
        self.wait_for_commit(None);
        let (outcome, before, after) = stepped.ok()?;
        if let (Some(before), Some(after)) = (before, after) {
            self.check_service_step(&before, &after);
        }
        if outcome.has_more {
            self.wake_services(5);
        }
        outcome.wake_at
    }
}
