//! A small netlink client: messages out, acknowledgements and dumps in.
//!
//! One socket per use, opened in the namespace of the calling thread and bound to it for good, used
//! by one thread at a time. Every request asks for an acknowledgement, and every one is read.

pub mod conntrack;
pub mod devices;
pub mod elements;
pub mod flows;
pub mod message;
pub mod nft;
pub mod paths;
pub mod policy;
pub mod route;
pub mod wireguard;

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};

use message::{Batch, HEADER_LEN};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP: u16 = 0x300;
const RECEIVE_LEN: usize = 64 * 1024;
/// A hundred thousand elements at some 150 bytes.
const SEND_LEN: usize = 16 * 1024 * 1024;
/// The kernel answers while it works; a longer silence means that it never will.
const ANSWER_SECONDS_MAX: u64 = 30;

#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl Socket {
    fn open(protocol: Option<rustix::net::Protocol>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        bind(&fd, &SocketAddrNetlink::new(0, 0))?;
        rustix::net::sockopt::set_socket_timeout(
            &fd,
            rustix::net::sockopt::Timeout::Recv,
            Some(std::time::Duration::from_secs(ANSWER_SECONDS_MAX)),
        )?;
        Ok(Self {
            fd,
            buffer: vec![0; RECEIVE_LEN],
        })
    }

    /// For batches of many thousand elements, which are one message to the socket.
    pub fn netfilter_for_sets() -> io::Result<Self> {
        let socket = Self::netfilter()?;
        rustix::net::sockopt::set_socket_send_buffer_size_force(&socket.fd, SEND_LEN)?;
        Ok(socket)
    }

    pub fn route() -> io::Result<Self> {
        // NETLINK_ROUTE is protocol 0, which rustix writes as none.
        Self::open(None)
    }

    pub fn netfilter() -> io::Result<Self> {
        Self::open(Some(rustix::net::netlink::NETFILTER))
    }

    /// Sends the batch in one call and waits until every message of it is answered. The first
    /// failure is returned, with the index of its message.
    pub fn transact(&mut self, batch: Batch) -> Result<(), (usize, Errno)> {
        let refused = self.exchange(batch).map_err(|e| (0, e))?;
        refused.first().map_or(Ok(()), |first| Err(*first))
    }

    /// As [`Self::transact`]; says of every message that was refused which it was, and why.
    ///
    /// # Errors
    /// The batch as a whole was refused, or the socket failed.
    pub fn exchange(&mut self, batch: Batch) -> Result<Vec<(usize, Errno)>, Errno> {
        if batch.bytes().is_empty() {
            return Ok(Vec::new());
        }
        let sequences = batch.acknowledged();
        self.send(batch.bytes())?;
        let mut refused = Vec::new();
        let mut left = sequences.len();
        while left > 0 {
            let len = self.receive()?;
            for answer in Answers::new(&self.buffer[..len]) {
                if answer.kind != NLMSG_ERROR {
                    continue;
                }
                // Ascending, as they were given out.
                let index = sequences.binary_search(&answer.sequence).ok();
                let errno = error_of(answer.payload);
                // An error on the batch as a whole carries the sequence of its opening message.
                let Some(index) = index else {
                    match errno {
                        Some(errno) => return Err(errno),
                        None => continue,
                    }
                };
                left -= 1;
                if let Some(errno) = errno {
                    refused.push((index, errno));
                    if batch.is_atomic() {
                        // nfnetlink answers only what it refused; all of that is here by now.
                        self.drain();
                        return Ok(refused);
                    }
                }
            }
        }
        Ok(refused)
    }

    /// Sends one request and hands every message of its answer to `each`: (type, payload).
    pub fn dump(&mut self, batch: Batch, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
        self.send(batch.bytes())?;
        loop {
            let len = self.receive()?;
            for answer in Answers::new(&self.buffer[..len]) {
                match answer.kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => match error_of(answer.payload) {
                        Some(errno) => return Err(errno.into()),
                        None => return Ok(()),
                    },
                    kind => each(kind, answer.payload),
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        sendto(
            &self.fd,
            bytes,
            SendFlags::empty(),
            &SocketAddrNetlink::new(0, 0),
        )
        .map(drop)
    }

    /// Forgets answers that nobody waits for, or the next request would take them for its own.
    fn drain(&mut self) {
        while recv(&self.fd, &mut self.buffer[..], RecvFlags::DONTWAIT).is_ok() {}
    }

    fn receive(&mut self) -> Result<usize, Errno> {
        loop {
            match recv(&self.fd, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((len, _)) => return Ok(len),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// `None` for a plain acknowledgement.
fn error_of(payload: &[u8]) -> Option<Errno> {
    let code = payload
        .first_chunk::<4>()
        .map_or(-5, |bytes| i32::from_ne_bytes(*bytes));
    (code != 0).then(|| Errno::from_raw_os_error(-code))
}

struct Answer<'a> {
    kind: u16,
    sequence: u32,
    payload: &'a [u8],
}

/// The messages of one datagram. Stops at the first that does not fit: the kernel sends whole ones.
struct Answers<'a> {
    rest: &'a [u8],
}

impl<'a> Answers<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }
}

impl<'a> Iterator for Answers<'a> {
    type Item = Answer<'a>;

    fn next(&mut self) -> Option<Answer<'a>> {
        let header = self.rest.first_chunk::<HEADER_LEN>()?;
        let word = |at: usize| {
            u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let len = usize::try_from(word(0)).ok()?;
        let payload = self.rest.get(HEADER_LEN..len)?;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        self.rest = self.rest.get(message::aligned(len)..).unwrap_or_default();
        Some(Answer {
            kind,
            sequence: word(8),
            payload,
        })
    }
}
