//! The AWS APIs at port 4566 of 169.254.170.2: every connection is carried on to the server, byte by byte,
//! so that what a container signed for the one is what the other verifies.
//!
//! The server may be far away and speak TLS; a container speaks plain HTTP to its own host. Connections are
//! counted by sender, so that one that opens many takes nobody else's, and none outlasts its use: what the
//! server has ended, or nothing passes over, is ended here too.

use super::Origin;
use crate::connect::proxy::activity::{Activity, Watched};
use crate::engine::Host;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::TcpStream;

/// Connections of one sender at once. SDKs keep ten by themselves.
pub const OF_ONE_MAX: usize = 64;
/// Connections of all. Each is two descriptors.
pub const OF_ALL_MAX: usize = 1024;
/// Once the server has said its last, nobody hears what the client may still send.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Rule: the VPC user guide, "NAT gateways": a connection that is idle for longer ends, on AWS's way out of a VPC.
const IDLE_SECONDS: u64 = 350;
/// A server that is not reached by then is away.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// SDKs try again after this.
const AWAY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Until it is over, or says that the server is away.
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
        Some(server) => between(stream, server).await,
        None => {
            let _ = stream.write_all(AWAY).await;
            let _ = stream.shutdown().await;
        }
    }
}

/// Until both sides have ended, or the server has and a little time has passed, or nothing passes for too long.
/// How a connection ends is the business of the two: an error of one is the other's end.
async fn between<C, S>(client: C, server: S)
where
    C: AsyncRead + AsyncWrite,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Activity::new();
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(Watched::new(server, &activity));
    let mut asking = pin!(async {
        let _ = copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    });
    let mut answering = pin!(async {
        let _ = copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    });
    let both = async {
        tokio::select! {
            () = &mut asking => answering.await,
            () = &mut answering => drop(tokio::time::timeout(LAST_WORDS, asking).await),
        }
    };
    tokio::select! {
        () = both => {}
        () = activity.idle_for(IDLE_SECONDS) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, duplex};
    use tokio::time::timeout;

    /// Of the virtual clock: longer than anything that ends by itself.
    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_client_that_has_asked_and_ended_still_gets_its_answer() {
        let ((mut client, near), (far, mut server)) = (duplex(64), duplex(64));
        let carried = tokio::spawn(between(near, far));
        client.write_all(b"ask").await.unwrap();
        client.shutdown().await.unwrap();
        let mut asked = Vec::new();
        server.read_to_end(&mut asked).await.unwrap();
        assert_eq!(asked, b"ask");
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut answered = Vec::new();
        client.read_to_end(&mut answered).await.unwrap();
        assert_eq!(answered, b"answer");
        carried.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_server_has_ended_no_client_can_keep() {
        let ((mut client, near), (far, mut server)) = (duplex(64), duplex(64));
        let carried = tokio::spawn(between(near, far));
        server.write_all(b"bye").await.unwrap();
        server.shutdown().await.unwrap();
        timeout(LAST_WORDS * 2, carried)
            .await
            .expect("it ends")
            .unwrap();
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"bye");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_and_so_does_an_answer_that_nobody_takes() {
        for answer in [&b""[..], &[b'.'; 4096]] {
            let ((client, near), (far, mut server)) = (duplex(64), duplex(64));
            let carried = tokio::spawn(between(near, far));
            let answering = tokio::spawn(async move {
                let written = server.write_all(answer).await;
                // Stays open until the other side has ended.
                let ended = server.read(&mut [0]).await;
                drop((written, ended));
            });
            timeout(LONG, carried).await.expect("it ends").unwrap();
            answering.await.unwrap();
            drop(client);
        }
    }
}
