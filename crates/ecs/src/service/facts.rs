//! What a service's plan may look at, and nothing else.

use super::alarms::Watch;
use super::waits::Waits;
use crate::records::container_instance::InstanceId;
use crate::records::service::{Deployment, ServiceRecord};
use crate::records::service_deployment::DeploymentStatus;
use crate::records::task::TaskId;
use crate::records::uneven::Zone;
use crate::task::status::TaskStatus;
use aws_api::ecs::DeploymentConfiguration;
use aws_types::Timestamp;

/// A service at one moment.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// What is wanted, and how far it is.
    pub service: &'a ServiceRecord,
    /// This moment.
    pub now: Timestamp,
    /// The waits in force.
    pub waits: Waits,
    /// Its tasks that are not STOPPED, in order of id.
    pub members: Vec<Member>,
    /// Some of its tasks that are STOPPED and not yet settled.
    pub ended: Vec<Ended>,
    /// For a DAEMON: the instances that it is to be on, in order of id.
    pub seats: Vec<Seat>,
    /// Where its zones are to be evened out: those with an instance that takes tasks, in order of name.
    pub zones: Vec<Zone>,
    /// The status of the service deployment under way.
    pub requested: Option<DeploymentStatus>,
    /// What the alarms that it watches say; `None` where it watches none.
    pub alarms: Option<Watch>,
    /// Its configuration as it began; the service's where there is none under way.
    pub configuration: &'a DeploymentConfiguration,
}

/// An instance that a DAEMON is to be on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The instance.
    pub instance: InstanceId,
    /// Whether it takes a task; where its agent is away, the task that it has is left alone.
    pub is_ready: bool,
}

/// One task that is not STOPPED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The task.
    pub task: TaskId,
    /// The number of the deployment or task set that started it.
    pub of: u64,
    /// Where it is.
    pub instance: InstanceId,
    /// The instance's zone.
    pub zone: Option<String>,
    /// `lastStatus`.
    pub status: TaskStatus,
    /// When it was accepted.
    pub created: Timestamp,
    /// When it became RUNNING.
    pub started: Option<Timestamp>,
    /// Whether it counts.
    pub health: Health,
    /// Whether it was asked to stop.
    pub is_stopping: bool,
    /// Until when scale-in and deployments leave it alone.
    pub protected_until: Option<Timestamp>,
    /// Whether its instance is being drained.
    pub is_draining: bool,
    /// Whether its instance has tasks of other groups.
    pub has_neighbours: bool,
    /// What its instance has left of what a binpack strategy looks at.
    pub room: u32,
}

/// Whether a task counts towards the minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not yet; with nothing further happening, from this moment on.
    Waiting(Option<Timestamp>),
    /// It does.
    Healthy,
    /// Its containers' health checks failed.
    Unhealthy,
}

impl Member {
    /// Whether scale-in and deployments leave it alone.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.protected_until.is_some()
    }

    /// Whether it counts towards the minimum.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.health == Health::Healthy
    }

    /// Whether it may be serving, though it does not yet count: what was RUNNING before a deployment
    /// began is not stopped for being young.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.status == TaskStatus::Running && self.health != Health::Unhealthy
    }
}

/// A task that is STOPPED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The task.
    pub task: TaskId,
    /// The number of the deployment or task set that started it.
    pub of: u64,
    /// When it became RUNNING.
    pub started: Option<Timestamp>,
    /// When it was STOPPED.
    pub stopped: Timestamp,
    /// What its end says of its deployment.
    pub verdict: Verdict,
}

/// What a task's end says of its deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: a user, the service or the end of its host stopped it.
    None,
    /// It ended by itself after it was RUNNING.
    Exited,
    /// It was never RUNNING.
    NeverRan,
    /// Its containers' health checks failed.
    Unhealthy,
}

impl Facts<'_> {
    /// The tasks that are not asked to stop.
    pub fn live(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.is_stopping)
    }

    /// Whether a task is one that the PRIMARY wants to keep.
    #[must_use]
    pub fn is_current(&self, member: &Member, primary: &Deployment) -> bool {
        member.of == primary.number && !member.is_draining && member.health != Health::Unhealthy
    }

    /// When some task is no longer protected.
    #[must_use]
    pub fn next_unprotected(&self) -> Option<Timestamp> {
        self.live()
            .filter_map(|member| member.protected_until)
            .min()
    }

    /// When some task counts as healthy by nothing but time.
    #[must_use]
    pub fn next_healthy(&self) -> Option<Timestamp> {
        let waiting = self.live().filter_map(|member| match member.health {
            Health::Waiting(at) => at,
            Health::Healthy | Health::Unhealthy => None,
        });
        waiting.min()
    }
}
