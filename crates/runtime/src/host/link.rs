//! The connection to one shim, and what the agent knows of its container.

use super::error::{InPlace, RuntimeError};
use super::lost;
use super::runtime::Inner;
use crate::record;
use crate::spec::{ExecResult, ExecSpec, ExitRecord};
use crate::wire::{self, Event, Request};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socketpair};
use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::unix::AsyncFd;
use tokio::sync::{oneshot, watch};

type ExecReply = Result<ExecResult, crate::failure::Failure>;

/// A container that this agent knows.
#[derive(Debug)]
pub struct Link {
    pub dir: PathBuf,
    pub id: String,
    pub task_id: String,
    pub scratch: PathBuf,
    /// `None` for one that had ended before this agent came.
    pub pidfd: Option<OwnedFd>,
    pub exit: watch::Receiver<Option<ExitRecord>>,
    /// `None` when the shim is lost.
    socket: Option<Arc<AsyncFd<OwnedFd>>>,
    /// `std` mutex: held to insert or remove one entry.
    execs: Arc<Mutex<Execs>>,
}

#[derive(Debug, Default)]
struct Execs {
    next: u64,
    waiting: HashMap<u64, oneshot::Sender<ExecReply>>,
    is_closed: bool,
}

/// What a link is made from.
#[derive(Debug)]
pub struct Parts {
    pub dir: PathBuf,
    pub id: String,
    pub task_id: String,
    pub scratch: PathBuf,
    pub pidfd: Option<OwnedFd>,
    pub socket: Option<AsyncFd<OwnedFd>>,
    pub exit: Option<ExitRecord>,
}

impl Link {
    /// Starts listening to the shim, or to the process itself where the shim is lost.
    pub fn new(inner: &Arc<Inner>, parts: Parts) -> Arc<Self> {
        let has_ended = parts.exit.is_some();
        let (sender, exit) = watch::channel(parts.exit);
        let execs = Arc::new(Mutex::new(Execs::default()));
        let socket = parts.socket.map(Arc::new);
        let link = Arc::new(Self {
            dir: parts.dir,
            id: parts.id,
            task_id: parts.task_id,
            scratch: parts.scratch,
            pidfd: parts.pidfd,
            exit,
            socket,
            execs,
        });
        if !has_ended {
            let (inner, link) = (Arc::clone(inner), Arc::clone(&link));
            let mut closing = inner.closing.subscribe();
            tokio::spawn(async move {
                tokio::select! {
                    () = listen(&inner, &link, sender) => {}
                    _ = closing.wait_for(|closing| *closing) => {}
                }
            });
        }
        link
    }

    /// Runs a further process.
    pub async fn exec(&self, spec: ExecSpec) -> Result<ExecResult, RuntimeError> {
        let lost = || RuntimeError::ShimLost(self.dir.clone());
        let socket = self.socket.as_ref().ok_or_else(lost)?;
        let (sender, receiver) = oneshot::channel();
        let number = {
            let mut execs = self.execs.lock().unwrap_or_else(PoisonError::into_inner);
            if execs.is_closed {
                return Err(lost());
            }
            execs.next += 1;
            let number = execs.next;
            execs.waiting.insert(number, sender);
            number
        };
        send(socket, &Request::Exec { number, spec })
            .await
            .place("asking the shim of", &self.dir)?;
        receiver
            .await
            .map_err(|_| lost())?
            .map_err(RuntimeError::Failed)
    }

    /// Tells the shim that it is not needed after the container's end, and waits until it has left.
    pub async fn release(&self) {
        let Some(socket) = &self.socket else { return };
        if send(socket, &Request::Release).await.is_ok() {
            // It leaves by closing; whatever it still says is of no use.
            while let Ok(Some(_)) = receive::<Event>(socket).await {}
        }
    }

    fn close(&self) {
        let mut execs = self.execs.lock().unwrap_or_else(PoisonError::into_inner);
        execs.is_closed = true;
        execs.waiting.clear();
    }

    fn answer(&self, number: u64, result: ExecReply) {
        let waiting = self
            .execs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting
            .remove(&number);
        if let Some(waiting) = waiting {
            // A caller that no longer waits needs no answer.
            let _ = waiting.send(result);
        }
    }
}

/// Until the container ends: the shim's messages; after the shim's loss the process itself.
async fn listen(inner: &Inner, link: &Link, exit: watch::Sender<Option<ExitRecord>>) {
    if let Some(socket) = &link.socket {
        while let Ok(Some((event, _))) = receive::<Event>(socket).await {
            match event {
                Event::Executed { number, result } => link.answer(number, result),
                Event::Exited(record) => {
                    link.close();
                    exit.send_replace(Some(record));
                    return;
                }
                Event::Started { .. } | Event::Failed(_) | Event::Attached { .. } => {}
            }
        }
    }
    link.close();
    let record = match record::read_exit(&link.dir) {
        Ok(Some(record)) => record,
        _ => lost::wait(inner, link).await,
    };
    exit.send_replace(Some(record));
}

/// Connects to a container's shim. `None` when nobody listens.
pub async fn connect(dir: &Path) -> std::io::Result<Option<AsyncFd<OwnedFd>>> {
    let fd = match rustix::fs::open(
        dir,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    ) {
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        other => other?,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    let address = SocketAddrUnix::new(format!(
        "/proc/self/fd/{}/{}",
        fd.as_raw_fd(),
        record::SOCKET_FILE
    ))?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => Ok(Some(register(socket)?)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Both ends of a connection: the one for this process, and the one to be handed over.
pub fn pair() -> std::io::Result<(AsyncFd<OwnedFd>, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((register(ours)?, theirs))
}

/// Sends one message.
pub async fn send<T: serde::Serialize>(
    socket: &AsyncFd<OwnedFd>,
    value: &T,
) -> std::io::Result<()> {
    loop {
        let mut guard = socket.writable().await?;
        if let Ok(result) = guard.try_io(|socket| wire::send(socket.get_ref(), value, &[])) {
            return result;
        }
    }
}

/// Receives one message; `None` at the end.
pub async fn receive<T: serde::de::DeserializeOwned>(
    socket: &AsyncFd<OwnedFd>,
) -> std::io::Result<Option<(T, Vec<OwnedFd>)>> {
    loop {
        let mut guard = socket.readable().await?;
        if let Ok(result) = guard.try_io(|socket| wire::receive(socket.get_ref())) {
            return result;
        }
    }
}

/// Gives a descriptor to the event loop.
pub fn register(fd: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names one open descriptor until it is dropped, which is after it has left the event loop.
    unsafe { AsyncFd::register(fd) }.map_err(std::io::Error::from)
}
