//! The stored network interface.

use super::{ResourceKey, Tags, parts};
use aws_types::Scope;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};
use store::{Index, Key, Table, Tally};

/// One interface. It is stored as long as any host may have its address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceRecord {
    /// `eni-…`.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// Its subnet.
    pub subnet: String,
    /// The subnet's zone.
    pub zone: String,
    /// For example `02:aa:00:00:00:05`; unique.
    pub mac: String,
    /// Its private addresses, the primary one first.
    pub addresses: Vec<Ipv4Addr>,
    /// Its IPv6 addresses.
    #[serde(default)]
    pub ipv6_addresses: Vec<Ipv6Addr>,
    /// A public address that lives as long as the interface.
    #[serde(default)]
    pub public: Option<Ipv4Addr>,
    /// Its groups, in order of id.
    pub groups: Vec<String>,
    /// `description`.
    pub description: String,
    /// `sourceDestCheck`.
    pub source_dest_check: bool,
    /// What names the host that has it, in host sync; `None` while it is nowhere.
    #[serde(default)]
    pub host: Option<String>,
    /// `eni-attach-…`, where it is attached.
    #[serde(default)]
    pub attachment: Option<String>,
    /// Whether ECS made it and looks after it: no user may delete or detach it.
    pub is_managed: bool,
    /// `ip-10-0-0-5.ec2.internal`.
    pub private_dns_name: String,
    /// Tags by key.
    #[serde(default)]
    pub tags: Tags,
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

/// By VPC.
pub static OF_VPC: Index<InterfaceRecord> = Index {
    name: "of_vpc",
    keys: |one| vec![parts(&one.key.scope, &one.vpc)],
};

/// By subnet.
pub static IN_SUBNET: Index<InterfaceRecord> = Index {
    name: "in_subnet",
    keys: |one| vec![parts(&one.key.scope, &one.subnet)],
};

/// By group.
pub static OF_GROUP: Index<InterfaceRecord> = Index {
    name: "of_group",
    keys: |one| {
        let groups = one.groups.iter();
        groups.map(|group| parts(&one.key.scope, group)).collect()
    },
};

/// By host.
pub static OF_HOST: Index<InterfaceRecord> = Index {
    name: "of_host",
    keys: |one| one.host.iter().map(|host| host_parts(host)).collect(),
};

/// By private address within the VPC.
pub static BY_ADDRESS: Index<InterfaceRecord> = Index {
    name: "by_address",
    keys: |one| {
        let of = |address: &Ipv4Addr| address_parts(&one.key.scope, &one.vpc, *address);
        one.addresses.iter().map(of).collect()
    },
};

/// By public address, which is unique in a Longshore.
pub static BY_PUBLIC: Index<InterfaceRecord> = Index {
    name: "by_public",
    keys: |one| {
        one.public
            .iter()
            .map(|address| public_parts(*address))
            .collect()
    },
};

/// The key of [`BY_PUBLIC`].
#[must_use]
pub fn public_parts(address: Ipv4Addr) -> Key {
    Key::build().number(address.to_bits().into()).finish()
}

/// Private addresses taken of a subnet.
pub static OF_SUBNET: Tally<InterfaceRecord> = Tally {
    name: "addresses_of_subnet",
    of: |one| {
        let count = i64::try_from(one.addresses.len()).unwrap_or(i64::MAX);
        vec![(parts(&one.key.scope, &one.subnet), count)]
    },
};

/// The key of [`OF_HOST`].
#[must_use]
pub fn host_parts(host: &str) -> Key {
    Key::of(&[host])
}

/// The key of [`BY_ADDRESS`].
#[must_use]
pub fn address_parts(scope: &Scope, vpc: &str, address: Ipv4Addr) -> Key {
    let key = Key::build().text(&scope.account).text(&scope.region);
    key.text(vpc).number(address.to_bits().into()).finish()
}

/// All interfaces.
pub static INTERFACES: Table<ResourceKey, InterfaceRecord> = Table::new(
    "ec2.interfaces",
    |one| one.key.clone(),
    &[
        &OF_VPC,
        &IN_SUBNET,
        &OF_GROUP,
        &OF_HOST,
        &BY_ADDRESS,
        &BY_PUBLIC,
    ],
)
.with_tallies(&[&OF_SUBNET]);
