//! A router: its namespace, its devices, its base table. Made on first use, whole or not at all.
//!
//! Its sockets are opened inside its namespace and stay bound to it; no thread has to enter it but for
//! kernel settings and for `nft`.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;

use aws_api::agent::host_sync::VpcRow;
use rustix::io::Errno;

use super::overlay::{overlay_link_local, overlay_mac};
use super::plug::Plugged;
use super::uplink::{HostSide, ROUTER_DEVICE, ROUTER_LINK_LOCAL, Uplink};
use crate::error::NetworkError;
use crate::namespace;
use crate::netlink::Socket;
use crate::netlink::devices::End;
use crate::netlink::message::Batch;
use crate::sysctl;

/// The overlay's device inside the router.
const OVERLAY_DEVICE: &str = "vx0";
/// The device group of the ways out of the router, which are no interfaces; the table asks for it.
const WAYS_OUT: u32 = 1;

/// For the namespace as a whole, and for interfaces' devices, which take the defaults:
/// - a packet must come from where an answer would go; `all` stays 0, as the greater value counts;
/// - the router answers ARP for whoever it has a route to;
/// - it tells no task to send elsewhere;
/// - IPv6 is for those devices that are given it.
const SETTINGS: [(&str, &str); 13] = [
    ("ipv4/conf/all/forwarding", "1"),
    ("ipv4/conf/default/forwarding", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "1"),
    ("ipv4/conf/default/proxy_arp", "1"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/default/forwarding", "1"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/addr_gen_mode", "1"),
];

/// The router of one VPC, as it stands.
#[derive(Debug)]
pub struct Router {
    pub vpc: String,
    pub path: PathBuf,
    pub route: Socket,
    pub nft: Socket,
    pub uplink: Uplink,
    /// Indices of its own devices.
    pub up: u32,
    /// `None` on a host without an underlay.
    pub overlay: Option<u32>,
    /// By interface.
    pub plugged: BTreeMap<String, Plugged>,
    /// What it holds is not known, or not what it shall hold: to be read before the next change.
    pub is_doubtful: bool,
}

impl Router {
    /// Makes it; on failure nothing is left. The calling thread is in the host's namespace.
    pub fn make(
        vpc: &VpcRow,
        path: PathBuf,
        underlay: Option<Ipv4Addr>,
        host: &mut HostSide,
    ) -> Result<Self, NetworkError> {
        // What a crash left half made.
        namespace::remove(&path)?;
        let made = thread::scope(|scope| {
            let work = || namespace::create_here(&path).map(drop);
            let made = scope.spawn(work).join();
            made.unwrap_or(Err(NetworkError::Thread("a new router")))
        })
        .and_then(|()| Self::open(&vpc.id, &path, host))
        .and_then(|mut router| {
            router.ensure_overlay(vpc, underlay, host)?;
            Ok(router)
        });
        if made.is_err() {
            let uplinks = host.uplinks()?.into_iter();
            for (_, uplink) in uplinks.filter(|(of, _)| *of == vpc.id) {
                host.remove(&uplink.device)?;
            }
            namespace::remove(&path)?;
        }
        made
    }

    /// Plumbs a namespace: settings, uplink, sockets. What stands already is kept.
    pub fn open(vpc: &str, path: &Path, host: &mut HostSide) -> Result<Self, NetworkError> {
        let file = File::open(path).map_err(|e| NetworkError::path("open namespace", path, e))?;
        // Before any device: they take the defaults that they find.
        namespace::run_in(path, || {
            SETTINGS
                .iter()
                .try_for_each(|(key, value)| sysctl::write_if_present(key, value))
        })??;
        let uplink = host.ensure(vpc, file.as_fd())?;
        namespace::run_in(path, || Self::here(vpc, path, uplink))?
    }

    /// The calling thread is inside.
    fn here(vpc: &str, path: &Path, uplink: Uplink) -> Result<Self, NetworkError> {
        let socket = |e| NetworkError::kernel(format!("netlink socket of router {vpc}"), e);
        let (route, nft) = (
            Socket::route().map_err(socket)?,
            Socket::netfilter_for_sets().map_err(socket)?,
        );
        let mut router = Self {
            vpc: vpc.to_owned(),
            path: path.to_owned(),
            route,
            nft,
            uplink,
            up: 0,
            overlay: None,
            plugged: BTreeMap::new(),
            is_doubtful: true,
        };
        router.overlay = router.index(OVERLAY_DEVICE)?;
        router.up = router
            .index(ROUTER_DEVICE)?
            .ok_or_else(|| router.failed("uplink", Errno::NODEV))?;
        quieten(ROUTER_DEVICE)?;
        let mut batch = Batch::new();
        batch.set_up(router.up);
        batch.set_group(router.up, WAYS_OUT);
        let addresses: [IpAddr; 2] = [router.uplink.router().into(), ROUTER_LINK_LOCAL.into()];
        for address in addresses {
            batch.put_address(router.up, Uplink::net(address));
        }
        router.first_must_do(batch, 3, "uplink")?;
        if let Some(overlay) = router.overlay {
            router.make_way_out(overlay)?;
        }
        Ok(router)
    }

