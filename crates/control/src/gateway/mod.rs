//! HTTP in, one operation, HTTP out.
//!
//! [`Gateway::handle`] parts what arrives: health, agents' websockets, the administration of this
//! Longshore, and everything else, which is an AWS request and goes through [`dispatch`].

mod admin;
pub mod answer;
mod authenticate;
mod body;
mod dispatch;
mod encoding;
mod join;
pub mod listener;
mod stream;

use crate::clock;
use crate::decision_log::DecisionLog;
use crate::history::History;
use crate::operations;
use crate::sessions::{self, Sessions};
use answer::Answer;
use authenticate::SigningKeys;
use aws_types::{Ids, Scope};
use aws_wire::Head;
use body::Room;
use ecs::service::waits::Waits;
use hyper::body::Incoming;
use hyper::header::{EXPECT, HOST};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use iam::Operation;
pub use join::Anchor;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{LogStore, MetricStore, StateHandle};

/// Everything that a request can need.
#[derive(Debug)]
pub struct Gateway {
    state: StateHandle,
    logs: Arc<dyn LogStore>,
    metrics: Arc<dyn MetricStore>,
    decisions: Arc<DecisionLog>,
    history: Arc<History>,
    waits: Waits,
    sessions: Sessions,
    operations: BTreeMap<(&'static str, &'static str), Operation>,
    signing_keys: SigningKeys,
    room: Room,
    scope: Scope,
    regions: Vec<String>,
    anchor: Option<Anchor>,
}

/// What requests read and change.
#[derive(Debug)]
pub struct Stores {
    /// The control plane's state.
    pub state: StateHandle,
    /// The log store.
    pub logs: Arc<dyn LogStore>,
    /// The metric store.
    pub metrics: Arc<dyn MetricStore>,
    /// Where decisions are told.
    pub decisions: Arc<DecisionLog>,
    /// The events that were emitted.
    pub history: Arc<History>,
    /// The waits of services in force, to tell what a service waits for.
    pub waits: Waits,
}

impl Gateway {
    /// A gateway to this state.
    pub fn new(
        stores: Stores,
        sessions: Sessions,
        scope: Scope,
        regions: Vec<String>,
        anchor: Option<Anchor>,
    ) -> Self {
        let operations = operations::operations();
        Self {
            state: stores.state,
            logs: stores.logs,
            metrics: stores.metrics,
            decisions: stores.decisions,
            history: stores.history,
            waits: stores.waits,
            sessions,
            operations,
            signing_keys: SigningKeys::default(),
            room: Room::default(),
            scope,
            regions,
            anchor,
        }
    }

    /// Answers one HTTP request.
    pub async fn handle(&self, request: Request<Incoming>) -> Answer {
        let mut ids = clock::ids();
        let request_id = ids.uuid();
        let answer = match request.uri().path() {
            "/healthz" => answer::plain(StatusCode::OK, "text/plain", "ok\n".into()),
            "/ws" => self.websocket(request),
            _ => self.with_body(request, (&request_id, ids)).await,
        };
        answer::identified(answer, &request_id)
    }

    async fn with_body(&self, request: Request<Incoming>, id: (&str, Ids)) -> Answer {
        let (parts, body) = request.into_parts();
        let waits = parts.headers.contains_key(EXPECT);
        match body::read(body, waits, &self.room).await {
            Ok(body) if parts.uri.path().starts_with(admin::PREFIX) => {
                match (&parts.method, parts.uri.path()) {
                    (&Method::POST, "/longshore/token") => {
                        join::token(self, &parts, body.bytes()).await
                    }
                    (&Method::POST, "/longshore/join") => join::exchange(self, body.bytes()).await,
                    _ => admin::answer(self, &parts, body.bytes()),
                }
            }
            Ok(body) => dispatch::answer(self, &parts, body.bytes(), id).await,
            Err(fault) => dispatch::refuse(&parts, fault, id.0),
        }
    }

    fn websocket(&self, mut request: Request<Incoming>) -> Answer {
        let identified = {
            let headers = headers(request.headers(), request.uri());
            let head = Head {
                method: request.method().as_str(),
                path: request.uri().path(),
                query: request.uri().query().unwrap_or_default(),
                headers: &headers,
            };
            authenticate::authenticate(self, &head, b"", "ecs")
        };
        match identified {
            Ok(identity) => sessions::accept(
                &self.sessions,
                &mut request,
                identity.scope,
                &identity.caller,
            ),
            Err(fault) => {
                let error = fault.error(aws_api::Protocol::AwsJson11);
                let body = serde_json::json!({ error.code().name: error.message() }).to_string();
                answer::plain(StatusCode::BAD_REQUEST, "application/json", body)
            }
        }
    }
}

/// The parts of a request that the wire's parsers look at, handed to `with`.
fn with_head<T>(parts: &Parts, with: impl FnOnce(&Head<'_>) -> T) -> T {
    let headers = headers(&parts.headers, &parts.uri);
    with(&Head {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
    })
}

/// Header values that are no UTF-8 are as good as absent: nobody signs them. HTTP/2 says `:authority`
/// where HTTP/1.1 says `host`, which is what clients sign.
fn headers<'a>(map: &'a HeaderMap, uri: &'a Uri) -> Vec<(&'a str, &'a str)> {
    let mut headers = Vec::with_capacity(map.len() + 1);
    headers.extend(map.iter().filter_map(|(name, value)| {
        Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?))
    }));
    if let Some(authority) = uri.authority().filter(|_| !map.contains_key(HOST)) {
        headers.push((HOST.as_str(), authority.as_str()));
    }
    headers
}
