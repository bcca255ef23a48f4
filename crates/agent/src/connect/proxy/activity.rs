//! When something last passed over a connection, and how much did.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// Of one connection, or of the two that a relay joins.
#[derive(Debug)]
pub struct Activity {
    began: Instant,
    /// Milliseconds after `began`.
    last: AtomicU64,
    bytes: AtomicU64,
    /// Of `bytes`, those that were written, since it began.
    written: AtomicU64,
}

impl Activity {
    /// Nothing has passed.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            last: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            written: AtomicU64::new(0),
        })
    }

    fn note(&self, bytes: usize) {
        let now = self.began.elapsed().as_millis();
        self.last
            .store(u64::try_from(now).unwrap_or(u64::MAX), Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes that passed since this was last asked.
    #[must_use]
    pub fn take_bytes(&self) -> u64 {
        self.bytes.swap(0, Relaxed)
    }

    /// Bytes that were written to what is watched, ever.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Returns when nothing has passed for so long; never for 0.
    pub async fn idle_for(&self, seconds: u64) {
        if seconds == 0 {
            return std::future::pending().await;
        }
        let patience = Duration::from_secs(seconds);
        loop {
            let last = Duration::from_millis(self.last.load(Relaxed));
            let until = self.began + last + patience;
            if Instant::now() >= until {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// A stream that notes what passes.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    /// Notes there.
    pub fn new(stream: S, activity: &Arc<Activity>) -> Self {
        Self {
            stream,
            activity: activity.clone(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.activity.note(buffer.filled().len() - before);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.activity.note(*count);
            self.activity.written.fetch_add(*count as u64, Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
