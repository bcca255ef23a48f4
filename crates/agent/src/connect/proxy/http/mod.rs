//! HTTP/1.1, HTTP/2 and gRPC: each request to a target of its own.
//!
//! [`message`]: requests and answers as they are passed on. [`upstream`]: connections to targets.
//! [`own`]: what the proxy answers itself. [`logged`]: a request's line in the access log.

mod logged;
mod message;
mod own;
#[cfg(test)]
mod tests;
mod upstream;

use super::activity::{Activity, Watched};
use super::retry::Outcome;
use super::route::Route;
use super::tcp::relay;
use crate::task::connect::AppProtocol;
use aws_api::agent::host_sync::EndpointTarget;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use logged::Line;
use message::Outgoing;
use own::Own;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use upstream::Upstream;

/// Whatever ends a body before its end.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Of a request or an answer that is passed on.
type Body = UnsyncBoxBody<Bytes, BoxError>;

/// The proxy of an endpoint that speaks HTTP.
#[derive(Debug)]
pub struct Http {
    route: Arc<Route>,
    upstream: Upstream,
}

impl Http {
    /// With no connection yet.
    pub fn new(route: Arc<Route>) -> Arc<Self> {
        Arc::new(Self {
            upstream: Upstream::new(route.clone()),
            route,
        })
    }

    /// A client's connection, to its end.
    pub async fn serve(self: Arc<Self>, client: TcpStream) {
        self.route.counters.opened();
        let activity = Activity::new();
        let stream = TokioIo::new(Watched::new(client, &activity));
        let http = self.clone();
        let switched = Arc::new(Switched::default());
        let switches = switched.clone();
        let service = service_fn(move |request| {
            let (http, switches) = (http.clone(), switches.clone());
            async move { Ok::<_, Infallible>(http.answer(request, &switches).await) }
        });
        let served = async {
            match self.route.listener.protocol {
                AppProtocol::Http2 | AppProtocol::Grpc => {
                    let builder = http2::Builder::new(self.route.scope.clone());
                    builder.serve_connection(stream, service).await
                }
                AppProtocol::Http | AppProtocol::Tcp => {
                    let mut builder = http1::Builder::new();
                    // What is idle is found by the watch below, heads that do not end too.
                    builder.header_read_timeout(None).half_close(true);
                    let connection = builder.serve_connection(stream, service);
                    connection.with_upgrades().await
                }
            }
        };
        tokio::select! {
            ended = served => {
                if let Err(error) = ended {
                    debug!(%error, "a client's connection ended");
                }
            }
            () = activity.idle_for(self.route.listener.idle_seconds) => {}
        }
        switched.carry(self.route.listener.idle_seconds).await;
        self.route.counters.closed(activity.take_bytes());
    }

    async fn answer(&self, mut request: Request<Incoming>, switched: &Switched) -> Response<Body> {
        let began = Instant::now();
        let listener = &self.route.listener;
        let seconds = Some(listener.request_seconds).filter(|seconds| *seconds > 0);
        let deadline = seconds.map(|seconds| began + Duration::from_secs(seconds));
        let client = message::asks_to_upgrade(&request).then(|| hyper::upgrade::on(&mut request));
        let received = Arc::default();
        let line = Line::of(self.route.log.as_ref(), &request, &received);
        let outgoing = Outgoing::read(request, listener.protocol, &received).await;
        let answered = match outgoing {
            Some(outgoing) => self.tried(outgoing, deadline).await,
            None => Err(Own::BadRequest),
        };
        let took = began.elapsed();
        let by = answered
            .as_ref()
            .map(|(target, _)| self.route.place.address(target));
        let by = by.map_err(|own| *own);
        let target = answered.as_ref().ok().map(|(target, _)| target.id.clone());
        let response = match answered {
            Ok((_, response)) => response,
            Err(own) => own.answer(listener.protocol),
        };
        if by != Err(Own::BadRequest) {
            let status = response.status().as_u16();
            self.route
                .counters
                .answered(target.as_deref(), status, took);
        }
        let response = passed_on(response, client.map(|client| (client, switched)), deadline);
        match line {
            Some(line) => line.over(response, by, took),
            None => response,
        }
    }

    /// Until one answers, no further try is due, or time is up.
    async fn tried(
        &self,
        outgoing: Outgoing,
        deadline: Option<Instant>,
    ) -> Result<(EndpointTarget, Response<Body>), Own> {
        let mut tried = Vec::new();
        let trying = self.try_targets(&mut tried, outgoing);
        let Some(deadline) = deadline else {
            return trying.await;
        };
        let ended = timeout_at(deadline, trying).await;
        ended.unwrap_or_else(|_| {
            let last = tried.last().into_iter();
            last.for_each(|id| self.route.report(id, Outcome::TimedOut.is_well()));
            Err(Own::TimedOut)
        })
    }

    /// Until one answers, or no further try is due. The target that answered.
    async fn try_targets(
        &self,
        tried: &mut Vec<String>,
        mut outgoing: Outgoing,
    ) -> Result<(EndpointTarget, Response<Body>), Own> {
        // A server that came back knows none of the connections that it had.
        let mut is_fresh = false;
        loop {
            let target = self.route.pick(tried).ok_or(Own::NoTarget)?;
            tried.push(target.id.clone());
            let (outcome, response) = self.upstream.ask(&target, is_fresh, &mut outgoing).await;
            is_fresh |= outcome == Outcome::Lost;
            self.route.report(&target.id, outcome.is_well());
            if outcome.is_tried_again(tried.len(), outgoing.method(), outgoing.is_kept()) {
                continue;
            }
            return match response {
                Some(response) => Ok((target, response)),
                None => Err(Own::Unreachable),
            };
        }
    }
}

/// The answer as the client gets it. Where both sides agreed on another protocol, they are joined.
fn passed_on(
    mut response: Response<Body>,
    client: Option<(OnUpgrade, &Switched)>,
    deadline: Option<Instant>,
) -> Response<Body> {
    let is_switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if let Some((client, switched)) = client.filter(|_| is_switched) {
        switched.note(client, hyper::upgrade::on(&mut response));
        return response;
    }
    message::clean(response.headers_mut());
    response.map(|body| own::until(body, deadline))
}

/// Both sides of a connection that agreed on another protocol, once they did.
#[derive(Debug, Default)]
struct Switched(Mutex<Option<(OnUpgrade, OnUpgrade)>>);

impl Switched {
    fn note(&self, client: OnUpgrade, target: OnUpgrade) {
        *self.lock() = Some((client, target));
    }

    /// To the end of the connection, which is one of the endpoint's until then.
    async fn carry(&self, idle_seconds: u64) {
        let Some((client, target)) = self.lock().take() else {
            return;
        };
        if let (Ok(client), Ok(target)) = tokio::join!(client, target) {
            // The client's bytes are noted as before.
            let (client, target) = (TokioIo::new(client), TokioIo::new(target));
            relay(client, target, idle_seconds).await;
        }
    }

    /// `std` mutex: held for a move only.
    fn lock(&self) -> MutexGuard<'_, Option<(OnUpgrade, OnUpgrade)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
