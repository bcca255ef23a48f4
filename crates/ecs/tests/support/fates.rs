//! A service to which anything may happen: what it has at one moment, and what befalls its tasks.
#![allow(dead_code)] // Each test file uses its own part of it.

use super::House;
use ecs::records::service::{ServiceKey, ServiceRecord};
use ecs::records::{CONTAINER_INSTANCES, InstanceKey, InstanceStatus, TASKS, TaskKey, TaskRecord};
use ecs::service::apply;
use ecs::service::waits::Waits;
use ecs::task::status::{DesiredStatus, TaskStatus};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use store::World;

/// A service at one moment.
#[derive(Clone, PartialEq)]
pub struct View {
    pub record: Arc<ServiceRecord>,
    /// Its tasks that are not STOPPED.
    pub live: BTreeMap<TaskKey, Arc<TaskRecord>>,
}

impl View {
    /// Its tasks that are not asked to stop.
    pub fn kept(&self) -> impl Iterator<Item = &Arc<TaskRecord>> {
        let live = self.live.values();
        live.filter(|task| task.desired == DesiredStatus::Running)
    }

    pub fn is_kept(&self, key: &TaskKey) -> bool {
        self.kept().any(|task| task.key == *key)
    }

    /// The tasks of one deployment or task set.
    pub fn part(&self, number: u64) -> Self {
        let mut part = self.clone();
        part.live
            .retain(|_, task| task.service.is_some_and(|of| of.deployment == number));
        part
    }
}

/// What befalls a task.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Runs,
    /// Its image cannot be pulled.
    Fails,
    Crashes,
    /// Its host has stopped it, as was asked.
    Stops,
    UserStops,
    /// For so many seconds.
    Protected(u64),
}

/// One of the service's tasks, by a number that counts round, that it may befall.
pub type Fated = (usize, Fate);

/// It befalls any of so many tasks.
pub fn befalls(fate: Fate, tasks: usize) -> impl Strategy<Value = Fated> {
    (0..tasks).prop_map(move |at| (at, fate))
}

impl House {
    pub fn view(&self, key: &ServiceKey) -> View {
        let live = self.live(key);
        View {
            record: self.record(key),
            live: live.into_iter().map(|t| (t.key.clone(), t)).collect(),
        }
    }

    /// One of the service's tasks of this kind, by a number that counts round.
    pub fn pick(
        &self,
        key: &ServiceKey,
        at: usize,
        of: impl Fn(&TaskRecord) -> bool,
    ) -> Option<TaskKey> {
        let group = key.group();
        let all = self.world.scan(&TASKS);
        let found: Vec<_> = all.filter(|t| t.group == group && of(t)).collect();
        let task = found.get(at % found.len().max(1))?;
        Some(task.key.clone())
    }

    /// It befalls a task that it may befall, if there is one.
    pub fn befall(&mut self, key: &ServiceKey, (at, fate): Fated) {
        let is_wanted = |task: &TaskRecord| task.desired == DesiredStatus::Running;
        let is_pending = |task: &TaskRecord| task.last_status == TaskStatus::Pending;
        let runs = |task: &TaskRecord| task.last_status == TaskStatus::Running;
        let found = self.pick(key, at, |task| match fate {
            Fate::Runs => is_pending(task),
            Fate::Fails => is_wanted(task) && is_pending(task),
            Fate::Crashes => runs(task),
            Fate::Stops => task.holds && !is_wanted(task),
            Fate::UserStops | Fate::Protected(_) => is_wanted(task),
        });
        let Some(task) = found else { return };
        match fate {
            Fate::Runs => self.report_running(&task, &["app"]),
            Fate::Fails => self.fail_to_start(&task),
            Fate::Crashes => self.report_stopped(&task, &["app"], 1),
            Fate::Stops => self.report_stopped(&task, &["app"], 143),
            Fate::UserStops => {
                self.stop(&task.id.0, None).unwrap();
            }
            Fate::Protected(seconds) => {
                let until = self.ctx.now.plus(Duration::from_secs(seconds));
                self.change(|txn, _| {
                    txn.update(&TASKS, &task, |t| t.protected_until = Some(until))
                });
            }
        }
    }

    /// Where what happened since does not wake the service, nothing has changed for it.
    pub fn check_woken(
        &self,
        key: &ServiceKey,
        (before, changes_len): (&World, usize),
        what: impl Debug,
    ) {
        let now = self.ctx.now;
        let due = |world| apply::is_due(world, key, now, Waits::AWS);
        if !self.concerned_since(changes_len).contains(key) {
            assert_eq!(due(before), due(&self.world), "{what:?} woke nobody");
        }
    }

    pub fn set_status(&mut self, key: &InstanceKey, status: InstanceStatus) {
        self.change(|txn, _| txn.update(&CONTAINER_INSTANCES, key, |i| i.status = status));
    }

    /// Whether the task's instance is being drained.
    pub fn is_draining(&self, task: &TaskRecord) -> bool {
        let instance = self.world.get(&CONTAINER_INSTANCES, &task.instance_key());
        instance.unwrap().status == InstanceStatus::Draining
    }
}
