//! The users, and the server's answers to them and to agents: every call is the real operation.

use crate::event::{AgentId, Answer, Effect, Event, HostIndex, Request};
use crate::plan::Mutation;
use crate::providers;
use crate::service_calls::SERVICE_FAMILIES;
use crate::simulation::Simulation;
use crate::workload::{self, FAMILIES, Launch, STRATEGIES, launch_of};
use agent::task::report::{Status, TaskChange};
use aws_api::ecs::{
    DeregisterContainerInstanceRequest, RegisterContainerInstanceRequest, RunTaskRequest,
    RunTaskResponse, StartTaskRequest, StartTaskResponse, StopTaskRequest, Task,
};
use aws_types::AwsError;
use ecs::ops;
use ecs::records::{CONTAINER_INSTANCES, InstanceKey, InstanceStatus, TASKS};
use ecs::task::reference;
use ecs::task::status::{DesiredStatus, TaskStatus};
use std::collections::BTreeMap;

/// Mean milliseconds between calls.
const CALL_EVERY: u64 = 20_000;

/// What the users know.
#[derive(Debug, Default)]
pub struct Client {
    /// Tasks that a call was answered with, by call.
    pub calls: BTreeMap<u64, Vec<String>>,
}

impl Simulation {
    /// Registers what the users run, before anything else happens.
    pub fn define_families(&mut self) {
        for family in FAMILIES.iter().chain(&SERVICE_FAMILIES) {
            let input = workload::definition(family);
            let answer = self.server.submit(0, None, |txn, ctx| {
                ops::register_task_definition::register_task_definition(txn, ctx, &input)
            });
            if let Err(error) = answer {
                self.violate(1, format!("{} was refused: {error:?}", family.name));
            }
        }
        self.wait_for_commit(None);
    }

    /// The next call of some user.
    pub fn client_turn(&mut self) {
        if self.is_calm {
            return;
        }
        match self.random.below(100) {
            0..55 => self.call_run(),
            55..60 => self.call_start(),
            60..98 => self.call_stop(),
            _ => self.call_deregister(),
        }
        let is_burst = self.random.chance(150);
        let delay = self.random.wait(if is_burst { 2 } else { CALL_EVERY });
        self.after(delay, Event::Client);
    }

    fn call_run(&mut self) {
        let call = self.number();
        let Some(family) = self.random.pick(&FAMILIES).map(|family| family.name) else {
            return;
        };
        let strategy = self.random.pick(&STRATEGIES).copied().unwrap_or_default();
        let count = self.random.between(1, 4);
        let has_token = self.random.chance(500);
        let is_distinct = self.random.chance(200);
        let is_lent = launch_of(family) == Launch::Fargate;
        let input = RunTaskRequest {
            task_definition: Some(family.into()),
            count: i32::try_from(count).ok(),
            launch_type: is_lent.then(|| "FARGATE".into()),
            network_configuration: self.some_network(family),
            placement_strategy: (!is_lent).then(|| workload::strategy(strategy)),
            placement_constraints: (is_distinct && !is_lent).then(workload::distinct),
            client_token: has_token.then(|| format!("call-{call}")),
            ..RunTaskRequest::default()
        };
        let request = Request::Run { call, input };
        if has_token && self.random.chance(300) {
            // A user who did not wait for the answer.
            let delay = self.random.wait(5000);
            self.after(delay, Event::Request(Box::new(request.clone())));
        }
        self.send_request(None, request);
    }

    fn call_start(&mut self) {
        let instances: Vec<_> = self
            .hosts
            .iter()
            .filter(|h| !h.lends)
            .filter_map(|h| h.agent.registered.clone())
            .collect();
        let (Some(instance), Some(family)) =
            (self.random.pick(&instances), self.random.pick(&FAMILIES))
        else {
            return;
        };
        let network_configuration = self.some_network(family.name);
        let input = StartTaskRequest {
            task_definition: Some(family.name.into()),
            container_instances: Some(vec![instance.id.0.clone()]),
            network_configuration,
            ..StartTaskRequest::default()
        };
        let call = self.number();
        self.send_request(None, Request::Start { call, input });
    }

    fn call_stop(&mut self) {
        let world = self.server.published.clone();
        let living = world
            .scan(&TASKS)
            .filter(|task| task.desired == DesiredStatus::Running);
        let living: Vec<_> = living.map(|task| task.key.id.0.clone()).collect();
        if let Some(task) = self.random.pick(&living).cloned() {
            self.send_stop(&task);
        }
    }

