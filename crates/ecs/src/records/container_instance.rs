//! The stored container instance: a host's agent as the API shows it.
//!
//! Invariants: `timeline` only grows and is never below the milliseconds since 1970 of the moment it
//! was last moved, and no message has a higher number, since agents drop a manifest that does not exceed the last, also after a state
//! was restored. An INACTIVE instance never becomes ACTIVE again: its host registers anew.

use super::Tags;
use crate::place::feed::OF_INSTANCES;
use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use store::{Index, Key, Table, TableKey, Tally};

/// 32 hexadecimal digits, the last part of a container instance's ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub String);

/// A container instance within its cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// The name of the cluster it is registered in.
    pub cluster: String,
    /// Its id.
    pub id: InstanceId,
}

impl InstanceKey {
    /// The key of the container instance `id` of a cluster.
    #[must_use]
    pub fn new(scope: &Scope, cluster: &str, id: &str) -> Self {
        Self {
            scope: scope.clone(),
            cluster: cluster.into(),
            id: InstanceId(id.into()),
        }
    }

    /// `arn:PARTITION:ecs:REGION:ACCOUNT:container-instance/CLUSTER/ID`.
    #[must_use]
    pub fn arn(&self) -> String {
        let resource = format!("container-instance/{}/{}", self.cluster, self.id.0);
        self.scope.arn("ecs", &resource).to_string()
    }
}

impl TableKey for InstanceKey {
    fn encode(&self) -> Key {
        let scope = &self.scope;
        Key::of(&[&scope.account, &scope.region, &self.cluster, &self.id.0])
    }
}

/// `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum InstanceStatus {
    /// Takes tasks.
    Active,
    /// Takes no new task.
    Draining,
    /// Deregistered.
    Inactive,
}

impl InstanceStatus {
    /// AWS's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Active, Self::Draining, Self::Inactive];
        all.into_iter().find(|status| status.name() == name)
    }
}

/// Whether the agent's session is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Connection {
    /// It is.
    Connected,
    /// It is not, since this moment.
    Away(Timestamp),
    /// It was not for too long: its tasks count as stopped.
    Lost(Timestamp),
}

/// One container instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerInstanceRecord {
    /// Its cluster and id.
    pub key: InstanceKey,
    /// The name of the host whose agent registered it.
    pub host: String,
    /// `ec2InstanceId`.
    pub ec2_instance_id: String,
    /// Grows with every change of it that an answer shows; starts at 1. The version that is shown grows
    /// with its resources as well: `instance::load::version`.
    pub version: u64,
    /// `status`.
    pub status: InstanceStatus,
    /// Whether the agent's session is open.
    pub connection: Connection,
    /// What the agent registered.
    pub registered: HostResources,
    /// `attributes`: exactly as registered, in the agent's order, then those that users put.
    pub attributes: Vec<AttributeRecord>,
    /// Names of those that users put, which the agent's next registration does not take away.
    #[serde(default)]
    pub put_attributes: BTreeSet<String>,
    /// `versionInfo`.
    pub versions: AgentVersions,
    /// The last number that is reserved for manifests and payloads.
    pub timeline: i64,
    /// `registeredAt`.
    pub registered_at: Timestamp,
    /// `capacityProviderName`: the provider whose capacity it is.
    #[serde(default)]
    pub capacity_provider: Option<String>,
    /// When it was deregistered.
    #[serde(default)]
    pub deregistered_at: Option<Timestamp>,
    /// `tags`.
    #[serde(default)]
    pub tags: Tags,
}

impl ContainerInstanceRecord {
    /// `agentConnected`.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        match self.connection {
            Connection::Connected => true,
            Connection::Away(_) | Connection::Lost(_) => false,
        }
    }

    /// The value of an attribute; `Some(None)` for one without a value.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Option<&str>> {
        let found = self
            .attributes
            .iter()
            .find(|attribute| attribute.name == name);
        found.map(|attribute| attribute.value.as_deref())
    }
}

/// What a host has for tasks, as its agent registered it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostResources {
    /// 1,024 units are one vCPU.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// TCP ports that the host uses itself.
    pub tcp: Vec<u16>,
    /// UDP ports that the host uses itself.
    pub udp: Vec<u16>,
    /// Its GPUs, by id.
    #[serde(default)]
    pub gpus: Vec<String>,
    /// Tasks with an interface of their own that it takes at most; `None` without a limit.
    #[serde(default)]
    pub interfaces: Option<u32>,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeRecord {
    /// For example `ecs.os-type`.
    pub name: String,
    /// Absent for a capability.
    pub value: Option<String>,
}

/// What the agent says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentVersions {
    /// `agentVersion`.
    pub agent_version: Option<String>,
    /// `agentHash`.
    pub agent_hash: Option<String>,
    /// `dockerVersion`.
    pub docker_version: Option<String>,
}

/// By account, region and host; not those that are INACTIVE.
pub static BY_HOST: Index<ContainerInstanceRecord> = Index {
    name: "by_host",
    keys: |instance| match instance.status {
        InstanceStatus::Active | InstanceStatus::Draining => {
            vec![host_parts(&instance.key.scope, &instance.host)]
        }
        InstanceStatus::Inactive => Vec::new(),
    },
};

/// Of a cluster: its instances that are not INACTIVE.
pub static REGISTERED: Tally<ContainerInstanceRecord> = Tally {
    name: "registered",
    of: |instance| match instance.status {
        InstanceStatus::Active | InstanceStatus::Draining => {
            let InstanceKey { scope, cluster, .. } = &instance.key;
            vec![(Key::of(&[&scope.account, &scope.region, cluster]), 1)]
        }
        InstanceStatus::Inactive => Vec::new(),
    },
};

/// All container instances.
pub static CONTAINER_INSTANCES: Table<InstanceKey, ContainerInstanceRecord> = Table::new(
    "ecs.container_instances",
    |instance| instance.key.clone(),
    &[&BY_HOST],
)
.with_tallies(&[&REGISTERED])
.with_feeds(&[&OF_INSTANCES]);

/// The index key of a host's registrations.
#[must_use]
pub fn host_parts(scope: &Scope, host: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, host])
}

/// Where agents find the server: what DiscoverPollEndpoint answers. One row, written at start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerEndpoint {
    /// Scheme, host and port, without a path.
    pub url: String,
}

/// The one row with the server's address.
pub static SERVER_ENDPOINT: Table<Key, ServerEndpoint> =
    Table::new("ecs.server_endpoint", |_| Key::of(&["server"]), &[]);
