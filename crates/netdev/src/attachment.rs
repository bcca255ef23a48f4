//! What callers ask of the host's network, and what they get.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use async_trait::async_trait;

use crate::error::NetworkError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRequest {
    /// The first, where there are several.
    pub container_port: u16,
    /// 0: any free port of the dynamic range.
    pub host_port: u16,
    pub protocol: Protocol,
    /// So many ports in a row, on the host as in the container; 0 counts as 1.
    pub count: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortBinding {
    pub container_port: u16,
    pub host_port: u16,
    pub protocol: Protocol,
}

/// A container's place on the bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeAttachment {
    /// A bind mount of the namespace: `setns` to it.
    pub netns: PathBuf,
    pub address: Ipv4Addr,
    pub prefix_len: u8,
    pub gateway: Ipv4Addr,
    pub mac: [u8; 6],
    /// In the order of the requests, one for each port.
    pub bindings: Vec<PortBinding>,
}

/// What the owner remembers of an attachment made before a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAttachment {
    pub id: String,
    /// `None` for an isolated namespace.
    pub address: Option<Ipv4Addr>,
    pub bindings: Vec<PortBinding>,
}

/// What [`HostNetwork::adopt`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    pub kept: Vec<String>,
    /// Asked for, but namespace or device is gone: what was left of them is removed.
    pub missing: Vec<String>,
    /// Kept and reachable, but another process took the port meanwhile, so that no socket holds it.
    pub unheld: Vec<PortBinding>,
    pub removed_namespaces: usize,
    pub removed_links: usize,
}

/// The network of one host as its agent sees it. Every call may be dropped while it waits: what it
/// began is finished and stays on the books, to be taken away by `detach`.
#[async_trait]
pub trait HostNetwork: Send + Sync + fmt::Debug {
    /// A namespace with `eth0` on the bridge, its ports held on the host and mapped.
    ///
    /// # Errors
    /// `PortInUse`, `NoFreePort`, `NoFreeAddress`; nothing is left behind.
    async fn attach_bridge(
        &self,
        id: &str,
        ports: &[PortRequest],
    ) -> Result<BridgeAttachment, NetworkError>;

    /// The attachment on the bridge that was made or adopted under this id.
    fn attached(&self, id: &str) -> Option<BridgeAttachment>;

    /// The bridge's device, once it stands. Their calls to port 80 of [`TASK_ENDPOINT`](crate::TASK_ENDPOINT)
    /// arrive there at [`TASK_ENDPOINT_PORT`](crate::TASK_ENDPOINT_PORT).
    fn bridge(&self) -> Option<String>;

    /// A namespace with a loopback interface only; the path to its bind mount.
    async fn create_isolated(&self, id: &str) -> Result<PathBuf, NetworkError>;

    /// Frees namespace, address and ports. Idempotent; after an error it may be called again.
    async fn detach(&self, id: &str) -> Result<(), NetworkError>;

    /// After a restart or crash: keeps these (ports held, mapped, addresses reserved) and removes
    /// everything else of this tag. To be called before the first attach.
    async fn adopt(&self, kept: &[KeptAttachment]) -> Result<ReconcileReport, NetworkError>;

    /// Removes everything of this tag: links, bridge, table, namespaces, our sysctl.
    async fn destroy(&self) -> Result<(), NetworkError>;
}
