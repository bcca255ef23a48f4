//! Planted bugs of the scheduler: one of its steps sees a service that is not as it is recorded.

use crate::plan::Mutation;
use crate::providers;
use aws_types::Timestamp;
use ecs::records::deployment_stage::HookStatus;
use ecs::records::service::{SERVICES, Scheduling, ServiceKey, ServiceRecord};
use ecs::records::service_deployment::{
    DeploymentStatus, Monitor, SERVICE_DEPLOYMENTS, ServiceDeploymentKey,
};
use ecs::records::task::Membership;
use ecs::records::task_set::TaskSetStatus;
use ecs::records::task_table::{BY_SERVICE, LIVE, service_parts};
use ecs::records::{TASKS, TaskKey, TaskRecord};
use ecs::task::status::TaskStatus;
use std::sync::Arc;
use store::Txn;

/// What is put back after the step.
#[derive(Debug)]
pub enum Kept {
    Grace(Option<u32>),
    Maximum(Option<i32>),
    Seats(Vec<(TaskKey, Membership)>),
    Scales(Vec<(u64, u32)>),
    Rollback(Option<bool>),
    Protected(Vec<(TaskKey, Option<Timestamp>)>),
    Hooks(Vec<(String, HookStatus)>),
    Requested(ServiceDeploymentKey, DeploymentStatus),
    Alarms(ServiceDeploymentKey),
    /// Sets that were deleted are gone at once.
    Deleted,
    Weights,
    /// Nothing: it is to be forgotten.
    Told,
}

/// Before the step.
pub fn begin(txn: &mut Txn, key: &ServiceKey, mutation: Option<Mutation>) -> Option<Kept> {
    let service = txn.get(&SERVICES, key)?.as_ref().clone();
    Some(match mutation? {
        Mutation::GraceIgnored => {
            change(txn, key, |service| service.grace_seconds = None);
            Kept::Grace(service.grace_seconds)
        }
        Mutation::MaximumDoubled => Kept::Maximum(double_maximum(txn, key)),
        Mutation::TakenSeat => {
            if service.scheduling != Scheduling::Daemon {
                return None;
            }
            Kept::Seats(leave_seats(txn, key))
        }
        Mutation::ScaledTwice => {
            let sets = service.task_sets.iter();
            let scales = sets.map(|set| (set.number, set.scale_hundredths)).collect();
            change(txn, key, |service| {
                let sets = service.task_sets.iter_mut();
                sets.for_each(|set| set.scale_hundredths *= 2);
            });
            Kept::Scales(scales)
        }
        Mutation::NoRollback => Kept::Rollback(set_rollback(txn, key, Some(false))),
        Mutation::ProtectionIgnored => Kept::Protected(unprotect(txn, key)),
        Mutation::HooksPassed => Kept::Hooks(pass_hooks(txn, key)),
        Mutation::AlarmIgnored => Kept::Alarms(deafen(txn, &service)?),
        Mutation::StopIgnored => {
            let deployment = under_way(&service)?;
            let status = txn.get(&SERVICE_DEPLOYMENTS, &deployment)?.status;
            use DeploymentStatus::{InProgress, RollbackRequested, StopRequested};
            if ![RollbackRequested, StopRequested].contains(&status) {
                return None;
            }
            txn.update(&SERVICE_DEPLOYMENTS, &deployment, |record| {
                record.status = InProgress;
            });
            Kept::Requested(deployment, status)
        }
        Mutation::ForgottenSet => Kept::Deleted,
        Mutation::ForgottenTellings => {
            change(txn, key, |service| service.told.clear());
            Kept::Told
        }
        Mutation::WeightsExchanged => {
            providers::exchange_weights(txn, key);
            Kept::Weights
        }
        _ => return None,
    })
}

/// The deployment whose alarms are not listened to any more.
fn deafen(txn: &mut Txn, service: &ServiceRecord) -> Option<ServiceDeploymentKey> {
    let deployment = under_way(service)?;
    let watch = txn.get(&SERVICE_DEPLOYMENTS, &deployment)?.alarms.status;
    if watch != Monitor::Monitoring {
        return None;
    }
    txn.update(&SERVICE_DEPLOYMENTS, &deployment, |record| {
        record.alarms.status = Monitor::Disabled;
    });
    Some(deployment)
}

