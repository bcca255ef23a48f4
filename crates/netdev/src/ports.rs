//! Host ports: which are ours, each held by a bound socket so that nothing else on the host takes it.
//!
//! The TCP socket is bound and does not listen: a packet that misses the map is refused as if nobody
//! were there. `SO_REUSEADDR` stays off, or another process could bind and listen beside us.
//! The dynamic search goes on from the last port given, so that a port rests before it is used again.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::attachment::{PortBinding, PortRequest, Protocol};
use crate::error::NetworkError;

pub type HostPort = (Protocol, u16);

/// Takes a port of the host, or says who cannot. A trait so that the allocator is tested without sockets.
pub trait Holder {
    type Hold;
    fn hold(&self, port: HostPort) -> Result<Self::Hold, Errno>;
}

/// Binds 0.0.0.0:port in the namespace of the calling thread.
#[derive(Debug)]
pub struct BoundSockets;

impl Holder for BoundSockets {
    type Hold = OwnedFd;

    fn hold(&self, (protocol, port): HostPort) -> Result<OwnedFd, Errno> {
        let kind = match protocol {
            Protocol::Tcp => SocketType::STREAM,
            Protocol::Udp => SocketType::DGRAM,
        };
        let socket = socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
        Ok(socket)
    }
}

#[derive(Debug)]
pub struct PortAllocator<H: Holder> {
    holder: H,
    range: RangeInclusive<u16>,
    next: u16,
    /// `None`: ours by the books, but another process holds it (after `adopt` only).
    held: BTreeMap<HostPort, Option<H::Hold>>,
}

impl<H: Holder> PortAllocator<H> {
    /// The search starts at `range.start() + seed`, wrapped into the range.
    pub fn new(holder: H, range: RangeInclusive<u16>, seed: u16) -> Self {
        let len = u32::from(*range.end() - *range.start()) + 1;
        let offset = u16::try_from(u32::from(seed) % len).expect("below the range's length");
        let next = range.start() + offset;
        Self {
            holder,
            range,
            next,
            held: BTreeMap::new(),
        }
    }

    /// All or none. Named ports first, so that a dynamic one never takes what the same call names.
    pub fn take(
        &mut self,
        id: &str,
        requests: &[PortRequest],
    ) -> Result<Vec<PortBinding>, NetworkError> {
        let mut taken: Vec<(usize, PortBinding)> = Vec::with_capacity(requests.len());
        let (dynamic, named): (Vec<_>, Vec<_>) = requests
            .iter()
            .enumerate()
            .partition(|(_, request)| request.host_port == 0);
        for (index, request) in named.into_iter().chain(dynamic) {
            match self.take_one(id, *request) {
                Ok(binding) => taken.push((index, binding)),
                Err(why) => {
                    taken.iter().for_each(|(_, binding)| self.release(*binding));
                    return Err(why);
                }
            }
        }
        taken.sort_by_key(|(index, _)| *index);
        Ok(taken.into_iter().map(|(_, binding)| binding).collect())
    }

    /// Puts a mapping made before a restart back on the books; `false` when it could not be held.
    pub fn readopt(&mut self, binding: PortBinding) -> bool {
        let port = (binding.protocol, binding.host_port);
        let hold = self.holder.hold(port).ok();
        let is_held = hold.is_some();
        self.held.insert(port, hold);
        is_held
    }

    pub fn release(&mut self, binding: PortBinding) {
        self.held.remove(&(binding.protocol, binding.host_port));
    }

    pub fn clear(&mut self) {
        self.held.clear();
    }

    fn take_one(&mut self, id: &str, request: PortRequest) -> Result<PortBinding, NetworkError> {
        let PortRequest {
            container_port,
            host_port,
            protocol,
        } = request;
        let host_port = if host_port == 0 {
            self.take_dynamic(id, protocol)?
        } else {
            let taken = self.try_take((protocol, host_port), id)?;
            if !taken {
                return Err(NetworkError::PortInUse {
                    id: id.to_owned(),
                    port: host_port,
                    protocol,
                });
            }
            host_port
        };
        Ok(PortBinding {
            container_port,
            host_port,
            protocol,
        })
    }