    fn send_stop(&mut self, task: &str) {
        let input = StopTaskRequest {
            task: Some(task.into()),
            ..StopTaskRequest::default()
        };
        self.send_request(None, Request::Stop { input });
    }

    fn call_deregister(&mut self) {
        let world = &self.server.published;
        let active = world
            .scan(&CONTAINER_INSTANCES)
            .filter(|instance| instance.status == InstanceStatus::Active)
            .filter(|instance| instance.key.cluster != ecs::fargate::CLUSTER);
        let active: Vec<_> = active.map(|instance| instance.key.clone()).collect();
        if let Some(instance) = self.random.pick(&active).cloned() {
            let force = self.random.chance(700);
            self.send_request(None, Request::Deregister { instance, force });
        }
    }

    /// Asks every task that is left to stop; those of services end with them.
    pub fn stop_everything(&mut self) {
        let world = self.server.published.clone();
        for task in world.scan(&TASKS) {
            if task.last_status != TaskStatus::Stopped && task.service.is_none() {
                self.send_stop(&task.key.id.0);
            }
        }
    }

    /// A request leaves a host or a user; it may be lost, and may arrive twice.
    pub fn send_request(&mut self, from: Option<HostIndex>, request: Request) {
        if self.is_lost(from) {
            return;
        }
        let may_repeat = match &request {
            // Without a token a second call is another call.
            Request::Run { input, .. } => input.client_token.is_some(),
            Request::Start { .. } => false,
            Request::Service(call) => call.may_repeat(),
            Request::Ec2(call) => call.may_repeat(),
            _ => true,
        };
        if may_repeat && self.random.chance(self.faults.twice) {
            self.statistics.twice += 1;
            let delay = self.random.wait(3000);
            self.after(delay, Event::Request(Box::new(request.clone())));
        }
        let delay = self.random.wait(3) + 1;
        self.after(delay, Event::Request(Box::new(request)));
    }

    /// A request reaches the server. One that is away or full answers nothing that counts.
    pub fn serve(&mut self, request: Request) {
        if !self.server.up || !self.server.has_room() {
            return;
        }
        let before = self.server.newest();
        self.server.fails_late = self.random.chance(self.faults.late_failure);
        let answer = self.answer(request);
        self.server.fails_late = false;
        if let Err(error) = &answer {
            self.statistics.failed += 1;
            let is_full = error.code().name == "InsufficientFreeAddressesInSubnet";
            self.statistics.full_subnets += u64::from(is_full);
            self.check_failed(&before);
        }
        let effect = answer.ok().flatten().map(Effect::Answer);
        self.wait_for_commit(effect);
    }

    /// What the caller is answered, where anybody waits for it.
    fn answer(&mut self, request: Request) -> Result<Option<Answer>, AwsError> {
        let now = self.now;
        let answer = match request {
            Request::Run { call, input } => self.run_tasks(call, &input)?,
            Request::Start { call, input } => {
                let StartTaskResponse { tasks, failures } =
                    self.server.submit(now, None, |txn, ctx| {
                        ops::start_task::start_task(txn, ctx, &input)
                    })?;
                Answer::Started {
                    call,
                    tasks: arns(tasks),
                    refused: failures.map_or(0, |f| f.len() as u64),
                }
            }
            Request::Stop { input } => {
                let stopped = self.server.submit(now, None, |txn, ctx| {
                    ops::stop_task::stop_task(txn, ctx, &input)
                })?;
                let task = stopped.task.and_then(|task| task.task_arn);
                Answer::StopTaken {
                    task: task.unwrap_or_default(),
                }
            }
            Request::Deregister { instance, force } => {
                self.deregister(&instance, force)?;
                return Ok(None);
            }
            Request::Service(call) => {
                let made = self.serve_service(&call)?;
                return Ok(made.map(|name| Answer::ServiceMade { name }));
            }
            Request::Ec2(call) => {
                self.serve_ec2(&call)?;
                return Ok(None);
            }
            Request::Register { agent, name, input } => self.register_host(agent, &name, &input)?,
            Request::Submit {
                agent,
                arn,
                number,
                change,
            } => self.take_report(agent, arn, number, &change)?,
        };
        Ok(Some(answer))
    }

