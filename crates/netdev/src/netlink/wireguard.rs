//! Generic netlink, as far as WireGuard needs it. Numbers from `linux/genetlink.h`, `linux/wireguard.h`.

use std::io;
use std::net::Ipv4Addr;

use rustix::io::Errno;

use super::message::{Batch, NLM_F_ACK, parse};
use super::route::{
    IFF_UP, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MTU, NLM_F_CREATE, NLM_F_EXCL,
    RTM_NEWLINK, link_head,
};
use super::{NLM_F_DUMP, Socket};

const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const HEAD_LEN: usize = 4;
const WG_CMD_GET_DEVICE: u8 = 0;
const WG_CMD_SET_DEVICE: u8 = 1;
const WG_VERSION: u8 = 1;
const WGDEVICE_A_IFINDEX: u16 = 1;
const WGDEVICE_A_PRIVATE_KEY: u16 = 3;
const WGDEVICE_A_PUBLIC_KEY: u16 = 4;
const WGDEVICE_A_LISTEN_PORT: u16 = 6;
const WGDEVICE_A_PEERS: u16 = 8;
const WGPEER_A_PUBLIC_KEY: u16 = 1;
const WGPEER_A_FLAGS: u16 = 3;
const WGPEER_A_ENDPOINT: u16 = 4;
const WGPEER_A_ALLOWEDIPS: u16 = 9;
const WGPEER_F_REMOVE_ME: u32 = 1;
const WGPEER_F_REPLACE_ALLOWEDIPS: u32 = 2;
const WGALLOWEDIP_A_FAMILY: u16 = 1;
const WGALLOWEDIP_A_IPADDR: u16 = 2;
const WGALLOWEDIP_A_CIDR_MASK: u16 = 3;
const AF_INET: u16 = 2;
const ADDRESS_BITS: u8 = 32;

/// A key of Curve25519.
pub type Key = [u8; 32];

/// The number that this kernel gave WireGuard.
#[derive(Debug, Clone, Copy)]
pub struct Family(u16);

/// What a device is told or asked.
struct Command {
    family: Family,
    command: u8,
    flags: u16,
    /// Of the device.
    index: u32,
}

fn head(command: u8) -> [u8; HEAD_LEN] {
    [command, WG_VERSION, 0, 0]
}

impl Batch {
    /// A WireGuard device, up, with neither key nor peer. Its encrypted packets stay in the namespace of the
    /// socket that sends this.
    pub fn add_wireguard(&mut self, name: &str, mtu: u32) {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        self.message(RTM_NEWLINK, flags, &link_head(0, 0, IFF_UP), |link| {
            link.put_text(IFLA_IFNAME, name);
            link.put_u32(IFLA_MTU, mtu);
            link.nest(IFLA_LINKINFO, |info| {
                info.put_text(IFLA_INFO_KIND, "wireguard");
            });
        });
    }

    /// The device's own key, and the UDP port at which it takes packets. The same key again ends no session.
    pub fn set_wireguard(&mut self, family: Family, index: u32, private_key: &Key, port: u16) {
        let to = Command::set(family, index);
        self.wireguard(&to, |device| {
            device.put(WGDEVICE_A_PRIVATE_KEY, private_key);
            device.put(WGDEVICE_A_LISTEN_PORT, &port.to_ne_bytes());
        });
    }

    /// A peer, by its key: where it takes packets, and the one address that it may be.
    pub fn put_wireguard_peer(
        &mut self,
        family: Family,
        index: u32,
        public_key: &Key,
        (address, port): (Ipv4Addr, u16),
    ) {
        self.wireguard_peer(family, index, public_key, |peer| {
            peer.put_u32(WGPEER_A_FLAGS, WGPEER_F_REPLACE_ALLOWEDIPS);
            peer.put(WGPEER_A_ENDPOINT, &socket_address(address, port));
            peer.nest(WGPEER_A_ALLOWEDIPS, |all| {
                all.nest(0, |one| {
                    one.put(WGALLOWEDIP_A_FAMILY, &AF_INET.to_ne_bytes());
                    one.put(WGALLOWEDIP_A_IPADDR, &address.octets());
                    one.put(WGALLOWEDIP_A_CIDR_MASK, &[ADDRESS_BITS]);
                });
            });
        });
    }

