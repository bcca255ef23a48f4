//! The interface of a task as the task shows it: an attachment with its details.
//!
//! The details are kept with the task, since they are shown after the interface is gone.
//! Rule: semantics 4.6; API reference, Attachment.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `status` of an attachment, in the order in which it passes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AttachmentStatus {
    /// Its interface is not on a host yet.
    Precreated,
    /// Its host has it.
    Attached,
    /// It is gone.
    Deleted,
}

impl AttachmentStatus {
    /// AWS's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Precreated => "PRECREATED",
            Self::Attached => "ATTACHED",
            Self::Deleted => "DELETED",
        }
    }
}

/// The attachment of a task's interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentRecord {
    /// A uuid, the last part of its ARN.
    pub id: String,
    /// `status`.
    pub status: AttachmentStatus,
    /// `eni-…`.
    pub interface: String,
    /// `subnet-…`.
    pub subnet: String,
    /// For example `02:aa:00:00:00:05`.
    pub mac: String,
    /// The private address.
    pub address: Ipv4Addr,
    /// The IPv6 address, in a subnet that has some.
    pub ipv6_address: Option<Ipv6Addr>,
    /// The subnet's gateway, with the length of the subnet's prefix: `10.0.0.1/24`.
    pub gateway: String,
    /// Whom its containers ask for names.
    #[serde(default)]
    pub name_servers: Vec<IpAddr>,
    /// The domains in which they look for names without a dot.
    #[serde(default)]
    pub search: Vec<String>,
    /// `ip-10-0-0-5.ec2.internal`.
    pub private_dns_name: String,
}
