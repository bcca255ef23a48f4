//! From a request to its answer.
//!
//! Rule: agent-protocol 6, the errors of each version: an id that is nobody's, or not the asker's, is
//! unknown in version 4 (404), a failure in version 3 (500), a bad request in version 2.

use super::caller;
use super::facts::{self, Gathered};
use super::path::{self, Asked, ByAddress, What};
use super::{Origin, credentials, metadata, protection, stats, tags, usage};
use crate::actor::TaskContext;
use crate::engine::Host;
use crate::task::definition::Association;
use crate::task::state::ContainerIndex;
use aws_wire::head::pairs;
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Of HTTP.
    pub status: StatusCode,
    /// Its type.
    pub content_type: &'static str,
    /// May be empty.
    pub body: Vec<u8>,
}

impl Reply {
    /// A status alone.
    pub fn empty(status: StatusCode) -> Self {
        Self::text(status, "")
    }

    /// Words.
    pub fn text(status: StatusCode, text: &str) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: text.as_bytes().to_vec(),
        }
    }

    /// A value.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self {
                status,
                content_type: "application/json",
                body,
            },
            Err(_) => Self::empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// Answers a request whose path is clean and whose sender may ask.
pub async fn reply(
    host: &Arc<Host>,
    origin: &Origin,
    method: &Method,
    (path, query): (&str, &str),
    body: &[u8],
) -> Reply {
    let Some(asked) = path::asked(path) else {
        return not_found();
    };
    if let Asked::Protection { id } = asked {
        let found = caller::by_id(host, origin, id);
        let task = found.as_ref().map(|(task, _)| task.as_ref());
        return protection::state(task, method, body).await;
    }
    match asked {
        _ if method != Method::GET && method != Method::HEAD => {
            Reply::empty(StatusCode::METHOD_NOT_ALLOWED)
        }
        Asked::Metadata { version, id, what } => match caller::by_id(host, origin, id) {
            Some((task, index)) => of_container(&task, index, version, what).await,
            None => unknown(version, id, what),
        },
        Asked::ByAddress(asked) => match caller::by_address(host, origin) {
            Some(task) => of_task(&task, asked).await,
            None => {
                let text = format!(
                    "Unable to get task arn from request: unable to associate '{}' with task",
                    origin.address
                );
                Reply::json(StatusCode::BAD_REQUEST, &text)
            }
        },
        Asked::Credentials { version, id } => {
            let mut named = pairs(query).filter(|(name, _)| version == 1 && name == "id");
            let named = named.next().map(|(_, value)| value);
            credentials::reply(host, origin, version, id.or(named.as_deref()))
        }
        Asked::Protection { .. } => not_found(),
    }
}

fn not_found() -> Reply {
    Reply::text(StatusCode::NOT_FOUND, "404 page not found\n")
}

async fn of_container(
    task: &Arc<TaskContext>,
    index: ContainerIndex,
    version: u8,
    what: What<'_>,
) -> Reply {
    let Some(gathered) = facts::gather(task) else {
        return Reply::json(StatusCode::INTERNAL_SERVER_ERROR, &"failed to get metadata");
    };
    match what {
        What::Container => container(&gathered, index, version),
        What::Task { with_tags } => whole(task, &gathered, version, with_tags).await,
        What::Stats => match usage(task, &gathered, index, version).await {
            Value::Null => {
                let text = format!("Unable to get stats for container: {}", gathered.id(index));
                Reply::json(StatusCode::INTERNAL_SERVER_ERROR, &text)
            }
            stats => Reply::json(StatusCode::OK, &stats),
        },
        What::TaskStats => all_usage(task, &gathered, version).await,
        What::Associations { kind } => {
            let names = associations(task, index, kind).map(|one| one.name.as_str());
            Reply::json(
                StatusCode::OK,
                &json!({"Associations": names.collect::<Vec<_>>()}),
            )
        }
        What::Association { kind, name } => {
            match associations(task, index, kind).find(|one| one.name == name) {
                // Its content is empty: a device is known by its name.
                Some(_) => Reply::text(StatusCode::OK, ""),
                None => {
                    let text =
                        format!("association value not found for name: {name}, type: {kind}");
                    Reply::json(StatusCode::BAD_REQUEST, &text)
                }
            }
        }
    }
}

