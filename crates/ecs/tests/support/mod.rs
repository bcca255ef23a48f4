//! A World in memory with a cluster, hosts and definitions, driven through the real operations.
#![allow(dead_code)] // Each test file uses its own part of it.

pub mod fates;
pub mod services;

use aws_api::agent::Task as Payload;
use aws_api::ecs::*;
use aws_types::{AwsError, Caller, Ctx, Principal, Timestamp};
use ecs::instance::life;
use ecs::ops;
use ecs::records::{InstanceKey, TaskKey};
use ecs::task::{delivery, reference};
use std::time::Duration;
use store::{Change, Schema, Txn, World};

/// The moment at which every test begins.
pub const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// The state, and the context of the next call.
pub struct House {
    pub world: World,
    pub ctx: Ctx,
    /// Every row that was written, in order.
    pub changes: Vec<Change>,
}

impl House {
    pub fn new() -> Self {
        Self {
            world: World::empty(&Schema::new(
                &[
                    ecs::records::tables(),
                    ec2::records::tables(),
                    servicediscovery::records::tables(),
                    telemetry::alarms::records::tables(),
                    events::records::tables(),
                ]
                .concat(),
            )),
            ctx: Ctx::for_tests(1, START),
            changes: Vec::new(),
        }
    }

    /// Runs one transaction; an error leaves nothing behind.
    pub fn write<T>(
        &mut self,
        with: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut txn = Txn::new(self.world.clone());
        let answer = with(&mut txn, &mut self.ctx)?;
        txn.end(&mut self.ctx);
        let (world, changes) = txn.finish();
        self.world = world;
        self.changes.extend(changes);
        Ok(answer)
    }

    /// Runs one transaction that cannot fail.
    pub fn change<T>(&mut self, with: impl FnOnce(&mut Txn, &mut Ctx) -> T) -> T {
        self.write(|txn, ctx| Ok(with(txn, ctx))).unwrap()
    }

    pub fn pass(&mut self, seconds: u64) {
        self.ctx.now = self.ctx.now.plus(Duration::from_secs(seconds));
    }

    /// Registers a host in `default` and opens its agent's session.
    pub fn host(&mut self, name: &str, cpu: i32, memory: i32) -> InstanceKey {
        let key = self.register(name, cpu, memory);
        assert!(self.change(|txn, _| life::connected(
            txn,
            &key,
            &life::SessionVersions::default()
        )));
        key
    }

    /// The same, with as many GPUs.
    pub fn host_with_gpus(
        &mut self,
        name: &str,
        cpu: i32,
        memory: i32,
        gpus: usize,
    ) -> InstanceKey {
        let key = self.register_with_gpus(name, cpu, memory, gpus);
        let versions = life::SessionVersions::default();
        assert!(self.change(|txn, _| life::connected(txn, &key, &versions)));
        key
    }

    /// Registers a host whose agent is away.
    pub fn register(&mut self, name: &str, cpu: i32, memory: i32) -> InstanceKey {
        self.register_with(name, registration(cpu, memory))
    }

    /// The same, with as many GPUs, listed as the public agent lists them.
    pub fn register_with_gpus(
        &mut self,
        name: &str,
        cpu: i32,
        memory: i32,
        gpus: usize,
    ) -> InstanceKey {
        let device = |at| PlatformDevice {
            id: Some(format!("GPU-{at}")),
            r#type: Some("GPU".into()),
        };
        let input = RegisterContainerInstanceRequest {
            platform_devices: Some((0..gpus).map(device).collect()),
            ..registration(cpu, memory)
        };
        self.register_with(name, input)
    }

    /// Registers this host, as its own agent does; it stays away.
    pub fn register_with(
        &mut self,
        name: &str,
        input: RegisterContainerInstanceRequest,
    ) -> InstanceKey {
        let root = self.ctx.caller.clone();
        self.ctx.caller = Caller {
            principal: Principal::Host { host: name.into() },
            ..root.clone()
        };
        let answer = self.write(|txn, ctx| {
            ops::register_container_instance::register_container_instance(txn, ctx, &input)
        });
        self.ctx.caller = root;
        let instance = answer.unwrap().container_instance.unwrap();
        let arn = instance.container_instance_arn.unwrap();
        reference::instance_arn(&self.ctx.scope, &arn).unwrap()
    }

