//! The rows of which a host's share of the VPCs consists.

use super::Compiled;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One thing that a host shall hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Row {
    /// A VPC.
    Vpc(VpcRow),
    /// A subnet of a VPC.
    Subnet(SubnetRow),
    /// An interface of a VPC, on this host or another.
    Interface(InterfaceRow),
    /// A combination of security groups that interfaces of this host have.
    GroupSet(GroupSetRow),
    /// Another host with interfaces of these VPCs.
    Host(HostRow),
    /// A name that a VPC's resolver answers.
    Name(NameRow),
    /// What is behind an endpoint of Service Connect that tasks of this host reach.
    Endpoint(EndpointRow),
}

/// What names a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "id")]
pub enum RowKey {
    /// `vpc-…`.
    Vpc(String),
    /// `subnet-…`.
    Subnet(String),
    /// Its id, [`HostRow::id`].
    Host(String),
    /// Its VPC and its groups, [`GroupSetRow::key`].
    GroupSet(String),
    /// `eni-…`.
    Interface(String),
    /// VPC, type and name, [`NameRow::key`].
    Name(String),
    /// [`EndpointRow::id`].
    Endpoint(String),
}

impl Row {
    /// What names it.
    #[must_use]
    pub fn key(&self) -> RowKey {
        match self {
            Self::Vpc(row) => RowKey::Vpc(row.id.clone()),
            Self::Subnet(row) => RowKey::Subnet(row.id.clone()),
            Self::Interface(row) => RowKey::Interface(row.id.clone()),
            Self::GroupSet(row) => RowKey::GroupSet(row.key()),
            Self::Host(row) => RowKey::Host(row.id.clone()),
            Self::Name(row) => RowKey::Name(row.key()),
            Self::Endpoint(row) => RowKey::Endpoint(row.id.clone()),
        }
    }
}

/// A VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcRow {
    /// `vpc-…`.
    pub id: String,
    /// The VXLAN network identifier, 1 to 2²⁴ − 1: one for each VPC of a Longshore.
    pub vni: u32,
    /// Its IPv4 ranges, the primary one first.
    pub cidrs: Vec<Ipv4Net>,
    /// Its IPv6 ranges.
    pub ipv6_cidrs: Vec<Ipv6Net>,
    /// Whether its resolver answers (`enableDnsSupport`).
    pub resolver: bool,
    /// The domain in which its interfaces have names (`ec2.internal`), where they have
    /// (`enableDnsHostnames`).
    pub domain: Option<String>,
    /// Whom its tasks ask for names (`domain-name-servers` of its DHCP options).
    #[serde(default)]
    pub name_servers: Vec<IpAddr>,
    /// Where its tasks look for names without a dot (`domain-name` of its DHCP options).
    #[serde(default)]
    pub search: Vec<String>,
}

/// A subnet, with the routes of the table that holds for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubnetRow {
    /// `subnet-…`.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its IPv4 range; the first address after the network's is its gateway.
    pub cidr: Ipv4Net,
    /// Its IPv6 range.
    pub ipv6_cidr: Option<Ipv6Net>,
    /// All but those to the VPC's own ranges, which always win.
    pub routes: Vec<Route>,
    /// The entries of its network ACL in their order; empty where everything is allowed both ways.
    pub acl: Vec<AclEntry>,
}

/// An entry of a network ACL. The first that matches decides; what none matches is denied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AclEntry {
    /// For what leaves the subnet; else for what enters it.
    pub egress: bool,
    /// Lets pass; else drops.
    pub allow: bool,
    /// The other side.
    pub cidr: IpNet,
    /// IP protocols, first and last.
    pub protocols: super::Protocols,
    /// Destination ports, where the protocol has any.
    pub ports: super::Ports,
    /// For ICMP: type and code, both or the type alone.
    pub icmp: Option<super::IcmpTypes>,
}

