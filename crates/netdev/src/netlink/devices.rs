//! rtnetlink: the devices of a router: routed veths, uplinks, VXLAN. Numbers from `linux/if_link.h`,
//! `linux/neighbour.h`, `linux/ip.h`.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::message::{Batch, NLM_F_ACK};
use super::route::{
    IFF_UP, IFLA_ADDRESS, IFLA_IFALIAS, IFLA_IFNAME, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO,
    IFLA_MTU, IFLA_NET_NS_FD, LINK_HEAD_LEN, NLM_F_CREATE, NLM_F_EXCL, RTM_NEWLINK, VETH_INFO_PEER,
    link_head,
};

const RTM_SETNEIGHTBL: u16 = 67;
const IFLA_AF_SPEC: u16 = 26;
const AF_INET: u16 = 2;
const IFLA_INET_CONF: u16 = 1;
const IPV4_DEVCONF_RP_FILTER: u16 = 8;
const NDTA_NAME: u16 = 1;
const NDTA_PARMS: u16 = 6;
const NDTPA_IFINDEX: u16 = 1;
const NDTPA_PROXY_DELAY: u16 = 13;
const VXLAN_ID: u16 = 1;
const VXLAN_LOCAL: u16 = 4;
const VXLAN_LEARNING: u16 = 7;
const VXLAN_PORT: u16 = 15;

/// Where VXLAN is sent to: the port IANA gave it.
pub const VXLAN_UDP_PORT: u16 = 4789;

/// `struct ifinfomsg` that clears these flags.
fn link_change(index: u32, cleared: u32) -> [u8; LINK_HEAD_LEN] {
    let mut head = link_head(0, index, 0);
    head[12..16].copy_from_slice(&cleared.to_ne_bytes());
    head
}

/// One end of a pair.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    pub name: &'a str,
    /// `None`: the kernel chooses.
    pub mac: Option<[u8; 6]>,
}

impl Batch {
    /// A pair without a bridge, its far end made inside `namespace`; the near end is up.
    pub fn add_pair(&mut self, near: End<'_>, far: End<'_>, mtu: u32, namespace: BorrowedFd<'_>) {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        self.message(RTM_NEWLINK, flags, &link_head(0, 0, IFF_UP), |link| {
            link.put_text(IFLA_IFNAME, near.name);
            link.put_u32(IFLA_MTU, mtu);
            if let Some(mac) = near.mac {
                link.put(IFLA_ADDRESS, &mac);
            }
            link.nest(IFLA_LINKINFO, |info| {
                info.put_text(IFLA_INFO_KIND, "veth");
                info.nest(IFLA_INFO_DATA, |data| {
                    data.nest(VETH_INFO_PEER, |end| {
                        end.raw(&link_head(0, 0, 0));
                        end.put_text(IFLA_IFNAME, far.name);
                        end.put_u32(IFLA_MTU, mtu);
                        if let Some(mac) = far.mac {
                            end.put(IFLA_ADDRESS, &mac);
                        }
                        end.put(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
                    });
                });
            });
        });
    }

    /// A VXLAN device in `namespace`, whose outer packets stay in the namespace of the socket that
    /// sends this. It learns nothing and floods nothing.
    pub fn add_vxlan(
        &mut self,
        end: End<'_>,
        vni: u32,
        local: Ipv4Addr,
        mtu: u32,
        namespace: BorrowedFd<'_>,
    ) {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        self.message(RTM_NEWLINK, flags, &link_head(0, 0, IFF_UP), |link| {
            link.put_text(IFLA_IFNAME, end.name);
            link.put_u32(IFLA_MTU, mtu);
            if let Some(mac) = end.mac {
                link.put(IFLA_ADDRESS, &mac);
            }
            link.put(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
            link.nest(IFLA_LINKINFO, |info| {
                info.put_text(IFLA_INFO_KIND, "vxlan");
                info.nest(IFLA_INFO_DATA, |data| {
                    data.put_u32(VXLAN_ID, vni);
                    data.put(VXLAN_LOCAL, &local.octets());
                    data.put(VXLAN_LEARNING, &[0]);
                    data.put(VXLAN_PORT, &VXLAN_UDP_PORT.to_be_bytes());
                });
            });
        });
    }

    /// The device's note, and whether a packet must come from where an answer would go.
    pub fn set_note(&mut self, name: &str, note: &str, is_strict: bool) {
        self.message(RTM_NEWLINK, NLM_F_ACK, &link_head(0, 0, 0), |link| {
            link.put_text(IFLA_IFNAME, name);
            link.put(IFLA_IFALIAS, note.as_bytes());
            link.nest(IFLA_AF_SPEC, |families| {
                families.nest(AF_INET, |inet| {
                    inet.nest(IFLA_INET_CONF, |conf| {
                        conf.put_u32(IPV4_DEVCONF_RP_FILTER, u32::from(is_strict));
                    });
                });
            });
        });
    }

    /// Takes a device out of use: nothing passes it, no route or neighbour is left of it, and its name
    /// is free.
    pub fn retire(&mut self, index: u32, name: &str) {
        self.message(RTM_NEWLINK, NLM_F_ACK, &link_change(index, IFF_UP), |_| {});
        self.message(RTM_NEWLINK, NLM_F_ACK, &link_change(index, 0), |link| {
            link.put_text(IFLA_IFNAME, name);
            link.put(IFLA_IFALIAS, &[]);
        });
    }

    /// Proxy ARP answers at once: by default the first answer waits up to 0.8 s.
    pub fn set_no_proxy_delay(&mut self, index: u32) {
        self.message(RTM_SETNEIGHTBL, NLM_F_ACK, &[AF_INET as u8, 0, 0, 0], |t| {
            t.put_text(NDTA_NAME, "arp_cache");
            t.nest(NDTA_PARMS, |parms| {
                parms.put_u32(NDTPA_IFINDEX, index);
                parms.put(NDTPA_PROXY_DELAY, &0u64.to_ne_bytes());
            });
        });
    }
}
