//! Services in a [`House`], made as CreateService makes them, and a host that plays its tasks.
#![allow(dead_code)] // Each test file uses its own part of it.

use super::{House, container, container_change, task_report};
use aws_api::Stored;
use aws_api::ecs::{
    CanaryConfiguration, DeploymentCircuitBreaker, DeploymentConfiguration,
    DeploymentEarlySuccessCriteria, HealthCheck, LinearConfiguration,
};
use aws_types::Timestamp;
use ecs::records::container_instance::AttributeRecord;
use ecs::records::service::{
    Controller, Propagate, SERVICES, Scheduling, ServiceKey, ServiceRecord, ServiceStatus, Workload,
};
use ecs::records::{
    CONTAINER_INSTANCES, InstanceKey, SERVICE_EVENTS, TASKS, Tags, TaskKey, TaskRecord,
};
use ecs::service::apply::{self, Outcome};
use ecs::service::concerned::concerned;
use ecs::service::deploy;
use ecs::service::waits::Waits;
use ecs::task::status::{DesiredStatus, TaskStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a service of these tests is made with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub desired: u32,
    pub minimum: i32,
    pub maximum: i32,
    pub scheduling: Scheduling,
    pub breaker: Option<bool>,
    pub rebalances: bool,
    /// `healthCheckGracePeriodSeconds`; 0 is none.
    pub grace: u32,
    pub deploys: Deploys,
}

/// How a service of these tests deploys.
#[derive(Clone, Copy, Debug)]
pub struct Deploys {
    pub strategy: &'static str,
    /// It bakes so long, at the end and after each step.
    pub bake_minutes: i32,
    /// `healthyPercent` and `sourceServiceRevisionCleanup` of early success.
    pub early: Option<(i32, &'static str)>,
}

impl Deploys {
    /// As a service does of which nothing else is said.
    pub const ROLLING: Self = Self {
        strategy: "ROLLING",
        bake_minutes: 0,
        early: None,
    };

    /// `deploymentConfiguration` with this.
    fn configured(self, with: DeploymentConfiguration) -> DeploymentConfiguration {
        let is = |strategy: &str| self.strategy == strategy;
        DeploymentConfiguration {
            strategy: Some(self.strategy.into()),
            bake_time_in_minutes: Some(self.bake_minutes),
            linear_configuration: is("LINEAR").then_some(LinearConfiguration {
                step_percent: Some(40.0),
                step_bake_time_in_minutes: Some(self.bake_minutes),
            }),
            canary_configuration: is("CANARY").then_some(CanaryConfiguration {
                canary_percent: Some(20.0),
                canary_bake_time_in_minutes: Some(self.bake_minutes),
            }),
            early_success_criteria: self.early.map(|(percent, cleanup)| {
                DeploymentEarlySuccessCriteria {
                    enable: Some(true),
                    healthy_percent: Some(percent),
                    source_service_revision_cleanup: Some(cleanup.into()),
                }
            }),
            ..with
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            desired: 3,
            minimum: 100,
            maximum: 200,
            scheduling: Scheduling::Replica,
            breaker: None,
            rebalances: false,
            grace: 0,
            deploys: Deploys::ROLLING,
        }
    }
}

impl House {
    pub fn service_key(&self, name: &str) -> ServiceKey {
        ServiceKey::new(&self.ctx.scope, "default", name)
    }

    /// Creates a service of this family's first revision.
    pub fn service(&mut self, name: &str, family: &str, with: Settings) -> ServiceKey {
        let key = self.service_key(name);
        let record = ServiceRecord {
            key: key.clone(),
            status: ServiceStatus::Active,
            created: self.ctx.now,
            created_by: self.ctx.caller.arn.clone(),
            ended: None,
            scheduling: with.scheduling,
            controller: Controller::Ecs,
            desired: with.desired,
            launch_type: "EC2".into(),
            platform_version: None,
            configuration: Stored(with.deploys.configured(DeploymentConfiguration {
                maximum_percent: Some(with.maximum),
                minimum_healthy_percent: Some(with.minimum),
                deployment_circuit_breaker: with.breaker.map(|rollback| DeploymentCircuitBreaker {
                    enable: Some(true),
                    rollback: Some(rollback),
                    ..DeploymentCircuitBreaker::default()
                }),
                ..DeploymentConfiguration::default()
            })),
            constraints: Vec::new(),
            strategy: Vec::new(),
            grace_seconds: Some(with.grace).filter(|grace| *grace > 0),
            rebalances_zones: with.rebalances,
            tags: Tags::default(),
            managed_tags: false,
            propagate: Propagate::None,
            execute_command: false,
            token: None,
            deployments: Vec::new(),
            task_sets: Vec::new(),
            completed_revision: None,
            steady: None,
            told: BTreeMap::new(),
            lacks_room: false,
            is_rebalancing: false,
            unevened: None,
            last_event: 0,
        };
        self.change(|txn, _| txn.put(&SERVICES, record));
        self.deploy(&key, family, 1);
        key
    }

    /// Deploys a revision of a family.
    pub fn deploy(&mut self, key: &ServiceKey, family: &str, revision: u32) {
        let mut record = self.record(key).as_ref().clone();
        let workload = Workload {
            family: family.into(),
            revision,
            launch_type: "EC2".into(),
            capacity_provider_strategy: Vec::new(),
            platform_version: None,
            network: None,
            registries: Vec::new(),
            load_balancers: Vec::new(),
            connect: None,
        };
        self.change(|txn, ctx| {
            deploy::begin(txn, ctx, &mut record, workload);
            txn.put(&SERVICES, record);
        });
    }

