//! The host's side of the routers: their uplinks, the routes of public addresses, the host's own table.
//!
//! An uplink's number says which link addresses it has; its note says whose it is, so that nothing need be
//! remembered. Numbers start at a place that the tag gives, so that several Longshores of one host
//! seldom ask for the same.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;

use ipnet::IpNet;
use rustix::io::Errno;

use super::encryption::{self, Between, Key, Peer, Tunnel, WIREGUARD_OVERHEAD};
use super::overlay::script;
use super::registers::{ip, member};
use crate::bridge::lock;
use crate::config::NetworkConfig;
use crate::error::NetworkError;
use crate::forwarding;
use crate::names::Names;
use crate::netlink::Socket;
use crate::netlink::devices::End;
use crate::netlink::elements::RawElement;
use crate::netlink::message::Batch;
use crate::netlink::nft::transaction;
use crate::netlink::paths::{Hop, MAIN, Path};
use crate::netlink::route::Link;
use crate::rules;
use crate::sysctl;
use crate::veth;

/// 169.254.128.0/17 in ranges of four addresses.
const LINKS: u16 = 8192;
const LINKS_FIRST: u32 = 0xa9fe_8000;
const LINK_PREFIX_LEN: u8 = 30;
/// The two ends of any uplink.
pub const HOST_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
pub const ROUTER_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const LINK_LOCAL_PREFIX_LEN: u8 = 64;
/// What VXLAN puts around a packet: Ethernet, IPv4, UDP and its own header.
const VXLAN_OVERHEAD: u32 = 50;
/// What interfaces have on one host, and what leaves a VPC at most, as on AWS.
pub const MTU: u32 = 1500;
/// AWS's own most within a VPC.
const MTU_MAX: u32 = 9001;

/// The device of an uplink inside its router.
pub const ROUTER_DEVICE: &str = "up0";

/// One uplink.
#[derive(Debug, Clone)]
pub struct Uplink {
    pub device: String,
    pub index: u32,
    number: u16,
}

impl Uplink {
    fn range(number: u16) -> u32 {
        LINKS_FIRST + u32::from(number) * 4
    }

    /// The host's end.
    pub fn host(&self) -> Ipv4Addr {
        Ipv4Addr::from(Self::range(self.number) + 1)
    }

    /// The router's end.
    pub fn router(&self) -> Ipv4Addr {
        Ipv4Addr::from(Self::range(self.number) + 2)
    }

    /// An address of an end, with its prefix.
    pub fn net(address: IpAddr) -> IpNet {
        let prefix_len = if address.is_ipv4() {
            LINK_PREFIX_LEN
        } else {
            LINK_LOCAL_PREFIX_LEN
        };
        IpNet::new(address, prefix_len).expect("both lengths are within their family's")
    }
}

/// The host's namespace, by sockets that were opened in it.
#[derive(Debug)]
pub struct HostSide {
    names: Names,
    underlay: Option<Ipv4Addr>,
    pub route: Socket,
    nft: Socket,
    known: BTreeSet<Ipv4Addr>,
    tunnel: Option<Tunnel>,
}

impl HostSide {
    /// Opens the sockets and loads the host's table; the calling thread is in the host's namespace.
    pub fn open(config: &NetworkConfig, names: &Names) -> Result<Self, NetworkError> {
        let mut host = Self::without_table(config, names)?;
        let tunnel = names.tunnel();
        let is_encrypted = match config.between {
            Between::Clear => false,
            Between::Encrypted(_) => true,
            Between::AsItStands => host.links()?.iter().any(|link| link.name == tunnel),
        };
        let tunnel = is_encrypted.then_some(tunnel);
        let script = script(names, config.underlay, tunnel.as_deref());
        rules::run_nft(&names.vpc_table(), &script)?;
        match (config.underlay, &config.between) {
            (Some(own), Between::Encrypted(encryption)) => {
                let mtu = host.underlay_mtu(own)?;
                let tunnel = Tunnel::open(names, (own, encryption), mtu, &mut host.route)?;
                host.tunnel = Some(tunnel);
            }
            (None, Between::Encrypted(_)) => {
                let text = "hosts that encrypt need an address in the network between them";
                return Err(NetworkError::Config(text.into()));
            }
            (_, Between::Clear) => encryption::remove(names, &mut host.route)?,
            (_, Between::AsItStands) => {}
        }
        Ok(host)
    }

    /// What this host encrypts with, if it does.
    pub fn public_key(&self) -> Option<Key> {
        self.tunnel.as_ref().map(|tunnel| tunnel.public_key)
    }

    /// Opens the sockets, to remove what is there.
    pub fn without_table(config: &NetworkConfig, names: &Names) -> Result<Self, NetworkError> {
        let failed = |e| NetworkError::kernel("netlink socket", e);
        Ok(Self {
            names: names.clone(),
            underlay: config.underlay,
            route: Socket::route().map_err(failed)?,
            nft: Socket::netfilter().map_err(failed)?,
            known: BTreeSet::new(),
            tunnel: None,
        })
    }

