//! What must always hold of rollouts (design, section 8, invariants 3 and 9): blue stays whole while it is
//! kept, no hook is passed that is open, circuit breaker, alarms and whoever asks for a stop are obeyed,
//! protected tasks and those in their grace period are left alone.
//!
//! Counts for itself, over the records before and after each step.

use crate::service_check::View;
use crate::simulation::Simulation;
use aws_types::Timestamp;
use ecs::records::TaskRecord;
use ecs::records::deployment_stage::{HookStatus, Stage, Staged, Strategy};
use ecs::records::service::{Deployment, Rollout, Scheduling, ServiceStatus};
use ecs::records::service_deployment::{DeploymentStatus, SERVICE_DEPLOYMENTS};
use ecs::task::stop_reason::StopReason;

/// The stages of the PRIMARY while it keeps what ran before it.
pub fn kept_beside(view: &View) -> Option<(&Deployment, &Staged)> {
    let primary = view.record.primary()?;
    let staged = primary.staged.as_ref()?;
    let keeps = primary.rollout == Rollout::InProgress
        && staged.strategy != Strategy::Rolling
        && staged.stage != Stage::CleanUp;
    keeps.then_some((primary, staged))
}

/// While blue is kept, each side is a service of its own; what is neither goes, but not so fast that
/// too few serve.
pub fn staged_step(before: &View, after: &View, now: Timestamp) -> Option<String> {
    let (green, staged) = kept_beside(after)?;
    let (lower, upper) = after.limits();
    for side in [Some(green.number), staged.blue].into_iter().flatten() {
        let (was, is) = (before.part(side), after.part(side));
        let started = is.live.iter().filter(|(task, _)| !was.has(&task.key));
        let (started, kept) = (started.count(), was.kept().count());
        if started > 0 && kept + started > upper {
            return Some(format!(
                "{started} of one side started beside {kept}, at most {upper}"
            ));
        }
    }
    let serving = |view: &View| {
        let kept = view.kept().filter(|(task, _)| view.is_serving(task, now));
        kept.count()
    };
    let sides = [("blue", staged.blue), ("any", None)];
    for (name, of) in sides
        .into_iter()
        .filter(|(name, of)| of.is_some() || *name == "any")
    {
        let part = |view: &View| of.map_or_else(|| view.clone(), |of| view.part(of));
        let (was, is) = (part(before), part(after));
        let mut gone = was.kept().filter(|(task, _)| !is.keeps(&task.key));
        let is_lost = gone.any(|(task, _)| before.is_serving(task, now));
        let left = serving(&is);
        if is_lost && left < lower {
            return Some(format!(
                "{left} of {name} serve after its own stops, at least {lower}"
            ));
        }
    }
    None
}

/// What one step did wrong, whatever keeps the service.
pub fn rollout_step(before: &View, after: &View, now: Timestamp) -> Option<(u8, String)> {
    left_alone(before, after, now)
        .or_else(|| breaker(before, after))
        .or_else(|| alarms(before, after))
        .or_else(|| hooks(before, after, now))
        .or_else(|| requested(before, after))
}

/// Semantics 6.9 and 6.12: protection and grace period.
fn left_alone(before: &View, after: &View, now: Timestamp) -> Option<(u8, String)> {
    let is_daemon = after.record.scheduling == Scheduling::Daemon;
    let sick = StopReason::failed_health_checks();
    let stopped = after
        .live
        .iter()
        .filter(|(task, _)| before.keeps(&task.key));
    let mut stopped = stopped.filter(|(task, _)| !after.keeps(&task.key));
    stopped.find_map(|(task, drains)| {
        let for_health = task.stop.as_ref() == Some(&sick);
        let is_protected = task.protected_until.is_some_and(|until| until > now);
        let arn = task.key.arn();
        if is_protected && !for_health && !drains && !is_daemon {
            return Some((3, format!("{arn} is protected and was stopped")));
        }
        // As it was: a target that leaves is no longer unwell, nor RUNNING.
        let mut was = before.live.iter().filter(|(was, _)| was.key == task.key);
        let was_sick = was.any(|(was, _)| before.is_sick(was, now));
        (for_health && !was_sick)
            .then(|| (3, format!("{arn} was stopped for its health too early")))
    })
}

