//! The sockets: opened in the namespace in which calls arrive, one set for each place, made anew where
//! the place is another than it was.
//!
//! On the bridge a socket is bound to the bridge's device: a call from outside, or of another
//! Longshore's containers, never reaches it. In a router the addresses are on loopback and open to interfaces alone.

use super::{Place, http};
use crate::engine::Host;
use netdev::{TASK_ENDPOINT, TASK_ENDPOINT_PORT, namespace};
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
    servers: Vec<JoinHandle<()>>,
}

impl Open {
    /// When it returns the sockets are closed.
    async fn close(self) {
        for server in self.servers {
            server.abort();
            let _ = server.await;
        }
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
    match sockets(host, &place).await {
        Ok(listener) => {
            let server = http::serve(host.clone(), place.clone(), listener);
            let servers = vec![tokio::spawn(server)];
            open.insert(place, Open { identity, servers });
        }
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
        Place::Bridge => {
            let index = format!("/sys/class/net/{}/ifindex", host.network.bridge()?);
            std::fs::read_to_string(index).ok()?.trim().parse().ok()
        }
        Place::Vpc(vpc) => inode(host.vpcs.router(vpc)?),
    }
}

fn inode(namespace: PathBuf) -> Option<u64> {
    Some(std::fs::metadata(namespace).ok()?.ino())
}

async fn sockets(host: &Arc<Host>, place: &Place) -> io::Result<tokio::net::TcpListener> {
    match place {
        Place::Loopback => on_loopback(host),
        Place::Bridge => on_bridge(host),
        Place::Vpc(vpc) => in_router(host, vpc).await,
    }
}

/// At the port that containers were told, if there are any; else at the public agent's, which the first
/// Longshore of a machine gets.
fn on_loopback(host: &Host) -> io::Result<tokio::net::TcpListener> {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match host.records.agent().endpoint_port {
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

async fn in_router(host: &Host, vpc: &str) -> io::Result<tokio::net::TcpListener> {
    let path = host.vpcs.router(vpc).ok_or(io::ErrorKind::NotFound)?;
    let open = move || {
        let listen = || TcpListener::bind((TASK_ENDPOINT, HTTP_PORT));
        namespace::run_in(&path, listen).map_err(io::Error::other)?
    };
    let listener = tokio::task::spawn_blocking(open)
        .await
        .map_err(io::Error::other)??;
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}