    /// Registers a revision of `family`.
    pub fn define(&mut self, family: &str, containers: Vec<ContainerDefinition>) -> String {
        self.define_with(RegisterTaskDefinitionRequest {
            family: Some(family.into()),
            container_definitions: Some(containers),
            ..RegisterTaskDefinitionRequest::default()
        })
    }

    pub fn define_with(&mut self, input: RegisterTaskDefinitionRequest) -> String {
        let answer = self.write(|txn, ctx| {
            ops::register_task_definition::register_task_definition(txn, ctx, &input)
        });
        answer
            .unwrap()
            .task_definition
            .unwrap()
            .task_definition_arn
            .unwrap()
    }

    pub fn run(&mut self, input: RunTaskRequest) -> Result<RunTaskResponse, AwsError> {
        self.write(|txn, ctx| ops::run_task::run_task(txn, ctx, &input))
    }

    /// Runs tasks that must all find room.
    pub fn run_all(&mut self, definition: &str, count: i32) -> Vec<TaskKey> {
        let answer = self.run(run(definition, count)).unwrap();
        assert_eq!(answer.failures, Some(vec![]));
        let keys = answer
            .tasks
            .unwrap()
            .into_iter()
            .map(|task| reference::task_arn(&self.ctx.scope, &task.task_arn.unwrap()).unwrap());
        keys.collect()
    }

    pub fn stop(&mut self, task: &str, reason: Option<&str>) -> Result<Task, AwsError> {
        let input = StopTaskRequest {
            task: Some(task.into()),
            reason: reason.map(Into::into),
            ..StopTaskRequest::default()
        };
        self.write(|txn, ctx| ops::stop_task::stop_task(txn, ctx, &input))
            .map(|answer| answer.task.unwrap())
    }

    pub fn describe(&mut self, task: &TaskKey) -> Task {
        let input = DescribeTasksRequest {
            tasks: Some(vec![task.id.0.clone()]),
            ..DescribeTasksRequest::default()
        };
        let world = self.world.clone();
        let answer = ops::describe_tasks::describe_tasks(&world, &mut self.ctx, &input).unwrap();
        answer.tasks.unwrap().remove(0)
    }

    pub fn instance(&mut self, key: &InstanceKey) -> ContainerInstance {
        let input = DescribeContainerInstancesRequest {
            container_instances: Some(vec![key.id.0.clone()]),
            ..DescribeContainerInstancesRequest::default()
        };
        let world = self.world.clone();
        let answer = ops::describe_container_instances::describe_container_instances(
            &world,
            &mut self.ctx,
            &input,
        );
        answer.unwrap().container_instances.unwrap().remove(0)
    }

    /// What is left of an instance: CPU units, MiB, TCP ports in use.
    pub fn remaining(&mut self, key: &InstanceKey) -> (i32, i32, Vec<String>) {
        let resources = self.instance(key).remaining_resources.unwrap();
        let of = |name: &str| {
            let found = resources.iter().find(|r| r.name.as_deref() == Some(name));
            found.unwrap().clone()
        };
        (
            of("CPU").integer_value.unwrap(),
            of("MEMORY").integer_value.unwrap(),
            of("PORTS").string_set_value.unwrap(),
        )
    }

    /// Delivers everything an agent has to be told, and acknowledges it.
    pub fn deliver(&mut self, instance: &InstanceKey) -> Vec<Payload> {
        let mut all = Vec::new();
        loop {
            let parcels = delivery::undelivered(&self.world, instance, &[]);
            if parcels.is_empty() {
                return all;
            }
            let told: Vec<_> = parcels.iter().map(|p| (p.key.clone(), p.count)).collect();
            self.change(|txn, ctx| delivery::acknowledged(txn, ctx, instance, &told));
            all.extend(parcels.into_iter().map(|parcel| parcel.task));
        }
    }

