//! Public addresses that hosts may still translate for whoever had them.

use super::ResourceKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use store::{Index, Key, Table};

/// An address that was taken from an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRecord {
    /// Unique in a Longshore.
    pub number: u32,
    /// From the pool.
    pub address: Ipv4Addr,
    /// The VPC of the interface that had it.
    pub vpc: ResourceKey,
    /// The hosts of that VPC that have not said yet that they know.
    pub hosts: BTreeSet<String>,
}

/// By address.
pub static BY_ADDRESS: Index<HeldRecord> = Index {
    name: "by_address",
    keys: |held| vec![address_key(held.address)],
};

/// By each of the hosts.
pub static BY_HOST: Index<HeldRecord> = Index {
    name: "by_host",
    keys: |held| held.hosts.iter().map(|host| Key::of(&[host])).collect(),
};

/// The key of [`BY_ADDRESS`].
#[must_use]
pub fn address_key(address: Ipv4Addr) -> Key {
    Key::build().number(u32::from(address).into()).finish()
}

/// The key of a number.
#[must_use]
pub fn number_key(number: u32) -> Key {
    Key::build().number(number.into()).finish()
}

/// All of them.
pub static HELD: Table<Key, HeldRecord> = Table::new(
    "ec2.held_addresses",
    |held: &HeldRecord| number_key(held.number),
    &[&BY_ADDRESS, &BY_HOST],
);