    /// Removes the host's table, and its way to other hosts; idempotent.
    pub fn delete_table(&mut self) -> Result<(), NetworkError> {
        encryption::remove(&self.names, &mut self.route)?;
        let table = self.names.vpc_table();
        let batch = transaction(|batch| batch.delete_inet_table(&table));
        match self.nft.transact(batch) {
            Ok(()) | Err((_, Errno::NOENT)) => Ok(()),
            Err((_, errno)) => {
                let what = format!("delete nftables table {table}");
                Err(NetworkError::kernel(what, errno))
            }
        }
    }

    /// Of interfaces: what fits into the underlay's packets, where there is one.
    ///
    /// # Errors
    /// No device of the host has the underlay's address.
    pub fn mtu(&mut self) -> Result<u32, NetworkError> {
        let Some(underlay) = self.underlay else {
            return Ok(MTU);
        };
        let around = match self.tunnel {
            Some(_) => VXLAN_OVERHEAD + WIREGUARD_OVERHEAD,
            None => VXLAN_OVERHEAD,
        };
        let mtu = self.underlay_mtu(underlay)?;
        Ok(mtu.saturating_sub(around).min(MTU_MAX))
    }

    fn underlay_mtu(&mut self, underlay: Ipv4Addr) -> Result<u32, NetworkError> {
        let failed = |e| NetworkError::kernel(format!("device of underlay {underlay}"), e);
        let all = self.route.addresses_of_devices().map_err(failed)?;
        let device = all
            .into_iter()
            .find(|(_, own)| *own == IpAddr::V4(underlay));
        let links = self.route.links().map_err(failed)?;
        let link = device.and_then(|(index, _)| links.into_iter().find(|l| l.index == index));
        match link {
            Some(link) => Ok(link.mtu),
            None => Err(failed(Errno::ADDRNOTAVAIL.into())),
        }
    }

    /// The uplinks of this tag, each with the VPC that its note names.
    pub fn uplinks(&mut self) -> Result<Vec<(String, Uplink)>, NetworkError> {
        let prefix = self.names.uplink_prefix();
        let links = self.links()?.into_iter();
        Ok(links.filter_map(|link| own_uplink(&prefix, link)).collect())
    }

    fn links(&mut self) -> Result<Vec<Link>, NetworkError> {
        self.route
            .links()
            .map_err(|e| NetworkError::kernel("list links", e))
    }

    /// The VPC's uplink, made if it is not there, its far end in `namespace`.
    pub fn ensure(&mut self, vpc: &str, namespace: BorrowedFd<'_>) -> Result<Uplink, NetworkError> {
        let _lock = lock()?;
        if let Some((_, found)) = self.uplinks()?.into_iter().find(|(of, _)| of == vpc) {
            return Ok(found);
        }
        let failed = |e| NetworkError::kernel(format!("uplink of {vpc}"), e);
        let number = self.free_number(vpc)?;
        let device = self.names.uplink(number);
        let mut batch = Batch::new();
        let (near, far) = (&device, ROUTER_DEVICE);
        let end = |name| End { name, mac: None };
        batch.add_pair(end(near), end(far), MTU, namespace);
        self.route
            .transact(batch)
            .map_err(|(_, e)| failed(e.into()))?;
        let index = self
            .route
            .link(&device)
            .map_err(failed)?
            .ok_or_else(|| failed(Errno::NODEV.into()))?
            .index;
        let uplink = Uplink {
            device,
            index,
            number,
        };
        sysctl::write_if_present(&format!("ipv6/conf/{}/disable_ipv6", uplink.device), "0")?;
        let mut batch = Batch::new();
        batch.set_alias(index, &format!("{vpc} "));
        batch.put_address(index, Uplink::net(uplink.host().into()));
        batch.put_address(index, Uplink::net(HOST_LINK_LOCAL.into()));
        let refused = self.route.exchange(batch).map_err(|e| failed(e.into()))?;
        // A host without IPv6 refuses the last of them.
        if let Some((_, errno)) = refused.into_iter().find(|(at, _)| *at < 2) {
            return Err(failed(errno.into()));
        }
        sysctl::write(&format!("ipv4/conf/{}/send_redirects", uplink.device), "0")?;
        forwarding::turn_on(&uplink.device, &mut self.route)?;
        Ok(uplink)
    }

    /// Addresses that no route of the host overlaps. The caller holds the machine-wide lock.
    fn free_number(&mut self, vpc: &str) -> Result<u16, NetworkError> {
        let routes = self
            .route
            .routes()
            .map_err(|e| NetworkError::kernel("list routes", e))?;
        let taken: BTreeSet<u32> = routes
            .iter()
            .filter(|route| route.to.prefix_len() >= LINK_PREFIX_LEN)
            .map(|route| u32::from(route.to.network()) & !3)
            .collect();
        let tag = u32::from_str_radix(&self.names.uplink_prefix()[1..], 16).unwrap_or_default();
        let first = (tag % u32::from(LINKS)) as u16;
        (0..LINKS)
            .map(|step| (first + step) % LINKS)
            .find(|number| !taken.contains(&Uplink::range(*number)))
            .ok_or_else(|| NetworkError::NoLinkAddress { vpc: vpc.into() })
    }

