//! The sockets of a VPC's resolver, and what becomes of a query.

use super::forward::{self, Way};
use super::message::{self, Code, Query};
use super::zones::Known;
use crate::engine::Host;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tracing::debug;

const PORT: u16 = 53;
/// Queries of a VPC that are being answered; further ones are dropped by UDP, and wait by TCP.
const QUERIES_MAX: usize = 512;
const CONNECTIONS_MAX: usize = 64;
const QUERY_BYTES_MAX: usize = 4096;
/// A connection on which nothing is asked for so long is closed.
const IDLE_PATIENCE: Duration = Duration::from_secs(5);

/// At one address.
#[derive(Debug)]
pub struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Sockets {
    /// The calling thread is in the router's namespace.
    ///
    /// # Errors
    /// The address is not there yet, or taken.
    pub fn open(address: Ipv4Addr) -> io::Result<Self> {
        let udp = UdpSocket::bind((address, PORT))?;
        let tcp = TcpListener::bind((address, PORT))?;
        udp.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        Ok(Self { udp, tcp })
    }
}

/// Serves until the task is dropped.
pub async fn serve(host: Arc<Host>, vpc: String, sockets: Sockets) {
    let udp = tokio::net::UdpSocket::from_std(sockets.udp);
    let tcp = tokio::net::TcpListener::from_std(sockets.tcp);
    if let (Ok(udp), Ok(tcp)) = (udp, tcp) {
        tokio::join!(
            by_udp(host.clone(), vpc.clone(), Arc::new(udp)),
            by_tcp(host, vpc, tcp)
        );
    }
}

async fn by_udp(host: Arc<Host>, vpc: String, socket: Arc<tokio::net::UdpSocket>) {
    let slots = Arc::new(Semaphore::new(QUERIES_MAX));
    let mut buffer = vec![0; QUERY_BYTES_MAX];
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                debug!(%error, "cannot receive");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            continue;
        };
        let packet = buffer[..length].to_vec();
        let (host, vpc, socket) = (host.clone(), vpc.clone(), socket.clone());
        tokio::spawn(async move {
            if let Some(answer) = answer(&host, &vpc, &packet, Way::Udp).await {
                let _ = socket.send_to(&answer, peer).await;
            }
            drop(slot);
        });
    }
}

async fn by_tcp(host: Arc<Host>, vpc: String, listener: tokio::net::TcpListener) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (host, vpc) = (host.clone(), vpc.clone());
                tokio::spawn(async move {
                    converse(&host, &vpc, stream).await;
                    drop(slot);
                });
            }
            Err(error) => {
                debug!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(host: &Arc<Host>, vpc: &str, mut stream: TcpStream) {
    loop {
        let asked = tokio::time::timeout(IDLE_PATIENCE, forward::read(&mut stream)).await;
        let Ok(Ok(packet)) = asked else { return };
        let Some(answer) = answer(host, vpc, &packet, Way::Tcp).await else {
            return;
        };
        let written = forward::write(&mut stream, &answer);
        if !matches!(
            tokio::time::timeout(IDLE_PATIENCE, written).await,
            Ok(Ok(()))
        ) {
            return;
        }
    }
}

/// `None` where there is nothing to answer.
async fn answer(host: &Arc<Host>, vpc: &str, packet: &[u8], way: Way) -> Option<Vec<u8>> {
    let query = match message::query(packet) {
        Ok(query) => query,
        Err(code) => return Some(message::refusal(packet, code?)),
    };
    let bytes_max = bytes_max(&query, way);
    let (code, records) = match host.endpoints.look_up(vpc, &query) {
        Known::Records(records) => (Code::Fine, records),
        Known::Nothing => (Code::NoName, Vec::new()),
        Known::NotYet => return Some(message::failure(packet, &query)),
        Known::Elsewhere => {
            let resolvers = &host.config.resolvers;
            let others = forward::ask(resolvers, packet, &query, way).await;
            return Some(others.unwrap_or_else(|| message::failure(packet, &query)));
        }
    };
    Some(message::answer(packet, &query, code, &records, bytes_max))
}

fn bytes_max(query: &Query, way: Way) -> usize {
    match way {
        Way::Udp => query.udp_bytes,
        Way::Tcp => usize::from(u16::MAX),
    }
}
