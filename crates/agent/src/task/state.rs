//! Where a task stands on this host: facts only, written to `state.json` after every step.

use super::definition::{ContainerDefinition, Desired, TaskDefinition};
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

/// A host port given to a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Address on the host, `0.0.0.0` for all.
    #[serde(rename = "bindIP")]
    pub bind_ip: String,
    /// Port in the container.
    pub container_port: u16,
    /// Port on the host.
    pub host_port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
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
}

impl ContainerState {
    /// It ended or never will start.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        match self.run {
            Run::Ended(_) => true,
            Run::No | Run::Starting | Run::Running | Run::Stopping => false,
        }
    }

    /// It runs or did run.
    #[must_use]
    pub fn has_started(&self) -> bool {
        match self.run {
            Run::Running | Run::Stopping | Run::Ended(_) => true,
            Run::No | Run::Starting => false,
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
    pub fn new(task: &TaskDefinition, runtime_ids: Vec<String>, stop_timeout_ms: u64) -> Self {
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
                name: container.name.clone(),
                essential: container.essential,
                stop_timeout_ms: match container.stop_timeout {
                    0 => stop_timeout_ms,
                    seconds => seconds.saturating_mul(1000),
                },
                has_network: is_bridge && !is_offline(container),
                runtime_id,
                image: Image::No,
                stop_signal: super::docker::SIGTERM,
                network: Made::No,
                bindings: Vec::new(),
                run: Run::No,
                signalled_at: None,
                logs: Logs::No,
                bundle: Made::No,
            });
        Self {
            arn: task.arn.clone(),
            desired: task.desired_status,
            reason: None,
            cgroup: Made::No,
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
