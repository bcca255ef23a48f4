//! What tasks that ended, tasks that run and alarms say of the deployment under way.
//!
//! Rule: semantics 6.4 (starts that fail are held back longer and longer), 6.5 (what the circuit
//! breaker counts: before a task was RUNNING those that never are, afterwards those that fail their
//! health checks).

use super::circuit_breaker;
use super::facts::{Ended, Facts, Verdict};
use super::waits::Waits;
use crate::records::service::{Deployment, Throttle};
use aws_types::Timestamp;

/// As many failures in a row are told as an impairment.
pub const IMPAIRED_ROUNDS: u32 = 4;

/// The deployment with what its tasks say of it.
#[must_use]
pub fn judged(facts: &Facts<'_>, deployment: &Deployment) -> Deployment {
    let mut judged = deployment.clone();
    let members = || facts.members.iter().filter(|m| m.of == deployment.number);
    let ended = || facts.ended.iter().filter(|e| e.of == deployment.number);
    let mut failures = 0;
    for ended in ended() {
        let counts = match ended.verdict {
            Verdict::NeverRan => !judged.has_run,
            Verdict::Unhealthy => true,
            Verdict::Exited | Verdict::None => false,
        };
        failures += u32::from(counts);
        judged.has_run |= ended.started.is_some();
    }
    judged.has_run |= members().any(|member| member.started.is_some());
    judged.failed_tasks += failures;
    judged.throttle = throttled(facts, deployment.number, judged.throttle);
    // One that is asked to stop proves nothing by growing older.
    let recovered = members()
        .filter(|member| member.is_healthy() && !member.is_stopping)
        .filter_map(|member| member.started)
        .any(|started| judged.throttle.last.is_none_or(|last| started > last));
    if recovered {
        judged.throttle = Throttle::default();
        if circuit_breaker::resets_on_healthy_task(facts.service) {
            judged.failed_tasks = 0;
        }
    }
    judged
}

/// The watched alarms that end this deployment: those in ALARM once a task of it was RUNNING.
#[must_use]
pub fn alarmed<'f>(facts: &'f Facts<'_>, judged: &Deployment) -> &'f [String] {
    match &facts.alarms {
        Some(watch) if judged.has_run && !judged.is_rollback => &watch.ringing,
        Some(_) | None => &[],
    }
}

/// The throttle of a deployment or task set after what ended; one round, however many did.
#[must_use]
pub fn throttled(facts: &Facts<'_>, number: u64, before: Throttle) -> Throttle {
    let failed = facts
        .ended
        .iter()
        .filter(|ended| ended.of == number && holds_back(ended, facts.waits));
    let Some(last) = failed.map(|ended| ended.stopped).max() else {
        return before;
    };
    let rounds = before.rounds.saturating_add(1);
    let wait = facts.waits.retry(rounds, number ^ (u64::from(rounds) * 97));
    Throttle {
        rounds,
        until: (!wait.is_zero()).then(|| facts.now.plus(wait)),
        last: Some(last),
    }
}

/// Whether a task like this one is not started again at once: it never ran, or ended before it
/// counted as healthy.
fn holds_back(ended: &Ended, waits: Waits) -> bool {
    match ended.verdict {
        Verdict::NeverRan | Verdict::Unhealthy => true,
        Verdict::Exited => ended
            .started
            .is_some_and(|started| ended.stopped.since(started) < waits.healthy_after),
        Verdict::None => false,
    }
}

/// Until when this throttle holds starts back.
#[must_use]
pub fn held_until(throttle: Throttle, now: Timestamp) -> Option<Timestamp> {
    throttle.until.filter(|until| *until > now)
}
