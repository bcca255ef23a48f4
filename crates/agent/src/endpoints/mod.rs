//! What containers find at link-local addresses, answered by the agent on sockets that it opens where
//! their calls arrive: in the router of each VPC, on the bridge, on loopback for network mode `host`.
//!
//! `listener` keeps the sockets, `http` reads requests and writes answers, `relay` carries calls of the AWS
//! APIs on, `senders` counts who has how many open, `instance` tells of the instance, [`path`] tells what is
//! asked for, `caller` whether it is the asker's own, `facts` gathers what is known; [`metadata`], [`stats`],
//! [`protection`], [`rate`] are pure.
//!
//! What always holds: a request is answered only when the unguessable part of its path and the
//! address that it comes from belong to one container of one task; on loopback, where every process has
//! one address, the path alone tells. Rule: agent-protocol 6; design section 6, "Network".

mod answer;
pub mod caller;
mod credentials;
pub mod dns;
pub mod environment;
mod facts;
mod http;
pub mod ids;
mod instance;
mod listener;
pub mod metadata;
pub mod path;
mod protection;
pub mod rate;
mod relay;
mod senders;
pub mod shapes;
pub mod stats;
mod tags;
mod usage;

pub use environment::{RoleUris, Uris};
pub use listener::Listeners;

use crate::engine::{Host, random_hex};
use aws_api::agent::host_sync::ToHost;
use dns::Zones;
use instance::kept::Kept;
use instance::tokens::{Granted, Tokens};
use netdev::device::WayOut;
use rate::{Limit, Rate};
use senders::Senders;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};
use tracing::warn;

/// Of a token of instance metadata.
const TOKEN_BYTES: usize = 28;

/// Where sockets are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// 127.0.0.1 of the host, at a port of the agent's own.
    Loopback,
    /// 169.254.170.2 on the bridge.
    Bridge,
    /// 169.254.170.2 in the router of a VPC: `vpc-…`.
    Vpc(String),
    /// The AWS APIs at 169.254.170.2 in the router of a VPC.
    Api(String),
    /// Instance metadata at 169.254.169.254 in the router of a VPC.
    Instance(String),
    /// The resolver of a VPC, at this address in its router.
    Resolver(String, Ipv4Addr),
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// By which socket.
    pub place: Place,
    /// The sender's address, which is unique there.
    pub address: IpAddr,
}

/// The endpoints of a host.
#[derive(Debug)]
pub struct Endpoints {
    listeners: Listeners,
    limit: Limit,
    /// `std` mutex: held over arithmetic only.
    rate: Mutex<Rate>,
    usage: usage::Earlier,
    /// Connections to the AWS APIs.
    carried: Senders,
    /// All others, but those on loopback.
    asking: Senders,
    /// `std` mutex: held over map operations only.
    tokens: Mutex<Tokens>,
    /// `RwLock` of `std`: held over map operations only.
    zones: RwLock<Zones>,
    way_out: Kept<Option<WayOut>>,
    began: Instant,
}

impl Endpoints {
    /// None is open yet; `limit` is how often a container may ask.
    pub fn new(limit: Limit) -> Self {
        Self {
            listeners: Listeners::default(),
            limit,
            rate: Mutex::new(Rate::new(limit)),
            usage: usage::Earlier::default(),
            carried: Senders::new(relay::OF_ONE_MAX, relay::OF_ALL_MAX),
            asking: Senders::new(http::OF_ONE_MAX, usize::MAX),
            tokens: Mutex::default(),
            zones: RwLock::default(),
            way_out: Kept::default(),
            began: Instant::now(),
        }
    }

    /// A container is over.
    pub fn forget(&self, runtime_id: &str) {
        self.usage.forget(runtime_id);
    }

    /// Learns the names of the VPCs.
    pub fn learn(&self, message: &ToHost) {
        let mut zones = self.zones.write().unwrap_or_else(PoisonError::into_inner);
        zones.take(message);
    }

    fn look_up(&self, vpc: &str, query: &dns::Query) -> dns::Known {
        self.zones().look_up(vpc, query)
    }

    fn zones(&self) -> RwLockReadGuard<'_, Zones> {
        self.zones.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token of instance metadata, for as long as a header asks.
    fn grant_token(&self, asked: Option<&str>) -> Option<Granted> {
        let token = random_hex(TOKEN_BYTES);
        self.tokens().grant(token, asked, self.began.elapsed())
    }

    fn knows_token(&self, token: &str) -> bool {
        self.tokens().knows(token, self.began.elapsed())
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it was some seconds ago at most. The kernel is asked on a thread that may wait.
    async fn way_out(&self) -> Option<WayOut> {
        let ask = async {
            let asked = tokio::task::spawn_blocking(netdev::device::way_out);
            asked.await.ok().flatten()
        };
        self.way_out.get(self.began.elapsed(), ask).await
    }

    fn admits(&self, from: &Origin, path: &str) -> bool {
        let now: Duration = self.began.elapsed();
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.admits(from, path, now)
    }
}

/// Opens what can be opened at the start: tasks of an earlier agent wait for their answers.
pub async fn start(host: &Arc<Host>) {
    listener::ensure(host, Place::Loopback).await;
    settle_own_metadata(host).await;
    if host.network.bridge().is_some() {
        listener::ensure(host, Place::Bridge).await;
    }
    follow_routers(host).await;
}

/// Gives the host's own processes the address of instance metadata, or takes it from them: as the operator
/// says. Their calls arrive on loopback.
async fn settle_own_metadata(host: &Arc<Host>) {
    let networks = host.config.networks();
    let port = host
        .config
        .instance_metadata
        .then(|| host.records.endpoint_port());
    let settled = tokio::task::spawn_blocking(move || match port {
        Some(Some(port)) => netdev::instance_metadata::open(&networks, port),
        Some(None) | None => netdev::instance_metadata::close(&networks),
    });
    let failure = match settled.await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    warn!(
        failure,
        "instance metadata cannot be told to this host's processes"
    );
}

/// Opens the bridge's socket, before a container that is about to start looks for it.
pub async fn ensure_bridge(host: &Arc<Host>) {
    listener::ensure(host, Place::Bridge).await;
}

/// Opens the sockets of a VPC, before a task that is about to start looks for them.
pub async fn ensure_vpc(host: &Arc<Host>, vpc: &str) {
    listener::ensure(host, Place::Vpc(vpc.to_owned())).await;
    listener::ensure(host, Place::Api(vpc.to_owned())).await;
    if host.config.instance_metadata_for_tasks {
        listener::ensure(host, Place::Instance(vpc.to_owned())).await;
    }
    // A VPC may have no resolver; then its addresses are not there.
    let resolver = host.endpoints.zones().resolver(vpc);
    for address in resolver.into_iter().flat_map(|own| [own, dns::RESOLVER]) {
        listener::ensure(host, Place::Resolver(vpc.to_owned(), address)).await;
    }
}

/// Brings sockets into step with the routers that stand.
pub async fn follow_routers(host: &Arc<Host>) {
    for vpc in host.vpcs.routed() {
        ensure_vpc(host, &vpc).await;
    }
    listener::close_gone(host).await;
}
