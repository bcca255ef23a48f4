//! Accepts connections, bounded in number and in patience, and serves HTTP/1.1 and HTTP/2 on each.

use super::Gateway;
use super::stream::Guarded;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

/// Connections beyond this number wait in the kernel's queue until others end.
const CONNECTIONS_MAX: usize = 4096;
/// File descriptors that connections leave to everything else.
const DESCRIPTORS_RESERVED: usize = 256;
/// Connections that wait in the kernel's queue.
const BACKLOG: u32 = 4096;
/// A client that has not sent its head by then is closed; so is one that has sent nothing for so
/// long between two requests.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// The longest head. AWS's are a few KiB; a presigned query or a session token is the longest part.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;

/// Listens at an address.
///
/// # Errors
/// The address is not ours, or taken.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How many connections the limit of file descriptors allows, once it is as high as it may be: a
/// connection must never take the last one from the store.
fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            warn!(%error, "cannot raise the limit of file descriptors");
            limit.current
        }
    };
    let descriptors = current.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    CONNECTIONS_MAX
        .min(descriptors.saturating_sub(DESCRIPTORS_RESERVED))
        .max(1)
}

/// Serves until the task is dropped; by TLS where there is an acceptor.
pub async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, gateway: Arc<Gateway>) {
    let slots = Arc::new(Semaphore::new(connections_max()));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (tls, gateway) = (tls.clone(), gateway.clone());
                tokio::spawn(async move {
                    accepted(stream, tls, gateway).await;
                    drop(slot);
                });
            }
            Err(error) => {
                // Most often a lack of file descriptors: others must end first.
                warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn accepted(stream: TcpStream, tls: Option<TlsAcceptor>, gateway: Arc<Gateway>) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return connection(stream, gateway).await;
    };
    match tokio::time::timeout(HEAD_PATIENCE, tls.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, gateway).await,
        Ok(Err(error)) => debug!(%error, "no TLS"),
        Err(_) => debug!("TLS was not agreed upon in time"),
    }
}

async fn connection<S>(stream: S, gateway: Arc<Gateway>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let gateway = gateway.clone();
        async move { Ok::<_, Infallible>(gateway.handle(request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES_MAX)
        // A client may end its side once it has asked, and still wants the answer.
        .half_close(true);
    // No `pipeline_flush`: with it hyper does not send its refusal of a head that it cannot parse.
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_concurrent_streams(STREAMS_MAX);
    if let Err(error) = builder
        .serve_connection_with_upgrades(TokioIo::new(Guarded::new(stream)), service)
        .await
    {
        debug!(%error, "connection ended");
    }
}
