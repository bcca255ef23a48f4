//! Writes a service's plan, a few tasks at a time.
//!
//! A step observes and plans anew inside its transaction, so that nothing it relies on can have
//! changed, and whatever it leaves the next one plans from. Placing a task is part of it: what finds
//! no room is told, and tried again later or when room appears.

use super::events::{self, Message, TaskSetNews};
use super::launch::{by_provider, in_zone, place_on};
use super::observe::observe;
use super::plan::{Place, Plan, Start, Stop, Why, plan};
use super::providers::turns;
use super::rebalance::unevened;
use super::standing::{MISCONFIGURED, kind_of_start};
use super::waits::{Waits, earliest};
use super::{history, launch, stage_hooks};
use crate::instance::life::TASKS_PER_STEP_MAX;
use crate::place::solve::{Decision, Refused};
use crate::records::service::{SERVICES, ServiceKey, ServiceRecord, Told, Workload, deployment_id};
use crate::records::service_revision::{RevisionKey, SERVICE_REVISIONS};
use crate::records::task::{TASKS, TaskId, TaskKey};
use crate::records::uneven::Uneven;
use crate::task::launch::Launch;
use crate::task::report::ask_to_stop;
use crate::task::stop_reason::StopReason;
use aws_types::{Ctx, Timestamp};
use std::borrow::Cow;
use std::sync::Arc;
use store::{Txn, World};

/// What a step left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// Whether another step is to follow at once.
    pub has_more: bool,
    /// When to look again, with nothing happening until then.
    pub wake_at: Option<Timestamp>,
}

/// Tasks that ended, in one step; the rest of a step is left for starts and stops.
const ENDED_MAX: usize = TASKS_PER_STEP_MAX / 2;

/// Whether there is anything to do for the service, and when next.
#[must_use]
pub fn is_due(
    world: &World,
    key: &ServiceKey,
    now: Timestamp,
    waits: Waits,
) -> (bool, Option<Timestamp>) {
    let Some(service) = world.get(&SERVICES, key) else {
        return (false, None);
    };
    let plan = plan(&observe(world, service, now, waits, ENDED_MAX));
    (!plan.is_empty(service), plan.wake_at)
}

/// Does what is to be done for the service, up to a number of tasks.
pub fn step(txn: &mut Txn, ctx: &mut Ctx, key: &ServiceKey, waits: Waits) -> Outcome {
    let Some(service) = txn.get(&SERVICES, key).cloned() else {
        return Outcome::default();
    };
    let facts = observe(txn, &service, ctx.now, waits, ENDED_MAX);
    let plan = plan(&facts);
    let is_cut = facts.ended.len() == ENDED_MAX;
    if plan.is_empty(&service) {
        return Outcome {
            has_more: false,
            wake_at: plan.wake_at,
        };
    }
    write(txn, ctx, &service, plan, waits, is_cut)
}

fn write(
    txn: &mut Txn,
    ctx: &mut Ctx,
    before: &Arc<ServiceRecord>,
    plan: Plan,
    waits: Waits,
    is_cut: bool,
) -> Outcome {
    let mut work = Work {
        service: plan.next,
        left: TASKS_PER_STEP_MAX,
        has_more: is_cut,
        again: None,
        waits,
    };
    if let Some(primary) = work.service.deployments.first_mut()
        && let Some(staged) = &mut primary.staged
    {
        stage_hooks::name(staged, &mut ctx.ids);
    }
    work.settle(txn, &plan.settle);
    work.stop(txn, ctx, &plan.stop);
    for start in &plan.start {
        work.start(txn, ctx, start);
    }
    if let Some(note) = plan.note {
        history::note(txn, ctx.now, before, note);
    }
    if let Some(rollback) = plan.rollback {
        let number = history::roll_back(txn, ctx, before, &mut work.service, rollback);
        work.tell(txn, ctx, &Message::RollingBack(number));
        work.has_more = true;
    }
    history::follow(txn, ctx.now, before, &work.service);
    for message in plan.messages {
        work.tell(txn, ctx, &message);
    }
    let outcome = Outcome {
        has_more: work.has_more,
        wake_at: earliest(plan.wake_at, work.again),
    };
    if work.service != **before {
        txn.put(&SERVICES, work.service);
    }
    outcome
}

struct Work {
    service: ServiceRecord,
    /// Tasks that this step may still touch.
    left: usize,
    has_more: bool,
    again: Option<Timestamp>,
    waits: Waits,
}

impl Work {
    fn task_key(&self, id: &TaskId) -> TaskKey {
        let ServiceKey { scope, cluster, .. } = &self.service.key;
        TaskKey::new(scope, cluster, &id.0)
    }

    /// How many of so many tasks this step may touch.
    fn take(&mut self, wanted: usize) -> usize {
        let taken = wanted.min(self.left);
        self.left -= taken;
        self.has_more |= taken < wanted;
        taken
    }

