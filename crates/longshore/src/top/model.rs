//! What is shown: answers of the API, cut down to rows.
//!
//! Pure, and lenient: a member that an answer lacks is shown as nothing.

use aws_api::ecs::{Cluster, Deployment, Service, ServiceEvent, Task, TaskSet};
use aws_types::Timestamp;

/// Everything that one frame shows.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// When it was read.
    pub at: Timestamp,
    /// Where the server answers.
    pub server: String,
    /// All clusters, in order of name.
    pub clusters: Vec<ClusterRow>,
    /// Services of the cluster that is looked at, in order of name.
    pub services: Vec<ServiceRow>,
    /// How many there are, with those that are left out.
    pub services_len: usize,
    /// Tasks that are to run: of the service that is looked at, or of the cluster.
    pub tasks: Vec<TaskRow>,
    /// How many there are, with those that are left out.
    pub tasks_len: usize,
    /// Why the newest look saw nothing; the rest is older then.
    pub trouble: Option<String>,
}

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterRow {
    /// `clusterName`.
    pub name: String,
    /// `registeredContainerInstancesCount`.
    pub instances: i32,
    /// `activeServicesCount`.
    pub services: i32,
    /// `runningTasksCount`.
    pub running: i32,
    /// `pendingTasksCount`.
    pub pending: i32,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRow {
    /// `serviceName`.
    pub name: String,
    /// `status`.
    pub status: String,
    /// `schedulingStrategy`.
    pub scheduling: String,
    /// `FAMILY:REVISION`.
    pub definition: String,
    /// `desiredCount`.
    pub desired: i32,
    /// `runningCount`.
    pub running: i32,
    /// `pendingCount`.
    pub pending: i32,
    /// Its deployments, the PRIMARY first, or its task sets.
    pub deployments: Vec<DeploymentRow>,
    /// The newest first.
    pub events: Vec<EventRow>,
}

/// A deployment or a task set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentRow {
    /// `PRIMARY`, `ACTIVE`, `DRAINING`.
    pub status: String,
    /// `FAMILY:REVISION`.
    pub definition: String,
    /// `desiredCount`, or `computedDesiredCount`.
    pub desired: i32,
    /// `runningCount`.
    pub running: i32,
    /// `pendingCount`.
    pub pending: i32,
    /// `failedTasks`.
    pub failed: i32,
    /// `rolloutState`, or `stabilityStatus`.
    pub state: String,
    /// `rolloutStateReason`.
    pub reason: String,
}

/// An event of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRow {
    /// `createdAt`.
    pub at: Timestamp,
    /// `message`.
    pub text: String,
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskRow {
    /// The last part of its ARN.
    pub id: String,
    /// `FAMILY:REVISION`.
    pub definition: String,
    /// `lastStatus`.
    pub status: String,
    /// `healthStatus`; nothing where it is UNKNOWN.
    pub health: String,
    /// `startedAt`, else `createdAt`.
    pub since: Timestamp,
    /// The last part of its container instance's ARN.
    pub instance: String,
}

impl From<&Cluster> for ClusterRow {
    fn from(of: &Cluster) -> Self {
        Self {
            name: text(&of.cluster_name),
            instances: of.registered_container_instances_count.unwrap_or(0),
            services: of.active_services_count.unwrap_or(0),
            running: of.running_tasks_count.unwrap_or(0),
            pending: of.pending_tasks_count.unwrap_or(0),
        }
    }
}

impl From<&Service> for ServiceRow {
    fn from(of: &Service) -> Self {
        let deployments = of.deployments.iter().flatten().map(Into::into);
        let task_sets = of.task_sets.iter().flatten().map(Into::into);
        Self {
            name: text(&of.service_name),
            status: text(&of.status),
            scheduling: text(&of.scheduling_strategy),
            definition: last(&of.task_definition),
            desired: of.desired_count.unwrap_or(0),
            running: of.running_count.unwrap_or(0),
            pending: of.pending_count.unwrap_or(0),
            deployments: deployments.chain(task_sets).collect(),
            events: of.events.iter().flatten().map(Into::into).collect(),
        }
    }
}

impl From<&Deployment> for DeploymentRow {
    fn from(of: &Deployment) -> Self {
        Self {
            status: text(&of.status),
            definition: last(&of.task_definition),
            desired: of.desired_count.unwrap_or(0),
            running: of.running_count.unwrap_or(0),
            pending: of.pending_count.unwrap_or(0),
            failed: of.failed_tasks.unwrap_or(0),
            state: text(&of.rollout_state),
            reason: text(&of.rollout_state_reason),
        }
    }
}

impl From<&TaskSet> for DeploymentRow {
    fn from(of: &TaskSet) -> Self {
        Self {
            status: text(&of.status),
            definition: last(&of.task_definition),
            desired: of.computed_desired_count.unwrap_or(0),
            running: of.running_count.unwrap_or(0),
            pending: of.pending_count.unwrap_or(0),
            failed: 0,
            state: text(&of.stability_status),
            reason: String::new(),
        }
    }
}

impl From<&ServiceEvent> for EventRow {
    fn from(of: &ServiceEvent) -> Self {
        Self {
            at: of.created_at.unwrap_or_default(),
            text: text(&of.message),
        }
    }
}

impl From<&Task> for TaskRow {
    fn from(of: &Task) -> Self {
        let health = text(&of.health_status);
        Self {
            id: last(&of.task_arn),
            definition: last(&of.task_definition_arn),
            status: text(&of.last_status),
            health: match health.as_str() {
                "UNKNOWN" => String::new(),
                _ => health,
            },
            since: of.started_at.or(of.created_at).unwrap_or_default(),
            instance: last(&of.container_instance_arn),
        }
    }
}

fn text(of: &Option<String>) -> String {
    of.clone().unwrap_or_default()
}

/// The last part of an ARN.
fn last(arn: &Option<String>) -> String {
    let last = arn.as_deref().and_then(|arn| arn.rsplit('/').next());
    last.unwrap_or_default().into()
}
