//! One namespace that is served.

use super::access::AccessLog;
use super::counters::Counters;
use super::gate::{Gate, Inside};
use super::http::Http;
use super::route::{Place, Route};
use super::scope::Scope;
use super::targets::Targets;
use super::tcp;
use crate::connect::protocol::{Counted, Namespace};
use crate::task::connect::{AppProtocol, Ingress, Listener};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::debug;

/// Envoy's default: connections to an endpoint at once. Further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;

/// What is there of it.
#[derive(Debug)]
pub struct Open {
    /// What is wanted.
    pub namespace: Namespace,
    /// Of its listeners, then of its ingress; as many as have come.
    pub sockets: Vec<Arc<TcpListener>>,
    /// Of the access log's pipe, what is read and what is written: kept for the next agent.
    pub log_ends: Vec<OwnedFd>,
    log: Option<Arc<AccessLog>>,
    place: Place,
    scope: Scope,
    targets: Arc<Targets>,
    /// By discovery name.
    counters: BTreeMap<String, Arc<Counters>>,
    routes: Vec<Arc<Route>>,
}

impl Open {
    /// Without a socket yet. `with`: the namespace; with an access log, the two ends of its pipe.
    ///
    /// # Errors
    /// A descriptor is lacking.
    pub fn new(
        namespace: Namespace,
        with: Vec<OwnedFd>,
        targets: Arc<Targets>,
    ) -> io::Result<Self> {
        let mut with = with.into_iter();
        let place = Place {
            netns: Arc::new(with.next().ok_or(io::ErrorKind::InvalidInput)?),
            gateway: namespace.gateway,
        };
        let log_ends: Vec<OwnedFd> = with.collect();
        let log = match (&namespace.wanted.access_log, &log_ends[..]) {
            (None, _) => None,
            (Some(wanted), [_, write]) => Some(AccessLog::new(wanted, write.try_clone()?)?),
            (Some(_), _) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        Ok(Self {
            namespace,
            sockets: Vec::new(),
            log_ends,
            log,
            place,
            scope: Scope::new(),
            targets,
            counters: BTreeMap::new(),
            routes: Vec::new(),
        })
    }

    /// Whether all of its sockets are there.
    #[must_use]
    pub fn is_served(&self) -> bool {
        self.sockets.len() == self.namespace.sockets()
    }

    /// How many descriptors it holds, whoever is connected.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        1 + self.log_ends.len() + self.sockets.len()
    }

    /// Takes its next sockets; serves once it has all.
    ///
    /// # Errors
    /// They are more than it has, or no such sockets.
    pub fn take(&mut self, sockets: Vec<OwnedFd>, gate: &Gate) -> io::Result<()> {
        if self.sockets.len() + sockets.len() > self.namespace.sockets() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for socket in sockets {
            let socket = std::net::TcpListener::from(socket);
            socket.set_nonblocking(true)?;
            self.sockets.push(Arc::new(TcpListener::from_std(socket)?));
        }
        if self.is_served() {
            self.serve(gate);
        }
        Ok(())
    }

    fn serve(&mut self, gate: &Gate) {
        let wanted = self.namespace.wanted.clone();
        let mut sockets = self.sockets.clone().into_iter();
        for (listener, socket) in wanted.listeners.into_iter().zip(sockets.by_ref()) {
            self.serve_listener(listener, socket, gate);
        }
        for (ingress, socket) in wanted.ingress.iter().zip(sockets) {
            self.serve_ingress(ingress, socket, gate);
        }
    }

    fn serve_listener(&mut self, listener: Listener, socket: Arc<TcpListener>, gate: &Gate) {
        let name = listener.discovery_name.clone();
        let counters = self.counters.entry(name).or_default().clone();
        let parts = (self.targets.clone(), counters, self.scope.clone());
        let is_tcp = listener.protocol == AppProtocol::Tcp;
        let route = Route::new(listener, self.place.clone(), parts, self.log.clone());
        self.routes.push(route.clone());
        let http = Http::new(route.clone());
        accept(&self.scope, (socket, gate.clone()), move |client| {
            let (route, http) = (route.clone(), http.clone());
            async move {
                match is_tcp {
                    true => tcp::serve(route, client).await,
                    false => http.serve(client).await,
                }
            }
        });
    }

    fn serve_ingress(&self, ingress: &Ingress, socket: Arc<TcpListener>, gate: &Gate) {
        let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, ingress.container_port);
        let at = (self.place.clone(), self.log.clone());
        let idle = ingress.idle_seconds;
        accept(&self.scope, (socket, gate.clone()), move |client| {
            tcp::serve_ingress(at.clone(), to, idle, client)
        });
    }

    /// What was counted. What is gone is told of now, for the last time.
    pub fn counted(&self) -> impl Iterator<Item = Counted> {
        self.counters.iter().map(|(name, counters)| {
            let (counts, targets) = counters.now();
            counters.keep_only(|id| self.routes.iter().any(|route| route.has(name, id)));
            Counted {
                task: self.namespace.task.clone(),
                discovery_name: name.clone(),
                counts,
                targets,
            }
        })
    }

    /// Ends everything in it. When it returns nothing of the namespace is held. What was counted until then.
    pub async fn close(self) -> Vec<Counted> {
        self.scope.close().await;
        self.counted().collect()
    }
}

/// Takes connections until the scope is closed.
fn accept<F: Future<Output = ()> + Send + 'static>(
    scope: &Scope,
    (socket, gate): (Arc<TcpListener>, Gate),
    serve: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) {
    let own = scope.clone();
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    scope.spawn(async move {
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else {
                return;
            };
            match next(&socket, &gate).await {
                Ok((client, inside)) => {
                    let _ = client.set_nodelay(true);
                    let serving = serve(client);
                    own.spawn(async move {
                        serving.await;
                        drop((slot, inside));
                    });
                }
                Err(error) => {
                    debug!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    });
}

async fn next(socket: &TcpListener, gate: &Gate) -> io::Result<(TcpStream, Inside)> {
    let taken = poll_fn(|context| gate.enter(context, |context| socket.poll_accept(context))).await;
    let ((client, _), inside) = taken?;
    Ok((client, inside))
}
