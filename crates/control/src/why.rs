//! Why a task, a container instance, a service or a request went as it did: what the records say, and what
//! the decision log still holds of it.

use crate::decision_log::{Entry, Kept};
use aws_types::{Decision, Timestamp};
use ecs::explain::{self, Found};
use ecs::records::service::ServiceRecord;
use ecs::service::waits::Waits;
use serde_json::{Value, json};
use std::fmt;
use store::World;

/// As many entries are told, the newest.
const ENTRIES_TOLD_MAX: usize = 50;
/// The same of a service, whose tasks come and go.
const OF_SERVICE_TOLD_MAX: usize = 10;

/// Nothing, or too much, is known by this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It means several things; their ARNs.
    Ambiguous(Vec<String>),
    /// No record has it, and the log does not name it.
    Nowhere {
        /// What was asked for.
        of: String,
        /// How far back the log reaches.
        since: Timestamp,
        /// Entries that had to make room in it.
        fallen: u64,
    },
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous(arns) => write!(f, "that may be any of:\n{}", arns.join("\n")),
            Self::Nowhere { of, since, fallen } => write!(
                f,
                "nothing is known of '{of}': no task or container instance has that id, no service \
                 that name, and the decision log does not name it. The log reaches back to {}, {fallen} older entries \
                 fell out of it, and it never keeps reads that succeeded or calls that could not be \
                 authenticated",
                since.iso8601()
            ),
        }
    }
}

/// Everything known at this moment of what `of` names: a task or a container instance (ARN, id or the
/// first digits of one), a service (ARN, name or CLUSTER/NAME), or the id of a request.
///
/// # Errors
/// It names nothing that is known, or several things.
pub fn why(
    world: &World,
    log: &Kept,
    (now, waits): (Timestamp, Waits),
    of: &str,
) -> Result<Value, Unknown> {
    let found = explain::find(world, of);
    match found.as_slice() {
        [Found::Task(task)] => {
            let id = &task.key.id.0;
            let entries = told(log, |entry| {
                let lived = entry.asked.at >= task.times.created
                    && task.times.stopped.is_none_or(|end| entry.asked.at <= end);
                let of_instance = |decision: &dyn Decision| {
                    lived && decision.concerns(&task.instance.0) && is_standing(decision)
                };
                let about =
                    |decision: &dyn Decision| decision.concerns(id) || of_instance(decision);
                let concerns = entry.decisions.iter().any(|decision| about(&**decision));
                concerns.then(|| entry.facts(about))
            });
            let mut known = answer("task", of, log, entries);
            known["task"] = explain::task(world, task);
            // Older than the log: who asked for it is known no more.
            known["log"]["is_complete"] = json!(log.since <= task.times.created);
            Ok(known)
        }
        [Found::Instance(instance)] => {
            let entries = told(log, about(&instance.key.id.0));
            let mut known = answer("instance", of, log, entries);
            known["instance"] = explain::instance(world, instance);
            known["log"]["is_complete"] = json!(log.since <= instance.registered_at);
            Ok(known)
        }
        [Found::Service(service)] => {
            let entries = of_service(world, log, service);
            let mut known = answer("service", of, log, entries);
            known["service"] = explain::service(world, service, now, waits);
            known["log"]["is_complete"] = json!(log.since <= service.created);
            Ok(known)
        }
        [] => unrecorded(log, of),
        several => Err(Unknown::Ambiguous(several.iter().map(arn).collect())),
    }
}

/// What was decided of a service's tasks: where they went, what refused them, who stopped them.
fn of_service(world: &World, log: &Kept, service: &ServiceRecord) -> Vec<Value> {
    let tasks = explain::task_ids(world, &service.key);
    let (cluster, group) = (&service.key.cluster, service.key.group());
    let is_its_own = |decision: &Value| {
        let of_task = decision["task"]
            .as_str()
            .is_some_and(|id| tasks.contains(id));
        of_task || (decision["group"] == group.as_str() && decision["cluster"] == cluster.as_str())
    };
    let entries = told(log, |entry| {
        let about = |decision: &dyn Decision| is_its_own(&decision.facts());
        let concerns = entry.decisions.iter().any(|decision| about(&**decision));
        concerns.then(|| entry.facts(about))
    });
    let older = entries.len().saturating_sub(OF_SERVICE_TOLD_MAX);
    entries.into_iter().skip(older).collect()
}

/// A request, or what no record holds any more.
fn unrecorded(log: &Kept, of: &str) -> Result<Value, Unknown> {
    let id = of.rsplit('/').next().unwrap_or(of);
    let of_request = told(log, |entry| {
        (entry.asked.request_id == of).then(|| entry.facts(|_| true))
    });
    let (kind, entries) = match of_request.is_empty() {
        false => ("request", of_request),
        true => ("gone", told(log, about(id))),
    };
    if entries.is_empty() {
        return Err(Unknown::Nowhere {
            of: of.to_owned(),
            since: log.since,
            fallen: log.fallen,
        });
    }
    Ok(answer(kind, of, log, entries))
}

fn about(id: &str) -> impl Fn(&Entry) -> Option<Value> + '_ {
    move |entry| {
        entry
            .concerns(id)
            .then(|| entry.facts(|decision| decision.concerns(id)))
    }
}

/// The newest entries that have something to tell, the oldest of them first.
fn told(log: &Kept, tell: impl Fn(&Entry) -> Option<Value>) -> Vec<Value> {
    let newest = log.entries.iter().rev().filter_map(|entry| tell(entry));
    let mut entries: Vec<Value> = newest.take(ENTRIES_TOLD_MAX).collect();
    entries.reverse();
    entries
}

fn answer(kind: &str, of: &str, log: &Kept, entries: Vec<Value>) -> Value {
    json!({
        "of": of,
        "kind": kind,
        "log": {
            "since": log.since.iso8601(), "kept": log.entries.len(), "fallen": log.fallen,
        },
        "entries": entries,
    })
}

fn is_standing(decision: &dyn Decision) -> bool {
    decision.facts()["kind"] == "standing"
}

fn arn(found: &Found) -> String {
    match found {
        Found::Task(task) => task.key.arn(),
        Found::Instance(instance) => instance.key.arn(),
        Found::Service(service) => service.key.arn(),
    }
}
