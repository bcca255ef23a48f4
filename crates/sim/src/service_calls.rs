//! The users' services: what they ask for, with images that are good, cannot be pulled, crash, never
//! become healthy or do so now and then. What they ask for at the end is in [`crate::service_end`].

use crate::balancer;
use crate::event::{Event, Request};
use crate::plan::Load;
use crate::providers;
use crate::rollout_calls::RolloutCall;
use crate::simulation::Simulation;
use crate::task_set_calls::TaskSetCall;
use crate::workload::{Family, Launch, launch_of};
use aws_api::ecs::{
    CreateServiceRequest, DeleteServiceRequest, DeploymentCircuitBreaker, DeploymentConfiguration,
    UpdateContainerInstancesStateRequest, UpdateServiceRequest,
};
use aws_types::AwsError;
use ecs::ops;
use ecs::records::service::{SERVICES, ServiceKey, ServiceRecord, ServiceStatus};
use ecs::records::{CONTAINER_INSTANCES, InstanceStatus};
use std::sync::Arc;

const HOUR: u64 = 3_600_000;
/// Mean milliseconds between calls; each seed has one of them, so that some services are changed
/// during every change and others are left alone for long.
const CALLS_EVERY: [u64; 3] = [20_000, 120_000, 900_000];

/// What services are made from.
pub const SERVICE_FAMILIES: [Family; 11] = [
    family(GOOD, HOUR),
    family("svc-checked", HOUR),
    family(PORT, HOUR),
    family(BROKEN, HOUR),
    family("svc-crash", 4_000),
    family("svc-sick", HOUR),
    family(VPC, HOUR),
    family("svc-vpc-crash", 4_000),
    family(LENT, HOUR),
    family("svc-lent-broken", HOUR),
    family(MOODY, HOUR),
];
/// One that just runs.
pub const GOOD: &str = "svc-good";
/// One with a port of the host's.
const PORT: &str = "svc-port";
/// Ones with interfaces, on instances and on FARGATE.
const VPC: &str = "svc-vpc";
const LENT: &str = "svc-lent";
/// One whose image cannot be pulled.
pub const BROKEN: &str = "svc-broken";
/// Those with a health check.
pub const CHECKED: [&str; 3] = ["svc-checked", "svc-sick", MOODY];
/// One whose check fails for minutes now and then, until the faults are over.
pub const MOODY: &str = "svc-moody";
/// Grace periods, in seconds.
pub const GRACES: [i32; 5] = [0, 20, 60, 180, 600];

const fn family(name: &'static str, runs_for: u64) -> Family {
    Family { name, runs_for }
}

/// A service that users make, change and delete.
pub struct Slot {
    pub name: &'static str,
    /// What it is made from when it is to be well.
    pub good: &'static str,
    others: &'static [&'static str],
    desired_max: u64,
    /// Pairs of minimumHealthyPercent and maximumPercent.
    pub limits: &'static [(i32, i32)],
    is_daemon: bool,
    /// Green beside blue, with hooks and bake times.
    pub is_staged: bool,
}

const WIDE: &[(i32, i32)] = &[
    (100, 200),
    (100, 150),
    (50, 200),
    (50, 100),
    (0, 100),
    (75, 125),
];
pub const SLOTS: [Slot; 7] = [
    Slot {
        name: "web",
        good: GOOD,
        others: &["svc-checked", MOODY, "svc-crash", BROKEN, "svc-sick"],
        desired_max: 4,
        limits: WIDE,
        is_daemon: false,
        is_staged: false,
    },
    Slot {
        name: "api",
        good: "svc-checked",
        others: &[GOOD, MOODY, MOODY, "svc-sick", BROKEN, "svc-crash"],
        desired_max: 3,
        limits: WIDE,
        is_daemon: false,
        is_staged: false,
    },
    Slot {
        name: "front",
        good: PORT,
        others: &[BROKEN],
        // There are at least two hosts, and a port is of one task.
        desired_max: 2,
        limits: &[(0, 100)],
        is_daemon: false,
        is_staged: false,
    },
    Slot {
        name: "agent",
        good: GOOD,
        others: &["svc-checked", MOODY, "svc-crash", BROKEN],
        desired_max: 0,
        limits: &[(0, 100), (25, 100)],
        is_daemon: true,
        is_staged: false,
    },
    Slot {
        name: "vpc",
        good: VPC,
        others: &["svc-vpc-crash"],
        desired_max: 3,
        limits: WIDE,
        is_daemon: false,
        is_staged: false,
    },
    Slot {
        name: "lent",
        good: LENT,
        others: &["svc-lent-broken"],
        desired_max: 2,
        limits: WIDE,
        is_daemon: false,
        is_staged: false,
    },
    Slot {
        name: "green",
        good: GOOD,
        others: &[GOOD, "svc-checked", MOODY, "svc-crash", BROKEN],
        desired_max: 3,
        limits: WIDE,
        is_daemon: false,
        is_staged: true,
    },
];

