//! The bridge itself, and the lock under which Longshores of one machine set theirs up.

use std::io;
use std::net::IpAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use crate::cidr::Ipv4Cidr;
use crate::config::{NetworkConfig, TASK_ENDPOINT};
use crate::error::NetworkError;
use crate::forwarding;
use crate::names::Names;
use crate::netlink::Socket;
use crate::netlink::message::Batch;
use crate::pool;
use crate::subnet;
use crate::sysctl;
use crate::veth;

/// An abstract socket: one for each network namespace, which is what it guards, and gone with its holder.
const LOCK_NAME: &str = "longshore-bridge-setup";
const LOCK_POLL: Duration = Duration::from_millis(5);
const LOCK_POLLS_MAX: u32 = 2000;

#[derive(Debug, Clone, Copy)]
pub struct Bridge {
    pub index: u32,
    pub range: Ipv4Cidr,
}

/// Makes the bridge or finds it; idempotent.
pub fn ensure(config: &NetworkConfig, names: &Names) -> Result<Bridge, NetworkError> {
    let _lock = lock()?;
    let name = names.bridge();
    let failed = |e: io::Error| NetworkError::kernel(format!("bridge {name}"), e);
    let mut host = Socket::route().map_err(failed)?;
    let range = subnet::choose(config, names, &mut host)?;
    let gateway = pool::gateway(range);
    let mut create = Batch::new();
    create.add_bridge(&name, veth::mac_of(gateway));
    match host.transact(create) {
        Ok(()) | Err((_, Errno::EXIST)) => {}
        Err((_, errno)) => return Err(failed(errno.into())),
    }
    let index = host
        .link(&name)
        .map_err(failed)?
        .ok_or_else(|| failed(Errno::NODEV.into()))?
        .index;
    sysctl::write_if_present(&format!("ipv6/conf/{name}/disable_ipv6"), "1")?;
    // Lets an answer to 127.0.0.1 in by this device; `rules` drops what would abuse it.
    sysctl::write(&format!("ipv4/conf/{name}/route_localnet"), "1")?;
    forwarding::turn_on(&names.bridge(), &mut host)?;
    sysctl::write(&format!("ipv4/conf/{name}/forwarding"), "1")?;
    let mut configure = Batch::new();
    configure.add_address(index, gateway, range);
    configure.put_address(index, IpAddr::from(TASK_ENDPOINT).into());
    configure.set_up(index);
    host.transact(configure)
        .map_err(|(_, errno)| failed(errno.into()))?;
    Ok(Bridge { index, range })
}

/// Idempotent.
pub fn remove(names: &Names, host: &mut Socket) -> Result<(), NetworkError> {
    let _lock = lock()?;
    let links = host
        .links()
        .map_err(|e| NetworkError::kernel("list links", e))?;
    veth::unplug(host, &names.bridge())?;
    forwarding::turn_off_if_ours(|device| device == names.bridge(), &links)
}

pub(crate) fn lock() -> Result<UnixListener, NetworkError> {
    let failed = |e| NetworkError::kernel(format!("lock @{LOCK_NAME}"), e);
    let address = SocketAddr::from_abstract_name(LOCK_NAME).map_err(failed)?;
    for _ in 0..LOCK_POLLS_MAX {
        match UnixListener::bind_addr(&address) {
            Ok(lock) => return Ok(lock),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => thread::sleep(LOCK_POLL),
            Err(e) => return Err(failed(e)),
        }
    }
    Err(failed(io::ErrorKind::TimedOut.into()))
}
