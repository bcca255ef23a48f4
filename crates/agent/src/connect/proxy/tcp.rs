//! Bytes both ways, each end in its time.

use super::access::{AccessLog, Entry};
use super::activity::{Activity, Watched};
use super::retry::TRIES_MAX;
use super::route::{Place, Route};
use aws_api::agent::host_sync::EndpointTarget;
use std::net::SocketAddrV4;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tracing::debug;

/// A client's connection, to its end.
pub async fn serve(route: Arc<Route>, client: TcpStream) {
    route.counters.opened();
    let mut entry = route.log.as_ref().map(|_| Entry::new());
    let carried = match connect(&route).await {
        Some((target, stream)) => {
            if let Some(entry) = &mut entry {
                entry.upstream_host = Some(route.place.address(&target));
            }
            relay(client, stream, route.listener.idle_seconds).await
        }
        // Closed at once, which is all that TCP can say.
        None => {
            if let Some(entry) = &mut entry {
                entry.response_flags = Some("UF");
            }
            Carried::default()
        }
    };
    route.counters.closed(carried.received + carried.sent);
    log(route.log.as_ref(), entry, carried);
}

/// To the first target of a few that takes it.
async fn connect(route: &Route) -> Option<(EndpointTarget, TcpStream)> {
    let mut tried = Vec::new();
    for _ in 0..TRIES_MAX {
        let target = route.pick(&tried)?;
        match route.place.connect(route.place.address(&target)).await {
            Ok(stream) => {
                route.report(&target.id, true);
                route.counters.connected(&target.id);
                return Some((target, stream));
            }
            Err(error) => {
                debug!(endpoint = route.listener.discovery_name, target = target.id, %error, "not connected");
                route.report(&target.id, false);
                tried.push(target.id);
            }
        }
    }
    None
}

/// What comes to a port of the task's own, to its container.
pub async fn serve_ingress(
    (place, access): (Place, Option<Arc<AccessLog>>),
    to: SocketAddrV4,
    idle_seconds: u64,
    client: TcpStream,
) {
    let mut entry = access.as_ref().map(|_| Entry::new());
    let carried = match place.connect(to).await {
        Ok(container) => {
            if let Some(entry) = &mut entry {
                entry.upstream_host = Some(to);
            }
            relay(client, container, idle_seconds).await
        }
        Err(error) => {
            debug!(%to, %error, "not connected");
            if let Some(entry) = &mut entry {
                entry.response_flags = Some("UF");
            }
            Carried::default()
        }
    };
    log(access.as_ref(), entry, carried);
}

fn log(access: Option<&Arc<AccessLog>>, entry: Option<Entry>, carried: Carried) {
    if let (Some(access), Some(mut entry)) = (access, entry) {
        (entry.bytes_received, entry.bytes_sent) = (carried.received, carried.sent);
        entry.ended();
        access.write(&entry);
    }
}

/// Bytes that passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Of the client.
    pub received: u64,
    /// To the client.
    pub sent: u64,
}

/// Until both sides have ended, or nothing passes for so long. What passed.
pub async fn relay<A, B>(client: A, target: B, idle_seconds: u64) -> Carried
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Activity::new();
    let (mut client, mut target) = (Watched::new(client, &activity), target);
    tokio::select! {
        ended = copy_bidirectional(&mut client, &mut target) => {
            if let Err(error) = ended {
                debug!(%error, "relay ended");
            }
        }
        () = activity.idle_for(idle_seconds) => {}
    }
    let sent = activity.written();
    Carried {
        received: activity.take_bytes() - sent,
        sent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn one_side_may_end_while_the_other_goes_on() {
        let ((mut client, near), (far, mut target)) = (duplex(64), duplex(64));
        let relayed = tokio::spawn(relay(near, far, 0));
        client.write_all(b"ask").await.unwrap();
        client.shutdown().await.unwrap();
        let mut asked = Vec::new();
        target.read_to_end(&mut asked).await.unwrap();
        assert_eq!(asked, b"ask");
        target.write_all(b"answer").await.unwrap();
        drop(target);
        let mut answered = Vec::new();
        client.read_to_end(&mut answered).await.unwrap();
        assert_eq!(answered, b"answer");
        assert_eq!(
            relayed.await.unwrap(),
            Carried {
                received: 3,
                sent: 6
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_and_every_byte_puts_the_end_off() {
        let ((mut client, near), (far, mut target)) = (duplex(64), duplex(64));
        let relayed = tokio::spawn(relay(near, far, 10));
        for _ in 0..3 {
            tokio::time::sleep(std::time::Duration::from_secs(8)).await;
            client.write_all(b".").await.unwrap();
            assert_eq!(target.read_u8().await.unwrap(), b'.');
        }
        assert_eq!(relayed.await.unwrap().received, 3);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }
}
