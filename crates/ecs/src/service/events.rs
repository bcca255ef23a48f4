//! What a service tells: every text of its events, in AWS's words, in one place.
//!
//! Rule: semantics 6.3; developer guide, "Amazon ECS service event messages".

use super::action::Action;
use super::standing::{MISCONFIGURED, UNEVENED, UNPLACED, UNPLACED_IN, kind_of};
use crate::place::solve::{CAPACITY, Reason, Refused};
use crate::records::service::{ServiceRecord, Told, deployment_id};
use crate::records::service_event::{
    EVENTS_LEN_MAX, SERVICE_EVENTS, ServiceEventKey, ServiceEventRecord,
};
use crate::records::task::TaskId;
use aws_types::Ctx;
use store::{Txn, World};

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Tasks were started.
    Started(Vec<TaskId>),
    /// Tasks were started in this zone to even out the zones.
    StartedIn(String, Vec<TaskId>),
    /// Running tasks are being stopped.
    Stopped(Vec<TaskId>),
    /// Running tasks are being stopped in this zone to even out the zones.
    StoppedIn(String, Vec<TaskId>),
    /// Something of a task set.
    OfTaskSet(u64, TaskSetNews),
    /// Everything is as desired.
    Steady,
    /// A deployment completed.
    Completed(u64),
    /// A deployment failed, for this reason.
    Failed(u64, String),
    /// The revision of this deployment is being deployed in place of one that failed.
    RollingBack(u64),
    /// No instance takes a task.
    Unplaced(Unplaced),
    /// Nothing in this zone, which lacks tasks, takes one; in AWS's word, where there is one, why.
    UnplacedIn(String, Option<&'static str>),
    /// No task can be started: what it needs beside an instance is not there; what.
    Misconfigured(String),
    /// Tasks fail to start again and again.
    Impaired,
    /// Neither may a task be started nor one be stopped.
    Blocked,
    /// A task failed its containers' health checks.
    Unhealthy(TaskId),
    /// A task is stopped because its instance no longer matches.
    Violated(TaskId),
    /// Protected tasks of this deployment or task set, so many, keep the service from what is desired.
    Protected(u64, u32),
    /// Zones are being evened out; tasks by zone.
    Rebalancing(Vec<(String, u32)>),
    /// Zones are even again; tasks by zone.
    Rebalanced(Vec<(String, u32)>),
    /// Zones are no longer being evened out, though they may not be even.
    RebalancingStopped,
    /// Protected tasks of this deployment, so many, keep the zones uneven.
    Unevened(u64, u32),
}

/// What is told of a task set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskSetNews {
    /// Tasks were started.
    Started(Vec<TaskId>),
    /// Running tasks are being stopped.
    Stopped(Vec<TaskId>),
    /// It became steady.
    Steady,
    /// Its tasks fail to start again and again.
    Impaired,
}

impl TaskSetNews {
    fn text(&self, of: &str) -> String {
        match self {
            Self::Started(tasks) => started(of, tasks),
            Self::Stopped(tasks) => stopped(of, tasks),
            Self::Steady => format!("{of} updated state to STEADY_STATE."),
            Self::Impaired => impaired(of),
        }
    }
}

/// Why no instance takes a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplaced {
    /// In a sentence.
    pub why: String,
    /// In AWS's word, e.g. `RESOURCE:CPU`; `None` where there is no instance.
    pub reason: Option<&'static str>,
}

impl Unplaced {
    fn text(&self, of: &str) -> String {
        let of_instances = " because no container instance met all of its requirements.";
        let what = match self.reason == Some(CAPACITY) {
            true => ". Reason:",
            false => of_instances,
        };
        format!("{of} was unable to place a task{what} {} {SEE}", self.why)
    }
}

const SEE: &str =
    "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";