    pub fn report(&mut self, input: SubmitTaskStateChangeRequest) {
        let answer = self.write(|txn, ctx| {
            ops::submit_task_state_change::submit_task_state_change(txn, ctx, &input)
        });
        assert_eq!(answer.unwrap().acknowledgment.as_deref(), Some("ACCEPT"));
    }

    /// The agent says that every container of the task runs.
    pub fn report_running(&mut self, task: &TaskKey, containers: &[&str]) {
        let change = |name: &&str| container_change(name, "RUNNING", None, None);
        self.report(task_report(
            task,
            "RUNNING",
            containers.iter().map(change).collect(),
        ));
    }

    /// The agent says that the task is over, every container with this exit code.
    pub fn report_stopped(&mut self, task: &TaskKey, containers: &[&str], exit_code: i32) {
        let change = |name: &&str| container_change(name, "STOPPED", Some(exit_code), None);
        self.report(task_report(
            task,
            "STOPPED",
            containers.iter().map(change).collect(),
        ));
    }
}

pub fn registration(cpu: i32, memory: i32) -> RegisterContainerInstanceRequest {
    let number = |name: &str, value: i32| Resource {
        name: Some(name.into()),
        r#type: Some("INTEGER".into()),
        integer_value: Some(value),
        ..Resource::default()
    };
    let ports = |name: &str, ports: &[&str]| Resource {
        name: Some(name.into()),
        r#type: Some("STRINGSET".into()),
        string_set_value: Some(ports.iter().map(ToString::to_string).collect()),
        ..Resource::default()
    };
    let attribute = |name: &str, value: Option<&str>| Attribute {
        name: Some(name.into()),
        value: value.map(Into::into),
        ..Attribute::default()
    };
    let mut attributes = vec![attribute("ecs.os-type", Some("linux"))];
    attributes.extend(CAPABILITIES.iter().map(|name| attribute(name, None)));
    RegisterContainerInstanceRequest {
        total_resources: Some(vec![
            number("CPU", cpu),
            number("MEMORY", memory),
            ports("PORTS", &["22", "2375", "2376", "51678", "51679"]),
            ports("PORTS_UDP", &[]),
        ]),
        attributes: Some(attributes),
        ..RegisterContainerInstanceRequest::default()
    }
}

/// What definitions of these tests require of an instance.
pub const CAPABILITIES: &[&str] = &[
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "ecs.capability.container-ordering",
    "ecs.capability.task-cpu-mem-limit",
];

pub fn container(name: &str, cpu: i32, memory: i32) -> ContainerDefinition {
    ContainerDefinition {
        name: Some(name.into()),
        image: Some("longshore/hello".into()),
        cpu: Some(cpu),
        memory: Some(memory),
        ..ContainerDefinition::default()
    }
}

pub fn port(container: i32, host: i32) -> PortMapping {
    PortMapping {
        container_port: Some(container),
        host_port: Some(host),
        ..PortMapping::default()
    }
}

pub fn run(definition: &str, count: i32) -> RunTaskRequest {
    RunTaskRequest {
        task_definition: Some(definition.into()),
        count: Some(count),
        ..RunTaskRequest::default()
    }
}

pub fn task_report(
    task: &TaskKey,
    status: &str,
    containers: Vec<ContainerStateChange>,
) -> SubmitTaskStateChangeRequest {
    SubmitTaskStateChangeRequest {
        task: Some(task.arn()),
        status: Some(status.into()),
        reason: Some(String::new()),
        containers: Some(containers),
        ..SubmitTaskStateChangeRequest::default()
    }
}

pub fn container_change(
    name: &str,
    status: &str,
    exit_code: Option<i32>,
    reason: Option<&str>,
) -> ContainerStateChange {
    ContainerStateChange {
        container_name: Some(name.into()),
        status: Some(status.into()),
        exit_code,
        reason: reason.map(Into::into),
        ..ContainerStateChange::default()
    }
}
