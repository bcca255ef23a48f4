//! The VPC on one host: an interface for every task, a router for every VPC.
//!
//! ```text
//!  task's namespace          router of the VPC (a namespace)              host's namespace
//!  eth0 172.31.16.5/20 ───── e ac1f1005   /32 routes, proxy ARP   up0 ──── u…  ── outside
//!                            two gates, translation, resolver     vx0 ──── VXLAN to other hosts
//! ```
//! Every packet between two interfaces is routed, also within a subnet, and so meets the same rules.
//! Two gates, each able to drop: `gate_out` (after tracking, before any translation of the
//! destination) asks the sender's egress rules about the address that it dialled; `gate_in` (in
//! forward) asks the receiver's ingress rules about the real sender. Only the first packet of a flow
//! meets rules. An interface's device names the number of its combination of groups; an address of
//! the VPC names that of the other side's; the rules are elements of sets that begin with these two.
//!
//! Each chain that a packet passes, and each question by a device's name, costs a connection about a hundredth. So
//! what may stand together does: the way back to other hosts in `gate_out`, the ACLs in `gate_in`; what most packets
//! meet is asked first; and the ways out (`up0`, `vx0`) are told from interfaces by their device group.
//!
//! What always holds: the base chains of a router are made once and never again, so no packet meets
//! an empty one; what follows from rows is changed by difference, elements of one message in one
//! transaction; rows decide, and after a restart the kernel is read and compared with them.
//!
//! Map: [`desired`], `rows`, `groups`, `acl`, `outside`, `untracked`, `numbers`, `registers`, `item`, `overlay` are pure: rows in,
//! things to put and to take away out. `table` is the text of the base table. `router`, `contents`,
//! `uplink`, `plug`, `encryption` touch the kernel; `linux`, `applying` and `leaving`
//! keep the order of steps; `standing` is what is found after
//! a restart. [`bench`] measures it all.

mod acl;
mod applying;
pub mod bench;
pub mod config;
mod contents;
pub mod desired;
mod encryption;
mod groups;
pub mod item;
mod leaving;
mod linux;
mod numbers;
mod outside;
mod overlay;
mod plug;
mod registers;
mod router;
mod rows;
mod standing;
mod table;
mod untracked;
mod uplink;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use async_trait::async_trait;
use aws_api::agent::host_sync::{RowKey, ToHost};
use serde::{Deserialize, Serialize};

pub use config::{ENDPOINTS, Endpoint};
pub use encryption::{Between, Encryption, WIREGUARD_PORT};
pub use linux::LinuxVpcs;
pub use plug::GATEWAY6;

use crate::error::NetworkError;

/// A task's place in a VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcAttachment {
    /// A bind mount of the namespace: `setns` to it.
    pub netns: PathBuf,
    /// `eni-…`.
    pub interface: String,
    /// `vpc-…`; empty in what an agent kept that did not know it yet.
    #[serde(default)]
    pub vpc: String,
    /// Of `eth0`.
    pub mac: [u8; 6],
    /// The primary one first.
    pub addresses: Vec<Ipv4Addr>,
    /// Each alone in its range.
    pub ipv6_addresses: Vec<Ipv6Addr>,
    /// The subnet's.
    pub prefix_len: u8,
    /// The subnet's.
    pub gateway: Ipv4Addr,
    /// Who is asked for names.
    #[serde(default)]
    pub name_servers: Vec<IpAddr>,
    /// The domains in which names without a dot are looked for.
    #[serde(default)]
    pub search: Vec<String>,
    /// Of `eth0`, bytes.
    pub mtu: u32,
}

/// What the owner remembers of an attachment made before a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptVpcAttachment {
    /// As given to [`VpcNetwork::attach`].
    pub id: String,
    /// `eni-…`.
    pub interface: String,
}

/// What [`VpcNetwork::adopt`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VpcAdoption {
    /// Ids that stand as they were.
    pub kept: Vec<String>,
    /// Asked for, but namespace or device is gone: what was left of them is removed.
    pub missing: Vec<String>,
    /// Namespaces and devices that nobody asked for.
    pub removed: usize,
}

/// What came of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Interfaces of this host of which nothing is left.
    pub removed: Vec<String>,
    /// Rows that are not, or not wholly, in the kernel, and why. They are tried again with the next
    /// message.
    pub failures: Vec<(RowKey, String)>,
}

/// The VPCs of one host as its agent sees them. Every call may be dropped while it waits: what it began
/// is finished, and is taken away by `detach`.
#[async_trait]
pub trait VpcNetwork: Send + Sync + fmt::Debug {
    /// Takes a message of host sync in. When it returns, the kernel is as the rows say but for
    /// the outcome's failures. Messages are to be given in their order.
    ///
    /// # Errors
    /// The host itself lacks something (no `nft`, no privilege); rows are kept and tried again.
    async fn apply(&self, message: &ToHost) -> Result<Outcome, NetworkError>;

    /// A namespace with `eth0` as the interface. Waits up to some seconds for its row.
    ///
    /// # Errors
    /// `NoInterface` when no row comes; `AlreadyAttached`. Nothing is left behind.
    async fn attach(&self, id: &str, interface: &str) -> Result<VpcAttachment, NetworkError> {
        self.attach_in(id, interface, None).await
    }

    /// The same in a namespace that the caller made and has not touched: one of a user namespace, say, which alone may
    /// have it made for its own.
    ///
    /// # Errors
    /// As of `attach`.
    async fn attach_in(
        &self,
        id: &str,
        interface: &str,
        namespace: Option<OwnedFd>,
    ) -> Result<VpcAttachment, NetworkError>;

    /// The attachment that was made or adopted under this id, once its row is known.
    fn attached(&self, id: &str) -> Option<VpcAttachment>;

    /// Takes the namespace away. When it returns, nothing passes its device any more, its flows are
    /// forgotten, and another may have its addresses. The device itself goes within a second. Idempotent; after an error it may be called again.
    async fn detach(&self, id: &str) -> Result<(), NetworkError>;

    /// After a restart or crash: keeps these and removes all other attachments. No established flow is
    /// lost. Routers stand as they are until the first message says what they shall hold.
    async fn adopt(&self, kept: &[KeptVpcAttachment]) -> Result<VpcAdoption, NetworkError>;

    /// Removes everything of this tag.
    async fn destroy(&self) -> Result<(), NetworkError>;

    /// The namespace of a VPC's router, while it stands: its endpoints' sockets are made in there.
    fn router(&self, vpc: &str) -> Option<PathBuf>;

    /// The VPCs whose routers stand.
    fn routed(&self) -> Vec<String>;
}
