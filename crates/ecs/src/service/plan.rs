//! What is to be done for a service now.
//!
//! Pure; equal facts give an equal plan, and once it was applied the next one is empty until
//! something happens. Every part of it may be applied without the rest: no start relies on a stop of
//! the same plan, no stop on a start.

use super::daemon;
use super::early_success;
use super::events::{Message, TaskSetNews};
use super::facts::Facts;
use super::judge::{self, held_until, judged};
use super::progress::{self, Note, Progress, RollBack};
use super::rebalance;
use super::replica::Moves;
use super::side_by_side;
use super::stage::{self, Outcome, Seen};
use super::standing;
use super::task_sets;
use super::waits::earliest;
use crate::records::container_instance::InstanceId;
use crate::records::service::{
    Deployment, Rollout, Scheduling, ServiceRecord, ServiceStatus, Steady,
};
use crate::records::task::TaskId;
use crate::records::uneven::Uneven;
use aws_types::Timestamp;
use std::time::Duration;

/// What is to be done for a service now.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Tasks from whose end everything was concluded.
    pub settle: Vec<TaskId>,
    /// Tasks to stop.
    pub stop: Vec<Stop>,
    /// Tasks to start.
    pub start: Vec<Start>,
    /// The service as it is then, but for what comes of placing tasks.
    pub next: ServiceRecord,
    /// What becomes of the service deployment under way.
    pub note: Option<Note>,
    /// The rollback that begins.
    pub rollback: Option<RollBack>,
    /// What is told besides starts and stops, in order.
    pub messages: Vec<Message>,
    /// When to look again, with nothing happening until then.
    pub wake_at: Option<Timestamp>,
}

/// Tasks to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The number of the deployment or task set.
    pub of: u64,
    /// How many.
    pub count: u32,
    /// Where.
    pub place: Place,
}

/// Where a task is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where placement says.
    Anywhere,
    /// On this instance.
    On(InstanceId),
    /// In the first of the zones that lack tasks which takes it.
    In(Uneven),
}

/// A task to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The task.
    pub task: TaskId,
    /// The number of the deployment or task set that started it.
    pub of: u64,
    /// Whether it is RUNNING.
    pub was_running: bool,
    /// Why.
    pub why: Why,
}

/// Why a task is to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is one too many, or replaced.
    Scaling,
    /// Its zone, this one, has more tasks than another.
    Uneven(String),
    /// Its containers' health checks failed.
    Unhealthy,
    /// Its instance no longer matches.
    Violated,
}

impl Plan {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self, of: &ServiceRecord) -> bool {
        self.settle.is_empty()
            && self.stop.is_empty()
            && self.start.is_empty()
            && self.note.is_none()
            && self.rollback.is_none()
            && self.messages.is_empty()
            && self.next == *of
    }

    fn new(facts: &Facts<'_>) -> Self {
        Self {
            settle: facts.ended.iter().map(|ended| ended.task.clone()).collect(),
            stop: Vec::new(),
            start: Vec::new(),
            next: facts.service.clone(),
            note: None,
            rollback: None,
            messages: Vec::new(),
            wake_at: None,
        }
    }
}

/// What is to be done for the service now.
#[must_use]
pub fn plan(facts: &Facts<'_>) -> Plan {
    match facts.service.status {
        ServiceStatus::Active if facts.service.controller.has_task_sets() => of_task_sets(facts),
        ServiceStatus::Active => of_deployments(facts),
        ServiceStatus::Draining => of_deleted(facts),
        ServiceStatus::Inactive => Plan::new(facts),
    }
}

/// A deleted service stops all its tasks, and is gone once all are asked to.
fn of_deleted(facts: &Facts<'_>) -> Plan {
    let mut plan = Plan::new(facts);
    plan.stop = facts
        .live()
        .map(|member| Stop {
            task: member.task.clone(),
            of: member.of,
            was_running: member.started.is_some(),
            why: Why::Scaling,
        })
        .collect();
    if plan.stop.is_empty() {
        plan.next.status = ServiceStatus::Inactive;
        plan.next.ended = Some(facts.now);
        plan.next.deployments.clear();
        plan.next.task_sets.clear();
    }
    plan
}

