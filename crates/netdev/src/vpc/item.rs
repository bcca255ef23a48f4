//! The single things that a router holds. Each may be put and taken away alone.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::netlink::elements::RawElement;

/// A thing of a router. Their order is the order of putting: what names another comes after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// An address of the router itself.
    Address(IpAddr),
    /// Another host, reached by VXLAN at this address.
    Peer(Ipv4Addr),
    /// A route. (table, destination) is unique.
    Route {
        /// The table.
        table: u32,
        /// The destination.
        to: IpNet,
        /// What becomes of the packet.
        way: Way,
        /// The router's own address towards there.
        source: Option<IpAddr>,
    },
    /// Who has such a source asks that table.
    Rule {
        /// The source.
        from: IpNet,
        /// The table.
        table: u32,
    },
    /// Answers of a family to flows that came from that host ask its table, [`table_of`].
    Answers {
        /// The host.
        to: Ipv4Addr,
        /// Of IPv6, or of IPv4.
        is_ipv6: bool,
    },
    /// An address for which the host is to hand packets to this router, and which may leave the host.
    Public(IpAddr),
    /// A chain of a network ACL; its name is unique.
    Chain {
        /// Its name.
        name: String,
        /// Its rules, as `nft` reads them.
        rules: Vec<String>,
    },
    /// An element of a set or map. (set, key) is unique.
    Element {
        /// The set.
        set: &'static str,
        /// The element.
        element: RawElement,
    },
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// Its sender is told.
    Unreachable,
    /// Nothing.
    Blackhole,
    /// To the host, and from there on.
    Up,
    /// To another host.
    Overlay(Ipv4Addr),
    /// To the interface of this host that has the address; nowhere as long as it is not attached.
    Interface(IpAddr),
}

/// The device of a local interface in its router: named after the primary address, which one interface
/// of a VPC has at a time.
pub fn device_of(primary: Ipv4Addr) -> String {
    format!("e{:08x}", u32::from(primary))
}

/// A host's mark on the flows that come from it, and the table that leads back to it. Addresses of hosts are
/// above every number that other tables have.
pub fn table_of(underlay: Ipv4Addr) -> u32 {
    underlay.into()
}
