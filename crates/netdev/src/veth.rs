//! A container's place on the bridge: the pair of devices, its address, its way out.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use crate::cidr::Ipv4Cidr;
use crate::error::NetworkError;
use crate::netlink::Socket;
use crate::netlink::message::Batch;
use crate::pool;

const CONTAINER_DEVICE: &str = "eth0";
/// The kernel opens a new bridge port from a work queue, within a millisecond as a rule. What a
/// container sends before is lost, and an unanswered ARP request is repeated only after a second.
const PORT_OPEN_POLL: Duration = Duration::from_micros(200);
const PORT_OPEN_POLLS_MAX: u32 = 2500;

/// Docker's rule: the address inside the MAC, so that a reused address has the same one and no
/// neighbour table is ever wrong.
pub fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

/// `host` was opened in the host's namespace; the calling thread is inside the container's.
pub fn plug(
    host: &mut Socket,
    name: &str,
    bridge: u32,
    namespace: &File,
    address: Ipv4Addr,
    range: Ipv4Cidr,
) -> Result<(), NetworkError> {
    let failed = |what: &str, errno: Errno| {
        NetworkError::kernel(format!("{what} of {name} ({address})"), errno)
    };
    let mut pair = Batch::new();
    pair.add_veth(
        name,
        bridge,
        CONTAINER_DEVICE,
        mac_of(address),
        namespace.as_fd(),
    );
    pair.set_hairpin(name);
    host.transact(pair)
        .map_err(|(_, errno)| failed("veth pair", errno))?;

    let inside =
        |e: std::io::Error| NetworkError::kernel(format!("{CONTAINER_DEVICE} of {name}"), e);
    let mut socket = Socket::route().map_err(inside)?;
    let device = socket
        .link(CONTAINER_DEVICE)
        .map_err(inside)?
        .ok_or_else(|| failed(CONTAINER_DEVICE, Errno::NODEV))?;
    let mut addresses = Batch::new();
    addresses.set_up(device.index);
    addresses.add_address(device.index, address, range);
    addresses.add_default_route(device.index, pool::gateway(range));
    socket
        .transact(addresses)
        .map_err(|(_, errno)| failed("address and route", errno))
}

/// Waits until the bridge passes packets of this port.
pub fn wait_open(host: &mut Socket, name: &str) -> Result<(), NetworkError> {
    for _ in 0..PORT_OPEN_POLLS_MAX {
        let link = host
            .link(name)
            .map_err(|e| NetworkError::kernel(format!("device {name}"), e))?;
        if link.is_some_and(|link| link.is_port_forwarding) {
            return Ok(());
        }
        thread::sleep(PORT_OPEN_POLL);
    }
    Err(NetworkError::kernel(
        format!("bridge port {name} did not open"),
        Errno::TIMEDOUT,
    ))
}

/// Idempotent. The name and the address are free when this returns.
pub fn unplug(host: &mut Socket, name: &str) -> Result<(), NetworkError> {
    let mut batch = Batch::new();
    batch.delete_link(name);
    match host.transact(batch) {
        Ok(()) | Err((_, Errno::NODEV)) => Ok(()),
        Err((_, errno)) => Err(NetworkError::kernel(format!("delete device {name}"), errno)),
    }
}
