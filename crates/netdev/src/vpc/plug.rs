//! An interface's two ends: the device in the router, `eth0` in the task's namespace.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use aws_api::agent::host_sync::InterfaceRow;
use ipnet::{IpNet, Ipv4Net};
use rustix::io::Errno;

use super::item::{Item, device_of};
use super::registers;
use super::router::Router;
use super::rows::{addresses, gateway};
use crate::error::NetworkError;
use crate::namespace;
use crate::netlink::Socket;
use crate::netlink::devices::End;
use crate::netlink::message::Batch;
use crate::netlink::paths::{Hop, MAIN, Path};
use crate::sysctl;

const TASK_DEVICE: &str = "eth0";
/// The kernel opens a device from a work queue, within a millisecond as a rule.
const OPEN_POLL: Duration = Duration::from_micros(200);
const OPEN_POLL_MAX: Duration = Duration::from_millis(2);
const OPEN_PATIENCE: Duration = Duration::from_secs(5);
/// Every router's end: a task that moves finds the gateway that it knows.
const ROUTER_MAC: [u8; 6] = [0x0a, 0x58, 0, 0, 0, 1];
/// The gateway of every IPv6 address.
pub const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// An interface's device in the router.
#[derive(Debug, Clone)]
pub struct Plugged {
    pub device: String,
    pub index: u32,
    /// All of the interface's addresses, as far as its row is known.
    pub addresses: Vec<IpAddr>,
    /// Packets of others pass it: routes may lead to it.
    pub is_free: bool,
}

impl Plugged {
    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
    }
}

impl Router {
    /// Makes the pair, the far end in the task's namespace; on failure nothing is left of it.
    pub fn plug(
        &mut self,
        row: &InterfaceRow,
        subnet: Ipv4Net,
        mtu: u32,
        namespace: &File,
    ) -> Result<(), NetworkError> {
        let (device, mac) = names_of(row)?;
        let what = format!("interface {}", row.id);
        let mut pair = Batch::new();
        let near = End {
            name: &device,
            mac: Some(ROUTER_MAC),
        };
        let far = End {
            name: TASK_DEVICE,
            mac: Some(mac),
        };
        pair.add_pair(near, far, mtu, namespace.as_fd());
        pair.set_note(&device, &row.id, row.source_dest_check);
        self.route
            .transact(pair)
            .map_err(|(_, errno)| self.failed(&what, errno))?;
        let index = self.index(&device)?;
        let index = index.ok_or_else(|| self.failed(&what, Errno::NODEV))?;
        let plugged = Plugged {
            device,
            index,
            addresses: Vec::new(),
            is_free: !row.source_dest_check,
        };
        let mut batch = Batch::new();
        batch.set_no_proxy_delay(index);
        self.route
            .transact(batch)
            .map_err(|(_, errno)| self.failed(&what, errno))?;
        self.plugged.insert(row.id.clone(), plugged);
        self.route_interface(row, subnet)
    }

    /// Brings the routes to an interface of this host to what its row says.
    pub fn route_interface(
        &mut self,
        row: &InterfaceRow,
        subnet: Ipv4Net,
    ) -> Result<(), NetworkError> {
        let (_, mac) = names_of(row)?;
        let Some(plugged) = self.plugged.get_mut(&row.id) else {
            return Ok(());
        };
        let now: Vec<IpAddr> = addresses(row).collect();
        let before = std::mem::replace(&mut plugged.addresses, now.clone());
        plugged.is_free = !row.source_dest_check;
        let (index, device) = (plugged.index, plugged.device.clone());
        let path = |address: IpAddr, source| Path {
            table: MAIN,
            to: address.into(),
            hop: Hop::Device {
                index,
                gateway: None,
            },
            source,
        };
        let mut batch = Batch::new();
        batch.set_note(&device, &row.id, row.source_dest_check);
        for address in &now {
            let source = address.is_ipv4().then(|| gateway(subnet).into());
            batch.put_neighbour(index, *address, mac);
            batch.put_path(path(*address, source));
        }
        let what = format!("routes of interface {}", row.id);
        if now.iter().any(IpAddr::is_ipv6) {
            self.speak_ipv6(&device, index)?;
        }
        self.route
            .transact(batch)
            .map_err(|(_, errno)| self.failed(&what, errno))?;
        let mut batch = Batch::new();
        for address in before.iter().filter(|address| !now.contains(address)) {
            batch.delete_path(path(*address, None));
            batch.delete_neighbour(index, *address);
        }
        let refused = self.route.exchange(batch);
        refused.map(drop).map_err(|errno| self.failed(&what, errno))
    }

    /// Makes a device the gateway of IPv6. All others have none of it: what the kernel keeps of IPv6 for each
    /// device makes the next one dearer the more there are.
    fn speak_ipv6(&mut self, device: &str, index: u32) -> Result<(), NetworkError> {
        let key = format!("ipv6/conf/{device}/disable_ipv6");
        namespace::run_in(&self.path, || sysctl::write(&key, "0"))??;
        let mut batch = Batch::new();
        let net = IpNet::new(GATEWAY6.into(), 64).expect("64 is a prefix length");
        batch.put_address(index, net);
        self.route
            .transact(batch)
            .map_err(|(_, errno)| self.failed(device, errno))
    }