    fn settle(&mut self, txn: &mut Txn, tasks: &[TaskId]) {
        let taken = self.take(tasks.len());
        for id in tasks.iter().take(taken) {
            txn.update(&TASKS, &self.task_key(id), |task| {
                if let Some(membership) = &mut task.service {
                    membership.is_settled = true;
                }
            });
        }
    }

    fn stop(&mut self, txn: &mut Txn, ctx: &mut Ctx, stops: &[Stop]) {
        let taken = self.take(stops.len());
        let stops = &stops[..taken];
        for stop in stops {
            let why = match stop.why {
                Why::Scaling | Why::Violated => StopReason::scaling(&self.initiator(stop)),
                Why::Uneven(_) => StopReason::rebalancing(&self.initiator(stop)),
                Why::Unhealthy => StopReason::failed_health_checks(),
            };
            txn.update(&TASKS, &self.task_key(&stop.task), |task| {
                ask_to_stop(task, why, ctx.now);
            });
            match &stop.why {
                Why::Unhealthy => self.tell(txn, ctx, &Message::Unhealthy(stop.task.clone())),
                Why::Violated => self.tell(txn, ctx, &Message::Violated(stop.task.clone())),
                Why::Uneven(zone) if stop.was_running => {
                    let tasks = vec![stop.task.clone()];
                    self.tell(txn, ctx, &Message::StoppedIn(zone.clone(), tasks));
                }
                Why::Scaling | Why::Uneven(_) => {}
            }
        }
        let running = |stop: &&Stop| match stop.why {
            Why::Uneven(_) => false,
            Why::Scaling | Why::Unhealthy | Why::Violated => stop.was_running,
        };
        if self.service.controller.has_task_sets() {
            for set in numbers(stops.iter().filter(running).map(|stop| stop.of)) {
                let tasks = stops.iter().filter(running).filter(|stop| stop.of == set);
                let tasks = tasks.map(|stop| stop.task.clone()).collect();
                self.tell(
                    txn,
                    ctx,
                    &Message::OfTaskSet(set, TaskSetNews::Stopped(tasks)),
                );
            }
            return;
        }
        let tasks: Vec<TaskId> = stops
            .iter()
            .filter(running)
            .map(|s| s.task.clone())
            .collect();
        if !tasks.is_empty() {
            self.tell(txn, ctx, &Message::Stopped(tasks));
        }
    }

    /// The deployment in whose name a task is stopped: the one that is wanted now.
    fn initiator(&self, stop: &Stop) -> String {
        match self.service.primary() {
            Some(primary) => primary.id(),
            None => deployment_id(stop.of),
        }
    }

    fn start(&mut self, txn: &mut Txn, ctx: &mut Ctx, start: &Start) {
        let wanted = self.take(start.count as usize);
        if wanted == 0 {
            return;
        }
        let Some(workload) = self.workload(txn, start.of) else {
            return;
        };
        if let Err(gone) = launch::network(txn, &self.service.key.scope, &workload) {
            self.left += wanted;
            let why = gone.message().trim_end_matches('.').to_owned();
            return self.without_place(txn, ctx, start, &Message::Misconfigured(why));
        }
        self.service
            .told
            .remove(&kind_of_start(MISCONFIGURED, start));
        let Some(launch) = launch::of(txn, &self.service, start.of, &workload) else {
            return;
        };
        let count = u32::try_from(wanted).unwrap_or(u32::MAX);
        let (mut tasks, mut refused) = (Vec::new(), None);
        for (provider, count) in turns(txn, &self.service, (start.of, &workload), count) {
            let launch = match provider {
                Some(name) => Cow::Owned(by_provider(launch.clone(), &name)),
                None => Cow::Borrowed(&launch),
            };
            let (started, why) = match &start.place {
                Place::Anywhere => place(txn, ctx, &launch, count),
                Place::On(instance) => {
                    let placed = place_on(&launch, txn, ctx, instance);
                    noted(txn, ctx, &launch, count, placed)
                }
                Place::In(uneven) => return self.even_out(txn, ctx, &launch, uneven),
            };
            tasks.extend(started);
            refused = refused.or(why);
        }
        if !tasks.is_empty() {
            let message = match self.service.controller.has_task_sets() {
                true => Message::OfTaskSet(start.of, TaskSetNews::Started(tasks.clone())),
                false => Message::Started(tasks.clone()),
            };
            self.tell(txn, ctx, &message);
        }
        if tasks.len() < wanted {
            self.left += wanted - tasks.len();
            let why = events::why_unplaced(refused.as_ref());
            self.without_place(txn, ctx, start, &Message::Unplaced(why));
        }
    }