/// A route of a subnet; the longest prefix wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Where to.
    pub to: IpNet,
    /// By what way.
    pub via: Destination,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Destination {
    /// An internet gateway: for interfaces with a public address (IPv6: with any), in their own name.
    InternetGateway,
    /// An egress-only internet gateway: IPv6, no flow from outside.
    EgressOnlyInternetGateway,
    /// A NAT gateway: in the name of its public address.
    NatGateway {
        /// From the pool.
        public: Ipv4Addr,
    },
    /// An interface of the VPC, which forwards (its source/destination check is off).
    Interface {
        /// Its address.
        address: IpAddr,
    },
    /// Nowhere: the target of the route is gone.
    Blackhole,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceRow {
    /// `eni-…`.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its subnet.
    pub subnet: String,
    /// For example `02:aa:00:00:00:05`.
    pub mac: String,
    /// Its private IPv4 addresses, the primary one first.
    pub addresses: Vec<Ipv4Addr>,
    /// Its IPv6 addresses.
    pub ipv6_addresses: Vec<Ipv6Addr>,
    /// Its public address, by 1:1 translation of the primary private one.
    pub public: Option<Ipv4Addr>,
    /// [`GroupSetRow::groups`] of its security groups.
    pub groups: String,
    /// Whether only packets from and to its own addresses pass it.
    pub source_dest_check: bool,
    /// The host that holds it ([`HostRow::id`]); `None`: the host that is spoken to.
    pub host: Option<String>,
}

/// A combination of security groups: the union of their rules. Only combinations of interfaces of the host
/// that is spoken to come with their rules; rules name others by [`GroupSetRow::groups`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSetRow {
    /// Its VPC.
    pub vpc: String,
    /// The ids of the groups in their order, with commas between.
    pub groups: String,
    /// What may come in.
    pub ingress: Compiled,
    /// What may go out.
    pub egress: Compiled,
}

impl GroupSetRow {
    /// What names it: groups belong to one VPC, but a set may be empty.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.vpc, self.groups)
    }
}

/// Another host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostRow {
    /// Its id, unique in a Longshore.
    pub id: String,
    /// Where it takes VXLAN.
    pub underlay: Ipv4Addr,
    /// How it encrypts; `None`: it takes VXLAN in the clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<HostEncryption>,
}

/// What one has to know of a host to send it encrypted packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostEncryption {
    /// WireGuard's, 64 hexadecimal digits.
    pub public_key: String,
    /// UDP, at the underlay's address.
    pub port: u16,
}

impl HostEncryption {
    /// The attribute of a container instance that says it.
    pub const ATTRIBUTE: &'static str = "longshore.encryption";

    /// As a host reports it: `PORT:KEY`, which an attribute of a container instance may hold.
    #[must_use]
    pub fn to_attribute(&self) -> String {
        format!("{}:{}", self.port, self.public_key)
    }

    /// `None` for anything else than [`Self::to_attribute`] gives.
    #[must_use]
    pub fn from_attribute(text: &str) -> Option<Self> {
        let (port, public_key) = text.split_once(':')?;
        let is_key = public_key.len() == 64 && public_key.bytes().all(|c| c.is_ascii_hexdigit());
        is_key.then_some(Self {
            public_key: public_key.to_ascii_lowercase(),
            port: port.parse().ok()?,
        })
    }

    /// The key's bytes.
    #[must_use]
    pub fn key(&self) -> Option<[u8; 32]> {
        let mut key = [0; 32];
        for (at, byte) in key.iter_mut().enumerate() {
            let digits = self.public_key.get(2 * at..2 * at + 2)?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(key)
    }
}

/// A name in a private zone of a VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NameRow {
    /// The VPC whose resolver answers it.
    pub vpc: String,
    /// In lower case, without a dot at the end.
    pub name: String,
    /// Seconds for which the answer may be kept.
    pub ttl: u32,
    /// All of one type; empty where the name exists and has none of that type now.
    pub values: Vec<NameValue>,
    /// `A`, `AAAA`, `SRV`, `CNAME`.
    pub record: String,
}

impl NameRow {
    /// What names it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.vpc, self.record, self.name)
    }
}

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum NameValue {
    /// `A` and `AAAA`.
    Address {
        /// The address.
        address: IpAddr,
    },
    /// `SRV`.
    Service {
        /// Lower is better.
        priority: u16,
        /// Among equals.
        weight: u16,
        /// The port.
        port: u16,
        /// The host's name.
        target: String,
    },
    /// `CNAME`.
    Alias {
        /// The other name.
        target: String,
    },
}

/// An endpoint of Service Connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointRow {
    /// The ARN of its Cloud Map service.
    pub id: String,
    /// `discoveryName`.
    pub discovery_name: String,
    /// Tasks that run and are well, in order of id.
    pub targets: Vec<EndpointTarget>,
}

/// A task behind an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointTarget {
    /// The task's id.
    pub id: String,
    /// Of its interface, or of its host.
    pub address: Ipv4Addr,
    /// There.
    pub port: u16,
}
