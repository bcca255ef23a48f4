//! Queries about names of others, handed on to the host's resolvers.

use super::message::{self, Query};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

const PORT: u16 = 53;
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The C library asks as many.
const RESOLVERS_MAX: usize = 3;
/// So long each of them is waited for; clients give up after five seconds.
const PATIENCE: Duration = Duration::from_millis(1500);
const UDP_ANSWER_BYTES_MAX: usize = 4096;

/// By which way a query came, and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// An answer may be cut off.
    Udp,
    /// It may be long.
    Tcp,
}

/// The answer of the first resolver that has one; `configured` in place of the host's own, where there are any.
pub async fn ask(
    configured: &[SocketAddr],
    packet: &[u8],
    query: &Query,
    way: Way,
) -> Option<Vec<u8>> {
    let resolvers = match configured {
        [] => of_text(&std::fs::read_to_string(RESOLV_CONF).unwrap_or_default()),
        configured => configured.to_vec(),
    };
    for resolver in resolvers.into_iter().take(RESOLVERS_MAX) {
        let asked = async {
            match way {
                Way::Udp => by_udp(resolver, packet, query).await,
                Way::Tcp => by_tcp(resolver, packet).await,
            }
        };
        if let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, asked).await
            && message::is_answer_to(&answer, packet, query)
        {
            return Some(answer);
        }
    }
    None
}

/// Each query from a port of its own: who did not see it cannot answer it.
async fn by_udp(resolver: SocketAddr, packet: &[u8], query: &Query) -> io::Result<Vec<u8>> {
    let any = match resolver.ip() {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(std::net::Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(resolver).await?;
    socket.send(packet).await?;
    let mut answer = vec![0; UDP_ANSWER_BYTES_MAX];
    loop {
        let length = socket.recv(&mut answer).await?;
        if message::is_answer_to(&answer[..length], packet, query) {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn by_tcp(resolver: SocketAddr, packet: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver).await?;
    write(&mut stream, packet).await?;
    read(&mut stream).await
}

/// A message with its length before it.
pub async fn write(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    let mut whole = length.to_be_bytes().to_vec();
    whole.extend(message);
    stream.write_all(&whole).await
}

/// See [`write`].
pub async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// The `nameserver` lines of a `resolv.conf`.
fn of_text(text: &str) -> Vec<SocketAddr> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let is_resolver = words.next() == Some("nameserver");
        let address: IpAddr = words.next().filter(|_| is_resolver)?.parse().ok()?;
        Some(SocketAddr::new(address, PORT))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_read_as_the_c_library_does() {
        let text = "# nameserver 9.9.9.9\nsearch a b\nnameserver 10.0.0.2\nnameserver\tfd00::1 # x\nnameserver\nnameserver x\n";
        let expected: [SocketAddr; 2] = [
            "10.0.0.2:53".parse().expect("an address"),
            "[fd00::1]:53".parse().expect("an address"),
        ];
        assert_eq!(of_text(text), expected);
    }
}