/// A call about a service, or of an operator who drains an instance under it.
#[derive(Clone, Debug)]
pub enum ServiceCall {
    Create(CreateServiceRequest),
    Update(UpdateServiceRequest),
    Delete(DeleteServiceRequest),
    Instance(UpdateContainerInstancesStateRequest),
    TaskSet(TaskSetCall),
    Rollout(RolloutCall),
}

impl ServiceCall {
    /// Whether a repeated call asks for no more than the first.
    pub fn may_repeat(&self) -> bool {
        match self {
            Self::Update(input) => input.force_new_deployment != Some(true),
            Self::Create(_) | Self::Delete(_) | Self::Instance(_) => true,
            // Each creation has its token.
            Self::TaskSet(_) | Self::Rollout(_) => true,
        }
    }
}

impl Simulation {
    /// The first call.
    pub fn begin_services(&mut self) {
        match self.plan.load {
            Load::Services => {
                self.services.calls_every = CALLS_EVERY[0];
                self.after(5000, Event::ServiceClient);
            }
            Load::Everything => {
                let every = self.random.pick(&CALLS_EVERY).copied();
                self.services.calls_every = every.unwrap_or(HOUR);
                self.after(5000, Event::ServiceClient);
            }
            Load::TwoServices => {
                for (name, family, desired) in [("web", GOOD, 3), ("api", BROKEN, 1)] {
                    let call = CreateServiceRequest {
                        service_name: Some(name.into()),
                        task_definition: Some(family.into()),
                        desired_count: Some(desired),
                        ..CreateServiceRequest::default()
                    };
                    let request = Request::Service(ServiceCall::Create(call));
                    self.after(5000, Event::Request(Box::new(request)));
                }
            }
        }
    }

    /// The next call.
    pub fn service_client_turn(&mut self) {
        if self.is_calm {
            return;
        }
        let call = match self.random.below(SLOTS.len() as u64 + 6) as usize {
            at if at < SLOTS.len() => self.call_about(&SLOTS[at]),
            at if at < SLOTS.len() + 2 => self.some_task_set_call(),
            _ => self.some_rollout_call(),
        };
        if let Some(call) = call {
            self.send_request(None, Request::Service(call));
        }
        let delay = self.random.wait(self.services.calls_every);
        self.after(delay, Event::ServiceClient);
    }

    fn call_about(&mut self, slot: &Slot) -> Option<ServiceCall> {
        match self.service(slot.name) {
            Some(record) if record.status == ServiceStatus::Active => self.change(slot),
            Some(_) | None => Some(self.create(slot)),
        }
    }

    /// What is recorded of a service.
    pub fn service(&mut self, name: &str) -> Option<Arc<ServiceRecord>> {
        let scope = self.server.ctx(self.now).scope.clone();
        let key = ServiceKey::new(&scope, "default", name);
        self.server.published.get(&SERVICES, &key).cloned()
    }

