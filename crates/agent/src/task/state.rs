//! Where a task stands on this host: facts only, written to `state.json` after every step.

use super::definition::{
    Condition, ContainerDefinition, Dependency, Desired, RestartPolicy, TaskDefinition,
};
use super::health::{Health, HealthCheck};
use super::interface::{self, InterfaceState};
use super::relations;
use super::report::TaskChange;
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};

/// Position of a container in its task's definition.
pub type ContainerIndex = usize;

/// Something that is made for a task or container and must be taken away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Made {
    /// Not asked for.
    No,
    /// Asked for; the answer is still to come.
    Making,
    /// There.
    Yes,
    /// Its removal is asked for.
    Removing,
    /// Gone, or never came to be.
    Gone,
}

impl Made {
    /// There is something of it, or there will be.
    #[must_use]
    pub fn is_owed_removal(self) -> bool {
        match self {
            Made::Making | Made::Yes | Made::Removing => true,
            Made::No | Made::Gone => false,
        }
    }
}

/// The image of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Image {
    /// Not asked for.
    No,
    /// Asked for.
    Ensuring,
    /// On this host.
    Ready {
        /// `sha256:…` where it came from a registry.
        digest: Option<String>,
    },
    /// Not to be had, or no longer wanted.
    Gone,
}

/// The process of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Run {
    /// Not asked for.
    No,
    /// Start asked for; the answer is still to come.
    Starting,
    /// It runs.
    Running,
    /// It ended and is to be started again.
    Restarting {
        /// What stands in the way of the next run is being taken away.
        clearing: bool,
    },
    /// The stop signal was sent.
    Stopping,
    /// It ended, or never started.
    Ended(End),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// 0-255; absent when it never ran or when nobody knows.
    pub exit_code: Option<i32>,
    /// `Name: text`, as ECS shows it.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl End {
    /// Of a container whose program did not start.
    pub(super) fn failed(reason: String, at: Timestamp) -> Self {
        Self {
            exit_code: None,
            reason: Some(reason),
            at,
        }
    }
}

/// The output of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Logs {
    /// Nothing was started that could write.
    No,
    /// The container may write.
    Open,
    /// What is left is being read and delivered.
    Finishing,
    /// Delivered, or given up.
    Finished,
}

/// A host port given to a container, or several in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Address on the host, `0.0.0.0` for all.
    #[serde(rename = "bindIP")]
    pub bind_ip: String,
    /// Port in the container; the first of several.
    pub container_port: u16,
    /// Port on the host; the first of several.
    pub host_port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// How many ports of a `containerPortRange`; absent for a single port.
    #[serde(default)]
    pub range_len: Option<u16>,
}

impl Binding {
    /// Each port by itself: in the container, and on the host.
    pub fn ports(&self) -> impl Iterator<Item = (u16, u16)> {
        let count = self.range_len.unwrap_or(1);
        (0..count).map(|offset| {
            let of = |first: u16| first.saturating_add(offset);
            (of(self.container_port), of(self.host_port))
        })
    }
}

/// What a container waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependsOn {
    /// Whom.
    pub on: ContainerIndex,
    /// What must be true of it.
    pub condition: Condition,
}

/// One container: what the machine must know of it, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerState {
    /// Its name.
    pub name: String,
    /// Its end is the task's end.
    pub essential: bool,
    /// Milliseconds between stop signal and SIGKILL.
    pub stop_timeout_ms: u64,
    /// It has an attachment of its own to the bridge.
    pub has_network: bool,
    /// 64 hexadecimal digits.
    pub runtime_id: String,
    /// Its image.
    pub image: Image,
    /// The stop signal of definition or image.
    pub stop_signal: i32,
    /// Its attachment.
    pub network: Made,
    /// Its host ports, once attached.
    pub bindings: Vec<Binding>,
    /// Its process.
    pub run: Run,
    /// When the stop signal was sent; SIGKILL follows `stop_timeout_ms` later.
    pub signalled_at: Option<Timestamp>,
    /// Its output.
    pub logs: Logs,
    /// What the runtime keeps of it.
    pub bundle: Made,
    /// Its image as the definition names it.
    #[serde(default)]
    pub image_reference: String,
    /// What it waits for before it starts.
    #[serde(default)]
    pub depends_on: Vec<DependsOn>,
    /// Milliseconds from its start for which others wait for it; 0 is for ever.
    #[serde(default)]
    pub start_timeout_ms: u64,
    /// Whether it is started again.
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    /// When a start that was asked for is given up.
    #[serde(default)]
    pub start_due: Option<Timestamp>,
    /// When its present run, or its last, began.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// How often it was started again.
    #[serde(default)]
    pub restarts: u32,
    /// How the run ended that the present one follows.
    #[serde(default)]
    pub last_end: Option<End>,
    /// Its health, where it is checked.
    #[serde(default)]
    pub health: Option<Health>,
}