/// API reference, DeploymentCircuitBreaker.
fn breaker(before: &View, after: &View) -> Option<(u8, String)> {
    let configuration = &after.record.configuration.0;
    let breaker = configuration.deployment_circuit_breaker.as_ref()?;
    if breaker.enable != Some(true) {
        return None;
    }
    // Without a threshold of the user's: half of the desired count, 3 to 200.
    let threshold = after.record.desired.div_ceil(2).clamp(3, 200);
    let primary = after.record.primary()?;
    if primary.rollout == Rollout::InProgress && primary.failed_tasks >= threshold {
        let what = format!(
            "{} tasks failed and the deployment goes on",
            primary.failed_tasks
        );
        return Some((3, what));
    }
    let was = before.record.primary()?;
    let mut all = after.record.deployments.iter();
    let is = all.find(|deployment| deployment.number == was.number)?;
    let tripped = was.rollout == Rollout::InProgress
        && is.rollout == Rollout::Failed
        && is.failed_tasks >= threshold;
    let earlier = before
        .record
        .completed_revision
        .filter(|r| *r != was.revision);
    let rolls_back = tripped && breaker.rollback == Some(true) && !was.is_rollback;
    let to = earlier.filter(|_| rolls_back)?;
    (primary.revision != to || !primary.is_rollback).then(|| {
        (
            3,
            "the circuit breaker tripped and nothing was rolled back".into(),
        )
    })
}

/// Semantics 6.5: an alarm that is watched ends the deployment, once a task of it was RUNNING.
fn alarms(before: &View, after: &View) -> Option<(u8, String)> {
    let (was, is) = (before.record.primary()?, after.record.primary()?);
    let goes_on = was.number == is.number && is.rollout != Rollout::Failed;
    let is_watched = was.rollout == Rollout::InProgress && was.has_run && !was.is_rollback;
    let rings = before.ringing.first().filter(|_| goes_on && is_watched)?;
    Some((3, format!("alarm {rings} rings and the deployment goes on")))
}

/// Semantics 6.7: all hooks of a stage must pass.
fn hooks(before: &View, after: &View, now: Timestamp) -> Option<(u8, String)> {
    let (was, is) = (before.record.primary()?, after.record.primary()?);
    let (earlier, later) = (was.staged.as_ref()?, is.staged.as_ref()?);
    if was.number != is.number || is.rollout != Rollout::InProgress {
        return None;
    }
    let mut hooks = earlier.present_hooks();
    if hooks.any(|hook| hook.status == HookStatus::Failed) {
        return Some((3, "a hook failed and the deployment goes on".into()));
    }
    let is_passed = earlier.stage != later.stage;
    let is_open = earlier
        .present_hooks()
        .any(|hook| hook.status.is_open() && hook.expires > now);
    (is_passed && is_open).then(|| {
        (
            3,
            format!("{:?} was passed with an open hook", earlier.stage),
        )
    })
}

/// StopServiceDeployment is obeyed at once.
fn requested(before: &View, after: &View) -> Option<(u8, String)> {
    use DeploymentStatus::{RollbackRequested, StopRequested};
    let asked = before
        .requested
        .filter(|r| [RollbackRequested, StopRequested].contains(r))?;
    let is_same = before.record.primary()?.number == after.record.primary()?.number;
    (is_same && after.requested == Some(asked)).then(|| (9, format!("{asked:?} is not obeyed")))
}

impl Simulation {
    /// What happened in a step, for the statistics.
    pub fn count_rollout(&mut self, before: &View, after: &View) {
        let number = |view: &View| view.record.primary().map(|primary| primary.number);
        let is_rollback = after.record.primary().is_some_and(|one| one.is_rollback);
        self.statistics.rollbacks += u64::from(is_rollback && number(before) != number(after));
        let failed = after
            .record
            .deployments
            .iter()
            .filter(|one| one.rollout == Rollout::Failed);
        let mut by_alarm = failed.filter(|one| one.reason.contains("alarm(s) detected"));
        let is_new = |one: &Deployment| {
            let mut all = before.record.deployments.iter();
            all.any(|was| was.number == one.number && was.rollout == Rollout::InProgress)
        };
        self.statistics.alarmed += u64::from(by_alarm.any(is_new));
        let sick = StopReason::failed_health_checks();
        let stopped = after
            .live
            .iter()
            .filter(|(task, _)| before.keeps(&task.key));
        let unhealthy = stopped.filter(|(task, _)| task.stop.as_ref() == Some(&sick));
        self.statistics.unhealthy += unhealthy.count() as u64;
    }

    /// Of services that came to rest, or to their end, no service deployment is under way.
    pub fn check_deployments_closed(&mut self) {
        let world = self.server.published.clone();
        let open = world.scan(&SERVICE_DEPLOYMENTS);
        for record in open.filter(|record| record.status.is_open()) {
            let service = world.get(&ecs::records::service::SERVICES, &record.key.service);
            if service.is_none_or(|service| service.status != ServiceStatus::Draining) {
                let what = format!("{} is {:?} for ever", record.key.arn(), record.status);
                self.violate(9, what);
            }
        }
    }
}

impl View {
    /// Its tasks of one deployment or task set.
    pub fn part(&self, number: u64) -> Self {
        let is_of = |task: &TaskRecord| task.service.is_some_and(|of| of.deployment == number);
        let live = self.live.iter().filter(|(task, _)| is_of(task));
        Self {
            live: live.cloned().collect(),
            ..self.clone()
        }
    }
}
