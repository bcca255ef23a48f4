//! The loops of `control/src/controllers` in virtual time, over the same functions of `ecs`; and the
//! server's start.

use crate::event::Event;
use crate::plan::Mutation;
use crate::simulation::Simulation;
use ecs::instance::life::{self, Step};
use ecs::instance::load;
use ecs::records::container_instance::Connection;
use ecs::records::{
    CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceKey, InstanceStatus, TASKS,
};
use ecs::service::retention as services;
use ecs::task::status::TaskStatus;

use aws_types::Timestamp;
use ecs::task::{retention, tokens};
use std::time::Duration;
use store::{StoreError, Txn};

/// Milliseconds between two looks at everything.
const TICK: u64 = 10_000;
/// Milliseconds to the next step of what one step did not finish.
const NEXT_STEP: u64 = 500;
/// Tasks in one step: few, so that a kill comes between steps.
const TASKS_PER_STEP: usize = 2;
/// An agent that is away so long is lost.
const HOST_LOST_AFTER: Duration = Duration::from_secs(60);
/// How long stopped tasks and inactive instances are described.
const VISIBLE: Duration = Duration::from_secs(3600);

impl Simulation {
    /// One turn of the loops.
    pub fn control(&mut self, life: u64) {
        if life != self.server.life || !self.server.up {
            return;
        }
        self.check_lost();
        self.watch_services();
        self.balance_load();
        self.check_names();
        let is_done = self.look_after_hosts();
        self.ask_hooks();
        self.sweep();
        let delay = if is_done { TICK } else { NEXT_STEP };
        self.after(delay, Event::Controllers { life });
    }

    /// Lost hosts and deregistered instances, a step of each; whether all is done.
    fn look_after_hosts(&mut self) -> bool {
        let (world, now) = (self.server.published.clone(), self.server.now(self.now));
        let mut is_done = true;
        for instance in world.scan(&CONTAINER_INSTANCES) {
            let key = &instance.key;
            let is_inactive = instance.status == InstanceStatus::Inactive;
            let step = if is_inactive && load::held(&world, key).next().is_some() {
                self.server.submit(self.now, None, |txn, ctx| {
                    Ok(life::orphan(txn, ctx, key, TASKS_PER_STEP))
                })
            } else if !is_inactive && self.is_to_be_lost(instance, now) {
                let forgets = self.has(Mutation::ForgottenHost);
                let frees = self.has(Mutation::FreedWhenLost);
                self.server.submit(self.now, None, |txn, ctx| {
                    let step = life::lost(txn, ctx, key, TASKS_PER_STEP);
                    if forgets {
                        forget(txn, key);
                    }
                    if frees {
                        free_addresses(txn, key);
                    }
                    Ok(step)
                })
            } else {
                continue;
            };
            self.wait_for_commit(None);
            is_done &= matches!(step, Ok(Step::Done));
        }
        is_done
    }

    /// It was away too long, or a server that was killed did not finish with its tasks.
    fn is_to_be_lost(&mut self, instance: &ContainerInstanceRecord, now: Timestamp) -> bool {
        match instance.connection {
            Connection::Connected => false,
            Connection::Away(since) => {
                let is_due = since.plus(HOST_LOST_AFTER) <= now;
                self.statistics.hosts_lost += u64::from(is_due);
                is_due
            }
            Connection::Lost(_) => load::is_busy(&self.server.published, &instance.key),
        }
    }

    fn sweep(&mut self) {
        let (world, now) = (self.server.published.clone(), self.server.now(self.now));
        let tasks = retention::expired(&world, now, VISIBLE);
        let old = tokens::expired(&world, now);
        let instances = life::expired(&world, now, VISIBLE);
        let deleted = services::expired(&world, now, VISIBLE);
        if tasks.is_empty() && old.is_empty() && instances.is_empty() && deleted.is_empty() {
            return;
        }
        let swept = self.server.submit(self.now, None, |txn, _| {
            retention::remove(txn, &tasks);
            tokens::remove(txn, &old);
            life::remove(txn, &instances);
            services::remove(txn, &deleted);
            Ok(())
        });
        if swept.is_ok() {
            self.wait_for_commit(None);
        }
    }

    /// A new server on the old disk: nobody is connected, and nothing that was published is gone.
    pub fn start_server(&mut self) -> Result<(), StoreError> {
        if self.server.up {
            return Ok(());
        }
        if let Some(what) = self.server.start()? {
            self.violate(1, what);
        }
        self.check.server_started();
        let world = self.server.published.clone();
        for instance in world.scan(&CONTAINER_INSTANCES) {
            let started = self.server.submit(self.now, None, |txn, ctx| {
                life::server_started(txn, ctx, &instance.key);
                Ok(())
            });
            if started.is_err() {
                self.violate(1, "a server could not start".into());
            }
        }
        self.wait_for_commit(None);
        let life = self.server.life;
        self.after(100, Event::Controllers { life });
        self.restart_services();
        Ok(())
    }
}

/// A planted bug: what counts as STOPPED on a host has no address any more.
fn free_addresses(txn: &mut Txn, key: &InstanceKey) {
    let held = load::held(txn, key).filter(|task| task.last_status == TaskStatus::Stopped);
    let interfaces = held.filter_map(|task| Some(task.attachment.as_ref()?.interface.clone()));
    for interface in interfaces.collect::<Vec<_>>() {
        ec2::interface::remove(txn, &key.scope, &interface);
    }
}

/// A planted bug: nothing is held of a host any more by what counts as STOPPED there.
fn forget(txn: &mut Txn, key: &InstanceKey) {
    let held = load::held(txn, key).filter(|task| task.last_status == TaskStatus::Stopped);
    let held: Vec<_> = held.map(|task| task.key.clone()).collect();
    for task in held {
        txn.update(&TASKS, &task, |task| task.holds = false);
    }
}
