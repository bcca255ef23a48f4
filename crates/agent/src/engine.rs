//! The agent's process: takes over what an earlier agent left, registers, keeps its sessions.

mod open;

pub use open::open;

use crate::actor::{self, TaskContext};
use crate::api::{Api, now};
use crate::config::AgentConfig;
use crate::connect::{self, Connect};
use crate::control_socket;
use crate::credentials::Credentials;
use crate::descriptors;
use crate::encryption;
use crate::endpoints::{self, Endpoints};
use crate::health::Boards;
use crate::images;
use crate::isolation::{Given, Isolation};
use crate::kept;
use crate::logs::LogSink;
use crate::part::Part;
use crate::records::{Records, StoredTask};
use crate::registration;
use crate::session;
use crate::task::definition::{Desired, InvalidTask, TaskDefinition, cluster_of, task_id};
use crate::task::machine::Event;
use crate::task::report::{Status, TaskChange};
use crate::task::state::TaskState;
use futures_util::future::join_all;
use netdev::vpc::{KeptVpcAttachment, VpcNetwork};
use netdev::{HostNetwork, KeptAttachment};
use runtime::host::{ContainerRuntime, Runtime};
use runtime::image::ImageStore;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tracing::{info, warn};

/// How often leftovers of lost shims are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The means of this host, and the tasks on it.
#[derive(Debug)]
pub struct Host {
    pub config: AgentConfig,
    pub api: Api,
    pub runtime: Arc<dyn ContainerRuntime>,
    /// The same, for its end alone.
    pub driver: Arc<Runtime>,
    pub images: Arc<dyn ImageStore>,
    pub network: Arc<dyn HostNetwork>,
    pub vpcs: Arc<dyn VpcNetwork>,
    pub logs: Arc<dyn LogSink>,
    pub records: Records,
    pub health: Boards,
    pub credentials: Arc<Credentials>,
    pub endpoints: Endpoints,
    pub isolation: Isolation,
    pub connect: Connect,
    /// `std` mutex: held for map operations only.
    tasks: Mutex<HashMap<String, Arc<TaskContext>>>,
}

/// Runs the agent until `stop` resolves. Containers go on after that.
///
/// # Errors
/// This host lacks something that every container needs.
pub async fn run(config: AgentConfig, stop: impl Future<Output = ()>) -> io::Result<()> {
    descriptors::raise_limit();
    let between = encryption::between(&config)?;
    let host = open(config, between).await?;
    let parts = lent(&host).await?;
    host.take_over().await?;
    tokio::spawn(keep_swept(host.clone()));
    tokio::spawn(control_socket::serve(host.clone()));
    tokio::spawn(images::clean_up(host.clone()));
    let (registered, registrations) = watch::channel(Vec::new());
    let sessions = join_all(
        parts
            .into_iter()
            .map(|part| serve(&host, part, &registered)),
    );
    tokio::select! {
        _ = sessions => {}
        () = session::host_sync(&host, registrations) => {}
        () = stop => info!("stopping; containers go on"),
    }
    Ok(())
}

/// The parts that this machine can serve.
///
/// # Errors
/// It cannot keep tasks of launch type FARGATE apart, is to be lent in any case, and has none of an earlier agent.
async fn lent(host: &Host) -> io::Result<Vec<Part>> {
    let parts = host.config.parts.clone();
    if !parts.contains(&Part::Fargate) {
        return Ok(parts);
    }
    let checked = host.isolation.check(&host.driver, &host.config).await;
    let has_tasks = checked.is_err() && has_fargate(&host.records.tasks()?);
    let is_required = host.config.fargate.is_required;
    served(parts, checked, is_required, has_tasks)
}

/// `checked`: what the machine lacks for FARGATE. With tasks of an earlier agent it is served all the same: they go on,
/// and the control plane must be able to stop them. A new one that cannot be kept apart says so and is not started.
fn served(
    mut parts: Vec<Part>,
    checked: Result<(), String>,
    is_required: bool,
    has_tasks: bool,
) -> io::Result<Vec<Part>> {
    let Err(why) = checked else {
        return Ok(parts);
    };
    if has_tasks {
        warn!(
            why,
            "this machine goes on with its tasks of launch type FARGATE; others may fail"
        );
    } else if is_required {
        let text = format!("this machine cannot be lent to tasks of launch type FARGATE: {why}");
        return Err(io::Error::other(text));
    } else {
        warn!(
            why,
            "this machine is not lent to tasks of launch type FARGATE"
        );
        parts.retain(|part| *part != Part::Fargate);
    }
    Ok(parts)
}

/// Whether one of them is of launch type FARGATE and not over.
fn has_fargate(stored: &[StoredTask]) -> bool {
    stored.iter().any(|task| {
        let is_over = task.state.as_ref().is_some_and(|state| state.done);
        let definition = TaskDefinition::parse(&task.payload);
        !is_over && definition.is_ok_and(|definition| definition.is_fargate())
    })
}

