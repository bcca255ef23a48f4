//! Reads one pipe of a container to its end, or until it is empty after the container's end.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use tokio::net::unix::pipe::{OpenOptions, Receiver};
use tokio::sync::watch;

/// Most bytes of one read; a pipe of ours holds 1 MiB.
const READ_BYTES_MAX: usize = 64 * 1024;

/// What one read gave.
pub type Chunk<'a> = &'a [u8];

/// Gives every chunk to `take` until the pipe's end, or until it is empty once `ended` is true.
pub async fn read_stream(
    fd: OwnedFd,
    mut ended: watch::Receiver<bool>,
    mut take: impl FnMut(Chunk<'_>) + Send,
) {
    let receiver = match reopen(&fd) {
        Ok(receiver) => receiver,
        Err(error) => {
            tracing::warn!(%error, "a container's output cannot be read");
            return;
        }
    };
    let mut buffer = vec![0; READ_BYTES_MAX];
    loop {
        match receiver.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(len) => take(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if *ended.borrow() {
                    break;
                }
                tokio::select! {
                    _ = receiver.readable() => {}
                    // A sender that is gone will not say it any more: it has ended.
                    changed = ended.changed() => if changed.is_err() { break },
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return tracing::warn!(%error, "reading a container's output"),
        }
    }
    if let Err(error) = read_rest(receiver, &mut buffer, take) {
        tracing::warn!(%error, "reading a container's last output");
    }
}

/// What is in the pipe at this moment. Past the event loop, which may not have looked at it yet.
fn read_rest(
    receiver: Receiver,
    buffer: &mut [u8],
    mut take: impl FnMut(Chunk<'_>),
) -> std::io::Result<()> {
    let mut pipe = File::from(receiver.into_nonblocking_fd()?);
    loop {
        match pipe.read(buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => take(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The same pipe by a description of its own: the shim's duplicate keeps its blocking mode.
fn reopen(fd: &OwnedFd) -> std::io::Result<Receiver> {
    OpenOptions::new().open_receiver(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}
