//! The beginning of a deployment: a revision, a new PRIMARY, and the service deployment that tells
//! of it.
//!
//! Rule: semantics 6.1 (an update during an update makes the PRIMARY ACTIVE), 6.6.

use crate::connect::settle;
use crate::records::deployment_stage::Staged;
use crate::records::service::{
    Deployment, Rollout, Scheduling, ServiceKey, ServiceRecord, Throttle, Workload, deployment_id,
};
use crate::records::service_deployment::{
    DeploymentStatus, Monitor, SERVICE_DEPLOYMENTS, ServiceDeploymentId, ServiceDeploymentKey,
    ServiceDeploymentRecord, Source,
};
use crate::records::service_revision::{RevisionKey, SERVICE_REVISIONS, ServiceRevisionRecord};
use crate::records::task::TaskKey;
use crate::records::task_table::{Count, OF_SERVICE, TASKS, deployment_parts};
use crate::service::{alarms, circuit_breaker, stage, stage_hooks};
use aws_types::{Ctx, Ids, Timestamp};
use store::{Txn, World};

/// Up to 19 digits, as AWS's: a number below this is added to the smallest of 19 digits.
const NUMBER_RANGE: u64 = 8_000_000_000_000_000_000;
const NUMBER_MIN: u64 = 1_000_000_000_000_000_000;
const ID_LEN: usize = 21;
const ID_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A new number of a deployment, a task set or a revision.
pub fn number(ids: &mut Ids) -> u64 {
    NUMBER_MIN + ids.number() % NUMBER_RANGE
}

fn service_deployment_id(ids: &mut Ids) -> ServiceDeploymentId {
    let bytes = ids.bytes();
    let text = bytes.iter().take(ID_LEN);
    let text = text.map(|byte| char::from(ID_ALPHABET[usize::from(byte & 63)]));
    ServiceDeploymentId(text.collect())
}

/// Makes this workload the service's: a new revision, deployed by a new PRIMARY under a new service
/// deployment. The one under way is superseded. The record is changed, not stored.
pub fn begin(txn: &mut Txn, ctx: &mut Ctx, service: &mut ServiceRecord, workload: Workload) {
    let number = number(&mut ctx.ids);
    let revision = ServiceRevisionRecord {
        key: RevisionKey {
            service: service.key.clone(),
            number,
        },
        created: ctx.now,
        endpoints: settle::snapshot(txn, &service.key, &workload),
        workload,
        images: Vec::new(),
    };
    txn.put(&SERVICE_REVISIONS, revision);
    let why = "Deployment was superseded by a newer deployment.";
    close(txn, ctx.now, service, why);
    let part_of = service_deployment_id(&mut ctx.ids);
    let sources = sources(txn, service);
    let enabled = circuit_breaker::is_enabled(service);
    let staged = staged(ctx, service);
    txn.put(
        &SERVICE_DEPLOYMENTS,
        ServiceDeploymentRecord {
            key: ServiceDeploymentKey {
                service: service.key.clone(),
                id: part_of.clone(),
            },
            status: DeploymentStatus::Pending,
            reason: None,
            created: ctx.now,
            started: None,
            finished: None,
            stopped: None,
            updated: ctx.now,
            sources,
            target: number,
            configuration: service.configuration.clone(),
            breaker: if enabled {
                Monitor::Monitoring
            } else {
                Monitor::Disabled
            },
            failures: 0,
            threshold: circuit_breaker::threshold(service),
            alarms: alarms::begin(txn, service),
            rollback: None,
            staged: staged.clone(),
        },
    );
    push_primary(service, number, number, Some(part_of), ctx.now);
    if let Some(primary) = service.deployments.first_mut() {
        primary.staged = staged;
    }
}

/// The first stage of a new deployment, where its strategy has stages. Blue is what completed last;
/// where that is gone, what was deployed last.
fn staged(ctx: &mut Ctx, service: &ServiceRecord) -> Option<Staged> {
    let earlier = &service.deployments;
    let completed = |one: &&Deployment| Some(one.revision) == service.completed_revision;
    let blue = earlier.iter().find(completed).or(earlier.first());
    let blue = blue.map(|blue| blue.number);
    let mut staged = stage::begin(&service.configuration, blue, earlier.len() > 1, ctx.now)?;
    stage_hooks::name(&mut staged, &mut ctx.ids);
    Some(staged)
}

/// A new PRIMARY of a revision that exists; the PRIMARY until now becomes ACTIVE.
pub fn push_primary(
    service: &mut ServiceRecord,
    number: u64,
    revision: u64,
    part_of: Option<ServiceDeploymentId>,
    now: Timestamp,
) {
    let desired = match service.scheduling {
        Scheduling::Replica => service.desired,
        Scheduling::Daemon => 0,
    };
    for earlier in &mut service.deployments {
        if earlier.rollout == Rollout::InProgress {
            earlier.updated = now;
        }
    }
    service.deployments.insert(
        0,
        Deployment {
            number,
            revision,
            desired,
            created: now,
            updated: now,
            rollout: Rollout::InProgress,
            reason: format!("ECS deployment {} in progress.", deployment_id(number)),
            failed_tasks: 0,
            has_run: false,
            throttle: Throttle::default(),
            part_of,
            is_rollback: false,
            staged: None,
        },
    );
    service.steady = None;
    service.lacks_room = false;
    service.told.clear();
}

/// Ends the service deployment under way, if there is one, before it was complete.
pub fn close(txn: &mut Txn, now: Timestamp, service: &ServiceRecord, why: &str) {
    let Some(id) = service
        .primary()
        .and_then(|primary| primary.part_of.clone())
    else {
        return;
    };
    let key = ServiceDeploymentKey {
        service: service.key.clone(),
        id,
    };
    let is_open = txn
        .get(&SERVICE_DEPLOYMENTS, &key)
        .is_some_and(|record| record.status.is_open());
    if is_open {
        txn.update(&SERVICE_DEPLOYMENTS, &key, |record| {
            record.status = DeploymentStatus::Stopped;
            record.reason = Some(why.into());
            record.stopped = Some(now);
            record.finished = Some(now);
            record.updated = now;
            if record.breaker == Monitor::Monitoring {
                record.breaker = Monitor::Complete;
            }
            record.alarms.finish();
        });
    }
}

/// The revisions that the service runs now, with their counts.
#[must_use]
pub fn sources(world: &World, service: &ServiceRecord) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for deployment in &service.deployments {
        let running = count(world, &service.key, deployment.number, Count::Running);
        let pending = count(world, &service.key, deployment.number, Count::Pending);
        let found = sources
            .iter_mut()
            .find(|source| source.revision == deployment.revision);
        match found {
            Some(source) => {
                source.requested += deployment.desired;
                source.running += running;
                source.pending += pending;
            }
            None => sources.push(Source {
                revision: deployment.revision,
                requested: deployment.desired,
                running,
                pending,
            }),
        }
    }
    sources
}

/// How many tasks of a deployment or task set count as this.
#[must_use]
pub fn count(world: &World, service: &ServiceKey, number: u64, count: Count) -> u32 {
    let of_cluster = TaskKey::new(&service.scope, &service.cluster, "");
    let key = deployment_parts(&of_cluster, number, count.name());
    u32::try_from(world.sum(&TASKS, &OF_SERVICE, &key)).unwrap_or(0)
}
