//! The sockets: opened in the namespace in which calls arrive, one set for each place, made anew where
//! the place is another than it was.
//!
//! On the bridge a socket is bound to the bridge's device: a call from outside, or of another
//! Longshore's containers, never reaches it. In a router the addresses are on loopback and open to interfaces alone.

use super::{Place, dns, http};
use crate::engine::Host;
use netdev::{
    INSTANCE_METADATA, TASK_API_PORT, TASK_ENDPOINT, TASK_ENDPOINT_PORT, device, namespace,
};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tracing::warn;

const HTTP_PORT: u16 = 80;
const BACKLOG: u32 = 128;

/// What is open.
#[derive(Debug, Default)]
pub struct Listeners {
    open: Mutex<BTreeMap<Place, Open>>,
}

#[derive(Debug)]
struct Open {
    /// Of the namespace or device: another one is another place of the same name.
    identity: u64,
    server: JoinHandle<()>,
}

impl Open {
    /// When it returns the sockets are closed.
    async fn close(self) {
        self.server.abort();
        let _ = self.server.await;
    }
}

/// Opens the sockets of a place that has none.
pub async fn ensure(host: &Arc<Host>, place: Place) {
    let Some(identity) = identity(host, &place) else {
        return;
    };
    let mut open = host.endpoints.listeners.open.lock().await;
    if open
        .get(&place)
        .is_some_and(|open| open.identity == identity)
    {
        return;
    }
    if let Some(old) = open.remove(&place) {
        old.close().await;
    }
    match serve(host, &place).await {
        Ok(server) => drop(open.insert(place, Open { identity, server })),
        Err(error) => warn!(?place, %error, "the endpoints of tasks cannot be opened"),
    }
}

/// Closes those of routers that are gone.
pub async fn close_gone(host: &Arc<Host>) {
    let mut open = host.endpoints.listeners.open.lock().await;
    let gone: Vec<Place> = open
        .iter()
        .filter(|(place, open)| identity(host, place) != Some(open.identity))
        .map(|(place, _)| place.clone())
        .collect();
    for place in gone {
        if let Some(old) = open.remove(&place) {
            old.close().await;
        }
    }
}

/// `None` where there is no such place.
fn identity(host: &Host, place: &Place) -> Option<u64> {
    match place {
        Place::Loopback => Some(0),
        Place::Bridge => device::index(&host.network.bridge()?).map(u64::from),
        Place::Vpc(vpc) | Place::Api(vpc) | Place::Instance(vpc) => inode(host.vpcs.router(vpc)?),
        Place::Resolver(vpc, address) => {
            let is_asked = |own: Ipv4Addr| own == *address || *address == dns::RESOLVER;
            host.endpoints
                .zones()
                .resolver(vpc)
                .filter(|own| is_asked(*own))?;
            inode(host.vpcs.router(vpc)?)
        }
    }
}

fn inode(namespace: PathBuf) -> Option<u64> {
    Some(std::fs::metadata(namespace).ok()?.ino())
}

async fn serve(host: &Arc<Host>, place: &Place) -> io::Result<JoinHandle<()>> {
    let listener = match place {
        Place::Loopback => on_loopback(host)?,
        Place::Bridge => on_bridge(host)?,
        Place::Vpc(vpc) => listening(host, vpc, (TASK_ENDPOINT, HTTP_PORT)).await?,
        Place::Instance(vpc) => listening(host, vpc, (INSTANCE_METADATA, HTTP_PORT)).await?,
        Place::Api(vpc) => listening(host, vpc, (TASK_ENDPOINT, TASK_API_PORT)).await?,
        Place::Resolver(vpc, address) => {
            let address = *address;
            let open = move || dns::Sockets::open(address);
            let sockets = in_router(host, vpc, open).await?;
            return Ok(tokio::spawn(dns::serve(host.clone(), vpc.clone(), sockets)));
        }
    };
    Ok(tokio::spawn(http::serve(
        host.clone(),
        place.clone(),
        listener,
    )))
}

/// At the port that containers were told, if there are any; else at the public agent's, which the first
/// Longshore of a machine gets.
fn on_loopback(host: &Host) -> io::Result<tokio::net::TcpListener> {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match host.records.endpoint_port() {
        Some(port) => bind(port)?,
        None => bind(TASK_ENDPOINT_PORT).or_else(|_| bind(0))?,
    };
    host.records
        .keep_endpoint_port(listener.local_addr()?.port())?;
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

fn on_bridge(host: &Host) -> io::Result<tokio::net::TcpListener> {
    let device = host.network.bridge().ok_or(io::ErrorKind::NotFound)?;
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind_device(Some(device.as_bytes()))?;
    socket.bind(SocketAddr::from((TASK_ENDPOINT, TASK_ENDPOINT_PORT)))?;
    socket.listen(BACKLOG)
}

/// At an endpoint in a router.
async fn listening(
    host: &Host,
    vpc: &str,
    at: (Ipv4Addr, u16),
) -> io::Result<tokio::net::TcpListener> {
    let listen = move || TcpListener::bind(at);
    let listener = in_router(host, vpc, listen).await?;
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

/// Opens sockets inside a router's namespace, to which they belong from then on.
async fn in_router<T: Send + 'static>(
    host: &Host,
    vpc: &str,
    open: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path = host.vpcs.router(vpc).ok_or(io::ErrorKind::NotFound)?;
    let opened = move || namespace::run_in(&path, open).map_err(io::Error::other)?;
    let opened = tokio::task::spawn_blocking(opened).await;
    opened.map_err(io::Error::other)?
}
