//! The host's devices, as the kernel tells of those of the caller's own namespace: `/sys` may show another's.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use crate::cidr::Ipv4Cidr;
use crate::netlink::Socket;

/// The interface by which this host goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WayOut {
    /// The address that its calls come from.
    pub address: Ipv4Addr,
    /// Absent for a tunnel.
    pub mac: Option<[u8; 6]>,
}

/// The index of a device, which no other ever had; `None` where there is none of this name.
#[must_use]
pub fn index(name: &str) -> Option<u32> {
    let link = Socket::route().ok()?.link(name).ok()??;
    Some(link.index)
}

/// Where this host knows a way to, the default routes left out; nowhere where the kernel does not say.
#[must_use]
pub fn destinations() -> Vec<Ipv4Cidr> {
    let routes = Socket::route().and_then(|mut socket| socket.routes());
    let routes = routes.unwrap_or_default().into_iter();
    routes.map(|route| route.to).collect()
}

/// `None` where the host goes nowhere.
#[must_use]
pub fn way_out() -> Option<WayOut> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Of a range for documentation: no packet is sent.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let IpAddr::V4(address) = socket.local_addr().ok()?.ip() else {
        return None;
    };
    let mut netlink = Socket::route().ok()?;
    let devices = netlink.addresses_of_devices().ok()?;
    let (index, _) = devices.iter().find(|(_, of)| *of == IpAddr::V4(address))?;
    let links = netlink.links().ok()?;
    let link = links.into_iter().find(|link| link.index == *index)?;
    Some(WayOut {
        address,
        mac: link.mac,
    })
}
