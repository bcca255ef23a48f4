//! Calls between two namespaces, counted.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::NetworkError;
use crate::namespace::run_in;

/// The servers'.
pub const PORT: u16 = 80;
const MEASURE: Duration = Duration::from_secs(1);
/// A caller does not wait until it is accepted: with a full backlog it would be told to come again, a
/// second later.
const BACKLOG: i32 = 4096;
const CHUNK_LEN: usize = 128 * 1024;

/// What passes between two namespaces, one connection at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traffic {
    /// Opened and closed, one after another.
    pub connections_per_second: f64,
    /// One TCP stream.
    pub bits_per_second: f64,
}

/// Reads what comes and answers nothing, for as long as the process lives.
pub fn serve(netns: &Path) -> Result<(), NetworkError> {
    let failed = |e| NetworkError::kernel("a server to measure with", e);
    let listener = run_in(netns, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)))?;
    let listener = listener.map_err(failed)?;
    rustix::net::listen(&listener, BACKLOG).map_err(|e| failed(e.into()))?;
    let serve = move || {
        let mut buffer = vec![0; CHUNK_LEN];
        while let Ok((mut stream, _)) = listener.accept() {
            while stream.read(&mut buffer).is_ok_and(|len| len > 0) {}
        }
    };
    thread::Builder::new()
        .name("bench-server".into())
        .spawn(serve)
        .map(drop)
        .map_err(failed)
}

/// Measures for two seconds.
pub fn measure(from: &Path, to: Ipv4Addr) -> Result<Traffic, NetworkError> {
    let measured = run_in(from, || -> std::io::Result<_> {
        Ok(Traffic {
            connections_per_second: connections(to)?,
            bits_per_second: stream(to)?,
        })
    })?;
    measured.map_err(|e| NetworkError::kernel("calls to measure", e))
}

fn connections(to: Ipv4Addr) -> std::io::Result<f64> {
    let (mut count, since) = (0u32, Instant::now());
    while since.elapsed() < MEASURE {
        let stream = TcpStream::connect((to, PORT))?;
        // Closed by a reset, or its port would stay taken for a minute.
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        count += 1;
    }
    Ok(f64::from(count) / since.elapsed().as_secs_f64())
}

fn stream(to: Ipv4Addr) -> std::io::Result<f64> {
    let mut stream = TcpStream::connect((to, PORT))?;
    let chunk = vec![0; CHUNK_LEN];
    let (mut sent, since) = (0f64, Instant::now());
    while since.elapsed() < MEASURE {
        stream.write_all(&chunk)?;
        sent += CHUNK_LEN as f64;
    }
    Ok(sent * 8.0 / since.elapsed().as_secs_f64())
}
