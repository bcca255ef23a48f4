//! The network of one host: namespaces, veth pairs, the bridge, and the host ports of containers.
//!
//! Plain data in, kernel out: nothing here knows a rule of AWS, only container ids to name things by.
//! Everything made carries the tag of its data directory in its name, so that whatever a crash leaves
//! is found again by name and removed by [`HostNetwork::adopt`] or [`HostNetwork::destroy`].
//!
//! Map: [`attachment`] what callers say and get; [`host`] the order of steps; [`reconcile`] adopting
//! and destroying; `bridge`, `rules`, `portmap`, `antispoof`, `namespace` one kernel object each; `pool` and
//! `ports` the two allocators; `subnet` which addresses the bridge takes; `netlink` the bytes;
//! [`diagnose`] what a host lacks; [`instance_metadata`] the host's own address for that; [`vpc`] the VPCs.

#![allow(unsafe_code)]

mod antispoof;
pub mod attachment;
mod bridge;
pub mod cidr;
pub mod config;
mod detach;
pub mod device;
mod diagnose;
pub mod error;
mod forwarding;
pub mod host;
pub mod instance_metadata;
mod leaving;
mod names;
pub mod namespace;
mod netlink;
mod pool;
mod portmap;
mod ports;
pub mod reconcile;
pub mod redirect;
mod rules;
mod subnet;
mod sysctl;
mod veth;
pub mod vpc;

pub use attachment::{
    BridgeAttachment, HostNetwork, KeptAttachment, PortBinding, PortRequest, Protocol,
    ReconcileReport,
};
pub use cidr::Ipv4Cidr;
pub use config::{NetworkConfig, TASK_API_PORT, TASK_ENDPOINT, TASK_ENDPOINT_PORT};
pub use diagnose::{Finding, Severity, diagnose};
pub use error::NetworkError;
pub use host::LinuxNetwork;
pub use instance_metadata::INSTANCE_METADATA;
