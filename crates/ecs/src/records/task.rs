//! The stored task: everything a `Task` answer needs, compact.
//!
//! Invariants: `instance` is set when the record is made and never changes; `last_status` only moves
//! forward; `desired` never goes back to RUNNING; a moment in `times` is set once; `version` grows
//! with every change that an answer shows. `holds` is true from placement until the agent said
//! STOPPED or the instance is gone: while it is, the task's resources are reserved.

pub use super::task_table::{TASKS, named_parts};
use crate::fargate;
use crate::records::Tags;
use crate::records::attachment::AttachmentRecord;
use crate::records::connect::TaskConnect;
use crate::records::container_instance::{InstanceId, InstanceKey};
use crate::records::overrides::TaskOverrides;
use crate::records::registration::RegistrationRecord;
use crate::records::traffic::Traffic;
use crate::task::health::HealthStatus;
use crate::task::status::{ContainerStatus, DesiredStatus, TaskStatus};
use crate::task::stop_reason::StopReason;
use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, TableKey};

/// 32 hexadecimal digits, the last part of a task's ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub String);

/// A task within its cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// The name of the cluster it runs in.
    pub cluster: String,
    /// Its id.
    pub id: TaskId,
}

impl TaskKey {
    /// The key of the task `id` of a cluster.
    #[must_use]
    pub fn new(scope: &Scope, cluster: &str, id: &str) -> Self {
        Self {
            scope: scope.clone(),
            cluster: cluster.into(),
            id: TaskId(id.into()),
        }
    }

    /// `arn:PARTITION:ecs:REGION:ACCOUNT:task/CLUSTER/ID`.
    #[must_use]
    pub fn arn(&self) -> String {
        let resource = format!("task/{}/{}", self.cluster, self.id.0);
        self.scope.arn("ecs", &resource).to_string()
    }
}

impl TableKey for TaskKey {
    fn encode(&self) -> Key {
        named_parts(&self.scope, &self.cluster, &self.id.0)
    }
}

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Its cluster and id.
    pub key: TaskKey,
    /// The family of its task definition.
    pub family: String,
    /// The revision of its task definition.
    pub revision: u32,
    /// Where it was placed. Never changes.
    pub instance: InstanceId,
    /// `group`.
    pub group: String,
    /// `startedBy`.
    pub started_by: Option<String>,
    /// Grows with every change that an answer shows; starts at 1.
    pub version: u64,
    /// `lastStatus`.
    pub last_status: TaskStatus,
    /// `desiredStatus`.
    pub desired: DesiredStatus,
    /// Whether its host may still run it: its resources are reserved.
    pub holds: bool,
    /// It counted as STOPPED before its host said so: the host was lost.
    #[serde(default)]
    pub host_was_lost: bool,
    /// What is reserved while `holds`.
    pub reserved: Reserved,
    /// Moments of its life.
    pub times: TaskTimes,
    /// Why it stops or stopped.
    pub stop: Option<StopReason>,
    /// Its containers, in the definition's order.
    pub containers: Vec<ContainerRecord>,
    /// What the caller overrode.
    #[serde(default)]
    pub overrides: TaskOverrides,
    /// `enableExecuteCommand`.
    pub enable_execute_command: bool,
    /// `tags`.
    #[serde(default)]
    pub tags: Tags,
    /// Until when scale-in and deployments leave it alone (`task::protection::until`).
    #[serde(default)]
    pub protected_until: Option<Timestamp>,
    /// `defaultLogDriverMode` of who started it, where that is not AWS's default.
    #[serde(default)]
    pub log_mode: Option<String>,
    /// What its host has to be told, and was told.
    pub delivery: Delivery,
    /// What ties it to a service.
    #[serde(default)]
    pub service: Option<Membership>,
    /// Its interface, in network mode `awsvpc`.
    #[serde(default)]
    pub attachment: Option<Box<AttachmentRecord>>,
    /// Where it is registered, with a service registry.
    #[serde(default)]
    pub registration: Option<Box<RegistrationRecord>>,
    /// What it is to load balancers, with any.
    #[serde(default)]
    pub traffic: Option<Traffic>,
    /// What ties it to Service Connect.
    #[serde(default)]
    pub connect: Option<Box<TaskConnect>>,
    /// How it runs, of launch type FARGATE; else it is of EC2.
    #[serde(default)]
    pub fargate: Option<Box<FargateRecord>>,
    /// `capacityProviderName`: the provider that a strategy chose.
    #[serde(default)]
    pub capacity_provider: Option<String>,
}

/// How a task of launch type FARGATE runs. `instance` is its host's registration in
/// [`fargate::CLUSTER`], which no answer shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FargateRecord {
    /// `platformVersion`, never `LATEST`.
    pub platform_version: String,
    /// `availabilityZone`: that of its subnet.
    pub zone: String,
    /// `ephemeralStorage`, in GiB.
    pub ephemeral_gib: u32,
}