    pub fn edit(&mut self, key: &ServiceKey, with: impl FnOnce(&mut ServiceRecord)) {
        self.change(|txn, _| assert!(txn.update(&SERVICES, key, with)));
    }

    pub fn record(&self, key: &ServiceKey) -> Arc<ServiceRecord> {
        self.world.get(&SERVICES, key).unwrap().clone()
    }

    /// The services that what was written since then concerns.
    pub fn concerned_since(&self, changes_len: usize) -> BTreeSet<ServiceKey> {
        let changes = self.changes[changes_len..].iter();
        concerned(
            &self.world,
            changes.map(|change| (change.table, &change.key)),
        )
    }

    /// One step of the scheduler.
    pub fn step(&mut self, key: &ServiceKey) -> Outcome {
        self.change(|txn, ctx| apply::step(txn, ctx, key, Waits::AWS))
    }

    /// Steps until nothing is left to be done now; when there will be.
    pub fn settle(&mut self, key: &ServiceKey) -> Option<Timestamp> {
        for _ in 0..50 {
            let before = (self.record(key), self.kept(key));
            let outcome = self.step(key);
            let after = (self.record(key), self.kept(key));
            if !outcome.has_more && before == after {
                return outcome.wake_at;
            }
        }
        panic!("the scheduler does not come to an end");
    }

    /// The service's tasks that are not STOPPED.
    pub fn live(&self, key: &ServiceKey) -> Vec<Arc<TaskRecord>> {
        let of = |task: &&Arc<TaskRecord>| {
            task.group == key.group() && task.last_status != TaskStatus::Stopped
        };
        self.world.scan(&TASKS).filter(of).cloned().collect()
    }

    /// Those of them that are not asked to stop.
    pub fn kept(&self, key: &ServiceKey) -> Vec<Arc<TaskRecord>> {
        let mut live = self.live(key);
        live.retain(|task| task.desired == DesiredStatus::Running);
        live
    }

    /// Texts of the service's events, the newest first.
    pub fn events(&self, key: &ServiceKey) -> Vec<String> {
        let of = self.world.scan(&SERVICE_EVENTS);
        let mut texts: Vec<String> = of
            .filter(|event| event.key.service == *key)
            .map(|event| event.text.clone())
            .collect();
        texts.reverse();
        texts
    }

    /// Every host does at once what it is told: pending tasks run, tasks asked to stop are stopped.
    pub fn play(&mut self, key: &ServiceKey) {
        for task in self.live(key) {
            match task.desired {
                DesiredStatus::Stopped => self.report_stopped(&task.key, &["app"], 143),
                DesiredStatus::Running if task.last_status == TaskStatus::Pending => {
                    self.report_running(&task.key, &["app"]);
                }
                DesiredStatus::Running => {}
            }
        }
    }

    /// The task's image cannot be pulled.
    pub fn fail_to_start(&mut self, task: &TaskKey) {
        let why = Some("CannotPullContainerError: not found");
        let change = container_change("app", "STOPPED", None, why);
        self.report(task_report(task, "STOPPED", vec![change]));
    }

    /// Lets time pass and hosts work until the service is steady.
    pub fn until_steady(&mut self, key: &ServiceKey) {
        for _ in 0..400 {
            self.settle(key);
            self.play(key);
            self.settle(key);
            if self.record(key).steady.is_some() {
                return;
            }
            self.pass(10);
        }
        panic!("never steady: {:#?}", self.events(key));
    }

    /// A definition with one container `app`.
    pub fn define_app(&mut self, family: &str, cpu: i32) -> String {
        self.define(family, vec![container("app", cpu, 64)])
    }

    /// Every host can check the health of containers.
    pub fn able_to_check_health(&mut self) {
        self.able_to(&[
            "ecs.capability.container-health-check",
            "com.amazonaws.ecs.capability.docker-remote-api.1.24",
        ]);
    }

    /// A host in this zone.
    pub fn zoned(&mut self, name: &str, zone: &str) -> InstanceKey {
        let key = self.host(name, 2048, 4096);
        self.change(|txn, _| {
            txn.update(&CONTAINER_INSTANCES, &key, |i| {
                i.attributes.retain(|a| a.name != "ecs.availability-zone");
                i.attributes.push(AttributeRecord {
                    name: "ecs.availability-zone".into(),
                    value: Some(zone.into()),
                });
            })
        });
        key
    }

    /// Every host has these attributes.
    pub fn able_to(&mut self, names: &[&str]) {
        let instances: Vec<_> = self
            .world
            .scan(&CONTAINER_INSTANCES)
            .map(|i| i.key.clone())
            .collect();
        for key in instances {
            for name in names {
                let attribute = AttributeRecord {
                    name: (*name).into(),
                    value: None,
                };
                self.change(|txn, _| {
                    txn.update(&CONTAINER_INSTANCES, &key, |i| i.attributes.push(attribute))
                });
            }
        }
    }

    /// The same, with a health check.
    pub fn define_checked(&mut self, family: &str) -> String {
        let mut app = container("app", 64, 64);
        app.health_check = Some(HealthCheck {
            command: Some(vec!["CMD".into(), "true".into()]),
            ..HealthCheck::default()
        });
        self.define(family, vec![app])
    }
}
