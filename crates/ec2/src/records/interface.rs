//! Elastic network interfaces.

use super::{ResourceKey, within};
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};
use store::{Index, Key, Table};

/// The public address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAddress {
    /// From the pool.
    pub address: Ipv4Addr,
    /// The elastic address, `eipalloc-…`; `None` for one that goes with the interface.
    pub allocation: Option<String>,
    /// `eipassoc-…`, with an elastic address.
    pub association: Option<String>,
}

/// That an interface is attached, or about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentRecord {
    /// `eni-attach-…`.
    pub id: String,
    /// Since when.
    pub at: Timestamp,
    /// The host said so.
    pub is_attached: bool,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceRecord {
    /// Its scope and id.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// Its subnet.
    pub subnet: String,
    /// Its subnet's zone.
    pub zone: String,
    /// `Description`.
    pub description: String,
    /// Unique in a Longshore.
    pub mac: String,
    /// Its private IPv4 addresses, the primary one first.
    pub addresses: Vec<Ipv4Addr>,
    /// The name of the primary one: `ip-10-0-0-5.ec2.internal`.
    pub private_dns_name: String,
    /// Its IPv6 addresses.
    pub ipv6_addresses: Vec<Ipv6Addr>,
    /// Its security groups, in order of id.
    pub groups: Vec<String>,
    /// `SourceDestCheck`.
    pub source_dest_check: bool,
    /// `InterfaceType`: `interface`, `branch` (of an instance with a trunk), `nat_gateway`, `vpc_endpoint`.
    pub kind: String,
    /// Made by a service: a user neither deletes nor detaches it.
    pub requester_managed: bool,
    /// Its public address.
    #[serde(default)]
    pub public: Option<PublicAddress>,
    /// What it is attached to; `None`: it is `available`.
    #[serde(default)]
    pub attachment: Option<AttachmentRecord>,
    /// The host that holds it, or is to hold it.
    #[serde(default)]
    pub host: Option<String>,
}

impl InterfaceRecord {
    /// `eni-…`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.key.id
    }

    /// The primary private address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        let first = self.addresses.first().copied();
        first.unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// What names the combination of its groups in host sync.
    #[must_use]
    pub fn group_set(&self) -> String {
        self.groups.join(",")
    }
}

/// By id alone: hosts know no scope.
pub static BY_ID: Index<InterfaceRecord> = Index {
    name: "by_id",
    keys: |interface| vec![Key::of(&[&interface.key.id])],
};

/// By VPC.
pub static BY_VPC: Index<InterfaceRecord> = Index {
    name: "by_vpc",
    keys: |interface| vec![within(&interface.key.scope, &interface.vpc)],
};

/// By subnet.
pub static BY_SUBNET: Index<InterfaceRecord> = Index {
    name: "by_subnet",
    keys: |interface| vec![within(&interface.key.scope, &interface.subnet)],
};

/// By group.
pub static BY_GROUP: Index<InterfaceRecord> = Index {
    name: "by_group",
    keys: |interface| {
        let groups = interface.groups.iter();
        groups
            .map(|group| within(&interface.key.scope, group))
            .collect()
    },
};

/// By the host that holds it.
pub static BY_HOST: Index<InterfaceRecord> = Index {
    name: "by_host",
    keys: |interface| interface.host.iter().map(|host| Key::of(&[host])).collect(),
};

/// By hardware address.
pub static BY_MAC: Index<InterfaceRecord> = Index {
    name: "by_mac",
    keys: |interface| vec![Key::of(&[&interface.mac])],
};

/// By subnet and IPv6 address.
pub static BY_IPV6: Index<InterfaceRecord> = Index {
    name: "by_ipv6",
    keys: |interface| {
        let addresses = interface.ipv6_addresses.iter();
        addresses
            .map(|address| ipv6_key(&interface.key, &interface.subnet, *address))
            .collect()
    },
};

/// The key of [`BY_IPV6`], within the scope of `beside`.
#[must_use]
pub fn ipv6_key(beside: &ResourceKey, subnet: &str, address: Ipv6Addr) -> Key {
    let ResourceKey { scope, .. } = beside;
    Key::of(&[&scope.account, &scope.region, subnet, &address.to_string()])
}

/// All interfaces.
pub static INTERFACES: Table<ResourceKey, InterfaceRecord> = Table::new(
    "ec2.interfaces",
    |interface: &InterfaceRecord| interface.key.clone(),
    &[
        &BY_ID, &BY_VPC, &BY_SUBNET, &BY_GROUP, &BY_HOST, &BY_MAC, &BY_IPV6,
    ],
);
