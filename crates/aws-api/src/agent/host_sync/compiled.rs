//! Security groups as a host filters by them: the rules of one combination of groups in one direction, in
//! a form whose cost does not grow with rules or members.
//!
//! What always holds: within `ranges` no two entries of one address family overlap, so that they can be the
//! elements of one interval set (vpc-network.md section 2, "Overlap trap"); likewise `groups` for one
//! combination of groups.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What one direction of one combination of groups lets pass; what nothing names is dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compiled {
    /// By the other side's address (CIDR rules and prefix lists). ICMP has its own list.
    pub ranges: Vec<FromRange>,
    /// By the other side's groups (references).
    pub groups: Vec<FromGroups>,
}

/// Lets pass what comes from, or goes to, a range of addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FromRange {
    /// The first address of the other side.
    pub first: IpAddr,
    /// Its last address, of the same family.
    pub last: IpAddr,
    /// What of it.
    #[serde(flatten)]
    pub what: What,
}

/// Lets pass what comes from, or goes to, members of a combination of groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FromGroups {
    /// The other side's combination ([`super::GroupSetRow::groups`]).
    pub groups: String,
    /// What of it.
    #[serde(flatten)]
    pub what: What,
}

/// Protocols and ports, or types of ICMP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "what")]
pub enum What {
    /// Protocols, and ports of those that have ports. Where `protocols` covers ICMP, all of its types.
    Ports {
        /// IP protocols.
        protocols: Protocols,
        /// Destination ports; all, where the protocol has none.
        ports: Ports,
    },
    /// Types of ICMP, which IPv4 has.
    Icmp {
        /// Which.
        types: IcmpTypes,
    },
    /// Types of ICMPv6, which IPv6 has.
    Icmpv6 {
        /// Which.
        types: IcmpTypes,
    },
}

/// IP protocol numbers, first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Protocols(pub u8, pub u8);

/// Ports, first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ports(pub u16, pub u16);

/// Types of ICMP with their codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IcmpTypes {
    /// First and last type.
    pub types: (u8, u8),
    /// First and last code.
    pub codes: (u8, u8),
}
