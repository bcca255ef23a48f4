//! What can go wrong, each with the device, port or path it went wrong at.

use std::io;
use std::path::PathBuf;

use crate::attachment::Protocol;

#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// Worded like Docker's, which users and their scripts know from `stoppedReason`.
    #[error(
        "driver failed programming external connectivity on endpoint {id}: Bind for 0.0.0.0:{port} failed: port is already allocated"
    )]
    PortInUse {
        id: String,
        port: u16,
        protocol: Protocol,
    },
    #[error(
        "driver failed programming external connectivity on endpoint {id}: all {protocol} ports of {first}-{last} are allocated"
    )]
    NoFreePort {
        id: String,
        protocol: Protocol,
        first: u16,
        last: u16,
    },
    /// The public agent's words.
    #[error("{count} contiguous host ports are unavailable")]
    NoFreePorts { count: u16 },
    #[error("the interface {interface} is not one of this host's")]
    NoInterface { interface: String },
    #[error("no address is free in the bridge's range {range}")]
    NoFreeAddress { range: String },
    #[error("container {id} is attached already")]
    AlreadyAttached { id: String },
    #[error("{id:?} is no container id: letters, digits, '.', '_' and '-' only, at most 128")]
    BadId { id: String },
    #[error("network configuration: {0}")]
    Config(String),
    #[error(
        "no free range for the bridge: every /20 of 172.17.0.0-172.30.255.255 and 192.168.0.0/16 overlaps a route of this host; set one by hand"
    )]
    NoFreeRange,
    #[error("program `nft` not found: install the Debian package `nftables`")]
    NftMissing,
    #[error("nft refused the table {table}: {stderr}")]
    NftRefused { table: String, stderr: String },
    #[error("{what}: {source}")]
    Kernel { what: String, source: io::Error },
    #[error("{what} {}: {source}", path.display())]
    Path {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "this kernel has no WireGuard ({source}), and hosts are to encrypt (--encrypt): it takes Linux 5.6 or the module wireguard"
    )]
    NoWireGuard { source: io::Error },
    #[error("no link address is free for the router of {vpc} in 169.254.128.0/17")]
    NoLinkAddress { vpc: String },
    #[error("the thread for {0} ended without an answer")]
    Thread(&'static str),
}

impl NetworkError {
    pub(crate) fn kernel(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Kernel {
            what: what.into(),
            source: source.into(),
        }
    }

    pub(crate) fn path(
        what: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::Path {
            what,
            path: path.into(),
            source: source.into(),
        }
    }
}
