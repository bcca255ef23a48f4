//! What containers find at link-local addresses, answered by the agent on sockets that it opens where
//! their calls arrive: in the router of each VPC, on the bridge, on loopback for network mode `host`.
//!
//! `listener` keeps the sockets, `http` reads requests and writes answers, [`path`] tells what is asked
//! for, `caller` whether it is the asker's own, `facts` gathers what is known; [`metadata`], [`stats`],
//! [`protection`], [`rate`] are pure.
//!
//! What always holds: a request is answered only when the unguessable part of its path and the
//! address that it comes from belong to one container of one task; on loopback, where every process has
//! one address, the path alone tells. Rule: agent-protocol 6; design section 6, "Network".

mod answer;
pub mod caller;
pub mod environment;
mod facts;
mod http;
pub mod ids;
mod listener;
pub mod metadata;
pub mod path;
mod protection;
pub mod rate;
pub mod shapes;
pub mod stats;
mod tags;
mod usage;

pub use environment::Uris;
pub use listener::Listeners;

use crate::engine::Host;
use rate::Rate;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where sockets are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// 127.0.0.1 of the host, at a port of the agent's own.
    Loopback,
    /// 169.254.170.2 on the bridge.
    Bridge,
    /// 169.254.170.2 in the router of a VPC: `vpc-…`.
    Vpc(String),
}

/// Where a request came from.
#[derive(Clone, Debug)]
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
    /// `std` mutex: held over arithmetic only.
    rate: Mutex<Rate>,
    usage: usage::Earlier,
    began: Instant,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            listeners: Listeners::default(),
            rate: Mutex::new(Rate::default()),
            usage: usage::Earlier::default(),
            began: Instant::now(),
        }
    }
}

impl Endpoints {
    /// A container is over.
    pub fn forget(&self, runtime_id: &str) {
        self.usage.forget(runtime_id);
    }

    fn admits(&self, from: IpAddr, path: &str) -> bool {
        let now: Duration = self.began.elapsed();
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.admits(from, path, now)
    }
}

/// Opens what can be opened at the start: tasks of an earlier agent wait for their answers.
pub async fn start(host: &Arc<Host>) {
    listener::ensure(host, Place::Loopback).await;
    if host.network.bridge().is_some() {
        listener::ensure(host, Place::Bridge).await;
    }
    follow_routers(host).await;
}

/// Opens sockets where a container that is about to start will look for them.
pub async fn ensure(host: &Arc<Host>, place: Place) {
    listener::ensure(host, place).await;
}

/// Brings sockets into step with the routers that stand.
pub async fn follow_routers(host: &Arc<Host>) {
    for vpc in host.vpcs.routed() {
        listener::ensure(host, Place::Vpc(vpc)).await;
    }
    listener::close_gone(host).await;
}
