//! One end of a connection between agent and proxy.

use runtime::wire;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen,
    socket_with,
};
use serde::{Serialize, de::DeserializeOwned};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Agents that wait at once: there is one.
const BACKLOG: i32 = 4;

/// A connected socket.
#[derive(Debug)]
pub struct Channel(AsyncFd<OwnedFd>);

impl Channel {
    /// To who listens at this path; `None` where nobody does.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn connect(path: &Path) -> io::Result<Option<Self>> {
        let socket = socket()?;
        // Through the directory: a path of a socket is short, that of a data directory need not be.
        let Some((_dir, address)) = address(path)? else {
            return Ok(None);
        };
        match connect(&socket, &address) {
            Ok(()) => Ok(Some(Self(registered(socket)?))),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends one value; waits while there is no room.
    ///
    /// # Errors
    /// The other side has gone.
    pub async fn send<T: Serialize>(&self, value: &T, with: &[BorrowedFd<'_>]) -> io::Result<()> {
        let send = |fd: &OwnedFd| wire::send(fd, value, with);
        self.0.async_io(Interest::WRITABLE, send).await
    }

    /// The next value with its descriptors; `None` when the other side has gone.
    ///
    /// # Errors
    /// It cannot be understood.
    pub async fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let receive = |fd: &OwnedFd| wire::receive(fd);
        self.0.async_io(Interest::READABLE, receive).await
    }
}

/// A socket at which channels are taken.
#[derive(Debug)]
pub struct Door(AsyncFd<OwnedFd>);

impl Door {
    /// Made by [`door`].
    ///
    /// # Errors
    /// It is no such descriptor.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self(registered(socket)?))
    }

    /// The next one that connects.
    ///
    /// # Errors
    /// As the kernel says.
    pub async fn accept(&self) -> io::Result<Channel> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accept = |fd: &OwnedFd| accept_with(fd, flags).map_err(io::Error::from);
        let socket = self.0.async_io(Interest::READABLE, accept).await?;
        Ok(Channel(registered(socket)?))
    }
}

/// A listening socket at this path, in place of any other; for root alone.
///
/// # Errors
/// As the kernel says.
pub fn door(path: &Path) -> io::Result<OwnedFd> {
    let _ = std::fs::remove_file(path);
    let socket = socket()?;
    let Some((_dir, address)) = address(path)? else {
        return Err(io::ErrorKind::NotFound.into());
    };
    bind(&socket, &address)?;
    // Before anybody can connect.
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    Ok(socket)
}

/// Valid as long as the directory is held; `None` where that is not there.
fn address(path: &Path) -> io::Result<Option<(std::fs::File, SocketAddrUnix)>> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let dir = match std::fs::File::open(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let short = Path::new("/proc/self/fd").join(dir.as_fd().as_raw_fd().to_string());
    let address = SocketAddrUnix::new(short.join(name))?;
    Ok(Some((dir, address)))
}

fn registered(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[allow(
        deprecated,
        reason = "the descriptor is owned by what is returned; its replacement is unsafe to call"
    )]
    AsyncFd::new(fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn values_and_descriptors_pass_through_a_door_of_any_path() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(200));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("proxy.sock");
        assert!(Channel::connect(&path).unwrap().is_none(), "nobody listens");
        let accepting = Door::new(door(&path).unwrap()).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let client = Channel::connect(&path).unwrap().unwrap();
        let server = accepting.accept().await.unwrap();
        // Longer than a packet.
        let long = "x".repeat(100_000);
        let file = std::fs::File::open("/dev/null").unwrap();
        client.send(&long, &[file.as_fd()]).await.unwrap();
        let (got, with): (String, _) = server.receive().await.unwrap().unwrap();
        assert_eq!((got, with.len()), (long, 1));
        drop(client);
        assert!(server.receive::<String>().await.unwrap().is_none());
        drop((server, accepting));
        assert!(Channel::connect(&path).unwrap().is_none());
    }
}