    fn run_tasks(&mut self, call: u64, input: &RunTaskRequest) -> Result<Answer, AwsError> {
        let now = self.now;
        let started = if self.has(Mutation::DoublePlacement) {
            self.server
                .submit_on_stale(now, |txn, ctx| ops::run_task::run_task(txn, ctx, input))
        } else {
            self.server.submit(now, None, |txn, ctx| {
                ops::run_task::run_task(txn, ctx, input)
            })
        };
        let RunTaskResponse { tasks, failures } = started?;
        let is_full = |reason: &Option<String>| reason.as_deref() == Some("RESOURCE:ENI");
        let full = failures.iter().flatten().filter(|one| is_full(&one.reason));
        self.statistics.full_subnets += full.count() as u64;
        Ok(Answer::Started {
            call,
            tasks: arns(tasks),
            refused: failures.map_or(0, |failures| failures.len() as u64),
        })
    }

    fn deregister(&mut self, instance: &InstanceKey, force: bool) -> Result<(), AwsError> {
        let input = DeregisterContainerInstanceRequest {
            container_instance: Some(instance.id.0.clone()),
            force: Some(force),
            ..DeregisterContainerInstanceRequest::default()
        };
        let answer = self.server.submit(self.now, None, |txn, ctx| {
            ops::deregister_container_instance::deregister_container_instance(txn, ctx, &input)
        });
        answer.map(drop)
    }

    fn register_host(
        &mut self,
        agent: AgentId,
        name: &str,
        input: &RegisterContainerInstanceRequest,
    ) -> Result<Answer, AwsError> {
        let answer = self.server.submit(self.now, Some(name), |txn, ctx| {
            let answer =
                ops::register_container_instance::register_container_instance(txn, ctx, input)?;
            let shown = answer.container_instance.as_ref();
            let arn = shown.and_then(|one| one.container_instance_arn.as_deref());
            if let Some(key) = reference::instance_arn(&ctx.scope, arn.unwrap_or_default()) {
                providers::lend(txn, &key, agent.host);
            }
            Ok(answer)
        })?;
        let scope = self.server.ctx(self.now).scope.clone();
        let arn = answer
            .container_instance
            .and_then(|i| i.container_instance_arn);
        let instance = reference::instance_arn(&scope, &arn.unwrap_or_default());
        let missing = || aws_types::codes::INTERNAL_FAILURE.with("a registration without an ARN");
        let instance = instance.ok_or_else(missing)?;
        self.check.owners.insert(instance.id.clone(), agent.host);
        Ok(Answer::Registered { agent, instance })
    }

    fn take_report(
        &mut self,
        agent: AgentId,
        arn: String,
        number: u64,
        change: &TaskChange,
    ) -> Result<Answer, AwsError> {
        let forgets = self.has(Mutation::ForgottenRelease) && change.status == Status::Stopped;
        if !(forgets && self.random.chance(200)) {
            let input = agent::submit::request("", &arn, change);
            let name = self.hosts[agent.host].name.clone();
            self.server.submit(self.now, Some(&name), |txn, ctx| {
                ops::submit_task_state_change::submit_task_state_change(txn, ctx, &input)
            })?;
        }
        Ok(Answer::Taken { agent, arn, number })
    }

    /// A user reads what a call started.
    pub fn started(&mut self, call: u64, tasks: Vec<String>, refused: u64) {
        for arn in &tasks {
            if !self.check.knows(arn) {
                self.violate(1, format!("{arn} was answered and is not there"));
            }
        }
        match self.client.calls.get(&call) {
            None => {
                self.statistics.tasks += tasks.len() as u64;
                self.statistics.refused += refused;
                self.client.calls.insert(call, tasks);
            }
            Some(first) if *first != tasks => {
                self.violate(
                    1,
                    format!("call {call} was repeated and started other tasks"),
                );
            }
            Some(_) => {}
        }
    }

    /// A user reads that a stop was taken.
    pub fn stop_taken(&mut self, arn: &str) {
        if self.check.is_wanted(arn) {
            self.violate(
                1,
                format!("the stop of {arn} was answered and is not there"),
            );
        }
    }
}

fn arns(tasks: Option<Vec<Task>>) -> Vec<String> {
    let tasks = tasks.into_iter().flatten();
    tasks.filter_map(|task| task.task_arn).collect()
}