impl Message {
    /// The text as DescribeServices shows it.
    #[must_use]
    pub fn text(&self, service: &str) -> String {
        let of = format!("(service {service})");
        match self {
            Self::OfTaskSet(set, news) => news.text(&of_set(service, *set)),
            Self::Started(tasks) => started(&of, tasks),
            Self::StartedIn(zone, tasks) => started_in(&of, zone, tasks),
            Self::Stopped(tasks) => stopped(&of, tasks),
            Self::StoppedIn(zone, tasks) => stopped_in(&of, zone, tasks),
            Self::Steady => format!("{of} has reached a steady state."),
            Self::Completed(number) => format!("{of} {} deployment completed.", deployed(*number)),
            Self::Failed(number, why) => {
                format!("{of} {} deployment failed: {why}.", deployed(*number))
            }
            Self::RollingBack(number) => {
                format!(
                    "{of} rolling back to deployment {}.",
                    deployment_id(*number)
                )
            }
            Self::Unplaced(unplaced) => unplaced.text(&of),
            Self::UnplacedIn(zone, reason) => unplaced_in(&of, zone, *reason),
            Self::Misconfigured(why) => {
                format!("{of} failed to launch a task with (error {why}).")
            }
            Self::Impaired => impaired(&of),
            Self::Blocked => format!(
                "{of} was unable to stop or start tasks during a deployment because of the service \
                 deployment configuration. Update the minimumHealthyPercent or maximumPercent value \
                 and try again."
            ),
            Self::Unhealthy(task) => {
                format!("{of} (task {}) failed container health checks.", task.0)
            }
            Self::Violated(task) => format!(
                "{of} stopped (task {}) because its container instance no longer meets the \
                 placement constraints.",
                task.0
            ),
            // As services show it; the guide has another text for the same.
            Self::Protected(number, tasks) => {
                under_protection(&of, "reach steady state", *number, *tasks)
            }
            Self::Unevened(number, tasks) => under_protection(&of, "AZ Rebalance", *number, *tasks),
            Self::Rebalancing(zones) => format!(
                "{of} is not AZ balanced with {}. AZ Rebalancing in progress.",
                by_zone(zones)
            ),
            Self::Rebalanced(zones) => format!("{of} is AZ balanced with {}.", by_zone(zones)),
            Self::RebalancingStopped => format!("{of} stopped AZ Rebalancing."),
        }
    }

    /// Under which name a standing trouble is told once until it is over or six hours have passed;
    /// `None` for what is told each time.
    #[must_use]
    pub fn standing(&self) -> Option<String> {
        match self {
            Self::Unplaced(unplaced) => {
                let reason = unplaced.reason.unwrap_or("none");
                let word = reason.split(' ').next().unwrap_or(reason);
                Some(format!("{UNPLACED}:{word}"))
            }
            Self::UnplacedIn(zone, _) => Some(format!("{UNPLACED_IN}{zone}")),
            Self::Unevened(..) => Some(UNEVENED.into()),
            Self::Misconfigured(_) => Some(MISCONFIGURED.into()),
            Self::Impaired => Some("impaired".into()),
            Self::OfTaskSet(set, TaskSetNews::Impaired) => Some(kind_of("impaired", *set)),
            Self::Blocked => Some("blocked".into()),
            Self::Protected(number, _) => Some(kind_of("protected", *number)),
            _ => None,
        }
    }

    /// Whether this, with this text, is news beside what was told of the same trouble. That another instance is now the
    /// closest to taking a task is none: it changes with every task that comes or goes.
    #[must_use]
    pub fn is_other(&self, text: &str, told: &Told) -> bool {
        !matches!(self, Self::Unplaced(_)) && told.text != text
    }
}

fn started(of: &str, tasks: &[TaskId]) -> String {
    format!("{of} has started {} tasks: {}.", tasks.len(), named(tasks))
}

fn stopped(of: &str, tasks: &[TaskId]) -> String {
    let named = named(tasks);
    format!("{of} has stopped {} running tasks: {named}.", tasks.len())
}

fn started_in(of: &str, zone: &str, tasks: &[TaskId]) -> String {
    let (count, named) = (tasks.len(), named(tasks));
    format!("{of} has started {count} tasks in {zone} to AZ Rebalance: {named}.")
}

fn stopped_in(of: &str, zone: &str, tasks: &[TaskId]) -> String {
    let (count, named) = (tasks.len(), named(tasks));
    format!("{of} has stopped {count} running tasks in {zone} due to AZ rebalancing: {named}.")
}

fn unplaced_in(of: &str, zone: &str, reason: Option<&str>) -> String {
    let why = match reason == Some(CAPACITY) {
        true => "",
        false => " because no container instance met all of its requirements",
    };
    format!("{of} is unable to place a task in {zone}{why}.")
}

fn impaired(of: &str) -> String {
    format!("{of} is unable to consistently start tasks successfully. {SEE}")
}

