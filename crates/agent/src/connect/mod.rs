//! Service Connect on this host: a proxy in each task's namespace, by whose names other services are reached.
//!
//! ```text
//!  container ── api:8080 ── 127.255.0.1:8080, which leads to a socket of the agent's in the task's namespace
//!                               │ route: balancer picks a target, retry says when again
//!                               └── 172.31.16.6:80, from the task's own interface
//! ```
//! [`balancer`], [`retry`] are pure. [`targets`] is what host sync says; [`route`] is one endpoint in one
//! namespace; [`tcp`] and [`http`] carry; [`activity`] tells what is idle; [`counters`] count, [`report`] and [`told`](mod@told) tell; [`scope`] ends it
//! all with the namespace.
//!
//! What always holds: sockets are open before the task's first container starts, and closed before its
//! namespace goes; an agent that comes back opens them again with the targets it knew. Connections through the
//! proxy end with the agent. Rule: vpc-network 6; developer guide, "Service Connect".

pub(crate) mod activity;
mod balancer;
mod counters;
mod http;
mod report;
mod retry;
mod route;
mod scope;
mod targets;
mod tcp;
#[cfg(test)]
mod tests;
mod told;

pub use report::{Counted, Told};
pub use route::Place;
pub use told::{EndpointCounts, all as told};

use crate::actor::TaskContext;
use crate::task::connect::{AppProtocol, Ingress, Listener};
use crate::task::definition::NetworkMode;
use crate::task::state::TaskState;
use aws_api::agent::host_sync::ToHost;
use counters::Counters;
use http::Http;
use netdev::{namespace, redirect};
use route::Route;
use scope::Scope;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use targets::Targets;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};
use tracing::{debug, warn};

/// So long a task waits to hear of the targets that it may ask for at once.
const TARGETS_PATIENCE: Duration = Duration::from_secs(5);
/// Envoy's default: connections to an endpoint at once. Further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;

/// The proxies of a host.
#[derive(Debug)]
pub struct Connect {
    targets: Arc<Targets>,
    /// By the path of the namespace.
    open: Mutex<BTreeMap<PathBuf, Open>>,
}

/// The proxy of a namespace.
#[derive(Debug)]
struct Open {
    /// Of the namespace: another one is another place of the same name.
    inode: u64,
    task: String,
    scope: Scope,
    /// By discovery name.
    counters: BTreeMap<String, Arc<Counters>>,
    routes: Vec<Arc<Route>>,
}

impl Connect {
    /// With what an earlier agent knew. `dir`: of the agent's records.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            targets: Arc::new(Targets::open(dir)),
            open: Mutex::default(),
        }
    }

    /// Learns which tasks are behind the endpoints.
    pub fn learn(&self, message: &ToHost) {
        self.targets.learn(message);
    }

    /// What the proxies of each task counted, by its ARN.
    pub async fn counted(&self) -> BTreeMap<String, Vec<Counted>> {
        let open = self.open.lock().await;
        let mut all: BTreeMap<String, Vec<Counted>> = BTreeMap::new();
        for of in open.values() {
            let counted = all.entry(of.task.clone()).or_default();
            for (name, counters) in &of.counters {
                let (counts, targets) = counters.now();
                // What is gone has been told of now, for the last time.
                counters.keep_only(|id| of.routes.iter().any(|route| route.has(name, id)));
                // On the bridge each container has a proxy of its own.
                match counted.iter_mut().find(|(known, ..)| known == name) {
                    Some((_, all, by_target)) => {
                        all.add(&counts);
                        for (id, counts) in targets {
                            by_target.entry(id).or_default().add(&counts);
                        }
                    }
                    None => counted.push((name.clone(), counts, targets)),
                }
            }
        }
        all
    }

    /// Closes the proxy of a namespace: before that goes, and once more when it is gone, for one that is being
    /// opened again at that moment.
    pub async fn close(&self, netns: &Path) {
        let gone = self.open.lock().await.remove(netns);
        if let Some(open) = gone {
            open.scope.close().await;
        }
    }

    /// Opens the proxy of a task in a namespace that has none.
    ///
    /// # Errors
    /// A socket cannot be made there; then none is left.
    pub async fn open(&self, task: &TaskContext, place: &Place) -> io::Result<()> {
        let Some(wanted) = task.definition.service_connect() else {
            return Ok(());
        };
        let inode = inode_of(&place.netns)?;
        let known = self.open.lock().await.get(&place.netns).map(|of| of.inode);
        if known == Some(inode) {
            return Ok(());
        }
        self.close(&place.netns).await;
        let ports = wanted.ingress.iter();
        let ports = ports.map(|one| SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, one.port));
        let ports = listen(place, ports.collect()).await?;
        let listeners = listen_for(place, &wanted.listeners).await?;
        let mut open = Open {
            inode,
            task: task.definition.arn.clone(),
            scope: Scope::new(),
            counters: BTreeMap::new(),
            routes: Vec::new(),
        };
        for (listener, socket) in wanted.listeners.iter().zip(listeners) {
            self.serve(&mut open, place, (listener.clone(), socket));
        }
        for (ingress, socket) in wanted.ingress.iter().zip(ports) {
            serve_ingress(&open, place, (ingress, socket));
        }
        let before = self.open.lock().await.insert(place.netns.clone(), open);
        if let Some(other) = before {
            other.scope.close().await;
        }
        // It may have gone meanwhile, with whoever closes what is open there.
        match inode_of(&place.netns) {
            Ok(now) if now == inode => Ok(()),
            gone => {
                self.close(&place.netns).await;
                Err(gone.err().unwrap_or_else(|| io::ErrorKind::NotFound.into()))
            }
        }
    }

    fn serve(
        &self,
        open: &mut Open,
        place: &Place,
        (listener, socket): (Listener, tokio::net::TcpListener),
    ) {
        let name = listener.discovery_name.clone();
        let counters = open.counters.entry(name).or_default().clone();
        let parts = (self.targets.clone(), counters, open.scope.clone());
        let is_tcp = listener.protocol == AppProtocol::Tcp;
        let route = Route::new(listener, place.clone(), parts);
        open.routes.push(route.clone());
        let http = Http::new(route.clone());
        accept(&open.scope, socket, move |client| {
            let (route, http) = (route.clone(), http.clone());
            async move {
                match is_tcp {
                    true => tcp::serve(route, client).await,
                    false => http.serve(client).await,
                }
            }
        });
    }

    /// Waits until the targets that a task may ask for at once are known.
    pub async fn wait_for_targets(&self, task: &TaskContext) {
        let wanted = task.definition.service_connect();
        let listeners = wanted.iter().flat_map(|wanted| &wanted.listeners);
        let endpoints: Vec<String> = listeners.map(|one| one.endpoint.clone()).collect();
        self.targets.wait_for(&endpoints, TARGETS_PATIENCE).await;
    }
}

