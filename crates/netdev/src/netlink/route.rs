//! rtnetlink: links, addresses, routes. Numbers from `linux/rtnetlink.h`, `if_link.h`, `if_bridge.h`.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::message::{Batch, NLM_F_ACK, parse};
use super::{NLM_F_DUMP, Socket};
use crate::cidr::Ipv4Cidr;

pub(super) const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
pub(super) const RTM_NEWADDR: u16 = 20;
pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_GETROUTE: u16 = 26;
pub(super) const NLM_F_EXCL: u16 = 0x200;
pub(super) const NLM_F_REPLACE: u16 = 0x100;
pub(super) const NLM_F_CREATE: u16 = 0x400;

const AF_INET: u8 = 2;
pub(super) const IFF_UP: u32 = 1;

pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
pub(super) const IFLA_MTU: u16 = 4;
const IFLA_GROUP: u16 = 27;
const IFLA_OPERSTATE: u16 = 16;
const IF_OPER_UP: u8 = 6;
pub(super) const IFLA_LINKINFO: u16 = 18;
pub(super) const IFLA_IFALIAS: u16 = 20;
pub(super) const IFLA_NET_NS_FD: u16 = 28;
pub(super) const IFLA_INFO_KIND: u16 = 1;
pub(super) const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_STATE: u16 = 1;
const IFLA_BRPORT_MODE: u16 = 4;
pub(super) const VETH_INFO_PEER: u16 = 1;
pub(super) const IFA_ADDRESS: u16 = 1;
pub(super) const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
pub(super) const RTA_DST: u16 = 1;
pub(super) const RTA_OIF: u16 = 4;
pub(super) const RTA_GATEWAY: u16 = 5;

pub(super) const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;
pub(super) const RT_SCOPE_UNIVERSE: u8 = 0;
pub(super) const RTN_UNICAST: u8 = 1;
const RTN_BROADCAST: u8 = 3;
const RTN_MULTICAST: u8 = 5;

pub(super) const LINK_HEAD_LEN: usize = 16;
pub(super) const ROUTE_HEAD_LEN: usize = 12;
/// Loopback is the first device of every namespace.
pub const LOOPBACK_INDEX: u32 = 1;
/// A bridge port that passes packets.
const BR_STATE_FORWARDING: u8 = 3;

/// A device as the kernel lists it.
#[derive(Debug, Clone, Default)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// `bridge`, `veth`; empty for hardware.
    pub kind: String,
    pub alias: String,
    pub is_port_forwarding: bool,
    pub mtu: u32,
    pub mac: Option<[u8; 6]>,
    /// It passes packets: both ends are up, and the kernel's work queue has opened it.
    pub is_open: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub to: Ipv4Cidr,
    pub device: u32,
}

/// `struct ifinfomsg`.
pub(super) fn link_head(family: u8, index: u32, flags: u32) -> [u8; LINK_HEAD_LEN] {
    let mut head = [0; LINK_HEAD_LEN];
    head[0] = family;
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[8..12].copy_from_slice(&flags.to_ne_bytes());
    head[12..16].copy_from_slice(&flags.to_ne_bytes());
    head
}

impl Batch {
    pub fn add_bridge(&mut self, name: &str, mac: [u8; 6]) {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        self.message(RTM_NEWLINK, flags, &link_head(0, 0, 0), |link| {
            link.put_text(IFLA_IFNAME, name);
            link.put(IFLA_ADDRESS, &mac);
            link.nest(IFLA_LINKINFO, |info| {
                info.put_text(IFLA_INFO_KIND, "bridge");
            });
        });
    }