/// Registers one part and keeps its sessions; says by which registration the machine may ask for its networks.
async fn serve(host: &Arc<Host>, part: Part, registered: &watch::Sender<Vec<String>>) {
    let instance = registration::register(host, part).await;
    registered.send_modify(|all| all.push(instance.clone()));
    tokio::join!(
        session::acs(host, &instance, part),
        session::tcs(host, &instance, part)
    );
}

impl Host {
    /// A task of a payload: a new one is started, a known one told to stop where that is wanted.
    ///
    /// # Errors
    /// It cannot be run here. The control plane has been told.
    pub fn accept(self: &Arc<Self>, payload: &serde_json::Value) -> Result<(), InvalidTask> {
        let arn = payload["arn"].as_str().unwrap_or_default().to_owned();
        if payload["desiredStatus"] == "STOPPED" {
            task_id(&arn)?;
            self.stop(&arn, payload);
            return Ok(());
        }
        if self.task(&arn).is_some() {
            return Ok(());
        }
        match TaskDefinition::parse(payload) {
            Ok(definition) => {
                self.start(definition, payload);
                Ok(())
            }
            Err(error) => {
                self.report_invalid(arn, &error);
                Err(error)
            }
        }
    }

    /// Stops a task; one that is not here counts as stopped.
    pub fn stop(self: &Arc<Self>, arn: &str, payload: &serde_json::Value) {
        if let Some(task) = self.task(arn) {
            task.send(Event::StopRequested);
            return;
        }
        // Taken as a new task that is to be stopped: its containers are reported STOPPED.
        if let Ok(mut definition) = TaskDefinition::parse(payload) {
            definition.desired_status = Desired::Stopped;
            self.start(definition, payload);
        } else {
            self.credentials.forget(arn);
            self.report_stopped(arn.to_owned(), String::new());
        }
    }

    /// Stops a task by its ARN alone.
    pub fn stop_known(&self, arn: &str) {
        if let Some(task) = self.task(arn) {
            task.send(Event::StopRequested);
        }
    }