fn serve_ingress(
    open: &Open,
    place: &Place,
    (ingress, socket): (&Ingress, tokio::net::TcpListener),
) {
    let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, ingress.container_port);
    let (place, idle) = (place.clone(), ingress.idle_seconds);
    accept(&open.scope, socket, move |client| {
        tcp::serve_ingress(place.clone(), to, idle, client)
    });
}

fn inode_of(netns: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(netns)?.ino())
}

/// A socket for each listener, to which its address and port lead: at a port that the kernel chooses, so that
/// the task's own programs may have the same port.
async fn listen_for(
    place: &Place,
    listeners: &[Listener],
) -> io::Result<Vec<tokio::net::TcpListener>> {
    let any = vec![SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0); listeners.len()];
    let sockets = listen(place, any).await?;
    let mut ports = Vec::new();
    for (listener, socket) in listeners.iter().zip(&sockets) {
        let from = SocketAddrV4::new(listener.address, listener.port);
        ports.push((from, socket.local_addr()?.port()));
    }
    let netns = place.netns.clone();
    let redirect = move || redirect::redirect(&netns, &ports).map_err(io::Error::other);
    let redirected = tokio::task::spawn_blocking(redirect).await;
    redirected.map_err(io::Error::other)??;
    Ok(sockets)
}

/// Sockets inside the namespace, all or none.
async fn listen(
    place: &Place,
    addresses: Vec<SocketAddrV4>,
) -> io::Result<Vec<tokio::net::TcpListener>> {
    let netns = place.netns.clone();
    let bind = move || -> io::Result<Vec<TcpListener>> {
        let all = addresses.into_iter().map(TcpListener::bind);
        all.collect()
    };
    let opened = move || namespace::run_in(&netns, bind).map_err(io::Error::other)?;
    let sockets = tokio::task::spawn_blocking(opened).await;
    let sockets = sockets.map_err(io::Error::other)??;
    let ready = sockets.into_iter().map(|socket| {
        socket.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(socket)
    });
    ready.collect()
}

/// Takes connections until the scope is closed.
fn accept<F: Future<Output = ()> + Send + 'static>(
    scope: &Scope,
    socket: tokio::net::TcpListener,
    serve: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) {
    let own = scope.clone();
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    scope.spawn(async move {
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else {
                return;
            };
            match socket.accept().await {
                Ok((client, _)) => {
                    let _ = client.set_nodelay(true);
                    let serving = serve(client);
                    own.spawn(async move {
                        serving.await;
                        drop(slot);
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

/// Opens the proxies of a task that an earlier agent left, where its namespaces stand.
pub async fn reopen(task: Arc<TaskContext>, state: TaskState) {
    let host = &task.host;
    if task.definition.service_connect().is_none() {
        return;
    }
    let places = match task.definition.mode() {
        Ok(NetworkMode::Awsvpc) => {
            let interface = task.adopted_interface().into_iter();
            interface.map(|interface| interface.netns.into()).collect()
        }
        Ok(NetworkMode::Bridge) => {
            let ids = state
                .containers
                .iter()
                .map(|container| &container.runtime_id);
            let attached = ids.filter_map(|id| host.network.attached(id));
            attached.map(|bridge| Place::from(&bridge)).collect()
        }
        Ok(NetworkMode::Host | NetworkMode::None) | Err(_) => Vec::new(),
    };
    for place in places {
        if let Err(error) = host.connect.open(&task, &place).await {
            warn!(task = task.definition.arn, %error, "a task's proxy cannot be opened again");
        }
    }
}