fn of_task_sets(facts: &Facts<'_>) -> Plan {
    let mut plan = Plan::new(facts);
    let progress = task_sets::progress(facts);
    plan.start = progress.start;
    plan.stop = progress.stop;
    let steadied = progress.steadied.into_iter();
    let steady = |set| Message::OfTaskSet(set, TaskSetNews::Steady);
    plan.messages.extend(steadied.map(steady));
    let held = progress
        .sets
        .iter()
        .map(|set| held_until(set.throttle, facts.now));
    let mut held = held.flatten().peekable();
    if plan.start.is_empty() && held.peek().is_none() {
        standing::placed(&mut plan);
    }
    let by_time = [held.min(), facts.next_unprotected()];
    plan.wake_at = by_time.into_iter().fold(facts.next_healthy(), earliest);
    for set in &progress.sets {
        let message = Message::OfTaskSet(set.number, TaskSetNews::Impaired);
        standing::impaired(facts, set.throttle, message, &mut plan);
    }
    standing::protected(&progress.protected, &mut plan);
    plan.next.task_sets = progress.sets;
    standing::forget_sets(&mut plan);
    standing::leave_out_told(facts, &mut plan);
    plan
}

fn of_deployments(facts: &Facts<'_>) -> Plan {
    let mut plan = Plan::new(facts);
    let Some(primary) = facts.service.primary() else {
        return plan;
    };
    let desired = match facts.service.scheduling {
        Scheduling::Replica => facts.service.desired,
        Scheduling::Daemon => daemon::desired(facts),
    };
    let mut judged = judged(facts, primary);
    let is_complete = is_complete(facts, &judged, desired);
    let outcome = outcome(facts, &mut judged, desired, is_complete);
    let Progress {
        primary,
        note,
        rollback,
        messages,
    } = progress::advance(facts, &judged, &outcome);
    plan.note = note;
    plan.rollback = rollback;
    plan.messages = messages;
    if plan.rollback.is_none() {
        let moves = match facts.service.scheduling {
            Scheduling::Replica => side_by_side::moves(facts, &primary, desired),
            Scheduling::Daemon => daemon::moves(facts, &primary),
        };
        merge(facts, &primary, desired, moves, &mut plan);
    }
    if primary.rollout == Rollout::Completed && judged.rollout != Rollout::Completed {
        plan.next.completed_revision = Some(primary.revision);
    }
    let is_steady = is_complete && primary.rollout == Rollout::Completed;
    let is_still = is_steady && plan.start.is_empty();
    rebalance::even_out(facts, &primary, (desired, is_steady), &mut plan);
    standing::leave_out_told(facts, &mut plan);
    plan.next.desired = desired;
    plan.next.deployments = deployments(facts, primary, desired, &plan.stop);
    // Of what was steady only a task that finds its place in a poorer zone makes something else.
    let is_evened = !plan.start.is_empty() && facts.service.steady.is_none();
    steady(facts, is_still && !is_evened, &mut plan);
    plan.wake_at = wake_at(facts, &plan);
    if let Outcome::Waits(until) = outcome {
        plan.wake_at = earliest(plan.wake_at, until);
    }
    plan
}

/// How the PRIMARY goes on by its stages, which are brought up to date.
fn outcome(
    facts: &Facts<'_>,
    primary: &mut Deployment,
    desired: u32,
    is_complete: bool,
) -> Outcome {
    if primary.rollout != Rollout::InProgress {
        return Outcome::Waits(None);
    }
    if primary.is_rollback {
        return match is_complete {
            true => Outcome::Completes,
            false => Outcome::Waits(None),
        };
    }
    let seen = Seen {
        now: facts.now,
        is_scaled: side_by_side::is_scaled(facts, primary, desired),
        is_reconciled: side_by_side::is_reconciled(facts, primary),
        is_complete,
        is_early: early_success::is_met(facts, primary, desired),
        alarm_bake: facts
            .alarms
            .as_ref()
            .map_or(Duration::ZERO, |watch| watch.bake),
    };
    stage::advance(&mut primary.staged, facts.configuration, seen)
}

