//! The users' services: what they ask for, with images that are good, cannot be pulled, crash or never
//! become healthy; and what they ask for at the end, when everything is to come to rest.

use crate::event::{Event, Request};
use crate::plan::Load;
use crate::simulation::Simulation;
use crate::workload::{Family, Launch, launch_of};
use aws_api::ecs::{
    CreateServiceRequest, DeleteServiceRequest, DeploymentCircuitBreaker, DeploymentConfiguration,
    UpdateContainerInstancesStateRequest, UpdateServiceRequest,
};
use aws_types::AwsError;
use ecs::ops;
use ecs::records::service::{
    Deployment, Rollout, SERVICES, ServiceKey, ServiceRecord, ServiceStatus,
};
use ecs::records::{CONTAINER_INSTANCES, InstanceStatus};
use std::sync::Arc;

const HOUR: u64 = 3_600_000;
/// Mean milliseconds between calls; each seed has one of them, so that some services are changed
/// during every change and others are left alone for long.
const CALLS_EVERY: [u64; 3] = [20_000, 120_000, 900_000];

/// What services are made from.
pub const SERVICE_FAMILIES: [Family; 10] = [
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
];
/// One that just runs.
const GOOD: &str = "svc-good";
/// One with a port of the host's.
const PORT: &str = "svc-port";
/// Ones with interfaces, on instances and on FARGATE.
const VPC: &str = "svc-vpc";
const LENT: &str = "svc-lent";
/// One whose image cannot be pulled.
pub const BROKEN: &str = "svc-broken";
/// Those with a health check.
pub const CHECKED: [&str; 2] = ["svc-checked", "svc-sick"];

const fn family(name: &'static str, runs_for: u64) -> Family {
    Family { name, runs_for }
}

/// A service that users make, change and delete.
struct Slot {
    name: &'static str,
    /// What it is made from when it is to be well.
    good: &'static str,
    others: &'static [&'static str],
    desired_max: u64,
    /// Pairs of minimumHealthyPercent and maximumPercent.
    limits: &'static [(i32, i32)],
    is_daemon: bool,
}

const WIDE: &[(i32, i32)] = &[
    (100, 200),
    (100, 150),
    (50, 200),
    (50, 100),
    (0, 100),
    (75, 125),
];
const SLOTS: [Slot; 6] = [
    Slot {
        name: "web",
        good: GOOD,
        others: &["svc-checked", "svc-crash", BROKEN, "svc-sick"],
        desired_max: 4,
        limits: WIDE,
        is_daemon: false,
    },
    Slot {
        name: "api",
        good: "svc-checked",
        others: &[GOOD, "svc-sick", BROKEN, "svc-crash"],
        desired_max: 3,
        limits: WIDE,
        is_daemon: false,
    },
    Slot {
        name: "front",
        good: PORT,
        others: &[BROKEN],
        // There are at least two hosts, and a port is of one task.
        desired_max: 2,
        limits: &[(0, 100)],
        is_daemon: false,
    },
    Slot {
        name: "agent",
        good: GOOD,
        others: &["svc-checked", "svc-crash", BROKEN],
        desired_max: 0,
        limits: &[(0, 100), (25, 100)],
        is_daemon: true,
    },
    Slot {
        name: "vpc",
        good: VPC,
        others: &["svc-vpc-crash"],
        desired_max: 3,
        limits: WIDE,
        is_daemon: false,
    },
    Slot {
        name: "lent",
        good: LENT,
        others: &["svc-lent-broken"],
        desired_max: 2,
        limits: WIDE,
        is_daemon: false,
    },
];

/// A call about a service, or of an operator who drains an instance under it.
#[derive(Clone, Debug)]
pub enum ServiceCall {
    Create(CreateServiceRequest),
    Update(UpdateServiceRequest),
    Delete(DeleteServiceRequest),
    Instance(UpdateContainerInstancesStateRequest),
}

impl ServiceCall {
    /// Whether a repeated call asks for no more than the first.
    pub fn may_repeat(&self) -> bool {
        match self {
            Self::Update(input) => input.force_new_deployment != Some(true),
            Self::Create(_) | Self::Delete(_) | Self::Instance(_) => true,
        }
    }
}

