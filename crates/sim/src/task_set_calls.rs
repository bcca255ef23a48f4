//! A service whose deployments are made by its users: task sets come, are scaled, become PRIMARY and go.

use crate::event::Request;
use crate::service_calls::{GOOD, GRACES, MOODY, ServiceCall};
use crate::simulation::Simulation;
use aws_api::ecs::{
    CreateServiceRequest, CreateTaskSetRequest, DeleteServiceRequest, DeleteTaskSetRequest,
    DeploymentController, Scale, UpdateServicePrimaryTaskSetRequest, UpdateServiceRequest,
    UpdateTaskSetRequest,
};
use aws_types::AwsError;
use ecs::ops;
use ecs::records::service::{ServiceRecord, ServiceStatus};
use ecs::records::task_set::{TaskSet, TaskSetStatus};
use std::sync::Arc;

/// The service's name.
pub const SETS: &str = "sets";
/// More are not made at once.
const SETS_MAX: usize = 4;
const FAMILIES: [&str; 7] = [
    GOOD,
    GOOD,
    "svc-checked",
    MOODY,
    "svc-crash",
    "svc-broken",
    "svc-vpc",
];
const SCALES: [f64; 6] = [0.0, 12.5, 33.33, 50.0, 100.0, 100.0];

/// A call about task sets.
#[derive(Clone, Debug)]
pub enum TaskSetCall {
    Create(CreateTaskSetRequest),
    Scale(UpdateTaskSetRequest),
    Primary(UpdateServicePrimaryTaskSetRequest),
    Delete(DeleteTaskSetRequest),
}

impl Simulation {
    /// A call about the service or its task sets.
    pub fn some_task_set_call(&mut self) -> Option<ServiceCall> {
        let record = self.service(SETS);
        let Some(record) = record.filter(|record| record.status == ServiceStatus::Active) else {
            return Some(self.create_driven());
        };
        let mut update = UpdateServiceRequest {
            service: Some(SETS.into()),
            ..UpdateServiceRequest::default()
        };
        Some(match self.random.below(100) {
            0..30 if living(&record).count() < SETS_MAX => {
                let family = self.random.pick(&FAMILIES).copied().unwrap_or(GOOD);
                let scale = self.random.pick(&SCALES).copied().unwrap_or(0.0);
                self.create_set(family, scale)
            }
            0..55 => ServiceCall::TaskSet(TaskSetCall::Scale(UpdateTaskSetRequest {
                service: Some(SETS.into()),
                task_set: Some(self.some_set(&record)?),
                scale: self.random.pick(&SCALES).copied().map(percent),
                ..UpdateTaskSetRequest::default()
            })),
            55..70 => {
                ServiceCall::TaskSet(TaskSetCall::Primary(UpdateServicePrimaryTaskSetRequest {
                    service: Some(SETS.into()),
                    primary_task_set: Some(self.some_set(&record)?),
                    ..UpdateServicePrimaryTaskSetRequest::default()
                }))
            }
            70..85 => {
                let set = self.some_set(&record)?;
                delete_set(set, self.random.chance(700))
            }
            85..93 => {
                update.desired_count = Some(self.random.between(0, 4) as i32);
                ServiceCall::Update(update)
            }
            93..97 => {
                update.health_check_grace_period_seconds = self.random.pick(&GRACES).copied();
                ServiceCall::Update(update)
            }
            _ => ServiceCall::Delete(DeleteServiceRequest {
                service: Some(SETS.into()),
                force: Some(true),
                ..DeleteServiceRequest::default()
            }),
        })
    }

    fn create_driven(&mut self) -> ServiceCall {
        ServiceCall::Create(CreateServiceRequest {
            service_name: Some(SETS.into()),
            desired_count: Some(self.random.between(0, 4) as i32),
            deployment_controller: Some(DeploymentController {
                r#type: Some("EXTERNAL".into()),
            }),
            health_check_grace_period_seconds: self.random.pick(&GRACES).copied(),
            ..CreateServiceRequest::default()
        })
    }

    fn create_set(&mut self, family: &str, scale: f64) -> ServiceCall {
        let token = self.number();
        ServiceCall::TaskSet(TaskSetCall::Create(CreateTaskSetRequest {
            service: Some(SETS.into()),
            task_definition: Some(family.into()),
            network_configuration: self.some_network(family),
            scale: Some(percent(scale)),
            client_token: Some(format!("set-{token}")),
            ..CreateTaskSetRequest::default()
        }))
    }

    /// Also one that is going.
    fn some_set(&mut self, record: &ServiceRecord) -> Option<String> {
        let all: Vec<String> = record.task_sets.iter().map(TaskSet::id).collect();
        self.random.pick(&all).cloned()
    }

    /// Does what a call asks for.
    pub fn serve_task_set(&mut self, call: &TaskSetCall) -> Result<Option<String>, AwsError> {
        let (now, server) = (self.now, &mut self.server);
        match call {
            TaskSetCall::Create(input) => {
                let made = server.submit(now, None, |txn, ctx| {
                    ops::create_task_set::create_task_set(txn, ctx, input)
                })?;
                let made = made.task_set.and_then(|set| set.id).unwrap_or_default();
                self.statistics.task_sets += 1;
                self.check_set_made(input.client_token.as_deref(), made);
            }
            TaskSetCall::Scale(input) => {
                server.submit(now, None, |txn, ctx| {
                    ops::update_task_set::update_task_set(txn, ctx, input)
                })?;
            }
            TaskSetCall::Primary(input) => {
                server.submit(now, None, |txn, ctx| {
                    ops::update_service_primary_task_set::update_service_primary_task_set(
                        txn, ctx, input,
                    )
                })?;
            }
            TaskSetCall::Delete(input) => {
                server.submit(now, None, |txn, ctx| {
                    ops::delete_task_set::delete_task_set(txn, ctx, input)
                })?;
            }
        }
        Ok(None)
    }

    /// The faults are over: one set with a good image is to be left.
    pub fn mend_task_sets(&mut self) {
        let record = self.service(SETS);
        let Some(record) = record.filter(|record| record.status == ServiceStatus::Active) else {
            return;
        };
        let is_good = |set: &&TaskSet| set.workload.family == GOOD && set.scale_hundredths > 0;
        let kept = living(&record).find(is_good).map(TaskSet::id);
        let others = living(&record)
            .map(TaskSet::id)
            .filter(|id| kept.as_ref() != Some(id));
        let mut calls: Vec<_> = others.map(|set| delete_set(set, true)).collect();
        if kept.is_none() {
            calls.push(self.create_set(GOOD, 100.0));
        }
        for call in calls {
            self.send_request(None, Request::Service(call));
        }
    }
}

fn living(record: &Arc<ServiceRecord>) -> impl Iterator<Item = &TaskSet> {
    let sets = record.task_sets.iter();
    sets.filter(|set| set.status != TaskSetStatus::Draining)
}

fn percent(value: f64) -> Scale {
    Scale {
        value: Some(value),
        unit: Some("PERCENT".into()),
    }
}

fn delete_set(set: String, force: bool) -> ServiceCall {
    ServiceCall::TaskSet(TaskSetCall::Delete(DeleteTaskSetRequest {
        service: Some(SETS.into()),
        task_set: Some(set),
        force: Some(force),
        ..DeleteTaskSetRequest::default()
    }))
}
