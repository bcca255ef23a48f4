//! Clusters. A deleted cluster stays as INACTIVE for a while, as AWS shows it, or until its name is
//! used again.

use super::Tags;
use aws_api::Stored;
use aws_api::ecs::{CapacityProviderStrategyItem, ClusterConfiguration};
use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, Table, TableKey};

/// Account, region, name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterKey(Key);

impl ClusterKey {
    /// The key of the cluster `name` in `scope`.
    #[must_use]
    pub fn new(scope: &Scope, name: &str) -> Self {
        Self(Key::of(&[&scope.account, &scope.region, name]))
    }

    /// What the keys of all clusters of `scope` start with.
    #[must_use]
    pub fn prefix(scope: &Scope) -> Key {
        Key::of(&[&scope.account, &scope.region])
    }
}

impl TableKey for ClusterKey {
    fn encode(&self) -> Key {
        self.0.clone()
    }
}

/// Whether a cluster can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterStatus {
    /// Tasks, services and instances may be placed in it.
    Active,
    /// Deleted; still described.
    Inactive,
}

impl ClusterStatus {
    /// AWS's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// A cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Partition, account and region.
    pub scope: Scope,
    /// 1 to 255 of `[A-Za-z0-9_-]`.
    pub name: String,
    /// Whether it can be used.
    pub status: ClusterStatus,
    /// When it was created, or created again after a deletion.
    pub created_at: Timestamp,
    /// When it was deleted, where it is INACTIVE.
    #[serde(default)]
    pub deleted_at: Option<Timestamp>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// The value of `containerInsights`: `enabled`, `disabled` or `enhanced`.
    pub container_insights: String,
    /// Execute command and managed storage, as given.
    #[serde(default)]
    pub configuration: Option<Stored<ClusterConfiguration>>,
    /// The default namespace of Service Connect, as an ARN or a name.
    #[serde(default)]
    pub service_connect_namespace: Option<String>,
    /// Names of capacity providers.
    #[serde(default)]
    pub capacity_providers: Vec<String>,
    /// What is used where a request names neither launch type nor strategy.
    #[serde(default)]
    pub default_strategy: Vec<Stored<CapacityProviderStrategyItem>>,
}

impl ClusterRecord {
    /// The record's key.
    #[must_use]
    pub fn key(&self) -> ClusterKey {
        ClusterKey::new(&self.scope, &self.name)
    }

    /// `arn:PARTITION:ecs:REGION:ACCOUNT:cluster/NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        cluster_arn(&self.scope, &self.name)
    }
}

/// The ARN that a cluster of this name has or would have.
#[must_use]
pub fn cluster_arn(scope: &Scope, name: &str) -> String {
    scope.arn("ecs", &format!("cluster/{name}")).to_string()
}

/// All clusters, deleted ones included.
pub static CLUSTERS: Table<ClusterKey, ClusterRecord> =
    Table::new("ecs.clusters", ClusterRecord::key, &[]);