/// After it.
pub fn end(txn: &mut Txn, key: &ServiceKey, kept: Option<Kept>) {
    match kept {
        None | Some(Kept::Told) => {}
        Some(Kept::Grace(grace)) => change(txn, key, |service| service.grace_seconds = grace),
        Some(Kept::Maximum(maximum)) => set_maximum(txn, key, maximum),
        Some(Kept::Seats(tasks)) => {
            for (task, of) in tasks {
                txn.update(&TASKS, &task, |task| task.service = Some(of));
            }
        }
        Some(Kept::Scales(scales)) => change(txn, key, |service| {
            for set in &mut service.task_sets {
                let before = scales.iter().find(|(number, _)| *number == set.number);
                if let Some((_, scale)) = before {
                    set.scale_hundredths = *scale;
                }
            }
        }),
        Some(Kept::Rollback(rollback)) => {
            set_rollback(txn, key, rollback);
        }
        Some(Kept::Protected(tasks)) => {
            for (task, until) in tasks {
                txn.update(&TASKS, &task, |task| task.protected_until = until);
            }
        }
        Some(Kept::Hooks(hooks)) => change(txn, key, |service| {
            let mut staged = service
                .deployments
                .iter_mut()
                .filter_map(|d| d.staged.as_mut());
            for hook in staged.by_ref().flat_map(|staged| &mut staged.hooks) {
                let before = hooks.iter().find(|(id, _)| *id == hook.id);
                if let Some((_, status)) = before {
                    hook.status = *status;
                }
            }
        }),
        Some(Kept::Requested(deployment, status)) => {
            txn.update(&SERVICE_DEPLOYMENTS, &deployment, |record| {
                if record.status == DeploymentStatus::InProgress {
                    record.status = status;
                }
            });
        }
        Some(Kept::Alarms(deployment)) => {
            txn.update(&SERVICE_DEPLOYMENTS, &deployment, |record| {
                record.alarms.status = Monitor::Monitoring;
            });
        }
        Some(Kept::Weights) => providers::follow(txn, key),
        Some(Kept::Deleted) => change(txn, key, |service| {
            let sets = &mut service.task_sets;
            sets.retain(|set| set.status != TaskSetStatus::Draining);
        }),
    }
}

fn under_way(service: &ServiceRecord) -> Option<ServiceDeploymentKey> {
    let id = service.primary()?.part_of.clone()?;
    let service = service.key.clone();
    Some(ServiceDeploymentKey { service, id })
}

fn change(txn: &mut Txn, key: &ServiceKey, with: impl FnOnce(&mut ServiceRecord)) {
    txn.update(&SERVICES, key, with);
}

fn set_rollback(txn: &mut Txn, key: &ServiceKey, to: Option<bool>) -> Option<bool> {
    let mut before = None;
    change(txn, key, |service| {
        if let Some(breaker) = &mut service.configuration.0.deployment_circuit_breaker {
            before = std::mem::replace(&mut breaker.rollback, to);
        }
    });
    before
}

fn set_maximum(txn: &mut Txn, key: &ServiceKey, to: Option<i32>) {
    change(txn, key, |service| {
        service.configuration.0.maximum_percent = to;
    });
}

fn double_maximum(txn: &mut Txn, key: &ServiceKey) -> Option<i32> {
    let before = txn.get(&SERVICES, key)?.configuration.0.maximum_percent;
    set_maximum(txn, key, Some(before.unwrap_or(200) * 2));
    before
}

/// The tasks that are RUNNING are none of the service's.
fn leave_seats(txn: &mut Txn, key: &ServiceKey) -> Vec<(TaskKey, Membership)> {
    let of = live(txn, key)
        .into_iter()
        .filter(|task| task.last_status == TaskStatus::Running)
        .filter_map(|task| Some((task.key.clone(), task.service?)));
    let of: Vec<_> = of.collect();
    for (task, _) in &of {
        txn.update(&TASKS, task, |task| task.service = None);
    }
    of
}

/// Its tasks that are not STOPPED.
fn live(txn: &Txn, key: &ServiceKey) -> Vec<Arc<TaskRecord>> {
    let within = TaskKey::new(&key.scope, &key.cluster, "");
    let parts = service_parts(&within, &key.group(), LIVE);
    txn.find(&TASKS, &BY_SERVICE, &parts).cloned().collect()
}

fn unprotect(txn: &mut Txn, key: &ServiceKey) -> Vec<(TaskKey, Option<Timestamp>)> {
    let of = live(txn, key)
        .into_iter()
        .map(|task| (task.key.clone(), task.protected_until));
    let of: Vec<_> = of.filter(|(_, until)| until.is_some()).collect();
    for (task, _) in &of {
        txn.update(&TASKS, task, |task| task.protected_until = None);
    }
    of
}

fn pass_hooks(txn: &mut Txn, key: &ServiceKey) -> Vec<(String, HookStatus)> {
    let mut open = Vec::new();
    change(txn, key, |service| {
        let staged = service
            .deployments
            .first_mut()
            .and_then(|d| d.staged.as_mut());
        let hooks = staged.into_iter().flat_map(|staged| &mut staged.hooks);
        for hook in hooks.filter(|hook| hook.status.is_open()) {
            open.push((hook.id.clone(), hook.status));
            hook.status = HookStatus::Succeeded;
        }
    });
    open
}