    /// A pair whose far end is made inside `namespace` at once: moving a device costs 20 ms.
    pub fn add_veth(
        &mut self,
        name: &str,
        bridge: u32,
        peer: &str,
        mac: [u8; 6],
        namespace: BorrowedFd<'_>,
    ) {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        self.message(RTM_NEWLINK, flags, &link_head(0, 0, IFF_UP), |link| {
            link.put_text(IFLA_IFNAME, name);
            link.put_u32(IFLA_MASTER, bridge);
            link.nest(IFLA_LINKINFO, |info| {
                info.put_text(IFLA_INFO_KIND, "veth");
                info.nest(IFLA_INFO_DATA, |data| {
                    data.nest(VETH_INFO_PEER, |end| {
                        // Not up yet: the kernel opens a veth only when its other end is there.
                        end.raw(&link_head(0, 0, 0));
                        end.put_text(IFLA_IFNAME, peer);
                        end.put(IFLA_ADDRESS, &mac);
                        end.put(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
                    });
                });
            });
        });
    }

    /// Lets a port send back what came in by it. Needed where `bridge-nf-call-iptables` is on, as
    /// then a container's call to its own host port is turned around inside the bridge.
    pub fn set_hairpin(&mut self, name: &str) {
        self.message(RTM_NEWLINK, NLM_F_ACK, &link_head(0, 0, 0), |link| {
            link.put_text(IFLA_IFNAME, name);
            link.nest(IFLA_LINKINFO, |info| {
                info.put_text(IFLA_INFO_SLAVE_KIND, "bridge");
                info.nest(IFLA_INFO_SLAVE_DATA, |data| {
                    data.put(IFLA_BRPORT_MODE, &[1]);
                });
            });
        });
    }

    pub fn set_up(&mut self, index: u32) {
        self.message(RTM_NEWLINK, NLM_F_ACK, &link_head(0, index, IFF_UP), |_| {});
    }

    /// The group that rules know a device by (`iifgroup`); 0 is that of a new one.
    pub fn set_group(&mut self, index: u32, group: u32) {
        self.message(RTM_NEWLINK, NLM_F_ACK, &link_head(0, index, 0), |link| {
            link.put_u32(IFLA_GROUP, group);
        });
    }

    pub fn set_alias(&mut self, index: u32, alias: &str) {
        self.message(RTM_NEWLINK, NLM_F_ACK, &link_head(0, index, 0), |link| {
            link.put(IFLA_IFALIAS, alias.as_bytes());
        });
    }

    pub fn delete_link(&mut self, name: &str) {
        self.message(RTM_DELLINK, NLM_F_ACK, &link_head(0, 0, 0), |link| {
            link.put_text(IFLA_IFNAME, name);
        });
    }

    /// Replaces, so that it may be repeated.
    pub fn add_address(&mut self, index: u32, address: Ipv4Addr, range: Ipv4Cidr) {
        let mut head = [AF_INET, range.prefix_len(), 0, 0, 0, 0, 0, 0];
        head[4..8].copy_from_slice(&index.to_ne_bytes());
        let flags = NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK;
        self.message(RTM_NEWADDR, flags, &head, |a| {
            a.put(IFA_LOCAL, &address.octets());
            a.put(IFA_ADDRESS, &address.octets());
            if let Some(broadcast) = u32::try_from(range.size() - 1)
                .ok()
                .and_then(|last| range.nth(last))
            {
                a.put(IFA_BROADCAST, &broadcast.octets());
            }
        });
    }

    pub fn add_default_route(&mut self, index: u32, gateway: Ipv4Addr) {
        let mut head = [0; ROUTE_HEAD_LEN];
        head[0] = AF_INET;
        head[4..8].copy_from_slice(&[RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST]);
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        self.message(RTM_NEWROUTE, flags, &head, |route| {
            route.put(RTA_GATEWAY, &gateway.octets());
            route.put_u32(RTA_OIF, index);
        });
    }
}

impl Socket {
    /// `None` when there is no such device.
    pub fn link(&mut self, name: &str) -> io::Result<Option<Link>> {
        let mut batch = Batch::new();
        batch.message(RTM_GETLINK, NLM_F_ACK, &link_head(0, 0, 0), |link| {
            link.put_text(IFLA_IFNAME, name);
        });
        let mut found = None;
        match self.dump(batch, |kind, payload| {
            if kind == RTM_NEWLINK {
                found = Some(link_of(payload));
            }
        }) {
            Ok(()) => Ok(found),
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        let mut batch = Batch::new();
        batch.message(RTM_GETLINK, NLM_F_DUMP, &link_head(0, 0, 0), |_| {});
        let mut links = Vec::new();
        self.dump(batch, |kind, payload| {
            if kind == RTM_NEWLINK {
                links.push(link_of(payload));
            }
        })?;
        Ok(links)
    }

    /// IPv4 destinations of every table, the host's own addresses included; not the default routes.
    pub fn routes(&mut self) -> io::Result<Vec<Route>> {
        let mut head = [0; ROUTE_HEAD_LEN];
        head[0] = AF_INET;
        let mut batch = Batch::new();
        batch.message(RTM_GETROUTE, NLM_F_DUMP, &head, |_| {});
        let mut routes = Vec::new();
        self.dump(batch, |kind, payload| {
            if kind == RTM_NEWROUTE {
                routes.extend(route_of(payload));
            }
        })?;
        Ok(routes)
    }
}

fn link_of(payload: &[u8]) -> Link {
    let mut link = Link {
        index: word(payload.get(4..8)),
        ..Link::default()
    };
    for (kind, value) in parse(payload.get(LINK_HEAD_LEN..).unwrap_or_default()) {
        match kind {
            IFLA_IFNAME => link.name = text(value),
            IFLA_IFALIAS => link.alias = text(value),
            IFLA_ADDRESS => link.mac = value.try_into().ok(),
            IFLA_OPERSTATE => link.is_open = value == [IF_OPER_UP],
            IFLA_MTU => link.mtu = word(Some(value)),
            IFLA_LINKINFO => read_link_info(value, &mut link),
            _ => {}
        }
    }
    link
}

fn read_link_info(info: &[u8], link: &mut Link) {
    for (kind, value) in parse(info) {
        match kind {
            IFLA_INFO_KIND => link.kind = text(value),
            IFLA_INFO_SLAVE_DATA => {
                link.is_port_forwarding = parse(value).any(|(kind, state)| {
                    kind == IFLA_BRPORT_STATE && state == [BR_STATE_FORWARDING]
                });
            }
            _ => {}
        }
    }
}

fn route_of(payload: &[u8]) -> Option<Route> {
    let [_, prefix_len, _, _, _, _, _, kind] = *payload.first_chunk::<8>()?;
    if prefix_len == 0 || kind == RTN_BROADCAST || kind == RTN_MULTICAST {
        return None;
    }
    let (mut to, mut device) = (Ipv4Addr::UNSPECIFIED, 0);
    for (kind, value) in parse(payload.get(ROUTE_HEAD_LEN..)?) {
        match kind {
            RTA_DST => to = Ipv4Addr::from(*value.first_chunk::<4>()?),
            RTA_OIF => device = word(Some(value)),
            _ => {}
        }
    }
    Some(Route {
        to: Ipv4Cidr::containing(to, prefix_len)?,
        device,
    })
}

pub(super) fn word(bytes: Option<&[u8]>) -> u32 {
    bytes
        .and_then(<[u8]>::first_chunk::<4>)
        .map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\0')
        .to_owned()
}
