//! What the owner of a data directory says about its network.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::cidr::Ipv4Cidr;
use crate::vpc::{Between, ENDPOINTS, Endpoint};

/// Where tasks find their metadata and credentials, on port 80. Rule: the public agent.
pub const TASK_ENDPOINT: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

/// Where they find the AWS APIs, at the same address.
pub const TASK_API_PORT: u16 = 4566;

/// Where both are answered on the bridge, to which their ports are translated: those of the host stay
/// free. Container instances register it as taken.
pub const TASK_ENDPOINT_PORT: u16 = 51679;

/// Docker's and the ECS agent's range where the kernel's cannot be read.
const DYNAMIC_PORTS_FALLBACK: RangeInclusive<u16> = 49153..=65535;
/// A router costs 20 ms to make and 1 MiB to keep. Tasks that follow one another, as runs of a schedule
/// do each minute, find the one that was there.
const ROUTER_LINGER: Duration = Duration::from_secs(60);
const PORT_RANGE_PATH: &str = "/proc/sys/net/ipv4/ip_local_port_range";

#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// Eight hexadecimal digits that name the data directory; part of every name made here.
    pub tag: String,
    /// Namespace files are bind mounts below `ns/` here; the chosen bridge range is remembered here.
    pub run_dir: PathBuf,
    /// The bridge's range (prefix length 16 to 28). `None`: a free /20, remembered in `run_dir`.
    pub bridge_cidr: Option<Ipv4Cidr>,
    /// Where host ports come from when a request names none.
    pub dynamic_ports: RangeInclusive<u16>,
    /// The address of this host at which others reach it, and it them, for VPCs that several hosts share.
    /// Its UDP port 4789 is then open to the hosts of host sync alone.
    pub underlay: Option<Ipv4Addr>,
    /// How packets go between hosts.
    pub between: Between,
    /// Where the routers of VPCs answer themselves.
    pub endpoints: Vec<Endpoint>,
    /// Whether containers of the bridge find instance metadata.
    pub has_instance_metadata: bool,
    /// How long the router of a VPC stays after its last interface.
    pub router_linger: Duration,
}

impl NetworkConfig {
    /// The defaults: a free range, and the dynamic ports of [`kernel_dynamic_ports`].
    pub fn new(tag: impl Into<String>, run_dir: impl Into<PathBuf>) -> Self {
        Self {
            tag: tag.into(),
            run_dir: run_dir.into(),
            bridge_cidr: None,
            dynamic_ports: kernel_dynamic_ports(),
            underlay: None,
            between: Between::Clear,
            endpoints: ENDPOINTS.to_vec(),
            has_instance_metadata: false,
            router_linger: ROUTER_LINGER,
        }
    }
}

/// `ip_local_port_range` (32768-60999 as shipped), as the ECS agent documents; 49153-65535 where
/// that cannot be read.
pub fn kernel_dynamic_ports() -> RangeInclusive<u16> {
    let read = || {
        let text = std::fs::read_to_string(PORT_RANGE_PATH).ok()?;
        let mut bounds = text
            .split_whitespace()
            .map(|bound| bound.parse::<u16>().ok());
        let (first, last) = (bounds.next()??, bounds.next()??);
        (first > 0 && first <= last).then_some(first..=last)
    };
    read().unwrap_or(DYNAMIC_PORTS_FALLBACK)
}
