//! The AWS APIs at port 4566 of 169.254.170.2: every connection is carried on to the server, byte by byte,
//! so that what a container signed for the one is what the other verifies.
//!
//! The server may be far away and speak TLS; a container speaks plain HTTP to its own host. Connections are
//! counted by sender, so that one that opens many takes nobody else's.

use super::Origin;
use crate::engine::Host;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

/// Connections of one sender at once. SDKs keep ten by themselves.
const OF_ONE_MAX: usize = 64;
/// Connections of all. Each is two descriptors.
const OF_ALL_MAX: usize = 1024;
/// A server that is not reached by then is away.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// SDKs try again after this.
const AWAY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What is being carried.
#[derive(Debug, Default)]
pub struct Carried {
    /// `std` mutex: held over map operations only.
    by_sender: Arc<Mutex<Counts>>,
}

/// By place, as it writes itself, and address: VPCs may have the same addresses.
type Counts = BTreeMap<(String, IpAddr), usize>;

/// One connection, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    by_sender: Arc<Mutex<Counts>>,
    sender: (String, IpAddr),
}

impl Carried {
    /// `None` where the sender, or all together, have as many as there may be.
    pub fn enter(&self, origin: &Origin) -> Option<Slot> {
        let sender = (format!("{:?}", origin.place), origin.address);
        let mut counts = lock(&self.by_sender);
        let own = counts.get(&sender).copied().unwrap_or(0);
        if own >= OF_ONE_MAX || counts.values().sum::<usize>() >= OF_ALL_MAX {
            return None;
        }
        counts.insert(sender.clone(), own + 1);
        Some(Slot {
            by_sender: self.by_sender.clone(),
            sender,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = lock(&self.by_sender);
        match counts.get_mut(&self.sender) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => drop(counts.remove(&self.sender)),
            None => {}
        }
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a place that is for this alone, until the task is dropped.
pub async fn serve(host: Arc<Host>, place: super::Place, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let origin = Origin {
                    place: place.clone(),
                    address: peer.ip(),
                };
                let host = host.clone();
                tokio::spawn(async move { carry(&host, &origin, stream).await });
            }
            Err(error) => {
                debug!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Until one side ends it.
pub async fn carry(host: &Host, origin: &Origin, mut stream: TcpStream) {
    let slot = host.endpoints.carried.enter(origin);
    let connected = match slot {
        Some(_) => tokio::time::timeout(CONNECT_PATIENCE, host.config.server.connect())
            .await
            .ok()
            .and_then(Result::ok),
        None => None,
    };
    match connected {
        Some(mut server) => {
            // How a connection ends is the business of the two.
            let _ = copy_bidirectional(&mut stream, &mut server).await;
        }
        None => {
            let _ = stream.write_all(AWAY).await;
            let _ = stream.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;

    fn origin(place: Place, last: u8) -> Origin {
        Origin {
            place,
            address: IpAddr::from([10, 0, 0, last]),
        }
    }

    #[test]
    fn one_that_opens_many_takes_nobody_elses() {
        let carried = Carried::default();
        let greedy = origin(Place::Bridge, 1);
        let mut held: Vec<Slot> = (0..OF_ONE_MAX)
            .map(|_| carried.enter(&greedy).expect("there is room"))
            .collect();
        assert!(carried.enter(&greedy).is_none());
        assert!(carried.enter(&origin(Place::Bridge, 2)).is_some());
        assert!(
            carried
                .enter(&origin(Place::Api("vpc-1".into()), 1))
                .is_some()
        );
        held.pop();
        let again = carried.enter(&greedy);
        assert!(again.is_some());
        drop((held, again));
        assert!(
            lock(&carried.by_sender).is_empty(),
            "nothing is left of them"
        );
    }

    #[test]
    fn all_together_have_a_bound() {
        let carried = Carried::default();
        let held: Vec<Slot> = (0..=255)
            .flat_map(|last| (0..OF_ONE_MAX).map(move |_| origin(Place::Bridge, last)))
            .map_while(|origin| carried.enter(&origin))
            .collect();
        assert_eq!(held.len(), OF_ALL_MAX);
    }
}