impl Simulation {
    /// The first call.
    pub fn begin_services(&mut self) {
        match self.plan.load {
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
        let slot = &SLOTS[self.random.below(SLOTS.len() as u64) as usize];
        let call = match self.service(slot.name) {
            Some(record) if record.status == ServiceStatus::Active => self.change(slot),
            Some(_) | None => Some(self.create(slot)),
        };
        if let Some(call) = call {
            self.send_request(None, Request::Service(call));
        }
        let delay = self.random.wait(self.services.calls_every);
        self.after(delay, Event::ServiceClient);
    }

    fn service(&mut self, name: &str) -> Option<Arc<ServiceRecord>> {
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
        let breaker = self.random.chance(400).then(|| DeploymentCircuitBreaker {
            enable: Some(true),
            rollback: Some(self.random.chance(500)),
            ..DeploymentCircuitBreaker::default()
        });
        let desired = self.random.between(0, slot.desired_max) as i32;
        let family = self.some_family(slot);
        let token = self.number();
        let is_lent = launch_of(family) == Launch::Fargate;
        ServiceCall::Create(CreateServiceRequest {
            launch_type: is_lent.then(|| "FARGATE".into()),
            network_configuration: self.some_network(family),
            service_name: Some(slot.name.into()),
            task_definition: Some(family.into()),
            desired_count: (!slot.is_daemon).then_some(desired),
            scheduling_strategy: slot.is_daemon.then(|| "DAEMON".into()),
            client_token: Some(format!("service-{token}")),
            deployment_configuration: Some(DeploymentConfiguration {
                minimum_healthy_percent: Some(minimum),
                maximum_percent: Some(maximum),
                deployment_circuit_breaker: breaker,
                ..DeploymentConfiguration::default()
            }),
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
            70..75 => input.network_configuration = self.some_network(slot.good),
            75..80 => {
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
        let server = &mut self.server;
        match call {
            ServiceCall::Create(input) => {
                let run = |txn: &mut store::Txn, ctx: &mut aws_types::Ctx| {
                    ops::create_service::create_service(txn, ctx, input)
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

    /// The faults are over: every instance takes tasks and every service gets an image that is good.
    /// Again as long as it was not taken.
    pub fn mend_services(&mut self) {
        let all = self.server.published.scan(&CONTAINER_INSTANCES);
        let drained = all.filter(|instance| instance.status == InstanceStatus::Draining);
        let drained: Vec<_> = drained.map(|i| i.key.id.0.clone()).collect();
        if !drained.is_empty() {
            let call = ServiceCall::Instance(set_status(drained, "ACTIVE"));
            self.send_request(None, Request::Service(call));
        }
        let calm_at = self.server.now(self.services.calm_at);
        for slot in &SLOTS {
            let record = self.service(slot.name);
            let is_old = |record: &ServiceRecord| {
                let primary = record.primary();
                // Since then a rollback may have begun to an image that is not good, or starts may have
                // failed on a host that still stopped what it ran under an earlier registration.
                let is_old = |of: &Deployment| {
                    of.created < calm_at || of.is_rollback || of.rollout == Rollout::Failed
                };
                record.status == ServiceStatus::Active && primary.is_some_and(is_old)
            };
            if record.is_some_and(|record| is_old(&record)) {
                let input = UpdateServiceRequest {
                    service: Some(slot.name.into()),
                    task_definition: Some(slot.good.into()),
                    network_configuration: self.lasting_network(slot.good),
                    force_new_deployment: Some(true),
                    deployment_configuration: Some(free_limits(slot)),
                    ..UpdateServiceRequest::default()
                };
                self.send_request(None, Request::Service(ServiceCall::Update(input)));
            }
        }
    }

    /// Asks for the end of every service.
    pub fn delete_services(&mut self) {
        for slot in &SLOTS {
            if self.service(slot.name).is_some() {
                let input = DeleteServiceRequest {
                    service: Some(slot.name.into()),
                    force: Some(true),
                    ..DeleteServiceRequest::default()
                };
                self.send_request(None, Request::Service(ServiceCall::Delete(input)));
            }
        }
    }
}

impl Simulation {
    /// A user reads that a service was made.
    pub fn service_made(&mut self, name: &str) {
        if self.service(name).is_none() {
            self.violate(1, format!("service {name} was answered and is not there"));
        }
    }
}

/// Limits under which every deployment can go on: some round to the desired count on both sides.
fn free_limits(slot: &Slot) -> DeploymentConfiguration {
    let (minimum, maximum) = match slot.limits.contains(&(100, 200)) {
        true => (100, 200),
        false => (0, 100),
    };
    DeploymentConfiguration {
        minimum_healthy_percent: Some(minimum),
        maximum_percent: Some(maximum),
        ..DeploymentConfiguration::default()
    }
}

fn set_status(ids: Vec<String>, status: &str) -> UpdateContainerInstancesStateRequest {
    UpdateContainerInstancesStateRequest {
        container_instances: Some(ids),
        status: Some(status.into()),
        ..UpdateContainerInstancesStateRequest::default()
    }
}
