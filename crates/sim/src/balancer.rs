//! A load balancer as the scheduler meets it: it registers, checks and lets go of the tasks of some services, in its
//! own time, and knows by itself whom it sends requests to.
//!
//! CreateService refuses load balancers until they are served: these services get theirs behind its back.

use crate::event::Down;
use crate::simulation::Simulation;
use aws_api::Stored;
use aws_api::ecs::LoadBalancer;
use aws_types::Scope;
use ecs::records::service::ServiceKey;
use ecs::records::service_revision::SERVICE_REVISIONS;
use ecs::records::traffic::Traffic;
use ecs::records::{TASKS, TaskKey, TaskRecord};
use ecs::task::reference;
use ecs::task::status::{DesiredStatus, TaskStatus};
use ecs::task::traffic::{self, Said};
use std::collections::BTreeSet;
use store::Txn;

/// The services with a load balancer.
const BALANCED: [&str; 2] = ["web", "green"];
/// Looks of a thousand that find a target unwell that was well, until the faults end, and those that find it well again.
const FALLS_ILL: u64 = 10;
const RECOVERS: u64 = 400;
/// Looks of a thousand after which a registration, a first check or a deregistration is through.
const MOVES: u64 = 600;

/// Whom the load balancer sends requests to.
pub type Targets = BTreeSet<TaskKey>;

/// Gives the revisions of a service its load balancer.
pub fn balance(txn: &mut Txn, service: &ServiceKey) {
    if !BALANCED.contains(&service.name.as_str()) {
        return;
    }
    let all = txn.scan(&SERVICE_REVISIONS);
    let own = all.filter(|revision| revision.key.service == *service);
    let own: Vec<_> = own.map(|revision| revision.key.clone()).collect();
    for revision in own {
        txn.update(&SERVICE_REVISIONS, &revision, |revision| {
            revision.workload.load_balancers = vec![Stored(LoadBalancer {
                container_name: Some("app".into()),
                container_port: Some(80),
                ..LoadBalancer::default()
            })];
        });
    }
}

impl Simulation {
    /// One look at every task that is, or is to be, a target.
    pub fn balance_load(&mut self) {
        let world = self.server.published.clone();
        let known: Vec<TaskKey> = self.targets.iter().cloned().collect();
        for key in known {
            if world.get(&TASKS, &key).is_none() {
                self.targets.remove(&key);
            }
        }
        let all: Vec<_> = world.scan(&TASKS).cloned().collect();
        for task in all.iter().filter(|task| task.traffic.is_some()) {
            if let Some(said) = self.look_at_target(task) {
                self.tell_of_target(&task.key, said);
            }
        }
    }

    fn look_at_target(&mut self, task: &TaskRecord) -> Option<Said> {
        let moves = self.random.chance(MOVES);
        let is_ill = !self.is_calm && self.random.chance(FALLS_ILL);
        let recovers = self.is_calm || self.random.chance(RECOVERS);
        if task.traffic?.is_registered() {
            self.targets.insert(task.key.clone());
        }
        match task.traffic? {
            Traffic::Joining => {
                let is_due = task.last_status == TaskStatus::Activating
                    && task.desired == DesiredStatus::Running;
                (is_due && moves).then_some(Said::Registered)
            }
            Traffic::Initial => moves.then_some(match is_ill {
                true => Said::Unhealthy,
                false => Said::Healthy,
            }),
            Traffic::Healthy => is_ill.then_some(Said::Unhealthy),
            Traffic::Unhealthy => recovers.then_some(Said::Healthy),
            Traffic::Leaving => moves.then(|| {
                self.targets.remove(&task.key);
                Said::Gone
            }),
            Traffic::Left => {
                self.targets.remove(&task.key);
                None
            }
        }
    }

    fn tell_of_target(&mut self, key: &TaskKey, said: Said) {
        let told = self.server.submit(self.now, None, |txn, ctx| {
            traffic::said(txn, key, said, ctx.now);
            Ok(())
        });
        if told.is_ok() {
            self.wait_for_commit(None);
        }
    }

    /// To none of the tasks that a host is told to stop may requests be under way.
    pub fn check_stops(&mut self, frame: &Down) {
        let scope = self.server.ctx(self.now).scope.clone();
        let stopped = stopped_in(frame, &scope).into_iter();
        let mut still = stopped.filter(|key| self.targets.contains(key));
        if let Some(key) = still.next() {
            let record = self.server.published.get(&TASKS, &key);
            // One that ended by itself, or whose host was lost, is no target for long.
            let lives = record.is_some_and(|task| task.last_status != TaskStatus::Stopped);
            if lives {
                let what = format!(
                    "{} is still a target, and its host is to stop it",
                    key.arn()
                );
                self.violate(3, what);
            }
        }
    }
}

/// A planted bug: what is to leave has left.
pub fn forget_targets(txn: &mut Txn) {
    let leaving = txn.scan(&TASKS);
    let leaving = leaving.filter(|task| task.traffic == Some(Traffic::Leaving));
    let leaving: Vec<_> = leaving.map(|task| task.key.clone()).collect();
    for key in leaving {
        txn.update(&TASKS, &key, |task| {
            task.traffic = Some(Traffic::Left);
            task.delivery.wanted += 1;
        });
    }
}

/// The tasks that a frame tells a host to stop.
fn stopped_in(frame: &Down, scope: &Scope) -> Vec<TaskKey> {
    let is_stop = |desired: &Option<String>| desired.as_deref() == Some("STOPPED");
    let key = |arn: &Option<String>| reference::task_arn(scope, arn.as_deref()?);
    match frame {
        Down::Heartbeat => Vec::new(),
        Down::Payload { tasks, .. } => {
            let stopped = tasks.iter().filter(|task| is_stop(&task.desired_status));
            stopped.filter_map(|task| key(&task.arn)).collect()
        }
        Down::Manifest { tasks, .. } | Down::Verified { stop: tasks, .. } => {
            let stopped = tasks.iter().filter(|task| is_stop(&task.desired_status));
            stopped.filter_map(|task| key(&task.task_arn)).collect()
        }
    }
}