    /// ARNs of the tasks that are here and not over.
    pub fn task_arns(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Those of one part.
    pub fn tasks_of(&self, part: Part) -> Vec<Arc<TaskContext>> {
        let mut tasks = self.tasks();
        tasks.retain(|task| Part::of(&task.definition) == part);
        tasks
    }

    /// The tasks that are here and not over.
    pub fn tasks(&self) -> Vec<Arc<TaskContext>> {
        self.lock().values().cloned().collect()
    }

    /// A task is over.
    pub fn forget(self: &Arc<Self>, task: &TaskState, dir: &Path, given: Given) {
        self.lock().remove(&task.arn);
        self.health.forget(&task.arn);
        self.credentials.forget(&task.arn);
        if given.disk_gib.is_some() {
            let (host, dir) = (self.clone(), dir.to_owned());
            tokio::task::spawn_blocking(move || {
                actor::remove_dir(&dir);
                host.isolation.free(given);
            });
        } else {
            actor::remove_dir(dir);
        }
        let containers = task.containers.iter();
        containers
            .clone()
            .for_each(|container| self.endpoints.forget(&container.runtime_id));
        let ids = containers.map(|container| container.runtime_id.clone());
        tokio::spawn(images::release(self.clone(), ids.collect()));
    }

    fn start(self: &Arc<Self>, definition: TaskDefinition, payload: &serde_json::Value) {
        let id = definition.id().unwrap_or_default().to_owned();
        let dir = match self.records.write_task(&id, payload) {
            Ok(dir) => dir,
            Err(error) => {
                // It never is over, since it never was here.
                self.credentials.forget(&definition.arn);
                self.report_stopped(
                    definition.arn.clone(),
                    format!("ResourceInitializationError: {error}"),
                );
                return;
            }
        };
        let ids = definition.containers.iter().map(|_| runtime_id()).collect();
        let state = TaskState::new(
            &definition,
            ids,
            self.config.stop_timeout.as_millis() as u64,
            now(),
        );
        let arn = definition.arn.clone();
        let task = actor::spawn(self.clone(), definition, dir, state);
        self.lock().insert(arn, task);
    }

    fn report_invalid(self: &Arc<Self>, arn: String, error: &InvalidTask) {
        self.report_stopped(
            arn,
            format!("UnrecogniedTaskError: Error loading task - {error}"),
        );
    }

    fn report_stopped(self: &Arc<Self>, arn: String, reason: String) {
        let host = self.clone();
        let change = TaskChange {
            status: Status::Stopped,
            reason,
            containers: Vec::new(),
            pull_started_at: None,
            pull_stopped_at: None,
            execution_stopped_at: None,
            attached: None,
        };
        tokio::spawn(async move {
            crate::submit::submit(&host.api, cluster_of(&arn), &arn, &change).await;
        });
    }

    /// Goes on with the tasks of an earlier agent.
    pub async fn take_over(self: &Arc<Self>) -> io::Result<()> {
        let stored = self.records.tasks()?;
        let states = stored.iter().filter_map(|task| task.state.as_ref());
        images::release_orphans(self, states).await;
        let kept: Vec<KeptAttachment> = stored.iter().flat_map(kept::attachments).collect();
        match self.network.adopt(&kept).await {
            Ok(report) => info!(?report, "networks taken over"),
            Err(error) => warn!(%error, "networks could not be taken over"),
        }
        let kept: Vec<KeptVpcAttachment> = stored.iter().filter_map(kept::interface).collect();
        match self.vpcs.adopt(&kept).await {
            Ok(report) => info!(?report, "interfaces taken over"),
            Err(error) => warn!(%error, "interfaces could not be taken over"),
        }
        // Before any container of theirs is started again.
        endpoints::start(self).await;
        self.connect.adopt().await;
        sweep(self).await;
        let mut proxied = Vec::new();
        for task in stored {
            let Ok(definition) = TaskDefinition::parse(&task.payload) else {
                warn!(dir = %task.dir.display(), "an unreadable task is dropped");
                self.isolation.drop_task(&task.dir);
                continue;
            };
            if task.state.as_ref().is_some_and(|state| state.done) {
                // The earlier agent was killed while it removed this.
                self.isolation.drop_task(&task.dir);
                continue;
            }
            let arn = definition.arn.clone();
            let context = match task.state {
                Some(state) => {
                    let (host, before) = (self.clone(), state.clone());
                    let context = actor::spawn_resumed(host, definition, task.dir, state);
                    proxied.push((context.clone(), before));
                    context
                }
                None => {
                    let ids = definition.containers.iter().map(|_| runtime_id()).collect();
                    let state = TaskState::new(
                        &definition,
                        ids,
                        self.config.stop_timeout.as_millis() as u64,
                        now(),
                    );
                    actor::spawn(self.clone(), definition, task.dir, state)
                }
            };
            self.lock().insert(arn, context);
        }
        tokio::spawn(connect::reopen(self.clone(), proxied));
        Ok(())
    }

    /// One that is here and not over.
    pub fn task(&self, arn: &str) -> Option<Arc<TaskContext>> {
        self.lock().get(arn).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<TaskContext>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep_swept(host: Arc<Host>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        sweep(&host).await;
    }
}

/// Removes what no record wants.
async fn sweep(host: &Host) {
    let dirs = host.records.container_dirs();
    let known = dirs.and_then(|dirs| Ok((dirs, host.records.task_ids()?)));
    let (dirs, tasks) = match known {
        Ok(known) => known,
        // Whoever knows nothing must not take everything for leftovers.
        Err(error) => {
            warn!(%error, "the records could not be read; nothing is swept");
            return;
        }
    };
    match host.runtime.sweep(&dirs, &tasks).await {
        Ok(report) if report == runtime::host::SweepReport::default() => {}
        Ok(report) => info!(?report, "leftovers removed"),
        Err(error) => warn!(%error, "leftovers could not be looked for"),
    }
}

/// 64 hexadecimal digits of the system's random source.
pub fn runtime_id() -> String {
    random_hex(32)
}

/// So many bytes of the system's random source, in hexadecimal digits.
pub fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).expect("the kernel's random source works");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_machine_that_has_fargate_tasks_serves_them_whatever_the_check_says() {
        let both = vec![Part::Instance, Part::Fargate];
        let lacks = || Err("a disk for a task: No space left on device".to_owned());
        let with = |checked, is_required, has_tasks| {
            served(both.clone(), checked, is_required, has_tasks).ok()
        };
        assert_eq!(with(Ok(()), false, false), Some(both.clone()));
        assert_eq!(with(lacks(), false, false), Some(vec![Part::Instance]));
        assert_eq!(with(lacks(), true, false), None);
        for is_required in [false, true] {
            assert_eq!(with(lacks(), is_required, true), Some(both.clone()));
        }
    }

    #[test]
    fn only_fargate_tasks_that_are_not_over_count() {
        let stored = |launch_type: &str, is_over: Option<bool>| {
            let payload = json!({
                "arn": "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef",
                "desiredStatus": "RUNNING", "launchType": launch_type, "networkMode": "awsvpc",
                "cpu": 0.25, "memory": 512,
                "elasticNetworkInterfaces": [{"ec2Id": "eni-1", "attachmentArn": "a"}],
                "containers": [{"name": "app", "image": "i"}],
            });
            let definition = TaskDefinition::parse(&payload).expect("it is valid");
            let state = is_over.map(|done| TaskState {
                done,
                ..TaskState::new(&definition, vec![runtime_id()], 1000, now())
            });
            StoredTask {
                dir: "/nowhere".into(),
                payload,
                state,
            }
        };
        assert!(has_fargate(&[stored("EC2", None), stored("FARGATE", None)]));
        assert!(has_fargate(&[stored("FARGATE", Some(false))]));
        assert!(!has_fargate(&[
            stored("EC2", None),
            stored("FARGATE", Some(true))
        ]));
    }
}