fn associations<'a>(
    task: &'a TaskContext,
    index: ContainerIndex,
    kind: &'a str,
) -> impl Iterator<Item = &'a Association> {
    let container = &task.definition.containers[index].name;
    let all = task.definition.associations.iter();
    all.filter(move |one| one.kind == kind && one.containers.contains(container))
}

fn container(gathered: &Gathered<'_>, index: ContainerIndex, version: u8) -> Reply {
    let shown = metadata::container(&gathered.facts(), index, version);
    Reply::json(StatusCode::OK, &shown)
}

async fn whole(task: &TaskContext, gathered: &Gathered<'_>, version: u8, with_tags: bool) -> Reply {
    let mut shown = metadata::task(&gathered.facts(), version);
    if with_tags {
        tags::add(task, &mut shown).await;
    }
    Reply::json(StatusCode::OK, &shown)
}

/// Null for a container that does not run.
async fn usage(
    task: &TaskContext,
    gathered: &Gathered<'_>,
    index: ContainerIndex,
    version: u8,
) -> Value {
    let Some(now) = usage::measure(task, index).await else {
        return Value::Null;
    };
    let id = gathered.id(index);
    let before = task.host.endpoints.usage.exchange(id, &now);
    let name = metadata::container(&gathered.facts(), index, version).docker_name;
    let machine = usage::machine();
    stats::docker((&name, id), &now, before.as_ref(), machine, version)
}

async fn all_usage(task: &TaskContext, gathered: &Gathered<'_>, version: u8) -> Reply {
    let mut all = serde_json::Map::new();
    for index in 0..task.definition.containers.len() {
        let stats = usage(task, gathered, index, version).await;
        all.insert(gathered.id(index).to_owned(), stats);
    }
    Reply::json(StatusCode::OK, &all)
}

async fn of_task(task: &Arc<TaskContext>, asked: ByAddress<'_>) -> Reply {
    let Some(gathered) = facts::gather(task) else {
        return Reply::json(StatusCode::INTERNAL_SERVER_ERROR, &"failed to get metadata");
    };
    let unknown = |id: &str| {
        let text = format!("Unable to find container '{id}'");
        Reply::json(StatusCode::BAD_REQUEST, &text)
    };
    match asked {
        ByAddress::Task { with_tags } => whole(task, &gathered, 2, with_tags).await,
        ByAddress::Container(id) => match gathered.index(id) {
            Some(index) => container(&gathered, index, 2),
            None => unknown(id),
        },
        ByAddress::TaskStats => all_usage(task, &gathered, 2).await,
        ByAddress::Stats(id) => match gathered.index(id) {
            Some(index) => of_container(task, index, 2, What::Stats).await,
            None => unknown(id),
        },
    }
}

/// The public agent's words for an id that it does not know.
fn unknown(version: u8, id: &str, what: What<'_>) -> Reply {
    let no_container = format!(
        "unable to get container ID from request: unable to get docker ID from v3 endpoint ID: {id}"
    );
    let no_task = format!(
        "unable to get task arn from request: unable to get task Arn from v3 endpoint ID: {id}"
    );
    let text = match what {
        What::Container => format!("V{version} container metadata handler: {no_container}"),
        What::Task { .. } => format!("V{version} task metadata handler: {no_task}"),
        What::Stats => format!("V{version} container handler: {no_task}"),
        What::TaskStats => format!("V{version} task stats handler: {no_task}"),
        What::Associations { .. } => {
            format!("V{version} container associations handler: {no_container}")
        }
        What::Association { .. } => {
            format!("V{version} container association handler: {no_container}")
        }
    };
    let status = match what {
        What::Associations { .. } | What::Association { .. } => StatusCode::BAD_REQUEST,
        _ if version == 4 => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Reply::json(status, &text)
}