    /// Takes a peer away, if it is there.
    pub fn remove_wireguard_peer(&mut self, family: Family, index: u32, public_key: &Key) {
        self.wireguard_peer(family, index, public_key, |peer| {
            peer.put_u32(WGPEER_A_FLAGS, WGPEER_F_REMOVE_ME);
        });
    }

    fn wireguard_peer(
        &mut self,
        family: Family,
        index: u32,
        public_key: &Key,
        fill: impl FnOnce(&mut super::message::Attributes<'_>),
    ) {
        self.wireguard(&Command::set(family, index), |device| {
            device.nest(WGDEVICE_A_PEERS, |peers| {
                peers.nest(0, |peer| {
                    peer.put(WGPEER_A_PUBLIC_KEY, public_key);
                    fill(peer);
                });
            });
        });
    }

    fn wireguard(&mut self, to: &Command, fill: impl FnOnce(&mut super::message::Attributes<'_>)) {
        self.message(to.family.0, to.flags, &head(to.command), |device| {
            device.put_u32(WGDEVICE_A_IFINDEX, to.index);
            fill(device);
        });
    }
}

impl Command {
    fn set(family: Family, index: u32) -> Self {
        Self {
            family,
            command: WG_CMD_SET_DEVICE,
            flags: NLM_F_ACK,
            index,
        }
    }
}

/// `struct sockaddr_in`.
fn socket_address(address: Ipv4Addr, port: u16) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
    bytes[2..4].copy_from_slice(&port.to_be_bytes());
    bytes[4..8].copy_from_slice(&address.octets());
    bytes
}

impl Socket {
    pub fn generic() -> io::Result<Self> {
        Self::open(Some(rustix::net::netlink::GENERIC))
    }

    /// What the kernel calls WireGuard; it loads the module if it has one.
    ///
    /// # Errors
    /// `NOENT`: this kernel has no WireGuard.
    pub fn wireguard_family(&mut self) -> Result<Family, Errno> {
        let mut batch = Batch::new();
        batch.message(
            GENL_ID_CTRL,
            NLM_F_ACK,
            &[CTRL_CMD_GETFAMILY, 1, 0, 0],
            |a| {
                a.put_text(CTRL_ATTR_FAMILY_NAME, "wireguard");
            },
        );
        let mut found = None;
        let read = self.dump(batch, |_, payload| {
            let rest = payload.get(HEAD_LEN..).unwrap_or_default();
            let id = parse(rest).find(|(kind, _)| *kind == CTRL_ATTR_FAMILY_ID);
            let id = id.and_then(|(_, value)| value.first_chunk::<2>());
            found = id.map(|id| Family(u16::from_ne_bytes(*id)));
        });
        read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        found.ok_or(Errno::NOENT)
    }

    /// The public key of a device that has a private one, and those of its peers.
    pub fn wireguard_keys(
        &mut self,
        family: Family,
        index: u32,
    ) -> io::Result<(Option<Key>, Vec<Key>)> {
        let mut batch = Batch::new();
        let ask = Command {
            family,
            command: WG_CMD_GET_DEVICE,
            flags: NLM_F_DUMP,
            index,
        };
        batch.wireguard(&ask, |_| {});
        let (mut own, mut peers) = (None, Vec::new());
        self.dump(batch, |_, payload| {
            for (kind, value) in parse(payload.get(HEAD_LEN..).unwrap_or_default()) {
                match kind {
                    WGDEVICE_A_PUBLIC_KEY => own = value.first_chunk().copied(),
                    WGDEVICE_A_PEERS => {
                        peers.extend(parse(value).filter_map(|(_, peer)| key_of(peer)));
                    }
                    _ => {}
                }
            }
        })?;
        Ok((own, peers))
    }
}

fn key_of(peer: &[u8]) -> Option<Key> {
    let (_, value) = parse(peer).find(|(kind, _)| *kind == WGPEER_A_PUBLIC_KEY)?;
    value.first_chunk().copied()
}
