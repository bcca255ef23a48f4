//! Requests read and answers written: HTTP/1.1 on a place's socket.

use super::answer::{Reply, reply};
use super::{Origin, Place, caller, instance, path, relay};
use crate::engine::Host;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SERVER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use netdev::{INSTANCE_METADATA, TASK_API_PORT};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::debug;

/// Connections of a place; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 512;
/// Of these, one sender's at once; a further one of its is closed. SDKs open one.
pub const OF_ONE_MAX: usize = 64;
/// Rule: the public agent's time limits. So long may a head take, and a connection be idle.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// All paths of instance metadata: no path of the others is this.
const INSTANCE_PATHS: &str = "instance";
/// The only body that is read is a few members long.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Serves until the task is dropped.
pub async fn serve(host: Arc<Host>, place: Place, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let origin = Origin {
                    place: place.clone(),
                    address: peer.ip(),
                };
                let host = host.clone();
                tokio::spawn(async move {
                    match wanted(&origin.place, &stream) {
                        Wanted::Api => {
                            // Has its own count: it may last.
                            drop(slot);
                            relay::carry(&host, &origin, stream).await;
                        }
                        wanted => {
                            asked(host, origin, wanted, stream).await;
                            drop(slot);
                        }
                    }
                });
            }
            Err(error) => {
                debug!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// What a connection was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// What there is for tasks.
    Task,
    /// The AWS APIs.
    Api,
    /// Instance metadata.
    Instance,
}

/// By where it was made to: on the bridge and on loopback, several addresses and ports are translated to
/// that of the one socket.
fn wanted(place: &Place, stream: &TcpStream) -> Wanted {
    let asked = || rustix::net::sockopt::ip_original_dst(stream).ok();
    match place {
        Place::Api(_) => Wanted::Api,
        Place::Instance(_) => Wanted::Instance,
        Place::Vpc(_) | Place::Resolver(..) => Wanted::Task,
        Place::Bridge | Place::Loopback => match asked() {
            Some(asked) if *asked.ip() == INSTANCE_METADATA => Wanted::Instance,
            Some(asked) if asked.port() == TASK_API_PORT => Wanted::Api,
            Some(_) | None => Wanted::Task,
        },
    }
}

/// A connection that has a slot of its place, if its sender has not too many.
async fn asked(host: Arc<Host>, origin: Origin, wanted: Wanted, stream: TcpStream) {
    // There all processes of the host have one address.
    let is_counted = origin.place != Place::Loopback;
    let own = host.endpoints.asking.enter(&origin);
    if own.is_some() || !is_counted {
        connection(host, origin, wanted, stream).await;
    }
}

async fn connection(host: Arc<Host>, origin: Origin, wanted: Wanted, stream: TcpStream) {
    let service = service_fn(|request| {
        let (host, origin) = (host.clone(), origin.clone());
        async move {
            Ok::<_, Infallible>(match wanted {
                Wanted::Instance => of_instance(&host, &origin, &request).await,
                Wanted::Task | Wanted::Api => handle(&host, &origin, request).await,
            })
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES_MAX)
        // A client may end its side once it has asked, and still wants the answer.
        .half_close(true);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        debug!(%error, "connection ended");
    }
}

async fn of_instance(
    host: &Host,
    origin: &Origin,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    // Whatever it asks for: instance metadata is one thing.
    if !host.endpoints.admits(origin, INSTANCE_PATHS) {
        return respond(Reply::empty(StatusCode::SERVICE_UNAVAILABLE));
    }
    if caller::is_of_fargate(host, origin) {
        return respond(Reply::empty(StatusCode::NOT_FOUND));
    }
    let (reply, seconds) = instance::reply(host, request.method(), path, request.headers()).await;
    let mut response = respond(reply);
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("EC2ws"));
    if let Some(seconds) = seconds {
        let name = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
        headers.insert(name, HeaderValue::from(seconds));
    }
    response
}

async fn handle(
    host: &Arc<Host>,
    origin: &Origin,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if let Some(clean) = path::cleaned(path) {
        let target = match head.uri.query() {
            Some(query) => format!("{clean}?{query}"),
            None => clean,
        };
        let mut sent_there = respond(Reply::empty(StatusCode::MOVED_PERMANENTLY));
        if let Ok(target) = target.parse() {
            sent_there.headers_mut().insert(LOCATION, target);
        }
        return sent_there;
    }
    let admitted = host.endpoints.admits(origin, path);
    let mut response = if admitted {
        let body = Limited::new(body, BODY_BYTES_MAX).collect();
        match tokio::time::timeout(HEAD_PATIENCE, body).await {
            Ok(Ok(body)) => {
                let body = body.to_bytes();
                let target = (path, head.uri.query().unwrap_or_default());
                respond(reply(host, origin, &head.method, target, &body).await)
            }
            Ok(Err(_)) => respond(Reply::empty(StatusCode::PAYLOAD_TOO_LARGE)),
            Err(_) => respond(Reply::empty(StatusCode::REQUEST_TIMEOUT)),
        }
    } else {
        respond(Reply::text(
            StatusCode::TOO_MANY_REQUESTS,
            "You have reached maximum request limit.",
        ))
    };
    let headers = response.headers_mut();
    let per_second = host.endpoints.limit.per_second;
    if let Ok(limit) = format!("{per_second}.00").parse() {
        headers.insert("x-rate-limit-limit", limit);
    }
    headers.insert("x-rate-limit-duration", HeaderValue::from(1));
    response
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = reply.status;
    if let Ok(kind) = reply.content_type.parse() {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}
