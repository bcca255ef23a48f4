//! rtnetlink: addresses, routes and neighbours of both families. Numbers from `linux/rtnetlink.h`,
//! `neighbour.h`.
//!
//! Everything is put so that it may be repeated; what is not there may be deleted.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::message::{Attributes, Batch, NLM_F_ACK, parse};
use super::route::{
    IFA_ADDRESS, IFA_LOCAL, NLM_F_CREATE, NLM_F_REPLACE, ROUTE_HEAD_LEN, RT_SCOPE_UNIVERSE,
    RTA_DST, RTA_GATEWAY, RTA_OIF, RTM_GETROUTE, RTM_NEWADDR, RTM_NEWROUTE, RTN_UNICAST, word,
};
use super::{NLM_F_DUMP, Socket};

const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const RTM_DELROUTE: u16 = 25;
const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_GETNEIGH: u16 = 30;
pub(super) const AF_INET: u8 = 2;
const AF_BRIDGE: u8 = 7;
pub(super) const AF_INET6: u8 = 10;
const RTPROT_STATIC: u8 = 4;
const RTPROT_KERNEL: u8 = 2;
const RTN_BLACKHOLE: u8 = 6;
const RTN_UNREACHABLE: u8 = 7;
const RTNH_F_ONLINK: u32 = 4;
const RTA_PREFSRC: u16 = 7;
const RTA_TABLE: u16 = 15;
const IFA_F_NODAD: u8 = 2;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NUD_PERMANENT: u16 = 0x80;
const NTF_SELF: u8 = 2;
const NEIGHBOUR_HEAD_LEN: usize = 12;
const ADDRESS_HEAD_LEN: usize = 8;

/// The table that is asked first, after the host's own addresses.
pub const MAIN: u32 = 254;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// By a device, to a neighbour or straight to the destination.
    Device {
        index: u32,
        gateway: Option<IpAddr>,
    },
    /// The sender is told.
    Unreachable,
    Blackhole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    pub table: u32,
    pub to: IpNet,
    pub hop: Hop,
    /// The router's own address towards there (of its ICMP errors, for one).
    pub source: Option<IpAddr>,
}

pub(super) fn family_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    }
}

pub(super) fn put_ip(attributes: &mut Attributes<'_>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => attributes.put(kind, &address.octets()),
        IpAddr::V6(address) => attributes.put(kind, &address.octets()),
    }
}

impl Batch {
    pub fn put_address(&mut self, index: u32, address: IpNet) {
        let flags = NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK;
        self.address(RTM_NEWADDR, flags, index, address);
    }

    pub fn delete_address(&mut self, index: u32, address: IpNet) {
        self.address(RTM_DELADDR, NLM_F_ACK, index, address);
    }

    fn address(&mut self, kind: u16, flags: u16, index: u32, address: IpNet) {
        let mut head = [0; ADDRESS_HEAD_LEN];
        head[0] = family_of(address.addr());
        head[1] = address.prefix_len();
        head[2] = if address.addr().is_ipv6() {
            IFA_F_NODAD
        } else {
            0
        };
        head[4..8].copy_from_slice(&index.to_ne_bytes());
        self.message(kind, flags, &head, |a| {
            put_ip(a, IFA_LOCAL, address.addr());
            put_ip(a, IFA_ADDRESS, address.addr());
        });
    }

    pub fn put_path(&mut self, path: Path) {
        self.path(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, path);
    }

    pub fn delete_path(&mut self, path: Path) {
        self.path(RTM_DELROUTE, NLM_F_ACK, path);
    }

    fn path(&mut self, kind: u16, flags: u16, path: Path) {
        let mut head = [0; ROUTE_HEAD_LEN];
        head[0] = family_of(path.to.addr());
        head[1] = path.to.prefix_len();
        head[5] = RTPROT_STATIC;
        head[6] = RT_SCOPE_UNIVERSE;
        head[7] = match path.hop {
            Hop::Device { .. } => RTN_UNICAST,
            Hop::Unreachable => RTN_UNREACHABLE,
            Hop::Blackhole => RTN_BLACKHOLE,
        };
        if matches!(
            path.hop,
            Hop::Device {
                gateway: Some(_),
                ..
            }
        ) {
            head[8..12].copy_from_slice(&RTNH_F_ONLINK.to_ne_bytes());
        }
        self.message(kind, flags, &head, |route| {
            route.put_u32(RTA_TABLE, path.table);
            put_ip(route, RTA_DST, path.to.network());
            if let Hop::Device { index, gateway } = path.hop {
                route.put_u32(RTA_OIF, index);
                if let Some(gateway) = gateway {
                    put_ip(route, RTA_GATEWAY, gateway);
                }
            }
            if let Some(source) = path.source {
                put_ip(route, RTA_PREFSRC, source);
            }
        });
    }

    /// A neighbour that is never asked for its MAC.
    pub fn put_neighbour(&mut self, index: u32, address: IpAddr, mac: [u8; 6]) {
        let flags = NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK;
        let head = neighbour_head(family_of(address), index, 0);
        self.message(RTM_NEWNEIGH, flags, &head, |neighbour| {
            put_ip(neighbour, NDA_DST, address);
            neighbour.put(NDA_LLADDR, &mac);
        });
    }

    pub fn delete_neighbour(&mut self, index: u32, address: IpAddr) {
        let head = neighbour_head(family_of(address), index, 0);
        self.message(RTM_DELNEIGH, NLM_F_ACK, &head, |neighbour| {
            put_ip(neighbour, NDA_DST, address);
        });
    }

