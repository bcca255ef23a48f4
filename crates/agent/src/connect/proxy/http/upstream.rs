//! Connections to targets: kept for the next request, made where none is there.

use super::message::Outgoing;
use super::{Body, BoxError};
use crate::connect::proxy::retry::Outcome;
use crate::connect::proxy::route::Route;
use crate::task::connect::AppProtocol;
use aws_api::agent::host_sync::EndpointTarget;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::debug;

/// Idle connections to one target.
const IDLE_MAX: usize = 64;
/// Well below the time after which servers close what is idle.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// Those of one endpoint in one namespace.
#[derive(Debug)]
pub struct Upstream {
    route: Arc<Route>,
    idle: Arc<Idle>,
}

/// By address: connections that nobody uses, the newest last; of HTTP/2 the one that all use.
#[derive(Debug, Default)]
struct Idle {
    /// `std` mutex: held over map operations only.
    kept: Mutex<BTreeMap<SocketAddrV4, Vec<(Sender, Instant)>>>,
}

#[derive(Debug)]
enum Sender {
    One(http1::SendRequest<Body>),
    Many(http2::SendRequest<Body>),
}

impl Sender {
    fn is_closed(&self) -> bool {
        match self {
            Self::One(sender) => sender.is_closed(),
            Self::Many(sender) => sender.is_closed(),
        }
    }
}

impl Idle {
    fn take(&self, address: SocketAddrV4) -> Option<Sender> {
        let mut kept = self.lock();
        let of = kept.get_mut(&address)?;
        of.retain(|(sender, _)| !sender.is_closed());
        if let Some((Sender::Many(sender), _)) = of.last() {
            return Some(Sender::Many(sender.clone()));
        }
        let is_new = |(_, since): &mut (Sender, Instant)| since.elapsed() < IDLE_FOR;
        let newest = of.pop_if(is_new).map(|(sender, _)| sender);
        if newest.is_none() {
            of.clear();
        }
        newest
    }

    fn put(&self, address: SocketAddrV4, sender: Sender, is_there: impl Fn(SocketAddrV4) -> bool) {
        let mut kept = self.lock();
        kept.retain(|address, _| is_there(*address));
        if is_there(address) {
            let of = kept.entry(address).or_default();
            of.push((sender, Instant::now()));
            if of.len() > IDLE_MAX {
                of.remove(0);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SocketAddrV4, Vec<(Sender, Instant)>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upstream {
    /// Without a connection.
    #[must_use]
    pub fn new(route: Arc<Route>) -> Self {
        Self {
            route,
            idle: Arc::default(),
        }
    }

    /// One try; `is_fresh`: not on a connection that was there before.
    pub async fn ask(
        &self,
        target: &EndpointTarget,
        is_fresh: bool,
        outgoing: &mut Outgoing,
    ) -> (Outcome, Option<Response<Body>>) {
        let address = self.route.place.address(target);
        let kept = match is_fresh {
            true => None,
            false => self.idle.take(address),
        };
        if let Some(sender) = kept {
            let (outcome, response) = self.send(address, sender, outgoing).await;
            if outcome != Outcome::NotSent {
                return (outcome, response);
            }
        }
        match self.open(address).await {
            Ok(sender) => {
                self.route.counters.connected(&target.id);
                self.send(address, sender, outgoing).await
            }
            Err(error) => {
                let endpoint = &self.route.listener.discovery_name;
                debug!(endpoint, target = target.id, %error, "not connected");
                (Outcome::NotSent, None)
            }
        }
    }

    async fn open(&self, address: SocketAddrV4) -> Result<Sender, BoxError> {
        let stream = TokioIo::new(self.route.place.connect(address).await?);
        let scope = &self.route.scope;
        let ended = |result: hyper::Result<()>| {
            if let Err(error) = result {
                debug!(%error, "a target's connection ended");
            }
        };
        Ok(match self.route.listener.protocol {
            AppProtocol::Http | AppProtocol::Tcp => {
                let (mut sender, connection) = http1::handshake(stream).await?;
                scope.spawn(async move { ended(connection.with_upgrades().await) });
                sender.ready().await?;
                Sender::One(sender)
            }
            AppProtocol::Http2 | AppProtocol::Grpc => {
                let (mut sender, connection) = http2::handshake(scope.clone(), stream).await?;
                scope.spawn(async move { ended(connection.await) });
                sender.ready().await?;
                let shared = Sender::Many(sender.clone());
                self.idle.put(address, shared, self.is_there());
                Sender::Many(sender)
            }
        })
    }

    async fn send(
        &self,
        address: SocketAddrV4,
        mut sender: Sender,
        outgoing: &mut Outgoing,
    ) -> (Outcome, Option<Response<Body>>) {
        let Some(request) = outgoing.take() else {
            return (Outcome::Lost, None);
        };
        let sent = match &mut sender {
            Sender::One(sender) => sender.try_send_request(request).await,
            Sender::Many(sender) => sender.try_send_request(request).await,
        };
        match sent {
            Ok(response) => {
                self.keep(address, sender);
                let response = response.map(|body| body.map_err(BoxError::from).boxed_unsync());
                (Outcome::Answered(response.status()), Some(response))
            }
            Err(mut error) => match error.take_message() {
                Some(request) => {
                    outgoing.put_back(request);
                    (Outcome::NotSent, None)
                }
                None => (Outcome::Lost, None),
            },
        }
    }

    /// For the next request, once this answer has been read to its end.
    fn keep(&self, address: SocketAddrV4, sender: Sender) {
        let Sender::One(mut sender) = sender else {
            return;
        };
        let (idle, is_there) = (self.idle.clone(), self.is_there());
        self.route.scope.spawn(async move {
            if sender.ready().await.is_ok() {
                idle.put(address, Sender::One(sender), is_there);
            }
        });
    }

    /// Whether a target has this address: connections to others are not kept.
    fn is_there(&self) -> impl Fn(SocketAddrV4) -> bool + Send + use<> {
        let route = self.route.clone();
        move |address| {
            let targets = route.targets();
            let mut addresses = targets.iter().map(|target| route.place.address(target));
            addresses.any(|of| of == address)
        }
    }
}
