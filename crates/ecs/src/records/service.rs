//! The stored service: what is to run, how it is replaced, and how far that is.
//!
//! Invariants: an ACTIVE service of the ECS controller has at least one deployment, the first of which is its
//! PRIMARY; a deployment without a task leaves the list unless it is the PRIMARY; a revision that a deployment names
//! exists. Deployments and task sets are part of the record, since every decision looks at all of them.

use super::Tags;
pub use super::deployment::{Deployment, Rollout, Throttle, deployment_id};
use super::task_set::{BY_TASK_SET_DEFINITION, TaskSet};
use super::uneven::{LACKS_ROOM_IN, Unevened};
pub use super::workload::Workload;
use crate::fargate;
use crate::place::constraint::Constraint;
use crate::service::hooks;
use aws_api::Stored;
use aws_api::ecs::{DeploymentConfiguration, PlacementConstraint, PlacementStrategy};
use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Index, Key, Table, TableKey, Tally};

/// A service within its cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// The name of its cluster.
    pub cluster: String,
    /// Its name.
    pub name: String,
}

impl ServiceKey {
    /// The key of the service `name` of a cluster.
    #[must_use]
    pub fn new(scope: &Scope, cluster: &str, name: &str) -> Self {
        Self {
            scope: scope.clone(),
            cluster: cluster.into(),
            name: name.into(),
        }
    }

    /// `arn:PARTITION:ecs:REGION:ACCOUNT:service/CLUSTER/NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        let resource = format!("service/{}/{}", self.cluster, self.name);
        self.scope.arn("ecs", &resource).to_string()
    }

    /// The `group` of its tasks.
    #[must_use]
    pub fn group(&self) -> String {
        format!("{GROUP_PREFIX}{}", self.name)
    }
}

/// What the group of a service's tasks starts with.
pub const GROUP_PREFIX: &str = "service:";

impl TableKey for ServiceKey {
    fn encode(&self) -> Key {
        let scope = &self.scope;
        Key::of(&[&scope.account, &scope.region, &self.cluster, &self.name])
    }
}

/// `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceStatus {
    /// Its desired count is kept.
    Active,
    /// Deleted; some task is not yet stopped.
    Draining,
    /// Deleted; still described for a while.
    Inactive,
}

impl ServiceStatus {
    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// `schedulingStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheduling {
    /// As many tasks as are desired, anywhere.
    Replica,
    /// One task on every instance that matches.
    Daemon,
}

impl Scheduling {
    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replica => "REPLICA",
            Self::Daemon => "DAEMON",
        }
    }
}

/// `deploymentController.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Controller {
    /// Deployments, as this crate makes them.
    Ecs,
    /// Task sets, driven by AWS CodeDeploy or what stands in for it.
    CodeDeploy,
    /// Task sets, driven by the user.
    External,
}

impl Controller {
    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ECS",
            Self::CodeDeploy => "CODE_DEPLOY",
            Self::External => "EXTERNAL",
        }
    }

    /// Whether task sets, not deployments, hold the tasks.
    #[must_use]
    pub const fn has_task_sets(self) -> bool {
        match self {
            Self::Ecs => false,
            Self::CodeDeploy | Self::External => true,
        }
    }
}

/// `propagateTags`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagate {
    /// Tasks get no tag of another resource.
    None,
    /// Tasks get the definition's tags.
    TaskDefinition,
    /// Tasks get the service's tags.
    Service,
}

impl Propagate {
    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::TaskDefinition => "TASK_DEFINITION",
            Self::Service => "SERVICE",
        }
    }
}

/// A steady state: since when, and when an event last said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steady {
    /// Since when.
    pub since: Timestamp,
    /// When it was last told.
    pub told: Timestamp,
}

/// What was told of a standing trouble, so that it is told once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The event's text.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// Its cluster and name.
    pub key: ServiceKey,
    /// `status`.
    pub status: ServiceStatus,
    /// `createdAt`.
    pub created: Timestamp,
    /// `createdBy`: the ARN of the principal.
    pub created_by: String,
    /// When it became INACTIVE.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// `schedulingStrategy`.
    pub scheduling: Scheduling,
    /// `deploymentController`.
    pub controller: Controller,
    /// `desiredCount`; for a DAEMON the number of instances that match, as last counted.
    pub desired: u32,
    /// `launchType` of new deployments.
    pub launch_type: String,
    /// `platformVersion` of new deployments, as it was asked for.
    #[serde(default)]
    pub platform_version: Option<String>,
    /// `deploymentConfiguration` with its defaults.
    pub configuration: Stored<DeploymentConfiguration>,
    /// `placementConstraints`.
    #[serde(default)]
    pub constraints: Vec<Stored<PlacementConstraint>>,
    /// `placementStrategy`.
    #[serde(default)]
    pub strategy: Vec<Stored<PlacementStrategy>>,
    /// `healthCheckGracePeriodSeconds`.
    #[serde(default)]
    pub grace_seconds: Option<u32>,
    /// `availabilityZoneRebalancing`.
    #[serde(default)]
    pub rebalances_zones: bool,
    /// `tags`.
    #[serde(default)]
    pub tags: Tags,
    /// `enableECSManagedTags`.
    #[serde(default)]
    pub managed_tags: bool,
    /// `propagateTags`.
    pub propagate: Propagate,
    /// `enableExecuteCommand`.
    #[serde(default)]
    pub execute_command: bool,
    /// The token of its creation, with the digest of what was asked.
    #[serde(default)]
    pub token: Option<(String, String)>,
    /// PRIMARY first, then those that it replaces, the newest first.
    #[serde(default)]
    pub deployments: Vec<Deployment>,
    /// Task sets, the newest first.
    #[serde(default)]
    pub task_sets: Vec<TaskSet>,
    /// The revision of the last deployment that completed.
    #[serde(default)]
    pub completed_revision: Option<u64>,
    /// The steady state that it is in.
    #[serde(default)]
    pub steady: Option<Steady>,
    /// Standing troubles that were told, by kind.
    #[serde(default)]
    pub told: BTreeMap<String, Told>,
    /// Whether some task finds no place: more room in the cluster wakes it.
    #[serde(default)]
    pub lacks_room: bool,
    /// Whether its zones are being evened out.
    #[serde(default)]
    pub is_rebalancing: bool,
    /// The zones that lack tasks took none.
    #[serde(default)]
    pub unevened: Option<Unevened>,
    /// The number of its last event.
    #[serde(default)]
    pub last_event: u64,
}