    /// Behind which host a VXLAN device finds a MAC.
    pub fn put_forwarding(&mut self, index: u32, mac: [u8; 6], host: Ipv4Addr) {
        let flags = NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK;
        self.forwarding(RTM_NEWNEIGH, flags, index, mac, host);
    }

    pub fn delete_forwarding(&mut self, index: u32, mac: [u8; 6], host: Ipv4Addr) {
        self.forwarding(RTM_DELNEIGH, NLM_F_ACK, index, mac, host);
    }

    fn forwarding(&mut self, kind: u16, flags: u16, index: u32, mac: [u8; 6], host: Ipv4Addr) {
        let head = neighbour_head(AF_BRIDGE, index, NTF_SELF);
        self.message(kind, flags, &head, |entry| {
            entry.put(NDA_LLADDR, &mac);
            entry.put(NDA_DST, &host.octets());
        });
    }
}

fn neighbour_head(family: u8, index: u32, flags: u8) -> [u8; NEIGHBOUR_HEAD_LEN] {
    let mut head = [0; NEIGHBOUR_HEAD_LEN];
    head[0] = family;
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[8..10].copy_from_slice(&NUD_PERMANENT.to_ne_bytes());
    head[10] = flags;
    head
}

impl Socket {
    /// The routes of every table but those that the kernel made itself.
    pub fn paths(&mut self) -> io::Result<Vec<Path>> {
        let mut found = Vec::new();
        for family in [AF_INET, AF_INET6] {
            let mut head = [0; ROUTE_HEAD_LEN];
            head[0] = family;
            self.list(RTM_GETROUTE, RTM_NEWROUTE, &head, |payload| {
                found.extend(path_of(payload));
            })?;
        }
        Ok(found)
    }

    /// The addresses of a device.
    pub fn addresses(&mut self, index: u32) -> io::Result<Vec<IpAddr>> {
        let all = self.addresses_of_devices()?;
        let own = all.into_iter().filter(|(device, _)| *device == index);
        Ok(own.map(|(_, address)| address).collect())
    }

    /// The addresses of all devices, by their index.
    pub fn addresses_of_devices(&mut self) -> io::Result<Vec<(u32, IpAddr)>> {
        let mut found = Vec::new();
        self.list(
            RTM_GETADDR,
            RTM_NEWADDR,
            &[0; ADDRESS_HEAD_LEN],
            |payload| {
                let rest = payload.get(ADDRESS_HEAD_LEN..).unwrap_or_default();
                let of = |wanted| parse(rest).find(|(kind, _)| *kind == wanted);
                let address = of(IFA_LOCAL).or_else(|| of(IFA_ADDRESS));
                if let Some(address) = address.and_then(|(_, value)| ip_of(value)) {
                    found.push((word(payload.get(4..8)), address));
                }
            },
        )?;
        Ok(found)
    }

    /// The IPv4 neighbours of a device.
    pub fn neighbours(&mut self, index: u32) -> io::Result<Vec<IpAddr>> {
        let mut found = Vec::new();
        let head = neighbour_head(AF_INET, 0, 0);
        self.list(RTM_GETNEIGH, RTM_NEWNEIGH, &head, |payload| {
            if word(payload.get(4..8)) == index {
                let rest = payload.get(NEIGHBOUR_HEAD_LEN..).unwrap_or_default();
                let address = parse(rest).find(|(kind, _)| *kind == NDA_DST);
                found.extend(address.and_then(|(_, value)| ip_of(value)));
            }
        })?;
        Ok(found)
    }

    pub(super) fn list(
        &mut self,
        ask: u16,
        answer: u16,
        head: &[u8],
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let mut batch = Batch::new();
        batch.message(ask, NLM_F_DUMP, head, |_| {});
        self.dump(batch, |kind, payload| {
            if kind == answer {
                each(payload);
            }
        })
    }
}

fn path_of(payload: &[u8]) -> Option<Path> {
    let [family, prefix_len, _, _, table, protocol, _, kind] = *payload.first_chunk::<8>()?;
    if protocol == RTPROT_KERNEL || (family != AF_INET && family != AF_INET6) {
        return None;
    }
    let (mut to, mut gateway, mut source) = (None, None, None);
    let (mut table, mut index) = (u32::from(table), 0);
    for (kind, value) in parse(payload.get(ROUTE_HEAD_LEN..)?) {
        match kind {
            RTA_DST => to = ip_of(value),
            RTA_GATEWAY => gateway = ip_of(value),
            RTA_PREFSRC => source = ip_of(value),
            RTA_TABLE => table = word(Some(value)),
            RTA_OIF => index = word(Some(value)),
            _ => {}
        }
    }
    let hop = match kind {
        RTN_UNICAST => Hop::Device { index, gateway },
        RTN_UNREACHABLE => Hop::Unreachable,
        RTN_BLACKHOLE => Hop::Blackhole,
        _ => return None,
    };
    let to = to.unwrap_or(any(family));
    Some(Path {
        table,
        to: IpNet::new(to, prefix_len).ok()?,
        hop,
        source,
    })
}

pub(super) fn any(family: u8) -> IpAddr {
    if family == AF_INET6 {
        IpAddr::from([0u8; 16])
    } else {
        IpAddr::from([0u8; 4])
    }
}

pub(super) fn ip_of(value: &[u8]) -> Option<IpAddr> {
    if let Some(bytes) = value.first_chunk::<16>() {
        return Some(IpAddr::from(*bytes));
    }
    value.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes))
}