    /// Starts a task in the first of the poor zones that takes one.
    fn even_out(&mut self, txn: &mut Txn, ctx: &mut Ctx, launch: &Launch, uneven: &Uneven) {
        for zone in uneven.poor.iter().map(|zone| &zone.name) {
            let (tasks, refused) = place(txn, ctx, &in_zone(launch, zone), 1);
            if tasks.is_empty() {
                let closest = refused.as_ref().and_then(|refused| refused.closest.first());
                let why = closest.map(|closest| closest.reason.name());
                self.tell(txn, ctx, &Message::UnplacedIn(zone.clone(), why));
                continue;
            }
            if !std::mem::replace(&mut self.service.is_rebalancing, true) {
                self.tell(txn, ctx, &Message::Rebalancing(uneven.tasks.clone()));
            }
            self.service.steady = None;
            self.service.unevened = None;
            let placed = Message::UnplacedIn(zone.clone(), None).standing();
            placed.and_then(|kind| self.service.told.remove(&kind));
            return self.tell(txn, ctx, &Message::StartedIn(zone.clone(), tasks));
        }
        self.left += 1;
        self.even_out_later(txn, ctx, uneven);
    }

    /// What follows where no task could be started to even out the zones.
    fn even_out_later(&mut self, txn: &mut Txn, ctx: &mut Ctx, uneven: &Uneven) {
        let before = self.service.unevened.as_ref();
        let kept = unevened(before, uneven, ctx.now, self.waits);
        self.again = earliest(self.again, Some(kept.after));
        self.service.unevened = Some(kept);
        if std::mem::take(&mut self.service.is_rebalancing) {
            self.tell(txn, ctx, &Message::RebalancingStopped);
        }
        // It may be steady as it is.
        self.has_more = true;
    }

    /// What follows from a task without a place; `why` is told.
    fn without_place(&mut self, txn: &mut Txn, ctx: &mut Ctx, start: &Start, why: &Message) {
        let kind = why.standing().map(|kind| kind_of_start(&kind, start));
        self.tell_as(txn, ctx, kind, why);
        if let Place::In(uneven) = &start.place {
            return self.even_out_later(txn, ctx, uneven);
        }
        let again = ctx.now.plus(self.waits.place_again);
        self.again = earliest(self.again, Some(again));
        self.service.lacks_room = true;
    }

    fn workload(&self, world: &World, number: u64) -> Option<Workload> {
        if let Some(set) = self
            .service
            .task_sets
            .iter()
            .find(|set| set.number == number)
        {
            return Some(set.workload.clone());
        }
        let deployment = self
            .service
            .deployments
            .iter()
            .find(|d| d.number == number)?;
        let key = RevisionKey {
            service: self.service.key.clone(),
            number: deployment.revision,
        };
        let revision = world.get(&SERVICE_REVISIONS, &key)?;
        Some(revision.workload.clone())
    }

    /// Tells it, unless it is a standing trouble that was told and not long ago.
    fn tell(&mut self, txn: &mut Txn, ctx: &mut Ctx, message: &Message) {
        self.tell_as(txn, ctx, message.standing(), message);
    }

    /// The same, with the trouble under this name.
    fn tell_as(&mut self, txn: &mut Txn, ctx: &mut Ctx, kind: Option<String>, message: &Message) {
        if let Some(kind) = kind {
            let text = message.text(&self.service.key.name);
            let again = |told: &Told| told.at.plus(self.waits.tell_again) <= ctx.now;
            let told = self.service.told.get(&kind);
            if told.is_some_and(|told| !message.is_other(&text, told) && !again(told)) {
                return;
            }
            let told = Told { text, at: ctx.now };
            self.service.told.insert(kind, told);
        }
        events::tell(txn, ctx, &mut self.service, message);
    }
}

/// Starts as many of `count` tasks as find room; gives them, and why there are no more.
fn place(
    txn: &mut Txn,
    ctx: &mut Ctx,
    launch: &Launch,
    count: u32,
) -> (Vec<TaskId>, Option<Refused>) {
    let placed = launch.place(txn, ctx, count);
    noted(txn, ctx, launch, count, placed)
}

/// Notes the decision about `count` tasks; gives those that were started, and why there are no more.
fn noted(
    txn: &Txn,
    ctx: &mut Ctx,
    launch: &Launch,
    count: u32,
    (keys, decision): (Vec<TaskKey>, Decision),
) -> (Vec<TaskId>, Option<Refused>) {
    let tasks = keys.iter().map(|key| key.id.clone()).collect();
    let placed = launch.placed(txn, ctx, count, (&keys, decision.placements));
    ctx.decided(placed.with_refused(decision.refused.clone()));
    (tasks, decision.refused)
}

/// Each number once, in order of appearance.
fn numbers(all: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut once: Vec<u64> = Vec::new();
    for number in all {
        if !once.contains(&number) {
            once.push(number);
        }
    }
    once
}