impl ServiceRecord {
    /// The deployment that is wanted.
    #[must_use]
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.first()
    }

    /// `maximumPercent`, with AWS's defaults.
    #[must_use]
    pub fn maximum_percent(&self) -> u32 {
        let default = match self.scheduling {
            Scheduling::Replica => 200,
            Scheduling::Daemon => 100,
        };
        percent(self.configuration.maximum_percent, default)
    }

    /// `minimumHealthyPercent`, with AWS's defaults.
    #[must_use]
    pub fn minimum_healthy_percent(&self) -> u32 {
        let default = match self.scheduling {
            Scheduling::Replica => 100,
            Scheduling::Daemon => 0,
        };
        percent(self.configuration.minimum_healthy_percent, default)
    }

    /// Whether its tasks may each only be on an instance of their own.
    #[must_use]
    pub fn is_distinct(&self, constraints: &[Constraint]) -> bool {
        constraints.contains(&Constraint::DistinctInstance)
    }
}

fn percent(given: Option<i32>, default: u32) -> u32 {
    given.map_or(default, |given| u32::try_from(given).unwrap_or(0))
}

/// Those of a cluster of hosts that are not INACTIVE and find no place for some task.
pub static LACKS_ROOM: Index<ServiceRecord> = Index {
    name: "lacks_room",
    keys: |service| match service.lacks_room && service.status != ServiceStatus::Inactive {
        true => hosts_of(service),
        false => Vec::new(),
    },
};

/// Those of a cluster that are not INACTIVE and have a task on every matching instance.
pub static DAEMONS: Index<ServiceRecord> = Index {
    name: "daemons",
    keys: |service| match service.scheduling {
        Scheduling::Daemon if service.status != ServiceStatus::Inactive => {
            vec![cluster_parts(&service.key.scope, &service.key.cluster)]
        }
        Scheduling::Daemon | Scheduling::Replica => Vec::new(),
    },
};

/// Those of a cluster of hosts that are ACTIVE and keep their Availability Zones even.
pub static EVENS_ZONES: Index<ServiceRecord> = Index {
    name: "evens_zones",
    keys: |service| match service.rebalances_zones && service.status == ServiceStatus::Active {
        true => hosts_of(service),
        false => Vec::new(),
    },
};

/// Those with a lifecycle hook whose target is being asked.
pub static OPEN_HOOKS: Index<ServiceRecord> = Index {
    name: "open_hooks",
    keys: |service| match hooks::open(service).next() {
        Some(_) => vec![hooks::open_parts()],
        None => Vec::new(),
    },
};

/// Those of a cluster that are ACTIVE, for listings.
pub static ACTIVE: Index<ServiceRecord> = Index {
    name: "active",
    keys: |service| match service.status {
        ServiceStatus::Active => vec![cluster_parts(&service.key.scope, &service.key.cluster)],
        ServiceStatus::Draining | ServiceStatus::Inactive => Vec::new(),
    },
};

/// Of a cluster: its services by status, and those of launch type FARGATE under one more component.
pub static OF_CLUSTER: Tally<ServiceRecord> = Tally {
    name: "of_cluster",
    of: |service| {
        let ServiceKey { scope, cluster, .. } = &service.key;
        let status = service.status.name();
        let whole = Key::of(&[&scope.account, &scope.region, cluster, status]);
        let mut of = vec![(whole, 1)];
        if fargate::is(&service.launch_type) {
            let name = &service.launch_type;
            let part = Key::of(&[&scope.account, &scope.region, cluster, status, name]);
            of.push((part, 1));
        }
        of
    },
};

/// All services, deleted ones included for a while.
pub static SERVICES: Table<ServiceKey, ServiceRecord> = Table::new(
    "ecs.services",
    |service| service.key.clone(),
    &[
        &LACKS_ROOM,
        &DAEMONS,
        &EVENS_ZONES,
        &LACKS_ROOM_IN,
        &ACTIVE,
        &OPEN_HOOKS,
        &BY_TASK_SET_DEFINITION,
    ],
)
.with_tallies(&[&OF_CLUSTER]);

/// The clusters in which the hosts of its tasks are registered: its own, and that of hosts which lend
/// capacity where it or a task set of it is of launch type FARGATE.
fn hosts_of(service: &ServiceRecord) -> Vec<Key> {
    let scope = &service.key.scope;
    let mut keys = vec![cluster_parts(scope, &service.key.cluster)];
    let mut sets = service.task_sets.iter();
    if fargate::is(&service.launch_type) || sets.any(|set| fargate::is(&set.workload.launch_type)) {
        keys.push(cluster_parts(scope, fargate::CLUSTER));
    }
    keys
}

/// The index key of a cluster's services.
#[must_use]
pub fn cluster_parts(scope: &Scope, cluster: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, cluster])
}
