//! The AWS APIs at port 4566 of 169.254.170.2: every connection is carried on to the server, byte by byte,
//! so that what a container signed for the one is what the other verifies.
//!
//! The server may be far away and speak TLS; a container speaks plain HTTP to its own host.

use crate::engine::Host;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::debug;

/// Connections of a place; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 512;
/// A server that is not reached by then is away.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// SDKs try again after this.
const AWAY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Serves a place that is for this alone, until the task is dropped.
pub async fn serve(host: Arc<Host>, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let host = host.clone();
                tokio::spawn(async move {
                    carry(&host, stream).await;
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

/// Until one side ends it.
pub async fn carry(host: &Host, mut stream: TcpStream) {
    let connected = tokio::time::timeout(CONNECT_PATIENCE, host.config.server.connect()).await;
    match connected {
        Ok(Ok(mut server)) => {
            // How a connection ends is the business of the two.
            let _ = copy_bidirectional(&mut stream, &mut server).await;
        }
        Ok(Err(_)) | Err(_) => {
            let _ = stream.write_all(AWAY).await;
            let _ = stream.shutdown().await;
        }
    }
}
