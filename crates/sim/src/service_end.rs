//! What users ask of services at the end, when everything is to come to rest.

use crate::event::Request;
use crate::service_calls::{SLOTS, ServiceCall, Slot, set_status};
use crate::simulation::Simulation;
use crate::task_set_calls::SETS;
use aws_api::ecs::{
    DeleteServiceRequest, DeploymentAlarms, DeploymentConfiguration, UpdateServiceRequest,
};
use ecs::records::service::{Deployment, Rollout, ServiceRecord, ServiceStatus};
use ecs::records::{CONTAINER_INSTANCES, InstanceStatus};

impl Simulation {
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
        self.mend_task_sets();
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
                    deployment_configuration: Some(at_the_end(slot)),
                    health_check_grace_period_seconds: Some(0),
                    ..UpdateServiceRequest::default()
                };
                self.send_request(None, Request::Service(ServiceCall::Update(input)));
            }
        }
    }

    /// Asks for the end of every service.
    pub fn delete_services(&mut self) {
        let names = SLOTS.iter().map(|slot| slot.name).chain([SETS]);
        for name in names {
            if self.service(name).is_some() {
                let input = DeleteServiceRequest {
                    service: Some(name.into()),
                    force: Some(true),
                    ..DeleteServiceRequest::default()
                };
                self.send_request(None, Request::Service(ServiceCall::Delete(input)));
            }
        }
    }
}

/// Limits under which every deployment can go on: some round to the desired count on both sides. No
/// hook holds it up.
fn at_the_end(slot: &Slot) -> DeploymentConfiguration {
    let (minimum, maximum) = match slot.limits.contains(&(100, 200)) {
        true => (100, 200),
        false => (0, 100),
    };
    DeploymentConfiguration {
        minimum_healthy_percent: Some(minimum),
        maximum_percent: Some(maximum),
        alarms: Some(DeploymentAlarms {
            alarm_names: Some(Vec::new()),
            enable: Some(false),
            rollback: Some(false),
        }),
        strategy: slot.is_staged.then(|| "BLUE_GREEN".into()),
        bake_time_in_minutes: slot.is_staged.then_some(0),
        lifecycle_hooks: slot.is_staged.then(Vec::new),
        ..DeploymentConfiguration::default()
    }
}