/// A task as part of a service, whose name is in `group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The number of the deployment or task set that started it.
    pub deployment: u64,
    /// Whether the service has drawn its conclusions from the task's end.
    pub is_settled: bool,
}

impl TaskRecord {
    /// The instance it was placed on.
    #[must_use]
    pub fn instance_key(&self) -> InstanceKey {
        InstanceKey {
            scope: self.key.scope.clone(),
            cluster: match self.fargate {
                Some(_) => fargate::CLUSTER.into(),
                None => self.key.cluster.clone(),
            },
            id: self.instance.clone(),
        }
    }

    /// `launchType`.
    #[must_use]
    pub fn launch_type(&self) -> &'static str {
        match self.fargate {
            Some(_) => fargate::LAUNCH_TYPE,
            None => "EC2",
        }
    }

    /// Whether its host has not yet acknowledged what it has to be told.
    #[must_use]
    pub fn is_undelivered(&self) -> bool {
        self.holds && self.delivery.acknowledged < self.delivery.wanted
    }

    /// STOPPED without its host's word: the host was lost, and may still run it.
    #[must_use]
    pub fn is_unconfirmed(&self) -> bool {
        self.holds && self.last_status == TaskStatus::Stopped
    }
}

/// Counts of what a host has to be told about a task: 1 to start it, one more for each change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The newest payload's count.
    pub wanted: u32,
    /// The newest payload that the host acknowledged.
    pub acknowledged: u32,
}

/// What a task reserves on its instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// 1,024 units are one vCPU.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Static TCP ports of the host.
    pub tcp: Vec<u16>,
    /// Static UDP ports of the host.
    pub udp: Vec<u16>,
    /// GPUs of the host, by id.
    #[serde(default)]
    pub gpus: Vec<String>,
}

impl Reserved {
    /// Whether it has things of the host that no other task may have, and not only an amount.
    pub fn names_something(&self) -> bool {
        !self.tcp.is_empty() || !self.udp.is_empty() || !self.gpus.is_empty()
    }
}

/// Moments of a task's life. Each is set once and never cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskTimes {
    /// The call was accepted.
    pub created: Timestamp,
    /// Its host was reached.
    pub connectivity: Option<Timestamp>,
    /// The first image began to be pulled.
    pub pull_started: Option<Timestamp>,
    /// The last image was there.
    pub pull_stopped: Option<Timestamp>,
    /// It was RUNNING.
    pub started: Option<Timestamp>,
    /// It was asked to stop, or began to by itself.
    pub stopping: Option<Timestamp>,
    /// Its first essential container ended.
    pub execution_stopped: Option<Timestamp>,
    /// It was STOPPED.
    pub stopped: Option<Timestamp>,
}

impl TaskTimes {
    /// Only the moment of acceptance.
    #[must_use]
    pub fn created(now: Timestamp) -> Self {
        Self {
            created: now,
            connectivity: None,
            pull_started: None,
            pull_stopped: None,
            started: None,
            stopping: None,
            execution_stopped: None,
            stopped: None,
        }
    }
}

/// One container of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// Its name in the definition.
    pub name: String,
    /// The uuid at the end of its ARN.
    pub id: String,
    /// Whether its end is the task's end.
    pub essential: bool,
    /// `lastStatus`.
    pub status: ContainerStatus,
    /// `runtimeId`.
    #[serde(default)]
    pub runtime_id: Option<String>,
    /// `imageDigest`.
    #[serde(default)]
    pub image_digest: Option<String>,
    /// `exitCode`.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// `reason`.
    #[serde(default)]
    pub reason: Option<String>,
    /// `networkBindings`.
    #[serde(default)]
    pub bindings: Vec<BindingRecord>,
    /// `healthStatus`.
    #[serde(default)]
    pub health: HealthStatus,
    /// `gpuIds`.
    #[serde(default)]
    pub gpu_ids: Vec<String>,
}

impl ContainerRecord {
    /// A container of which nothing is known yet.
    #[must_use]
    pub fn pending(name: &str, id: String, essential: bool) -> Self {
        Self {
            name: name.into(),
            id,
            essential,
            status: ContainerStatus::Pending,
            runtime_id: None,
            image_digest: None,
            exit_code: None,
            reason: None,
            bindings: Vec::new(),
            health: HealthStatus::Unknown,
            gpu_ids: Vec::new(),
        }
    }
}

/// A port of a container at a port of its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingRecord {
    /// For example `0.0.0.0`.
    pub bind_ip: Option<String>,
    /// The container's port.
    pub container_port: Option<i32>,
    /// The host's port.
    pub host_port: Option<i32>,
    /// `tcp` or `udp`.
    pub protocol: Option<String>,
    /// A range of the container's ports.
    pub container_port_range: Option<String>,
    /// The range of the host's ports that it lies at.
    pub host_port_range: Option<String>,
}
