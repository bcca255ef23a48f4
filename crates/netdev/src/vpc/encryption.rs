//! VXLAN between hosts, encrypted by WireGuard: `--encrypt`.
//!
//! ```text
//!  vx0 (router) ── UDP 4789 from this host's address ── rule ── table of its own ── wg… ── UDP, encrypted ── other host
//! ```
//! A rule sends what this host's VXLAN sends, and nothing else, to a routing table that knows the hosts
//! of host sync behind the WireGuard device, and ends in `unreachable`: nothing leaves in the clear, also
//! while a host is not known. The host's table takes VXLAN from that device alone. A peer may be the one
//! address that host sync gave it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use rustix::io::Errno;

use crate::bridge::lock;
use crate::error::NetworkError;
use crate::names::Names;
use crate::netlink::Socket;
use crate::netlink::message::Batch;
use crate::netlink::paths::{Hop, Path};
use crate::netlink::policy::{Asker, Rule};
use crate::netlink::wireguard::Family;
pub use crate::netlink::wireguard::Key;
use crate::sysctl;

/// Requests at once.
const REQUESTS_MAX: usize = 64;
/// What WireGuard puts around a packet: IPv4, UDP, its own header and the authentication code.
pub const WIREGUARD_OVERHEAD: u32 = 60;
/// WireGuard's customary port.
pub const WIREGUARD_PORT: u16 = 51820;
/// Before the main table (32766), by the port whose packets it is about.
const RULE_PRIORITY: u32 = 4789;
/// "WG" before the lower half of the tag.
const TABLE_BASE: u32 = 0x5747_0000;
/// RFC 7600's dummy: a device without any address takes nothing that the kernel's reverse path filter, which
/// other settings of the host may turn on, would ask about.
const DUMMY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
/// A source that the host has some way to will do, and not only by this device.
const RP_FILTER_LOOSE: &str = "2";

/// How this host encrypts.
#[derive(Clone, PartialEq, Eq)]
pub struct Encryption {
    /// Of this host alone, and the same at every start.
    pub private_key: Key,
    /// UDP, where encrypted packets are taken; other hosts learn it.
    pub port: u16,
}

impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encryption(port {})", self.port)
    }
}

/// How packets go between hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Between {
    /// As VXLAN, which who is between them can read. What encrypted before is removed.
    #[default]
    Clear,
    /// Encrypted, and nothing else is taken. Needs an underlay.
    Encrypted(Encryption),
    /// As the run before had it: for the end of everything, while tasks still run.
    AsItStands,
}

/// How another host encrypts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub public_key: Key,
    pub port: u16,
}

/// The WireGuard device of this host.
#[derive(Debug)]
pub struct Tunnel {
    index: u32,
    table: u32,
    family: Family,
    generic: Socket,
    /// This host's public key.
    pub public_key: Key,
    known: BTreeMap<Ipv4Addr, Peer>,
}

impl Tunnel {
    /// Makes the device, or takes over the one that stands; the calling thread is in the host's namespace.
    /// `mtu` is that of the underlay's device.
    ///
    /// # Errors
    /// `NoWireGuard`.
    pub fn open(
        names: &Names,
        (own, encryption): (Ipv4Addr, &Encryption),
        mtu: u32,
        route: &mut Socket,
    ) -> Result<Self, NetworkError> {
        let device = names.tunnel();
        let failed = |e: Errno| NetworkError::kernel(format!("WireGuard device {device}"), e);
        let _lock = lock()?;
        let mut generic =
            Socket::generic().map_err(|e| NetworkError::kernel("netlink socket", e))?;
        let family = generic
            .wireguard_family()
            .map_err(|source| NetworkError::NoWireGuard {
                source: source.into(),
            })?;
        let index = device_index(&device, mtu, route)?;
        let mut batch = Batch::new();
        batch.set_wireguard(family, index, &encryption.private_key, encryption.port);
        generic
            .transact(batch)
            .map_err(|(_, errno)| failed(errno))?;
        let keys = generic.wireguard_keys(family, index);
        let (public_key, found) = keys.map_err(|e| NetworkError::kernel(device.clone(), e))?;
        // Whom a run before knew, host sync names again.
        in_parts(&found, |part| {
            let mut batch = Batch::new();
            let remove = |key| batch.remove_wireguard_peer(family, index, key);
            part.iter().for_each(remove);
            generic.transact(batch).map_err(|(_, errno)| failed(errno))
        })?;
        sysctl::write(&format!("ipv4/conf/{device}/rp_filter"), RP_FILTER_LOOSE)?;
        let mut batch = Batch::new();
        batch.put_address(index, IpNet::from(IpAddr::V4(DUMMY)));
        route.transact(batch).map_err(|(_, errno)| failed(errno))?;
        let tunnel = Self {
            index,
            table: table(names),
            family,
            generic,
            public_key: public_key.ok_or_else(|| failed(Errno::INVAL))?,
            known: BTreeMap::new(),
        };
        tunnel.lead(own, route)?;
        Ok(tunnel)
    }

    /// This host's VXLAN goes by the tunnel's table, or nowhere.
    fn lead(&self, own: Ipv4Addr, route: &mut Socket) -> Result<(), NetworkError> {
        let failed = |errno: Errno| NetworkError::kernel("route of encrypted VXLAN", errno);
        let mut batch = Batch::new();
        batch.put_path(nowhere(self.table));
        route.transact(batch).map_err(|(_, errno)| failed(errno))?;
        let mut batch = Batch::new();
        batch.put_rule(Rule {
            asker: Asker::Vxlan(IpNet::from(IpAddr::V4(own))),
            table: self.table,
            priority: RULE_PRIORITY,
        });
        match route.transact(batch) {
            Ok(()) | Err((_, Errno::EXIST)) => Ok(()),
            Err((_, errno)) => Err(failed(errno)),
        }
    }

