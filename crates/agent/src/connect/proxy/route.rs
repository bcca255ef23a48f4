//! One endpoint in one namespace: from a client's connection to a target's.
//!
//! Connections to targets are made in the client's own namespace, so that its address and its security
//! groups are what the target sees.

use super::access::AccessLog;
use super::balancer::Balancer;
use super::counters::Counters;
use super::is_spare;
use super::scope::Scope;
use super::targets::Targets;
use crate::descriptors;
use crate::task::connect::Listener;
use aws_api::agent::host_sync::EndpointTarget;
use netdev::namespace;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Envoy's default, which Service Connect leaves.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Where sockets are made.
#[derive(Clone, Debug)]
pub struct Place {
    /// The namespace.
    pub netns: Arc<OwnedFd>,
    /// On the bridge: where the host's own loopback, at which a target without another address is, is reached.
    pub gateway: Option<Ipv4Addr>,
}

impl Place {
    /// Connects to there, from there.
    ///
    /// # Errors
    /// As the kernel says; `TimedOut` after some seconds; `EMFILE` where descriptors are left for the agent's orders alone.
    pub async fn connect(&self, address: SocketAddrV4) -> io::Result<TcpStream> {
        let socket = namespace::visit(self.netns.as_fd(), TcpSocket::new_v4);
        let socket = socket.map_err(io::Error::other)??;
        // The lowest free number is given: all below are in use, and idle connections are no reason to take more.
        if !is_spare(socket.as_raw_fd(), descriptors::limit()) {
            return Err(rustix::io::Errno::MFILE.into());
        }
        let connecting = socket.connect(address.into());
        let stream = timeout(CONNECT_PATIENCE, connecting).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Whether what has a target's address is the target: the loopback of a namespace with an interface of its
    /// own is not the host's, and whoever listens there is somebody else.
    #[must_use]
    pub fn reaches(&self, target: &EndpointTarget) -> bool {
        self.gateway.is_some() || !target.address.is_loopback()
    }

    /// Where a target is, from there.
    #[must_use]
    pub fn address(&self, target: &EndpointTarget) -> SocketAddrV4 {
        let own = target.address.is_loopback();
        let address = self.gateway.filter(|_| own).unwrap_or(target.address);
        SocketAddrV4::new(address, target.port)
    }
}

/// What all connections to an endpoint from a namespace share.
#[derive(Debug)]
pub struct Route {
    /// What it is.
    pub listener: Listener,
    /// Where.
    pub place: Place,
    /// What it counts.
    pub counters: Arc<Counters>,
    /// What runs for the namespace.
    pub scope: Scope,
    /// Where it says who asked for what.
    pub log: Option<Arc<AccessLog>>,
    targets: Arc<Targets>,
    /// `std` mutex: held over arithmetic only.
    balancer: Mutex<Balancer>,
    began: Instant,
}

impl Route {
    /// A new one, that knows nothing of its targets yet.
    pub fn new(
        listener: Listener,
        place: Place,
        (targets, counters, scope): (Arc<Targets>, Arc<Counters>, Scope),
        log: Option<Arc<AccessLog>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            listener,
            place,
            counters,
            scope,
            log,
            targets,
            balancer: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// The targets now that can be reached from there.
    #[must_use]
    pub fn targets(&self) -> Arc<[EndpointTarget]> {
        let all = self.targets.of(&self.listener.endpoint);
        match all.iter().all(|target| self.place.reaches(target)) {
            true => all,
            false => {
                let reached = all.iter().filter(|target| self.place.reaches(target));
                reached.cloned().collect()
            }
        }
    }

    /// Whether this target is behind it, and this is its discovery name.
    #[must_use]
    pub fn has(&self, discovery_name: &str, target: &str) -> bool {
        let targets = self.targets.of(&self.listener.endpoint);
        self.listener.discovery_name == discovery_name && targets.iter().any(|one| one.id == target)
    }

    /// The next target; see [`Balancer::pick`].
    #[must_use]
    pub fn pick(&self, tried: &[String]) -> Option<EndpointTarget> {
        let targets = self.targets();
        let now = self.began.elapsed();
        self.balancer().pick(&targets, tried, now).cloned()
    }

    /// What came of a try.
    pub fn report(&self, target: &str, is_well: bool) {
        let targets = self.targets();
        let now = self.began.elapsed();
        self.balancer().report(&targets, target, is_well, now);
        if !is_well {
            let is_there = |id: &str| targets.iter().any(|target| target.id == id);
            self.counters.keep_only(is_there);
        }
    }

    fn balancer(&self) -> std::sync::MutexGuard<'_, Balancer> {
        self.balancer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
