//! What a plan means for the record of the service deployment under way.

use super::deploy;
use super::progress::{By, Note, RollBack};
use crate::records::service::{Deployment, ServiceRecord, deployment_id};
use crate::records::service_deployment::{
    DeploymentStatus, Monitor, Rollback, SERVICE_DEPLOYMENTS, ServiceDeploymentId,
    ServiceDeploymentKey, ServiceDeploymentRecord,
};
use crate::records::service_revision::{RevisionKey, SERVICE_REVISIONS};
use aws_types::{Ctx, Timestamp};
use store::{Txn, World};

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
        Note::Stopped(reason, by) => {
            record.status = DeploymentStatus::Stopped;
            record.stopped = Some(now);
            record.finished = Some(now);
            record.reason = Some(reason);
            trigger(record, &by);
            complete(record);
        }
        Note::RollbackFailed(reason) => {
            record.status = DeploymentStatus::RollbackFailed;
            record.finished = Some(now);
            record.reason = Some(reason);
            trigger(record, &By::Breaker);
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
    // The first as AWS shows it; it documents none for the others.
    let what = match to.by {
        By::Breaker => "ECS deployment circuit breaker",
        By::Alarms(_) => "ECS deployment alarms",
        By::Hook => "ECS deployment lifecycle hook",
        By::Asked => "ECS deployment stopped",
    };
    change(txn, before, now, |record| {
        record.status = DeploymentStatus::RollbackInProgress;
        record.reason = Some(to.reason.clone());
        record.rollback = Some(Rollback {
            reason: to.reason,
            started: now,
            revision: to.revision,
        });
        trigger(record, &to.by);
        record.alarms.finish();
    });
    let number = match return_to_blue(before, service, to.revision, now) {
        Some(blue) => blue,
        None => {
            let number = deploy::number(&mut ctx.ids);
            deploy::push_primary(service, number, to.revision, part_of(before), now);
            number
        }
    };
    goes_by(txn, service, to.revision);
    if let Some(primary) = service.deployments.first_mut() {
        primary.is_rollback = true;
        primary.reason = format!(
            "{what}: rolling back to deploymentId {}.",
            deployment_id(number)
        );
    }
    number
}

/// The service goes again by what this revision goes by: a deployment may have changed its launch type.
fn goes_by(world: &World, service: &mut ServiceRecord, revision: u64) {
    let key = RevisionKey {
        service: service.key.clone(),
        number: revision,
    };
    if let Some(revision) = world.get(&SERVICE_REVISIONS, &key) {
        let of = &revision.workload;
        service.launch_type.clone_from(&of.launch_type);
        service.platform_version.clone_from(&of.platform_version);
    }
}

/// Makes blue, which was kept, the PRIMARY again with its tasks; its number, if it is there.
fn return_to_blue(
    before: &ServiceRecord,
    service: &mut ServiceRecord,
    revision: u64,
    now: Timestamp,
) -> Option<u64> {
    let blue = before.primary()?.staged.as_ref()?.blue?;
    let is_blue = |one: &Deployment| one.number == blue && one.revision == revision;
    let at = service.deployments.iter().position(is_blue)?;
    let created = service.deployments.remove(at).created;
    deploy::push_primary(service, blue, revision, part_of(before), now);
    if let Some(primary) = service.deployments.first_mut() {
        primary.created = created;
        primary.has_run = true;
    }
    Some(blue)
}

/// The service deployment shows what the circuit breaker counts, and the stage.
pub fn follow(txn: &mut Txn, now: Timestamp, before: &ServiceRecord, service: &ServiceRecord) {
    let Some(was) = before.primary() else { return };
    let mut deployments = service.deployments.iter();
    let Some(is) = deployments.find(|one| one.number == was.number) else {
        return;
    };
    let lags = |record: &ServiceDeploymentRecord| {
        let is_staged = is.staged.is_some() && record.staged != is.staged;
        is.failed_tasks != was.failed_tasks || is_staged
    };
    let record = key_of(before).and_then(|key| txn.get(&SERVICE_DEPLOYMENTS, &key));
    if record.is_some_and(|record| lags(record)) {
        change(txn, before, now, |record| {
            record.failures = is.failed_tasks;
            if is.staged.is_some() {
                record.staged.clone_from(&is.staged);
            }
        });
    }
}

fn key_of(service: &ServiceRecord) -> Option<ServiceDeploymentKey> {
    let id = part_of(service)?;
    let service = service.key.clone();
    Some(ServiceDeploymentKey { service, id })
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
    let Some(key) = key_of(service) else { return };
    txn.update(&SERVICE_DEPLOYMENTS, &key, |record| {
        with(record);
        record.updated = now;
    });
}

/// What watched it and did not end it watches no more.
fn complete(record: &mut ServiceDeploymentRecord) {
    if record.breaker == Monitor::Monitoring {
        record.breaker = Monitor::Complete;
    }
    record.alarms.finish();
}

fn trigger(record: &mut ServiceDeploymentRecord, by: &By) {
    match by {
        By::Breaker => record.breaker = Monitor::Triggered,
        By::Alarms(names) => record.alarms.trigger(names.clone()),
        By::Asked | By::Hook => {}
    }
}