    /// Makes the way to other hosts, if this one has an address for them and the way is not there.
    pub fn ensure_overlay(
        &mut self,
        vpc: &VpcRow,
        underlay: Option<Ipv4Addr>,
        host: &mut HostSide,
    ) -> Result<(), NetworkError> {
        let Some(own) = underlay else {
            return Ok(());
        };
        host.guard(vpc.vni)?;
        if self.overlay.is_some() {
            return Ok(());
        }
        let mtu = host.mtu()?;
        let file = File::open(&self.path)
            .map_err(|e| NetworkError::path("open namespace", &self.path, e))?;
        let mut batch = Batch::new();
        let end = End {
            name: OVERLAY_DEVICE,
            mac: Some(overlay_mac(own)),
        };
        batch.add_vxlan(end, vpc.vni, own, mtu, file.as_fd());
        host.route
            .transact(batch)
            .map_err(|(_, errno)| self.failed("overlay", errno))?;
        let index = self
            .index(OVERLAY_DEVICE)?
            .ok_or_else(|| self.failed("overlay", Errno::NODEV))?;
        namespace::run_in(&self.path, || {
            quieten(OVERLAY_DEVICE)?;
            sysctl::write(&format!("ipv4/conf/{OVERLAY_DEVICE}/arp_ignore"), "8")
        })??;
        let mut batch = Batch::new();
        batch.put_address(index, Uplink::net(overlay_link_local(own).into()));
        self.first_must_do(batch, 0, "overlay")?;
        self.make_way_out(index)?;
        self.overlay = Some(index);
        Ok(())
    }

    /// Until this is said of a device, what comes or would leave by it is dropped.
    fn make_way_out(&mut self, index: u32) -> Result<(), NetworkError> {
        let mut batch = Batch::new();
        batch.set_group(index, WAYS_OUT);
        self.first_must_do(batch, 1, "overlay")
    }

    /// The first so many messages must be obeyed; the rest is IPv6, which a host may lack.
    fn first_must_do(
        &mut self,
        batch: Batch,
        count: usize,
        what: &str,
    ) -> Result<(), NetworkError> {
        let refused = self.route.exchange(batch);
        let refused = refused.map_err(|errno| self.failed(what, errno))?;
        match refused.into_iter().find(|(at, _)| *at < count) {
            Some((_, errno)) => Err(self.failed(what, errno)),
            None => Ok(()),
        }
    }

    pub fn index(&mut self, device: &str) -> Result<Option<u32>, NetworkError> {
        let link = self.route.link(device);
        let link = link.map_err(|e| self.failed_io(device, e))?;
        Ok(link.map(|link| link.index))
    }

    /// Takes it away with all that is in it; idempotent.
    pub fn remove(self, host: &mut HostSide) -> Result<(), NetworkError> {
        let Self {
            path,
            uplink,
            route,
            nft,
            ..
        } = self;
        drop((route, nft));
        host.remove(&uplink.device)?;
        namespace::remove(&path)
    }

    pub fn failed(&self, what: &str, errno: Errno) -> NetworkError {
        NetworkError::kernel(format!("{what} of router {}", self.vpc), errno)
    }

    pub fn failed_io(&self, what: &str, error: std::io::Error) -> NetworkError {
        NetworkError::kernel(format!("{what} of router {}", self.vpc), error)
    }
}

/// A way out: it has IPv6 too, answers may come in another way than calls went out, and nobody is answered for.
/// The calling thread is inside.
fn quieten(device: &str) -> Result<(), NetworkError> {
    sysctl::write_if_present(&format!("ipv6/conf/{device}/disable_ipv6"), "0")?;
    sysctl::write(&format!("ipv4/conf/{device}/rp_filter"), "0")?;
    sysctl::write(&format!("ipv4/conf/{device}/proxy_arp"), "0")
}