    /// Whether an interface's device passes packets; of one that is not there nothing is to be waited for.
    pub fn is_open(&mut self, interface: &str) -> Result<bool, NetworkError> {
        let Some(plugged) = self.plugged.get(interface) else {
            return Ok(true);
        };
        let device = plugged.device.clone();
        is_open(&mut self.route, &device).map_err(|e| self.failed_io(&device, e))
    }

    /// Brings routes that lead to an interface into step with whether it is there.
    pub fn reroute<'a>(
        &mut self,
        routes: impl Iterator<Item = &'a Item>,
    ) -> Result<(), NetworkError> {
        for item in routes {
            let Item::Route {
                table,
                to,
                way,
                source,
            } = item
            else {
                continue;
            };
            let mut batch = Batch::new();
            batch.put_path(self.path(*table, *to, *way, *source));
            self.route
                .transact(batch)
                .map_err(|(_, errno)| self.failed("routes", errno))?;
        }
        Ok(())
    }

    /// Forgets the flows of addresses: else who has them next inherits what was allowed before.
    pub fn forget(&mut self, addresses: &[IpAddr]) -> Result<(), NetworkError> {
        for address in addresses {
            self.nft
                .forget_address(*address)
                .map_err(|errno| self.failed("flows", errno))?;
        }
        Ok(())
    }
}

fn names_of(row: &InterfaceRow) -> Result<(String, [u8; 6]), NetworkError> {
    let bad = |what: &str| NetworkError::Config(format!("interface {}: {what}", row.id));
    let primary = row.addresses.first().ok_or_else(|| bad("no address"))?;
    let mac = registers::mac(&row.mac).ok_or_else(|| bad("no MAC"))?;
    Ok((device_of(*primary), mac))
}

/// The task's end. The calling thread is inside its namespace.
pub fn configure(row: &InterfaceRow, subnet: Ipv4Net) -> Result<(), NetworkError> {
    let what = format!("{TASK_DEVICE} of {}", row.id);
    let failed = |errno: Errno| NetworkError::kernel(what.clone(), errno);
    let mut socket = Socket::route().map_err(|e| NetworkError::kernel(what.clone(), e))?;
    let link = socket
        .link(TASK_DEVICE)
        .map_err(|e| NetworkError::kernel(what.clone(), e))?;
    let index = link.ok_or_else(|| failed(Errno::NODEV))?.index;
    let mut batch = Batch::new();
    batch.set_up(index);
    for address in &row.addresses {
        let net = Ipv4Net::new(*address, subnet.prefix_len());
        batch.put_address(index, net.expect("the subnet's own length").into());
    }
    let default = |gateway: IpAddr, any: IpAddr| Path {
        table: MAIN,
        to: IpNet::new(any, 0).expect("0 is a prefix length"),
        hop: Hop::Device {
            index,
            gateway: Some(gateway),
        },
        source: None,
    };
    let any = Ipv4Addr::UNSPECIFIED;
    batch.put_path(default(gateway(subnet).into(), any.into()));
    if !row.ipv6_addresses.is_empty() {
        sysctl::write(&format!("ipv6/conf/{TASK_DEVICE}/disable_ipv6"), "0")?;
        sysctl::write(&format!("ipv6/conf/{TASK_DEVICE}/accept_ra"), "0")?;
        for address in &row.ipv6_addresses {
            batch.put_address(index, IpAddr::from(*address).into());
        }
        batch.put_path(default(GATEWAY6.into(), Ipv6Addr::UNSPECIFIED.into()));
    }
    socket.transact(batch).map_err(|(_, errno)| failed(errno))?;
    wait_open(&what, || {
        let is_open = is_open(&mut socket, TASK_DEVICE);
        is_open.map_err(|e| NetworkError::kernel(what.clone(), e))
    })
}

fn is_open(socket: &mut Socket, device: &str) -> std::io::Result<bool> {
    let link = socket.link(device)?;
    Ok(link.is_some_and(|link| link.is_open))
}

/// Waits until a device passes packets: what is sent before is lost, and an unanswered ARP request is
/// repeated only after a second.
pub fn wait_open(
    what: &str,
    mut is_open: impl FnMut() -> Result<bool, NetworkError>,
) -> Result<(), NetworkError> {
    let since = Instant::now();
    let mut pause = OPEN_POLL;
    while since.elapsed() < OPEN_PATIENCE {
        if is_open()? {
            return Ok(());
        }
        thread::sleep(pause);
        // Each question takes the lock under which the kernel opens devices.
        pause = (pause * 2).min(OPEN_POLL_MAX);
    }
    Err(NetworkError::kernel(what, Errno::TIMEDOUT))
}