impl ContainerState {
    /// It ended or never will start.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        match self.run {
            Run::Ended(_) => true,
            Run::No | Run::Starting | Run::Running | Run::Restarting { .. } | Run::Stopping => {
                false
            }
        }
    }

    /// It runs or did run.
    #[must_use]
    pub fn has_started(&self) -> bool {
        match self.run {
            Run::Running | Run::Restarting { .. } | Run::Stopping | Run::Ended(_) => true,
            // For the second time, perhaps.
            Run::No | Run::Starting => self.started_at.is_some(),
        }
    }
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    /// Its ARN.
    pub arn: String,
    /// What is wanted; never goes back from STOPPED.
    pub desired: Desired,
    /// Why the host stopped it, when no container's reason says so.
    pub reason: Option<String>,
    /// Its cgroup.
    pub cgroup: Made,
    /// Its interface of a VPC, where it has one.
    #[serde(default)]
    pub interface: Option<InterfaceState>,
    /// Its containers, in the definition's order.
    pub containers: Vec<ContainerState>,
    /// First pull's begin.
    pub pull_started_at: Option<Timestamp>,
    /// Last pull's end.
    pub pull_stopped_at: Option<Timestamp>,
    /// First end of an essential container.
    pub execution_stopped_at: Option<Timestamp>,
    /// When the last container ended; STOPPED waits a moment for logs from then on.
    pub all_ended_at: Option<Timestamp>,
    /// The wait for logs is over.
    pub logs_waited_for: bool,
    /// STOPPED is in the outbox or was acknowledged.
    pub stop_reported: bool,
    /// Changes that the control plane has not acknowledged, oldest first.
    pub outbox: Vec<TaskChange>,
    /// How many entries of the outbox are under way.
    pub submitting: usize,
    /// Container changes that wait for the task's next change.
    pub held: Vec<super::report::ContainerChange>,
    /// Nothing is left on the host but the task's records.
    pub done: bool,
}

impl TaskState {
    /// A task as it arrives. `runtime_ids` has one fresh id for each container;
    /// `stop_timeout_ms` is for containers that name none.
    #[must_use]
    pub fn new(
        task: &TaskDefinition,
        runtime_ids: Vec<String>,
        stop_timeout_ms: u64,
        now: Timestamp,
    ) -> Self {
        let is_bridge = matches!(task.mode(), Ok(super::definition::NetworkMode::Bridge));
        let is_offline = |container: &ContainerDefinition| {
            container
                .docker()
                .is_ok_and(|docker| docker.network_disabled)
        };
        let containers = task
            .containers
            .iter()
            .zip(runtime_ids)
            .map(|(container, runtime_id)| ContainerState {
                has_network: is_bridge && !is_offline(container),
                ..container_state(task, container, runtime_id, stop_timeout_ms, now)
            });
        Self {
            arn: task.arn.clone(),
            desired: task.desired_status,
            reason: None,
            cgroup: Made::No,
            interface: interface::of(task),
            containers: containers.collect(),
            pull_started_at: None,
            pull_stopped_at: None,
            execution_stopped_at: None,
            all_ended_at: None,
            logs_waited_for: false,
            stop_reported: false,
            outbox: Vec::new(),
            submitting: 0,
            held: Vec::new(),
            done: false,
        }
    }
}

fn container_state(
    task: &TaskDefinition,
    container: &ContainerDefinition,
    runtime_id: String,
    stop_timeout_ms: u64,
    now: Timestamp,
) -> ContainerState {
    let milliseconds = |seconds: u64| seconds.saturating_mul(1000);
    ContainerState {
        name: container.name.clone(),
        essential: container.essential,
        stop_timeout_ms: match container.stop_timeout {
            0 => stop_timeout_ms,
            seconds => milliseconds(seconds),
        },
        has_network: false,
        runtime_id,
        image: Image::No,
        stop_signal: super::docker::SIGTERM,
        network: Made::No,
        bindings: Vec::new(),
        run: Run::No,
        signalled_at: None,
        logs: Logs::No,
        bundle: Made::No,
        image_reference: container.image.clone(),
        depends_on: depends_on(task, container),
        start_timeout_ms: milliseconds(container.start_timeout),
        restart_policy: container.restart_policy.clone(),
        start_due: None,
        started_at: None,
        restarts: 0,
        last_end: None,
        health: health_check(container).map(|check| Health::new(check, now)),
    }
}

/// The definition has been checked: every name is that of a container.
fn depends_on(task: &TaskDefinition, container: &ContainerDefinition) -> Vec<DependsOn> {
    let of = |dependency: &Dependency| {
        let name = &dependency.container_name;
        let on = task.containers.iter().position(|c| c.name == *name)?;
        let condition = dependency.condition;
        Some(DependsOn { on, condition })
    };
    let named = container.depends_on.iter().filter_map(of);
    let implied = relations::implied(task, container).into_iter();
    let implied = implied.map(|on| DependsOn {
        on,
        condition: Condition::Start,
    });
    named.chain(implied).collect()
}

fn health_check(container: &ContainerDefinition) -> Option<HealthCheck> {
    let docker = container.docker().ok()?;
    let is_tracked = container.health_check_type == "docker";
    HealthCheck::new(&docker.healthcheck).filter(|_| is_tracked)
}