    fn take_dynamic(&mut self, id: &str, protocol: Protocol) -> Result<u16, NetworkError> {
        for port in (self.next..=*self.range.end()).chain(*self.range.start()..self.next) {
            if self.try_take((protocol, port), id)? {
                self.next = if port == *self.range.end() {
                    *self.range.start()
                } else {
                    port + 1
                };
                return Ok(port);
            }
        }
        let (first, last) = (*self.range.start(), *self.range.end());
        Err(NetworkError::NoFreePort {
            id: id.to_owned(),
            protocol,
            first,
            last,
        })
    }

    /// `false`: somebody has it. Running out of file descriptors is no reason to try the next port.
    fn try_take(&mut self, port: HostPort, id: &str) -> Result<bool, NetworkError> {
        if self.held.contains_key(&port) {
            return Ok(false);
        }
        match self.holder.hold(port) {
            Ok(hold) => {
                self.held.insert(port, Some(hold));
                Ok(true)
            }
            Err(Errno::ADDRINUSE) => Ok(false),
            Err(errno) => {
                let what = format!("hold host port {}/{} for {id}", port.1, port.0);
                Err(NetworkError::kernel(what, errno))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// A host on which other programs have these ports.
    struct Others(BTreeSet<HostPort>);

    impl Holder for Others {
        type Hold = ();
        fn hold(&self, port: HostPort) -> Result<(), Errno> {
            if self.0.contains(&port) {
                Err(Errno::ADDRINUSE)
            } else {
                Ok(())
            }
        }
    }

    fn tcp(container_port: u16, host_port: u16) -> PortRequest {
        PortRequest {
            container_port,
            host_port,
            protocol: Protocol::Tcp,
        }
    }

    #[test]
    fn a_call_that_fails_takes_nothing() {
        let mut ports = PortAllocator::new(Others(BTreeSet::new()), 100..=103, 7);
        ports.take("a", &[tcp(80, 8080)]).unwrap();
        let refused = ports
            .take("b", &[tcp(80, 0), tcp(81, 8081), tcp(82, 8080)])
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "driver failed programming external connectivity on endpoint b: Bind for 0.0.0.0:8080 failed: port is already allocated"
        );
        assert_eq!(ports.held.len(), 1);
    }

    #[test]
    fn a_dynamic_port_never_takes_what_the_same_call_names() {
        let mut ports = PortAllocator::new(Others(BTreeSet::new()), 100..=101, 0);
        let got = ports.take("a", &[tcp(80, 0), tcp(81, 100)]).unwrap();
        assert_eq!(
            got.iter().map(|b| b.host_port).collect::<Vec<_>>(),
            [101, 100]
        );
    }

    proptest! {
        #[test]
        fn ports_are_given_once_within_the_range_and_never_those_of_others(
            others in proptest::collection::btree_set(100u16..120, 0..10),
            seed: u16,
            steps in proptest::collection::vec(any::<(bool, u8)>(), 1..100),
        ) {
            let others: BTreeSet<HostPort> = others.into_iter().map(|p| (Protocol::Tcp, p)).collect();
            let mut ports = PortAllocator::new(Others(others.clone()), 100..=119, seed);
            let mut mine: Vec<PortBinding> = Vec::new();
            for (take, which) in steps {
                if take {
                    match ports.take("x", &[tcp(80, 0)]) {
                        Ok(got) => {
                            prop_assert!(!mine.contains(&got[0]));
                            prop_assert!(!others.contains(&(Protocol::Tcp, got[0].host_port)));
                            prop_assert!((100..=119).contains(&got[0].host_port));
                            mine.push(got[0]);
                        }
                        Err(_) => prop_assert_eq!(mine.len() + others.len(), 20),
                    }
                } else if !mine.is_empty() {
                    ports.release(mine.swap_remove(usize::from(which) % mine.len()));
                }
            }
        }
    }
}
