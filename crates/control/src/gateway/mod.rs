//! HTTP in, one operation, HTTP out.
//!
//! [`Gateway::handle`] parts what arrives: health, agents' websockets, the administration of this
//! Longshore, and everything else, which is an AWS request and goes through [`dispatch`].

mod admin;
pub mod answer;
mod authenticate;
mod dispatch;
pub mod listener;

use crate::operations;
use crate::sessions::{self, Sessions};
use answer::Answer;
use authenticate::SigningKeys;
use aws_types::Scope;
use aws_wire::Head;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use iam::Operation;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::{LogStore, StateHandle};
use tokio::time::timeout;

/// PutLogEvents carries 1 MiB of messages; JSON may escape each byte of them.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A client that has not sent its body by then is refused.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// Everything that a request can need.
#[derive(Debug)]
pub struct Gateway {
    state: StateHandle,
    logs: Arc<dyn LogStore>,
    sessions: Sessions,
    operations: BTreeMap<(&'static str, &'static str), Operation>,
    signing_keys: SigningKeys,
    scope: Scope,
    regions: Vec<String>,
}

impl Gateway {
    /// A gateway to this state.
    pub fn new(
        state: StateHandle,
        logs: Arc<dyn LogStore>,
        sessions: Sessions,
        scope: Scope,
        regions: Vec<String>,
    ) -> Self {
        let operations = operations::operations();
        Self {
            state,
            logs,
            sessions,
            operations,
            signing_keys: SigningKeys::default(),
            scope,
            regions,
        }
    }

    /// Answers one HTTP request.
    pub async fn handle(&self, request: Request<Incoming>) -> Answer {
        match request.uri().path() {
            "/healthz" => answer::plain(StatusCode::OK, "text/plain", "ok\n".into()),
            "/ws" => self.websocket(request),
            _ => {
                let (parts, body) = request.into_parts();
                match read_body(body).await {
                    Ok(body) if parts.uri.path().starts_with(admin::PREFIX) => {
                        admin::answer(self, &parts, &body)
                    }
                    Ok(body) => dispatch::answer(self, &parts, &body).await,
                    Err((status, text)) => answer::plain(status, "text/plain", text.into()),
                }
            }
        }
    }

    fn websocket(&self, mut request: Request<Incoming>) -> Answer {
        let identified = {
            let headers = headers(request.headers());
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
    let headers = headers(&parts.headers);
    with(&Head {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
    })
}

/// Header values that are no visible ASCII are as good as absent: nobody signs them.
fn headers(map: &hyper::HeaderMap) -> Vec<(&str, &str)> {
    map.iter()
        .filter_map(|(name, value)| {
            Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?))
        })
        .collect()
}

async fn read_body(body: Incoming) -> Result<Bytes, (StatusCode, &'static str)> {
    match timeout(BODY_PATIENCE, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err((StatusCode::PAYLOAD_TOO_LARGE, "Request entity too large\n"))
        }
        Ok(Err(_)) => Err((
            StatusCode::BAD_REQUEST,
            "the request's body could not be read\n",
        )),
        Err(_) => Err((
            StatusCode::REQUEST_TIMEOUT,
            "the request's body did not arrive in time\n",
        )),
    }
}