fn under_protection(of: &str, what: &str, number: u64, tasks: u32) -> String {
    let number = deployment_id(number);
    let why = format!("(reason {})", protected(tasks));
    format!(
        "{of} was unable to {what} because (taskSet {number}) was unable to scale in due to {why}"
    )
}

/// Why tasks do not go.
pub(super) fn protected(tasks: u32) -> String {
    format!("{tasks} tasks under protection")
}

fn named(tasks: &[TaskId]) -> String {
    let each: Vec<String> = tasks
        .iter()
        .map(|task| format!("(task {})", task.0))
        .collect();
    each.join(" ")
}

fn deployed(number: u64) -> String {
    format!("(deployment {})", deployment_id(number))
}

fn of_set(service: &str, set: u64) -> String {
    format!("(service {service}, taskSet {})", deployment_id(set))
}

fn by_zone(zones: &[(String, u32)]) -> String {
    let each: Vec<String> = zones
        .iter()
        .map(|(zone, tasks)| format!("{tasks} tasks in {zone}"))
        .collect();
    each.join(", ")
}

/// Why no instance takes a task, in AWS's words: of the closest one, if there is any.
#[must_use]
pub fn why_unplaced(refused: Option<&Refused>) -> Unplaced {
    let closest = refused.and_then(|refused| refused.closest.first());
    let Some(closest) = closest else {
        return Unplaced {
            why: "Reason: No Container Instances were found in your cluster.".into(),
            reason: None,
        };
    };
    if let Reason::Capacity(_) = closest.reason {
        return Unplaced {
            why: "Capacity is unavailable at this time. Please try again later or in a different \
                  availability zone."
                .into(),
            reason: Some(closest.reason.name()),
        };
    }
    let what = match &closest.reason {
        Reason::Cpu { .. } => "has insufficient CPU units available",
        Reason::Memory { .. } => "has insufficient memory available",
        Reason::Gpu { .. } => "has insufficient GPU resource available",
        Reason::Ports(_) | Reason::PortsUdp(_) | Reason::PortCount { .. } => {
            "is already using a port required by your task"
        }
        Reason::Attribute(_) => "is missing an attribute required by your task",
        Reason::Location => "encountered error \"LOCATION\"",
        Reason::Eni { .. } | Reason::Addresses | Reason::Interface(_) => {
            "encountered error \"RESOURCE:ENI\""
        }
        // Told above: it is of no instance.
        Reason::Capacity(_) => "encountered error \"RESOURCE:FARGATE\"",
        Reason::Agent => "encountered error \"AGENT\"",
        Reason::Inactive => "encountered error \"INACTIVE\"",
        Reason::MemberOf(_) => "encountered error \"MemberOf placement constraint unsatisfied.\"",
        Reason::DistinctInstance => {
            "encountered error \"DistinctInstance placement constraint unsatisfied.\""
        }
    };
    let instance = &closest.instance.0;
    Unplaced {
        why: format!("The closest matching (container-instance {instance}) {what}."),
        reason: Some(closest.reason.name()),
    }
}

/// Stores an event of the service; the oldest past the hundredth goes. The record counts them.
pub fn tell(txn: &mut Txn, ctx: &mut Ctx, service: &mut ServiceRecord, message: &Message) {
    let text = message.text(&service.key.name);
    service.last_event += 1;
    let number = service.last_event;
    let key = |number| ServiceEventKey {
        service: service.key.clone(),
        number,
    };
    let event = ServiceEventRecord {
        key: key(number),
        id: ctx.ids.uuid(),
        at: ctx.now,
        text,
        action: Action::of_message(message),
    };
    if let Some(oldest) = number.checked_sub(EVENTS_LEN_MAX) {
        txn.delete(&SERVICE_EVENTS, &key(oldest));
    }
    txn.put(&SERVICE_EVENTS, event);
}

/// The kept events, the newest first.
#[must_use]
pub fn kept(world: &World, service: &ServiceRecord) -> Vec<ServiceEventRecord> {
    let newest = service.last_event;
    let oldest = newest.saturating_sub(EVENTS_LEN_MAX - 1).max(1);
    let numbers = (oldest..=newest).rev();
    let found = numbers.filter_map(|number| {
        let key = ServiceEventKey {
            service: service.key.clone(),
            number,
        };
        world.get(&SERVICE_EVENTS, &key)
    });
    found.map(|event| event.as_ref().clone()).collect()
}
