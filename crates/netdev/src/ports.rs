//! Host ports: which are ours, each held by a bound socket so that nothing else on the host takes it.
//!
//! The TCP socket is bound and does not listen: a packet that misses the map is refused as if nobody
//! were there. `SO_REUSEADDR` stays off, or another process could bind and listen beside us.
//! The dynamic search goes on from the last port given, so that a port rests before it is used again.
//! Several ports in a row are had together or not at all.

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
        let mut taken: Vec<(usize, Vec<PortBinding>)> = Vec::with_capacity(requests.len());
        let (dynamic, named): (Vec<_>, Vec<_>) = requests
            .iter()
            .enumerate()
            .partition(|(_, request)| request.host_port == 0);
        for (index, request) in named.into_iter().chain(dynamic) {
            match self.take_row(id, *request) {
                Ok(bindings) => taken.push((index, bindings)),
                Err(why) => {
                    let taken = taken.iter().flat_map(|(_, bindings)| bindings);
                    taken.for_each(|binding| self.release(*binding));
                    return Err(why);
                }
            }
        }
        taken.sort_by_key(|(index, _)| *index);
        Ok(taken
            .into_iter()
            .flat_map(|(_, bindings)| bindings)
            .collect())
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

    fn take_row(
        &mut self,
        id: &str,
        request: PortRequest,
    ) -> Result<Vec<PortBinding>, NetworkError> {
        let PortRequest {
            container_port,
            host_port,
            protocol,
            count,
        } = request;
        let count = count.max(1);
        let first = if host_port == 0 {
            self.take_dynamic(id, protocol, count)?
        } else {
            if let Some(port) = self.try_take_row((protocol, host_port), count, id)? {
                return Err(NetworkError::PortInUse {
                    id: id.to_owned(),
                    port,
                    protocol,
                });
            }
            host_port
        };
        let binding = |offset| PortBinding {
            container_port: container_port.saturating_add(offset),
            host_port: first + offset,
            protocol,
        };
        Ok((0..count).map(binding).collect())
    }

    /// The first of so many free ports in a row, which are ours then.
    fn take_dynamic(
        &mut self,
        id: &str,
        protocol: Protocol,
        count: u16,
    ) -> Result<u16, NetworkError> {
        let (start, end) = (u32::from(*self.range.start()), u32::from(*self.range.end()));
        // A row that begins later does not fit.
        let latest = (end + 1).saturating_sub(u32::from(count));
        let next = u32::from(self.next);
        for (mut first, to) in [(next, latest), (start, latest.min(next - 1))] {
            while first <= to {
                let candidate = u16::try_from(first).expect("not above the range's end");
                let Some(taken) = self.try_take_row((protocol, candidate), count, id)? else {
                    let following = candidate.checked_add(count);
                    self.next = following
                        .filter(|next| self.range.contains(next))
                        .unwrap_or(*self.range.start());
                    return Ok(candidate);
                };
                first = u32::from(taken) + 1;
            }
        }
        if count > 1 {
            return Err(NetworkError::NoFreePorts { count });
        }
        let (first, last) = (*self.range.start(), *self.range.end());
        Err(NetworkError::NoFreePort {
            id: id.to_owned(),
            protocol,
            first,
            last,
        })
    }

    /// Takes all of a row, or none and says which port somebody else has.
    fn try_take_row(
        &mut self,
        (protocol, first): HostPort,
        count: u16,
        id: &str,
    ) -> Result<Option<u16>, NetworkError> {
        for offset in 0..count {
            let port = first.saturating_add(offset);
            let taken = self.try_take((protocol, port), id);
            if !matches!(taken, Ok(true)) {
                for ours in first..port {
                    self.held.remove(&(protocol, ours));
                }
                return taken.map(|_| Some(port));
            }
        }
        Ok(None)
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
            count: 1,
        }
    }

    fn row(container_port: u16, count: u16) -> PortRequest {
        PortRequest {
            count,
            ..tcp(container_port, 0)
        }
    }

    fn host_ports(bindings: &[PortBinding]) -> Vec<u16> {
        bindings.iter().map(|binding| binding.host_port).collect()
    }

    #[test]
    fn ports_in_a_row_are_had_together_or_not_at_all() {
        let others = BTreeSet::from([(Protocol::Tcp, 102)]);
        let mut ports = PortAllocator::new(Others(others), 100..=109, 1);
        let got = ports.take("a", &[row(80, 3), tcp(90, 105)]).unwrap();
        assert_eq!(host_ports(&got), [106, 107, 108, 105]);
        assert_eq!(got[2].container_port, 82);
        // Round the end, past what others have.
        let got = ports.take("b", &[row(80, 2)]).unwrap();
        assert_eq!(host_ports(&got), [100, 101]);
        let refused = ports.take("c", &[tcp(1, 0), row(80, 2)]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "2 contiguous host ports are unavailable"
        );
        assert_eq!(ports.held.len(), 6);
        let too_many = ports.take("d", &[row(1, 5000)]).unwrap_err();
        assert_eq!(
            too_many.to_string(),
            "5000 contiguous host ports are unavailable"
        );
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
            steps in proptest::collection::vec((any::<bool>(), any::<u8>(), 1u16..4), 1..100),
        ) {
            let others: BTreeSet<HostPort> = others.into_iter().map(|p| (Protocol::Tcp, p)).collect();
            let mut ports = PortAllocator::new(Others(others.clone()), 100..=119, seed);
            let mut mine: Vec<PortBinding> = Vec::new();
            let free = |mine: &[PortBinding], first: u16, count: u16| (first..first + count).all(|port| {
                port < 120 && !others.contains(&(Protocol::Tcp, port)) && mine.iter().all(|b| b.host_port != port)
            });
            for (take, which, count) in steps {
                if take {
                    match ports.take("x", &[row(80, count)]) {
                        Ok(got) => {
                            prop_assert_eq!(got.len(), usize::from(count));
                            prop_assert!(got[0].host_port >= 100 && free(&mine, got[0].host_port, count));
                            prop_assert!(got.windows(2).all(|two| two[0].host_port + 1 == two[1].host_port));
                            mine.extend(got);
                        }
                        Err(_) => prop_assert!((100..120).all(|first| !free(&mine, first, count))),
                    }
                } else if !mine.is_empty() {
                    ports.release(mine.swap_remove(usize::from(which) % mine.len()));
                }
            }
        }
    }
}
