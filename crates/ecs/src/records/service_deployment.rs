//! Service deployments: the history of what was rolled out, and how it ended.
//!
//! One service deployment may hold two deployments of the service: the one that was asked for and,
//! where that fails, the one that rolls back.

use super::deployment_alarms::{AlarmWatch, WATCHING};
use super::deployment_stage::Staged;
use super::service::ServiceKey;
use aws_api::Stored;
use aws_api::ecs::DeploymentConfiguration;
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Index, Key, Table, TableKey};

/// 21 url-safe characters, the last part of a service deployment's ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceDeploymentId(pub String);

/// A service deployment of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceDeploymentKey {
    /// The service.
    pub service: ServiceKey,
    /// Its id.
    pub id: ServiceDeploymentId,
}

impl ServiceDeploymentKey {
    /// `arn:PARTITION:ecs:REGION:ACCOUNT:service-deployment/CLUSTER/SERVICE/ID`.
    #[must_use]
    pub fn arn(&self) -> String {
        let ServiceKey { cluster, name, .. } = &self.service;
        let resource = format!("service-deployment/{cluster}/{name}/{}", self.id.0);
        self.service.scope.arn("ecs", &resource).to_string()
    }
}

impl TableKey for ServiceDeploymentKey {
    fn encode(&self) -> Key {
        let ServiceKey {
            scope,
            cluster,
            name,
        } = &self.service;
        Key::of(&[&scope.account, &scope.region, cluster, name, &self.id.0])
    }
}

/// `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeploymentStatus {
    /// Asked for; no task was started yet.
    Pending,
    /// Under way.
    InProgress,
    /// It was completed.
    Successful,
    /// A user asked to stop it.
    StopRequested,
    /// It ended before it was complete.
    Stopped,
    /// A user asked to roll it back.
    RollbackRequested,
    /// The revision before it is being deployed.
    RollbackInProgress,
    /// The revision before it was deployed.
    RollbackSuccessful,
    /// Neither it nor the revision before it could be deployed.
    RollbackFailed,
}

impl DeploymentStatus {
    /// Every status, in the model's order.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Successful,
        Self::Stopped,
        Self::StopRequested,
        Self::InProgress,
        Self::RollbackRequested,
        Self::RollbackInProgress,
        Self::RollbackSuccessful,
        Self::RollbackFailed,
    ];

    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Successful => "SUCCESSFUL",
            Self::StopRequested => "STOP_REQUESTED",
            Self::Stopped => "STOPPED",
            Self::RollbackRequested => "ROLLBACK_REQUESTED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }

    /// Whether it can still change.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Pending
            | Self::InProgress
            | Self::StopRequested
            | Self::RollbackRequested
            | Self::RollbackInProgress => true,
            Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed => {
                false
            }
        }
    }
}

/// What watches a deployment, and what it saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Monitor {
    /// It is not asked for.
    #[default]
    Disabled,
    /// It watches.
    Monitoring,
    /// The deployment ended without it.
    Complete,
    /// It ended the deployment.
    Triggered,
}

impl Monitor {
    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "DISABLED",
            Self::Monitoring => "MONITORING",
            Self::Complete => "MONITORING_COMPLETE",
            Self::Triggered => "TRIGGERED",
        }
    }
}

/// A rollback that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// Why.
    pub reason: String,
    /// When.
    pub started: Timestamp,
    /// To which revision.
    pub revision: u64,
}

/// One service deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceDeploymentRecord {
    /// Its service and id.
    pub key: ServiceDeploymentKey,
    /// `status`.
    pub status: DeploymentStatus,
    /// `statusReason`.
    #[serde(default)]
    pub reason: Option<String>,
    /// `createdAt`.
    pub created: Timestamp,
    /// `startedAt`.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// `finishedAt`.
    #[serde(default)]
    pub finished: Option<Timestamp>,
    /// `stoppedAt`.
    #[serde(default)]
    pub stopped: Option<Timestamp>,
    /// `updatedAt`.
    pub updated: Timestamp,
    /// Revisions that ran when it began, with their requested, running and pending tasks then.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// The revision that it deploys.
    pub target: u64,
    /// `deploymentConfiguration` as it was when it began.
    pub configuration: Stored<DeploymentConfiguration>,
    /// The circuit breaker.
    pub breaker: Monitor,
    /// Failures that the circuit breaker counted.
    pub failures: u32,
    /// Failures that trip it.
    pub threshold: u32,
    /// The alarms.
    #[serde(default)]
    pub alarms: AlarmWatch,
    /// The rollback that was begun.
    #[serde(default)]
    pub rollback: Option<Rollback>,
    /// How far its deployment is, or was when it ended.
    #[serde(default)]
    pub staged: Option<Staged>,
}

/// A revision that ran when a service deployment began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The revision.
    pub revision: u64,
    /// `requestedTaskCount`.
    pub requested: u32,
    /// `runningTaskCount`.
    pub running: u32,
    /// `pendingTaskCount`.
    pub pending: u32,
}

/// By service, the newest first.
pub static NEWEST: Index<ServiceDeploymentRecord> = Index {
    name: "newest",
    keys: |deployment| {
        let service = deployment.key.service.encode();
        vec![service]
    },
};

/// All service deployments of services that still exist.
pub static SERVICE_DEPLOYMENTS: Table<ServiceDeploymentKey, ServiceDeploymentRecord> = Table::new(
    "ecs.service_deployments",
    |deployment| deployment.key.clone(),
    &[&NEWEST, &WATCHING],
);