    fn some_family(&mut self, slot: &Slot) -> &'static str {
        match self.random.chance(500) {
            true => slot.good,
            false => self.random.pick(slot.others).copied().unwrap_or(slot.good),
        }
    }

    fn create(&mut self, slot: &Slot) -> ServiceCall {
        let (minimum, maximum) = self.random.pick(slot.limits).copied().unwrap_or((0, 100));
        let breaker = self.random.chance(600).then(|| DeploymentCircuitBreaker {
            enable: Some(true),
            rollback: Some(self.random.chance(700)),
            ..DeploymentCircuitBreaker::default()
        });
        let strategy = match slot.is_staged {
            true => self.some_strategy(),
            false => DeploymentConfiguration::default(),
        };
        let desired = self.random.between(0, slot.desired_max) as i32;
        let family = self.some_family(slot);
        let token = self.number();
        let is_lent = launch_of(family) == Launch::Fargate;
        ServiceCall::Create(CreateServiceRequest {
            launch_type: is_lent.then(|| "FARGATE".into()),
            network_configuration: self.some_network(family),
            service_name: Some(slot.name.into()),
            service_registries: self.registries_of(slot.name),
            task_definition: Some(family.into()),
            desired_count: (!slot.is_daemon).then_some(desired),
            scheduling_strategy: slot.is_daemon.then(|| "DAEMON".into()),
            client_token: Some(format!("service-{token}")),
            deployment_configuration: Some(DeploymentConfiguration {
                minimum_healthy_percent: Some(minimum),
                maximum_percent: Some(maximum),
                deployment_circuit_breaker: breaker,
                alarms: self.some_alarms(),
                ..strategy
            }),
            health_check_grace_period_seconds: self.random.pick(&GRACES).copied(),
            ..CreateServiceRequest::default()
        })
    }

    fn change(&mut self, slot: &Slot) -> Option<ServiceCall> {
        let mut input = UpdateServiceRequest {
            service: Some(slot.name.into()),
            ..UpdateServiceRequest::default()
        };
        match self.random.below(100) {
            0..40 => input.task_definition = Some(self.some_family(slot).into()),
            40..65 if !slot.is_daemon => {
                input.desired_count = Some(self.random.between(0, slot.desired_max) as i32);
            }
            65..70 => input.force_new_deployment = Some(true),
            70..73 => input.network_configuration = self.some_network(slot.good),
            73..77 => {
                input.health_check_grace_period_seconds = self.random.pick(&GRACES).copied();
            }
            77..79 => {
                input.deployment_configuration = Some(DeploymentConfiguration {
                    alarms: self.some_alarms(),
                    ..DeploymentConfiguration::default()
                });
            }
            79..82 if slot.is_staged => {
                input.deployment_configuration = Some(self.some_strategy());
            }
            79..82 => {
                return Some(ServiceCall::Delete(DeleteServiceRequest {
                    service: Some(slot.name.into()),
                    force: Some(true),
                    ..DeleteServiceRequest::default()
                }));
            }
            _ => return self.drain_or_activate(),
        }
        Some(ServiceCall::Update(input))
    }

    fn drain_or_activate(&mut self) -> Option<ServiceCall> {
        let all = self.server.published.scan(&CONTAINER_INSTANCES);
        let used = all.filter(|instance| instance.status != InstanceStatus::Inactive);
        let used = used.filter(|instance| instance.key.cluster != ecs::fargate::CLUSTER);
        let used: Vec<_> = used.map(|i| (i.key.id.0.clone(), i.status)).collect();
        let (id, status) = self.random.pick(&used)?.clone();
        let next = match status {
            InstanceStatus::Draining => "ACTIVE",
            InstanceStatus::Active | InstanceStatus::Inactive => "DRAINING",
        };
        Some(ServiceCall::Instance(set_status(vec![id], next)))
    }

    /// Does what a call asks for; the service that it made, if it made one.
    pub fn serve_service(&mut self, call: &ServiceCall) -> Result<Option<String>, AwsError> {
        let now = self.now;
        // What AWS's waits are looked at with has nobody who makes them shorter.
        let is_balanced = self.plan.load != Load::TwoServices;
        let server = &mut self.server;
        match call {
            ServiceCall::Create(input) => {
                let run = |txn: &mut store::Txn, ctx: &mut aws_types::Ctx| {
                    let made = ops::create_service::create_service(txn, ctx, input)?;
                    let name = input.service_name.as_deref().unwrap_or_default();
                    if is_balanced {
                        let key = ServiceKey::new(&ctx.scope, "default", name);
                        balancer::balance(txn, &key);
                        providers::follow(txn, &key);
                    }
                    Ok(made)
                };
                server.submit(now, None, run)?;
                self.statistics.services += 1;
                self.statistics.deployments += 1;
                return Ok(input.service_name.clone());
            }
            ServiceCall::Update(input) => {
                server.submit(now, None, |txn, ctx| {
                    ops::update_service::update_service(txn, ctx, input)
                })?;
                let deploys =
                    input.task_definition.is_some() || input.force_new_deployment == Some(true);
                self.statistics.deployments += u64::from(deploys);
            }
            ServiceCall::Delete(input) => {
                server.submit(now, None, |txn, ctx| {
                    ops::delete_service::delete_service(txn, ctx, input)
                })?;
            }
            ServiceCall::TaskSet(call) => return self.serve_task_set(call),
            ServiceCall::Rollout(call) => self.serve_rollout(call)?,
            ServiceCall::Instance(input) => {
                server.submit(now, None, |txn, ctx| {
                    ops::update_container_instances_state::update_container_instances_state(
                        txn, ctx, input,
                    )
                })?;
            }
        }
        Ok(None)
    }

    /// A user reads that a service was made.
    pub fn service_made(&mut self, name: &str) {
        if self.service(name).is_none() {
            self.violate(1, format!("service {name} was answered and is not there"));
        }
    }
}

/// Drains these instances, or lets them take tasks again.
pub fn set_status(ids: Vec<String>, status: &str) -> UpdateContainerInstancesStateRequest {
    UpdateContainerInstancesStateRequest {
        container_instances: Some(ids),
        status: Some(status.into()),
        ..UpdateContainerInstancesStateRequest::default()
    }
}
