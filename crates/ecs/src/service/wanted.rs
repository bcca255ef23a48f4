//! What an operation may change of a service: what is wanted. Everything that follows is the plan's.
//!
//! Every operation changes a service here, so that its answer already shows what is asked for.
//! Rule: semantics 2.3, "What UpdateService redeploys", 6.4 (an update ends the wait for a start at
//! once).

use super::deploy;
use crate::records::service::{Scheduling, ServiceRecord, ServiceStatus, Throttle, Workload};
use crate::records::service_revision::{RevisionKey, SERVICE_REVISIONS};
use crate::records::task_set::{TaskSet, TaskSetStatus};
use aws_types::{Ctx, Timestamp};
use store::{Txn, World};

/// What is asked for; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// `desiredCount`.
    pub desired: Option<u32>,
    /// What the tasks are made from; a new deployment where it differs from the PRIMARY's.
    pub workload: Option<Workload>,
    /// A new deployment in any case.
    pub force: bool,
}

/// Makes this the service's. The record is changed, not stored.
pub fn want(txn: &mut Txn, ctx: &mut Ctx, service: &mut ServiceRecord, wanted: Wanted) {
    let now = ctx.now;
    if let Some(primary) = service.deployments.first_mut() {
        primary.throttle = Throttle::default();
        primary.failed_tasks = 0;
    }
    for set in &mut service.task_sets {
        set.throttle = Throttle::default();
    }
    // Its constraints may be others now.
    service.unevened = None;
    let present = workload(txn, service);
    let next = wanted.workload.or_else(|| present.clone());
    let is_new = wanted.force || present != next;
    let deploys = next.filter(|_| is_new && !service.controller.has_task_sets());
    if let Some(desired) = wanted.desired {
        desire(service, desired);
        if deploys.is_none() {
            desire_of_primary(service, now);
        }
    }
    if let Some(next) = deploys {
        deploy::begin(txn, ctx, service, next);
    }
}

/// Asks for the end of the service: no task of it is desired any more.
pub fn drain(txn: &mut Txn, ctx: &Ctx, service: &mut ServiceRecord) {
    service.status = ServiceStatus::Draining;
    service.desired = 0;
    for deployment in &mut service.deployments {
        deployment.desired = 0;
        deployment.updated = ctx.now;
    }
    for set in &mut service.task_sets {
        scale(set, 0, ctx.now);
        set.status = TaskSetStatus::Draining;
    }
    service.lacks_room = false;
    deploy::close(txn, ctx.now, service, "Service was deleted.");
}

/// Another scale of a task set, in hundredths of a percent; its starts are not held back any more.
pub fn scale(set: &mut TaskSet, hundredths: u32, now: Timestamp) {
    set.throttle = Throttle::default();
    if set.scale_hundredths != hundredths {
        set.scale_hundredths = hundredths;
        set.steady = None;
        set.stability_at = now;
    }
    set.updated = now;
}

fn desire(service: &mut ServiceRecord, desired: u32) {
    if service.desired != desired {
        service.desired = desired;
        service.steady = None;
    }
}

/// The PRIMARY follows the service's desired count; a DAEMON's is counted, not asked for.
fn desire_of_primary(service: &mut ServiceRecord, now: Timestamp) {
    if service.scheduling == Scheduling::Replica
        && let Some(primary) = service.deployments.first_mut()
        && primary.desired != service.desired
    {
        primary.desired = service.desired;
        primary.updated = now;
    }
}

/// What the PRIMARY deployment's tasks are made from.
#[must_use]
pub fn workload(world: &World, service: &ServiceRecord) -> Option<Workload> {
    let key = RevisionKey {
        service: service.key.clone(),
        number: service.primary()?.revision,
    };
    let revision = world.get(&SERVICE_REVISIONS, &key)?;
    Some(revision.workload.clone())
}