    /// The other hosts are these and no others. May be repeated.
    pub fn hold(
        &mut self,
        peers: &BTreeMap<Ipv4Addr, Peer>,
        route: &mut Socket,
    ) -> Result<(), NetworkError> {
        let is_other = |(host, peer): &(&Ipv4Addr, &Peer)| peers.get(host) != Some(*peer);
        let gone: Vec<(Ipv4Addr, Peer)> = owned(self.known.iter().filter(is_other));
        in_parts(&gone, |part| {
            let (mut keys, mut paths) = (Batch::new(), Batch::new());
            for (host, peer) in part {
                keys.remove_wireguard_peer(self.family, self.index, &peer.public_key);
                paths.delete_path(self.path(*host));
            }
            self.tell(keys, paths, route)?;
            for (host, _) in part {
                self.known.remove(host);
            }
            Ok(())
        })?;
        // Who is known already is left alone: to be told anew costs a peer what is on its way.
        let is_new = |(host, _): &(&Ipv4Addr, &Peer)| !self.known.contains_key(host);
        let new: Vec<(Ipv4Addr, Peer)> = owned(peers.iter().filter(is_new));
        in_parts(&new, |part| {
            let (mut keys, mut paths) = (Batch::new(), Batch::new());
            for (host, peer) in part {
                let at = (*host, peer.port);
                keys.put_wireguard_peer(self.family, self.index, &peer.public_key, at);
                paths.put_path(self.path(*host));
            }
            self.tell(keys, paths, route)?;
            self.known.extend(part.iter().cloned());
            Ok(())
        })
    }

    fn tell(&mut self, keys: Batch, paths: Batch, route: &mut Socket) -> Result<(), NetworkError> {
        let failed = |errno: Errno| NetworkError::kernel("peers of the WireGuard device", errno);
        let told = self.generic.transact(keys);
        told.map_err(|(_, errno)| failed(errno))?;
        // What is gone already need not be deleted.
        let refused = route.exchange(paths).map_err(failed)?;
        match refused.into_iter().find(|(_, errno)| !is_gone(*errno)) {
            Some((_, errno)) => Err(failed(errno)),
            None => Ok(()),
        }
    }

    fn path(&self, host: Ipv4Addr) -> Path {
        Path {
            table: self.table,
            to: IpNet::from(IpAddr::V4(host)),
            hop: Hop::Device {
                index: self.index,
                gateway: None,
            },
            source: None,
        }
    }
}

/// The device of this name, made if it is not there.
fn device_index(device: &str, mtu: u32, route: &mut Socket) -> Result<u32, NetworkError> {
    let failed = |e: Errno| NetworkError::kernel(format!("WireGuard device {device}"), e);
    let mut batch = Batch::new();
    batch.add_wireguard(device, mtu.saturating_sub(WIREGUARD_OVERHEAD));
    match route.transact(batch) {
        Ok(()) | Err((_, Errno::EXIST)) => {}
        Err((_, source @ (Errno::OPNOTSUPP | Errno::NODEV))) => {
            return Err(NetworkError::NoWireGuard {
                source: source.into(),
            });
        }
        Err((_, errno)) => return Err(failed(errno)),
    }
    let link = route
        .link(device)
        .map_err(|e| NetworkError::kernel(device, e))?;
    Ok(link.ok_or_else(|| failed(Errno::NODEV))?.index)
}

fn owned<'a>(peers: impl Iterator<Item = (&'a Ipv4Addr, &'a Peer)>) -> Vec<(Ipv4Addr, Peer)> {
    peers.map(|(host, peer)| (*host, peer.clone())).collect()
}

/// Each request is answered, and the answers have to fit into the socket.
fn in_parts<T>(
    all: &[T],
    work: impl FnMut(&[T]) -> Result<(), NetworkError>,
) -> Result<(), NetworkError> {
    all.chunks(REQUESTS_MAX).try_for_each(work)
}

/// Removes what [`Tunnel::open`] made; idempotent.
pub fn remove(names: &Names, route: &mut Socket) -> Result<(), NetworkError> {
    let failed = |errno: Errno| NetworkError::kernel("remove the WireGuard device", errno);
    let table = table(names);
    let rules = route.rules(&[RULE_PRIORITY]);
    let rules = rules.map_err(|e| NetworkError::kernel("list rules", e))?;
    let mut batch = Batch::new();
    for rule in rules.into_iter().filter(|rule| rule.table == table) {
        batch.delete_rule(rule);
    }
    batch.delete_path(nowhere(table));
    let refused = route.exchange(batch).map_err(failed)?;
    if let Some((_, errno)) = refused.into_iter().find(|(_, errno)| !is_gone(*errno)) {
        return Err(failed(errno));
    }
    crate::veth::unplug(route, &names.tunnel())
}

fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::SRCH | Errno::NOENT)
}

fn table(names: &Names) -> u32 {
    let tag = u32::from_str_radix(names.tag(), 16).unwrap_or_default();
    TABLE_BASE | (tag & 0xffff)
}

/// The end of the table.
fn nowhere(table: u32) -> Path {
    Path {
        table,
        to: IpNet::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0).expect("0 is a prefix length"),
        hop: Hop::Unreachable,
        source: None,
    }
}
