//! Messages between agent, zygote and shims: one JSON value and some descriptors a packet, on sequenced-packet sockets.
//!
//! A value too long for one packet travels in a memory file that is the packet's first descriptor.
//! The peers are our own processes of the same build; a malformed packet is an error, never a panic.

use crate::cgroup::CgroupTree;
use crate::spec::{ContainerSpec, ExecResult, ExecSpec, ExitRecord};
use crate::user_namespace::IdRange;
use crate::{failure::Failure, overlay::OverlayMethod};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs::File;
use std::io::{Error, ErrorKind, IoSlice, IoSliceMut, Read, Result, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Longest value sent in the packet itself; half the kernel's smallest default socket buffer is more.
const INLINE_BYTES_MAX: usize = 32 * 1024;
/// Most descriptors in one packet, the memory file included.
const DESCRIPTORS_MAX: usize = 6;
/// A longer value is refused: nothing that we send comes near.
const VALUE_BYTES_MAX: u64 = 64 * 1024 * 1024;
const INLINE: u8 = b'J';
const IN_MEMORY_FILE: u8 = b'M';

/// Agent to zygote.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// Become a shim.
    Start(Box<StartRequest>),
    /// Make the namespaces of a task with these ids. The one descriptor is a socket, where a `Result<(), Failure>` is the
    /// answer, with the network namespace.
    Namespaces(IdRange),
}

/// What a shim starts. Descriptors: the shim's end of its control socket, then the filter and the root if there are such.
#[derive(Debug, Serialize, Deserialize)]
pub struct StartRequest {
    /// What to start.
    pub spec: ContainerSpec,
    /// Where control groups are.
    pub cgroups: CgroupTree,
    /// How layers are mounted.
    pub overlay: OverlayMethod,
    /// Whether a compiled filter follows the control socket.
    pub has_filter: bool,
    /// Whether the mounted root follows that.
    pub has_root: bool,
}

/// Agent to shim.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Make this connection the agent's; answered by [`Event::Attached`].
    Attach,
    /// Run a further process; answered by [`Event::Executed`] with the same number.
    Exec { number: u64, spec: ExecSpec },
    /// The agent has read the pipes to their end: leave, once the container has ended.
    Release,
}

/// Shim to agent.
#[derive(Debug, Serialize, Deserialize)]
pub enum Event {
    /// The program runs. Descriptors: pidfd, standard output, standard error.
    Started { pid: u32, started_at_ms: i64 },
    /// The container was not started and nothing of it is left.
    Failed(Failure),
    /// Answer to [`Request::Attach`]. Descriptors: pidfd, standard output, standard error.
    Attached {
        pid: u32,
        started_at_ms: i64,
        exit: Option<ExitRecord>,
    },
    /// Answer to [`Request::Exec`].
    Executed {
        number: u64,
        result: std::result::Result<ExecResult, Failure>,
    },
    /// The container ended; its exit record is on disk.
    Exited(ExitRecord),
}

/// Sends one value; waits while the socket is full unless it is non-blocking.
pub fn send<T: Serialize>(
    socket: impl AsFd,
    value: &T,
    descriptors: &[BorrowedFd<'_>],
) -> Result<()> {
    let json = serde_json::to_vec(value)?;
    let memory = if json.len() > INLINE_BYTES_MAX {
        Some(memory_file(c"message", &json)?)
    } else {
        None
    };
    let tag = [if memory.is_some() {
        IN_MEMORY_FILE
    } else {
        INLINE
    }];
    let body: &[u8] = if memory.is_some() { &[] } else { &json };
    let all: Vec<BorrowedFd<'_>> = memory
        .iter()
        .map(AsFd::as_fd)
        .chain(descriptors.iter().copied())
        .collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !all.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&all)) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "too many descriptors in one message",
        ));
    }
    loop {
        match sendmsg(
            &socket,
            &[IoSlice::new(&tag), IoSlice::new(body)],
            &mut control,
            SendFlags::NOSIGNAL,
        ) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one value with its descriptors, close-on-exec. `None` when the peer has closed.
pub fn receive<T: DeserializeOwned>(socket: impl AsFd) -> Result<Option<(T, Vec<OwnedFd>)>> {
    let mut buffer = vec![0u8; INLINE_BYTES_MAX + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut slices = [IoSliceMut::new(&mut buffer)];
        match recvmsg(&socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            // A peer that died with unread data of ours closes with a reset: for us the same as closing.
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    match buffer.get(..received.bytes) {
        None | Some([]) => Ok(None),
        Some([INLINE, json @ ..]) => Ok(Some((serde_json::from_slice(json)?, descriptors))),
        Some([IN_MEMORY_FILE]) if !descriptors.is_empty() => {
            let mut memory = File::from(descriptors.remove(0));
            let mut json = Vec::new();
            memory.rewind()?;
            memory.take(VALUE_BYTES_MAX).read_to_end(&mut json)?;
            Ok(Some((serde_json::from_slice(&json)?, descriptors)))
        }
        Some(_) => Err(Error::new(ErrorKind::InvalidData, "malformed message")),
    }
}

/// An anonymous file with this content.
pub fn memory_file(name: &std::ffi::CStr, content: &[u8]) -> Result<OwnedFd> {
    let fd = rustix::fs::memfd_create(
        name,
        rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING,
    )?;
    let mut file = File::from(fd);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}
