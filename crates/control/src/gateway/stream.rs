//! A connection with deadlines of its own, and with a request id in what hyper refuses by itself.
//!
//! hyper has a deadline for an HTTP/1 head, and none before it knows the version, for a client that
//! stops reading, or for a silent HTTP/2 connection. And it answers a head that it cannot parse with
//! an empty 400, 414 or 431, before any code of ours sees the request.

use crate::clock;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A client must have sent the first bytes of a request by then.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// So many bytes decide between HTTP/1 and HTTP/2; no request is shorter.
const START_BYTES: usize = 24;
/// A connection from which nothing comes for this long is closed. Agents' sessions and HTTP/1 have
/// shorter patience of their own.
const SILENCE_MAX: Duration = Duration::from_secs(300);
/// A client that takes none of its answer for this long is closed.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// hyper's own refusals are shorter.
const REFUSAL_BYTES_MAX: usize = 512;

/// A connection that is guarded so.
#[derive(Debug)]
pub struct Guarded<S> {
    io: S,
    opened: Instant,
    bytes_read: usize,
    heard: Instant,
    read_alarm: Pin<Box<Sleep>>,
    /// Since when a write waits, with its alarm.
    write_alarm: Option<Pin<Box<Sleep>>>,
    /// What is written in place of a refusal of hyper's.
    refusal: Option<Refusal>,
}

#[derive(Debug)]
struct Refusal {
    bytes: Vec<u8>,
    written: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    /// Guards a connection that was just accepted.
    pub fn new(io: S) -> Self {
        let now = Instant::now();
        Self {
            io,
            opened: now,
            bytes_read: 0,
            heard: now,
            read_alarm: Box::pin(sleep_until(now + START_PATIENCE)),
            write_alarm: None,
            refusal: None,
        }
    }

    /// Whether nothing came for too long. The alarm is set anew only when it rings, so that a read
    /// costs no more than a look at the clock.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.read_alarm.as_mut().poll(cx));
            let due = if self.bytes_read < START_BYTES {
                self.opened + START_PATIENCE
            } else {
                self.heard + SILENCE_MAX
            };
            if due <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.read_alarm.as_mut().reset(due);
        }
    }

    /// Passes a finished write on, and gives up on one that waits too long.
    fn written<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_alarm = None;
            return outcome;
        }
        let alarm = self
            .write_alarm
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + WRITE_PATIENCE)));
        ready!(alarm.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Writes a refusal in place of `instead`, which then counts as written.
    fn poll_refusal(&mut self, instead: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Some(refusal) = &mut self.refusal {
            let rest = &refusal.bytes[refusal.written..];
            if rest.is_empty() {
                self.refusal = None;
                break;
            }
            let outcome = Pin::new(&mut self.io).poll_write(cx, rest);
            match ready!(self.written(outcome, cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => {
                    if let Some(refusal) = &mut self.refusal {
                        refusal.written += count;
                    }
                }
            }
        }
        Poll::Ready(Ok(instead))
    }

    /// Whether these bytes are, or are already being, replaced.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if self.refusal.is_none() {
            self.refusal = own_refusal(bytes, || clock::ids().uuid())
                .map(|bytes| Refusal { bytes, written: 0 });
        }
        self.refusal.is_some()
    }
}

/// What to say in place of a refusal that hyper wrote by itself; `None` for anything else. Ours have
/// a body and a request id; and no body of ours has an empty line in it, so that none is mistaken.
fn own_refusal(written: &[u8], request_id: impl FnOnce() -> String) -> Option<Vec<u8>> {
    let refused = written.starts_with(b"HTTP/1.1 4")
        && written.ends_with(b"\r\n\r\n")
        && written.len() < REFUSAL_BYTES_MAX;
    let head = std::str::from_utf8(written).ok().filter(|_| refused)?;
    let (status_line, headers) = head.split_once("\r\n")?;
    if headers.contains("x-amzn-requestid") || !headers.contains("content-length: 0\r\n") {
        return None;
    }
    let kept: String = headers
        .split("\r\n")
        .filter(|line| line.starts_with("date:"))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    let body = r#"{"__type":"MalformedHttpRequestException","message":"The request's head could not be read."}"#;
    Some(format!("{status_line}\r\ncontent-type: application/x-amz-json-1.1\r\nx-amzn-requestid: {}\r\nx-amzn-errortype: MalformedHttpRequestException\r\nconnection: close\r\ncontent-length: {}\r\n{kept}\r\n{body}", request_id(), body.len()).into_bytes())
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buffer) {
            Poll::Pending => self.poll_silence(cx).map(Err),
            Poll::Ready(outcome) => {
                self.bytes_read = self
                    .bytes_read
                    .saturating_add(buffer.filled().len() - before);
                self.heard = Instant::now();
                Poll::Ready(outcome)
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.replaces(bytes) {
            return self.poll_refusal(bytes.len(), cx);
        }
        let outcome = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.written(outcome, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // hyper's own refusal is a head without a body: one slice.
        if let [only] = slices
            && self.replaces(only)
        {
            return self.poll_refusal(only.len(), cx);
        }
        let outcome = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.written(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_flush(cx);
        self.written(outcome, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_shutdown(cx);
        self.written(outcome, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Mon, 12 Feb 2024 12:44:57 GMT\r\n\r\n";

    #[tokio::test]
    async fn a_refusal_of_hypers_gets_a_body_and_a_request_id() {
        let (near, mut far) = tokio::io::duplex(64);
        let writing = tokio::spawn(async move {
            let mut guarded = Guarded::new(near);
            guarded.write_all(REFUSAL).await.unwrap();
            guarded.write_all(b"as it is").await.unwrap();
        });
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        writing.await.unwrap();
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
        assert!(
            text.contains("\r\ndate: Mon, 12 Feb 2024 12:44:57 GMT\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nx-amzn-requestid: "), "{text}");
        assert!(text.ends_with(r#"could not be read."}as it is"#), "{text}");
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        let id = || "id".to_owned();
        assert!(own_refusal(REFUSAL, id).is_some());
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-amzn-requestid: x\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "{\"message\":\"HTTP/1.1 400\"}",
            "",
        ] {
            assert_eq!(own_refusal(text.as_bytes(), id), None, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_nothing_or_takes_nothing_is_given_up() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut guarded = Guarded::new(near);
        let mut byte = [0];
        far.write_all(b"P").await.unwrap();
        guarded.read_exact(&mut byte).await.unwrap();
        let opened = guarded.opened;
        let error = guarded.read_exact(&mut byte).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(opened.elapsed() < START_PATIENCE * 2);

        let (near, far) = tokio::io::duplex(8);
        let error = Guarded::new(near).write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_on_is_kept() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut guarded = Guarded::new(near);
        let talking = tokio::spawn(async move {
            for _ in 0..4 {
                far.write_all(&[0; START_BYTES]).await.unwrap();
                tokio::time::sleep(SILENCE_MAX - Duration::from_secs(1)).await;
            }
        });
        let mut bytes = [0; START_BYTES * 4];
        guarded.read_exact(&mut bytes).await.unwrap();
        talking.await.unwrap();
    }
}
