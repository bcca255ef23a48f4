//! What a plan means for the record of the service deployment under way.

use super::deploy;
use super::progress::{Note, RollBack};
use crate::records::service::{ServiceRecord, deployment_id};
use crate::records::service_deployment::{
    DeploymentStatus, Monitor, Rollback, SERVICE_DEPLOYMENTS, ServiceDeploymentId,
    ServiceDeploymentKey, ServiceDeploymentRecord,
};
use aws_types::{Ctx, Timestamp};
use store::Txn;

/// Writes what becomes of the service deployment. `before`: the service as the plan saw it.
pub fn note(txn: &mut Txn, now: Timestamp, before: &ServiceRecord, note: Note) {
    let is_rollback = before.primary().is_some_and(|primary| primary.is_rollback);
    change(txn, before, now, |record| match note {
        Note::Began => {
            record.status = DeploymentStatus::InProgress;
            record.started = Some(now);
        }
        Note::Succeeded => {
            record.status = match is_rollback {
                true => DeploymentStatus::RollbackSuccessful,
                false => DeploymentStatus::Successful,
            };
            record.started.get_or_insert(now);
            record.finished = Some(now);
            complete(record);
        }
        Note::Stopped(reason) => {
            record.status = DeploymentStatus::Stopped;
            record.stopped = Some(now);
            record.finished = Some(now);
            record.reason = Some(reason);
            trigger(record);
        }
        Note::RollbackFailed(reason) => {
            record.status = DeploymentStatus::RollbackFailed;
            record.finished = Some(now);
            record.reason = Some(reason);
            trigger(record);
        }
    });
}

/// Begins a rollback: its revision gets a new PRIMARY in `service`. Gives the number of that.
pub fn roll_back(
    txn: &mut Txn,
    ctx: &mut Ctx,
    before: &ServiceRecord,
    service: &mut ServiceRecord,
    to: RollBack,
) -> u64 {
    let now = ctx.now;
    change(txn, before, now, |record| {
        record.status = DeploymentStatus::RollbackInProgress;
        record.reason = Some(to.reason.clone());
        record.rollback = Some(Rollback {
            reason: to.reason,
            started: now,
            revision: to.revision,
        });
        if to.by_breaker {
            record.breaker = Monitor::Triggered;
        }
    });
    let number = deploy::number(&mut ctx.ids);
    deploy::push_primary(service, number, to.revision, part_of(before), now);
    if let Some(primary) = service.deployments.first_mut() {
        primary.is_rollback = true;
        primary.reason = format!(
            "ECS deployment circuit breaker: rolling back to deploymentId {}.",
            deployment_id(number)
        );
    }
    number
}

/// The service deployment shows what the circuit breaker counts.
pub fn count_failures(
    txn: &mut Txn,
    now: Timestamp,
    before: &ServiceRecord,
    service: &ServiceRecord,
) {
    let Some(was) = before.primary() else { return };
    let is = service
        .deployments
        .iter()
        .find(|deployment| deployment.number == was.number);
    if let Some(is) = is
        && is.failed_tasks != was.failed_tasks
    {
        change(txn, before, now, |record| record.failures = is.failed_tasks);
    }
}

fn part_of(service: &ServiceRecord) -> Option<ServiceDeploymentId> {
    service
        .primary()
        .and_then(|primary| primary.part_of.clone())
}

fn change(
    txn: &mut Txn,
    service: &ServiceRecord,
    now: Timestamp,
    with: impl FnOnce(&mut ServiceDeploymentRecord),
) {
    let Some(id) = part_of(service) else { return };
    let key = ServiceDeploymentKey {
        service: service.key.clone(),
        id,
    };
    txn.update(&SERVICE_DEPLOYMENTS, &key, |record| {
        with(record);
        record.updated = now;
    });
}

fn complete(record: &mut ServiceDeploymentRecord) {
    if record.breaker == Monitor::Monitoring {
        record.breaker = Monitor::Complete;
    }
}

fn trigger(record: &mut ServiceDeploymentRecord) {
    if record.breaker == Monitor::Monitoring {
        let is_breaker = record.failures >= record.threshold;
        record.breaker = if is_breaker {
            Monitor::Triggered
        } else {
            Monitor::Complete
        };
    }
}
