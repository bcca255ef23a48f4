//! HTTP/1.1 as a bench needs it, with threads and blocking sockets: a server that answers two bytes, or bytes without
//! end, and clients that keep a connection, make one after another, or read.

use super::sample::Sample;
use anyhow::{Context, bail};
use netdev::namespace;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";
/// More than is read in any time.
const ENDLESS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000000\r\n\r\n";
const CHUNK_BYTES: usize = 256 * 1024;
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// A load from a task's network.
#[derive(Debug)]
pub struct Load {
    /// The task's.
    pub netns: PathBuf,
    /// Kept at once.
    pub connections: usize,
    /// Of each part.
    pub time: Duration,
}

/// What it found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// On kept connections.
    pub requests_per_second: f64,
    /// Of those requests.
    pub p50_ms: f64,
    /// Of those requests.
    pub p99_ms: f64,
    /// One after another, a request on each.
    pub connections_per_second: f64,
    /// One answer without end.
    pub bits_per_second: f64,
    /// Processor time of the proxy, of a request on a kept connection.
    pub proxy_us_per_request: f64,
}

/// Serves at these ports of a task's network, for as long as this process lives.
pub fn serve(netns: &Path, ports: [u16; 2]) -> anyhow::Result<()> {
    for port in ports {
        let bind = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
        let socket = namespace::run_in(netns, bind)??;
        thread::spawn(move || {
            for client in socket.incoming().flatten() {
                // A client that goes ends its thread.
                thread::spawn(move || answer(client).ok());
            }
        });
    }
    Ok(())
}

fn answer(client: TcpStream) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut writer, mut line) = (client, Vec::new());
    let mut is_endless = false;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        is_endless |= line.starts_with(b"GET /endless");
        if line == b"\r\n" && !is_endless {
            writer.write_all(ANSWER)?;
        } else if line == b"\r\n" {
            writer.write_all(ENDLESS)?;
            loop {
                writer.write_all(&[0; CHUNK_BYTES])?;
            }
        }
    }
}

impl Load {
    /// Asks there. `proxy`: its processor time so far.
    ///
    /// # Errors
    /// A request got no answer.
    pub fn run(&self, to: SocketAddrV4, proxy: impl Fn() -> Duration) -> anyhow::Result<Figures> {
        let before = proxy();
        let (sample, took) = self.within(|| self.kept(to))?;
        let used = proxy().saturating_sub(before);
        let connections = self.within(|| self.one_after_another(to))?;
        let bytes = self.within(|| self.read(to))?;
        let requests = sample.len() as f64;
        Ok(Figures {
            requests_per_second: requests / took.as_secs_f64(),
            p50_ms: sample.percentile_ms(50),
            p99_ms: sample.percentile_ms(99),
            connections_per_second: connections,
            bits_per_second: bytes * 8.0,
            proxy_us_per_request: used.as_secs_f64() * 1e6 / requests.max(1.0),
        })
    }

    /// On a thread of the task's network, and so are those that it starts.
    fn within<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        namespace::run_in(&self.netns, work)?
    }

    fn kept(&self, to: SocketAddrV4) -> anyhow::Result<(Sample, Duration)> {
        let began = Instant::now();
        let samples: Vec<anyhow::Result<Sample>> = thread::scope(|scope| {
            let one = |_| scope.spawn(|| asked(to, began + self.time));
            let all: Vec<_> = (0..self.connections.max(1)).map(one).collect();
            let ended = all.into_iter().map(ScopedJoinHandle::join);
            ended
                .map(|ended| ended.unwrap_or_else(|_| bail!("a client's thread panicked")))
                .collect()
        });
        let mut all = Sample::default();
        for sample in samples {
            all.extend(sample?);
        }
        Ok((all, began.elapsed()))
    }

    fn one_after_another(&self, to: SocketAddrV4) -> anyhow::Result<f64> {
        let (began, mut count) = (Instant::now(), 0.0);
        while began.elapsed() < self.time {
            Client::connect(to)?.ask()?;
            count += 1.0;
        }
        Ok(count / began.elapsed().as_secs_f64())
    }

    /// Bytes a second.
    fn read(&self, to: SocketAddrV4) -> anyhow::Result<f64> {
        let mut client = Client::connect(to)?;
        client.send("/endless")?;
        let mut buffer = vec![0; CHUNK_BYTES];
        let (began, mut bytes) = (Instant::now(), 0.0);
        while began.elapsed() < self.time {
            match client.stream.read(&mut buffer)? {
                0 => bail!("an endless answer ended"),
                count => bytes += count as f64,
            }
        }
        Ok(bytes / began.elapsed().as_secs_f64())
    }
}

/// Requests of one connection until then.
fn asked(to: SocketAddrV4, until: Instant) -> anyhow::Result<Sample> {
    let mut client = Client::connect(to)?;
    let mut sample = Sample::default();
    while Instant::now() < until {
        let began = Instant::now();
        client.ask()?;
        sample.push(began.elapsed());
    }
    Ok(sample)
}

struct Client {
    stream: TcpStream,
    /// What was read of an answer.
    heard: Vec<u8>,
}

impl Client {
    fn connect(to: SocketAddrV4) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).with_context(|| format!("no connection to {to}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            heard: Vec::new(),
        })
    }

    fn send(&mut self, path: &str) -> anyhow::Result<()> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
        Ok(self.stream.write_all(request.as_bytes())?)
    }

    /// A request, and its whole answer, which ends with its two bytes.
    fn ask(&mut self) -> anyhow::Result<()> {
        self.send("/")?;
        self.heard.clear();
        let mut buffer = [0; 1024];
        while !is_whole(&self.heard) {
            match self.stream.read(&mut buffer)? {
                0 => bail!("closed before the answer"),
                count => self.heard.extend_from_slice(&buffer[..count]),
            }
        }
        if !self.heard.starts_with(b"HTTP/1.1 200 ") {
            bail!("answered {}", String::from_utf8_lossy(&self.heard));
        }
        Ok(())
    }
}

/// Whether an answer of the server's, or of the proxy's own, has come to its end.
fn is_whole(heard: &[u8]) -> bool {
    let is_own = !heard.starts_with(b"HTTP/1.1 200 ") && heard.len() > b"HTTP/1.1 200 ".len();
    is_own || heard.ends_with(b"\r\n\r\nok")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end() {
        assert!(!is_whole(&ANSWER[..ANSWER.len() - 1]));
        assert!(is_whole(ANSWER));
        assert!(is_whole(b"HTTP/1.1 503 Service Unavailable\r\n"));
    }
}