    /// Removes an uplink; idempotent.
    pub fn remove(&mut self, device: &str) -> Result<(), NetworkError> {
        let _lock = lock()?;
        let links = self.links()?;
        veth::unplug(&mut self.route, device)?;
        forwarding::turn_off_if_ours(|link| link == device, &links)
    }

    /// The public addresses that are handed to a router.
    pub fn publics(&mut self, uplink: &Uplink) -> Result<BTreeSet<IpAddr>, NetworkError> {
        let paths = self
            .route
            .paths()
            .map_err(|e| NetworkError::kernel("list routes", e))?;
        let own = paths.into_iter().filter(|path| {
            matches!(path.hop, Hop::Device { index, gateway: Some(_) } if index == uplink.index)
        });
        Ok(own.map(|path| path.to.addr()).collect())
    }

    /// Hands packets for the addresses to a router, or no longer does; both may be repeated.
    pub fn publish(
        &mut self,
        uplink: &Uplink,
        put: &[IpAddr],
        remove: &[IpAddr],
    ) -> Result<(), NetworkError> {
        if put.is_empty() && remove.is_empty() {
            return Ok(());
        }
        let failed = |e: Errno| NetworkError::kernel("public addresses of the host", e);
        let path = |address: &IpAddr| Path {
            table: MAIN,
            to: IpNet::from(*address),
            hop: Hop::Device {
                index: uplink.index,
                gateway: Some(match address {
                    IpAddr::V4(_) => uplink.router().into(),
                    IpAddr::V6(_) => ROUTER_LINK_LOCAL.into(),
                }),
            },
            source: None,
        };
        let mut puts = Batch::new();
        put.iter().for_each(|address| puts.put_path(path(address)));
        let refused = self.route.exchange(puts).map_err(failed)?;
        let mut removes = Batch::new();
        remove
            .iter()
            .for_each(|address| removes.delete_path(path(address)));
        self.route.exchange(removes).map_err(failed)?;
        for address in put.iter().chain(remove) {
            let element = member(ip(*address));
            let set = if address.is_ipv4() {
                "public"
            } else {
                "public6"
            };
            self.element(set, &element, put.contains(address))?;
        }
        refused
            .first()
            .map_or(Ok(()), |(_, errno)| Err(failed(*errno)))
    }

    /// VXLAN is taken from these and no other, and where this host encrypts, encrypted alone.
    pub fn know(&mut self, all: &BTreeMap<Ipv4Addr, Option<Peer>>) -> Result<(), NetworkError> {
        if let Some(tunnel) = &mut self.tunnel {
            let peers = all
                .iter()
                .filter_map(|(host, peer)| Some((*host, peer.clone()?)));
            tunnel.hold(&peers.collect(), &mut self.route)?;
        }
        let hosts: BTreeSet<Ipv4Addr> = all.keys().copied().collect();
        for host in hosts.symmetric_difference(&self.known.clone()) {
            let element = member(host.octets().to_vec());
            self.element("hosts", &element, hosts.contains(host))?;
        }
        self.known = hosts;
        Ok(())
    }

    /// VXLAN of this number is a VPC's.
    pub fn guard(&mut self, vni: u32) -> Result<(), NetworkError> {
        let [_, number @ ..] = vni.to_be_bytes();
        self.element("vnis", &member(number.to_vec()), true)
    }

    /// Forgets hosts that were known before a restart.
    pub fn read_known(&mut self) -> Result<(), NetworkError> {
        let table = self.names.vpc_table();
        let known = self
            .nft
            .elements(&table, "hosts")
            .map_err(|e| NetworkError::kernel(format!("table {table}"), e))?;
        let known = known.iter().filter_map(|e| e.key.first_chunk::<4>());
        self.known = known.map(|octets| Ipv4Addr::from(*octets)).collect();
        Ok(())
    }

    fn element(&mut self, set: &str, one: &RawElement, is_put: bool) -> Result<(), NetworkError> {
        let table = self.names.vpc_table();
        let batch = transaction(|batch| {
            if is_put {
                batch.put_elements(&table, set, &[one]);
            } else {
                batch.drop_elements(&table, set, &[one]);
            }
        });
        match self.nft.transact(batch) {
            Ok(()) => Ok(()),
            Err((_, Errno::NOENT)) if !is_put => Ok(()),
            Err((_, errno)) => {
                let what = format!("{set} of nftables table {table}");
                Err(NetworkError::kernel(what, errno))
            }
        }
    }
}

fn own_uplink(prefix: &str, link: Link) -> Option<(String, Uplink)> {
    let number = u16::from_str_radix(link.name.strip_prefix(prefix)?, 16).ok()?;
    let vpc = link.alias.split(' ').next()?.to_owned();
    let uplink = Uplink {
        device: link.name,
        index: link.index,
        number,
    };
    Some((vpc, uplink))
}
