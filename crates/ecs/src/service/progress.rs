//! How a deployment goes on: completed, failed, rolled back, gone.
//!
//! Rule: semantics 6.2 (states and their texts), 6.5 (the circuit breaker, alarms: the one that ends a
//! deployment says whether it is rolled back), 6.6 (service deployments).

use super::events::Message;
use super::facts::Facts;
use super::judge;
use super::stage::Outcome;
use super::{alarms, circuit_breaker};
use crate::records::service::{Deployment, Rollout, ServiceStatus};
use crate::records::service_deployment::DeploymentStatus;

/// What a plan says of the PRIMARY and its service deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The PRIMARY as it is then.
    pub primary: Deployment,
    /// What becomes of its service deployment.
    pub note: Option<Note>,
    /// The revision that is deployed in its place, and why.
    pub rollback: Option<RollBack>,
    /// What is told.
    pub messages: Vec<Message>,
}

/// What becomes of a service deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// It is under way.
    Began,
    /// It was completed; of a rollback: the rollback was.
    Succeeded,
    /// It ended without having been completed; why, and by what.
    Stopped(String, By),
    /// The rollback failed as well.
    RollbackFailed(String),
}

/// A rollback that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollBack {
    /// The revision to deploy.
    pub revision: u64,
    /// Why.
    pub reason: String,
    /// What ended the deployment before it.
    pub by: By,
}

/// What ended a deployment before it was complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The circuit breaker.
    Breaker,
    /// These alarms.
    Alarms(Vec<String>),
    /// A user, by StopServiceDeployment.
    Asked,
    /// A lifecycle hook.
    Hook,
}

/// `rolloutStateReason` of a deployment that the circuit breaker ended.
pub const TRIPPED: &str = "ECS deployment circuit breaker: tasks failed to start.";
const ALARMED: &str = "ECS deployment failed: alarm(s) detected.";
const ASKED: &str = "Service deployment was rolled back by a StopServiceDeployment request.";
const ABORTED: &str = "Service deployment was stopped by a StopServiceDeployment request.";

/// How the PRIMARY goes on. `outcome`: what its stages say.
#[must_use]
pub fn advance(facts: &Facts<'_>, primary: &Deployment, outcome: &Outcome) -> Progress {
    let mut progress = Progress {
        primary: primary.clone(),
        note: began(facts),
        rollback: None,
        messages: Vec::new(),
    };
    if primary.rollout != Rollout::InProgress || facts.service.status != ServiceStatus::Active {
        return progress;
    }
    match facts.requested {
        Some(DeploymentStatus::RollbackRequested) => {
            roll_back(facts, ASKED, By::Asked, &mut progress);
        }
        Some(DeploymentStatus::StopRequested) => {
            fail(ABORTED, &mut progress);
            progress.note = Some(Note::Stopped(ABORTED.into(), By::Asked));
        }
        _ if is_tripped(facts, primary) => trip(facts, &mut progress),
        _ if !judge::alarmed(facts, primary).is_empty() => alarm(facts, &mut progress),
        _ => match outcome {
            Outcome::Fails(reason) => {
                let failed = Message::Failed(primary.number, reason.trim_end_matches('.').into());
                progress.messages.push(failed);
                roll_back(facts, reason, By::Hook, &mut progress);
            }
            Outcome::Completes => complete(&mut progress),
            Outcome::Waits(_) => {}
        },
    }
    progress
}

fn began(facts: &Facts<'_>) -> Option<Note> {
    (facts.requested == Some(DeploymentStatus::Pending)).then_some(Note::Began)
}

fn is_tripped(facts: &Facts<'_>, primary: &Deployment) -> bool {
    circuit_breaker::is_enabled(facts.service)
        && primary.failed_tasks >= circuit_breaker::threshold(facts.service)
}

fn trip(facts: &Facts<'_>, progress: &mut Progress) {
    let number = progress.primary.number;
    let failed = Message::Failed(number, "tasks failed to start".into());
    progress.messages.push(failed);
    if circuit_breaker::rolls_back(facts.service) && !progress.primary.is_rollback {
        roll_back(facts, TRIPPED, By::Breaker, progress);
    } else {
        fail(TRIPPED, progress);
        progress.note = Some(match progress.primary.is_rollback {
            true => Note::RollbackFailed(TRIPPED.into()),
            false => Note::Stopped(TRIPPED.into(), By::Breaker),
        });
    }
}

fn alarm(facts: &Facts<'_>, progress: &mut Progress) {
    let by = By::Alarms(judge::alarmed(facts, &progress.primary).to_vec());
    let number = progress.primary.number;
    let failed = Message::Failed(number, "alarm detected".into());
    progress.messages.push(failed);
    if alarms::roll_back(facts.configuration) {
        roll_back(facts, ALARMED, by, progress);
    } else {
        fail(ALARMED, progress);
        progress.note = Some(Note::Stopped(ALARMED.into(), by));
    }
}

/// Deploys the last revision that completed; where there is none, the deployment just fails.
fn roll_back(facts: &Facts<'_>, reason: &str, by: By, progress: &mut Progress) {
    let failed = progress.primary.revision;
    let earlier = facts
        .service
        .completed_revision
        .filter(|earlier| *earlier != failed);
    fail(reason, progress);
    match earlier {
        Some(revision) => {
            if let Some(staged) = &mut progress.primary.staged {
                (staged.test_weight, staged.production_weight) = (0, 0);
            }
            progress.rollback = Some(RollBack {
                revision,
                reason: reason.into(),
                by,
            });
        }
        None => progress.note = Some(Note::Stopped(reason.into(), by)),
    }
}

fn fail(reason: &str, progress: &mut Progress) {
    progress.primary.rollout = Rollout::Failed;
    progress.primary.reason = reason.into();
}

fn complete(progress: &mut Progress) {
    let primary = &mut progress.primary;
    primary.rollout = Rollout::Completed;
    primary.reason = format!("ECS deployment {} completed.", primary.id());
    progress.messages.push(Message::Completed(primary.number));
    progress.note = Some(Note::Succeeded);
}
