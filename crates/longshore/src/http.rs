//! One HTTP/1.1 connection to the server, kept open: request out, answer in.

use agent::{Server, ServerStream};
use anyhow::{Context, bail};
use aws_wire::client::SignedRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longer heads are no answer of our server.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A kept connection. After an error it is of no use any more.
#[derive(Debug)]
pub struct Connection {
    stream: ServerStream,
    /// What has been read and belongs to no answer yet.
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to a server.
    pub async fn open(server: &Server) -> anyhow::Result<Self> {
        let stream = server
            .connect()
            .await
            .with_context(|| format!("no server answers at {}", server.url()))?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends an encoded request and reads its answer: status and body.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
        self.stream.write_all(request).await?;
        let end = loop {
            if let Some(end) = head_end(&self.buffer) {
                break end;
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                bail!("the server's answer is no HTTP");
            }
            self.read_more().await?;
        };
        let (status, length) =
            head(&self.buffer[..end]).context("the server's answer has no status or length")?;
        while self.buffer.len() < end + length {
            self.read_more().await?;
        }
        let body = self.buffer[end..end + length].to_vec();
        self.buffer.drain(..end + length);
        Ok((status, body))
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

/// A signed request as it goes over the wire.
#[must_use]
pub fn encode(request: &SignedRequest) -> Vec<u8> {
    let mut text = format!(
        "{} {} HTTP/1.1\r\ncontent-length: {}\r\n",
        request.method,
        request.target,
        request.body.len()
    );
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&request.body);
    bytes
}

/// Where the body begins.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4)
}

/// Status and stated length.
fn head(bytes: &[u8]) -> Option<(u16, usize)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())?;
    Some((status, length))
}