/// Everything that is wanted is there and healthy, and nothing else.
fn is_complete(facts: &Facts<'_>, primary: &Deployment, desired: u32) -> bool {
    let is_good = |member: &super::facts::Member| {
        !member.is_stopping && member.is_healthy() && facts.is_current(member, primary)
    };
    facts.members.len() == desired as usize && facts.members.iter().all(is_good)
}

fn merge(facts: &Facts<'_>, primary: &Deployment, desired: u32, moves: Moves, plan: &mut Plan) {
    if moves.is_blocked {
        plan.messages.push(Message::Blocked);
    } else if desired == 0 || !moves.start.is_empty() || !moves.stop.is_empty() {
        plan.next.told.remove("blocked");
    }
    standing::protected(&moves.protected, plan);
    standing::impaired(facts, primary.throttle, Message::Impaired, plan);
    if moves.start.is_empty() && judge::held_until(primary.throttle, facts.now).is_none() {
        standing::placed(plan);
    }
    if let Some((number, tasks)) = moves.unevened {
        plan.messages.push(Message::Unevened(number, tasks));
    }
    plan.start = moves.start;
    plan.stop = moves.stop;
}

/// The PRIMARY, and those before it that still have a task, with what each is to have.
fn deployments(
    facts: &Facts<'_>,
    primary: Deployment,
    desired: u32,
    stops: &[Stop],
) -> Vec<Deployment> {
    let mut next = vec![Deployment { desired, ..primary }];
    for earlier in facts.service.deployments.iter().skip(1) {
        let mut members = facts.members.iter().filter(|m| m.of == earlier.number);
        if let Some(blue) = side_by_side::kept(facts, &next[0], earlier) {
            next.push(blue);
            continue;
        }
        if members.clone().next().is_none() {
            continue;
        }
        let stays = |task: &TaskId| !stops.iter().any(|stop| stop.task == *task);
        let left = members
            .by_ref()
            .filter(|m| !m.is_stopping && stays(&m.task));
        next.push(Deployment {
            desired: u32::try_from(left.count()).unwrap_or(u32::MAX),
            ..earlier.clone()
        });
    }
    for deployment in &mut next {
        let before = facts
            .service
            .deployments
            .iter()
            .find(|d| d.number == deployment.number);
        if before.is_some_and(|before| before != deployment) {
            deployment.updated = facts.now;
        }
    }
    next
}

fn steady(facts: &Facts<'_>, is_steady: bool, plan: &mut Plan) {
    let told = facts.service.steady.map(|steady| steady.told);
    let is_due = told.is_none_or(|told| told.plus(facts.waits.tell_again) <= facts.now);
    plan.next.steady = match (is_steady, facts.service.steady) {
        (false, _) => None,
        (true, Some(before)) if !is_due => Some(before),
        (true, before) => {
            plan.messages.push(Message::Steady);
            Some(Steady {
                since: before.map_or(facts.now, |before| before.since),
                told: facts.now,
            })
        }
    };
}

fn wake_at(facts: &Facts<'_>, plan: &Plan) -> Option<Timestamp> {
    // Blue, while it is kept, starts tasks as the PRIMARY does.
    let all = plan.next.deployments.iter();
    let held = all.filter_map(|deployment| held_until(deployment.throttle, facts.now));
    let held = held.min();
    let told = plan
        .next
        .steady
        .map(|steady| steady.told.plus(facts.waits.tell_again));
    let tried = plan.next.unevened.as_ref().map(|last| last.after);
    let tried = tried.filter(|after| *after > facts.now);
    [held, told, facts.next_unprotected(), tried]
        .into_iter()
        .fold(facts.next_healthy(), earliest)
}
