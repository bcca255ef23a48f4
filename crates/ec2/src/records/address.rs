//! IPv4 addresses in use: the private ones of each subnet, and the public ones of the pool.
//!
//! What always holds: an address has one row from the moment an interface gets it until nobody can use
//! it any more; so no address is ever given twice.

use super::{ResourceKey, within};
use crate::runs::IN_USE;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use store::{Index, Key, Table, TableKey, Tally};

/// The space of all public addresses.
pub const POOL: &str = "pool";

/// An address within a space: a subnet, or the pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AddressKey {
    /// [`space_of`] a subnet, or [`POOL`].
    pub space: String,
    /// The address.
    pub address: Ipv4Addr,
}

impl TableKey for AddressKey {
    fn encode(&self) -> Key {
        let number = u64::from(u32::from(self.address));
        Key::build().text(&self.space).number(number).finish()
    }
}

/// The space of a subnet's addresses.
#[must_use]
pub fn space_of(subnet: &ResourceKey) -> String {
    let ResourceKey { scope, id } = subnet;
    format!("{}/{}/{id}", scope.account, scope.region)
}

/// An address that is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRecord {
    /// Where it stands.
    pub key: AddressKey,
    /// The interface or the elastic address that has it, `eni-…` or `eipalloc-…`.
    pub owner: String,
}

/// By owner.
pub static BY_OWNER: Index<AddressRecord> = Index {
    name: "by_owner",
    keys: |address| vec![Key::of(&[&address.owner])],
};

/// How many are in use in each space.
pub static USED: Tally<AddressRecord> = Tally {
    name: "used",
    of: |address| vec![(Key::of(&[&address.key.space]), 1)],
};

/// All addresses in use.
pub static ADDRESSES: Table<AddressKey, AddressRecord> = Table::new(
    "ec2.addresses",
    |address: &AddressRecord| address.key.clone(),
    &[&BY_OWNER],
)
.with_tallies(&[&USED])
.with_feeds(&[&IN_USE]);

/// An elastic address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationRecord {
    /// Its scope and id, `eipalloc-…`.
    pub key: ResourceKey,
    /// From the pool.
    pub address: Ipv4Addr,
    /// The interface that has it.
    #[serde(default)]
    pub interface: Option<String>,
    /// `eipassoc-…`, with an interface.
    #[serde(default)]
    pub association: Option<String>,
}

/// By interface.
pub static BY_INTERFACE: Index<AllocationRecord> = Index {
    name: "by_interface",
    keys: |allocation| {
        let interface = allocation.interface.iter();
        interface
            .map(|id| within(&allocation.key.scope, id))
            .collect()
    },
};

/// All elastic addresses.
pub static ALLOCATIONS: Table<ResourceKey, AllocationRecord> = Table::new(
    "ec2.allocations",
    |allocation: &AllocationRecord| allocation.key.clone(),
    &[&BY_INTERFACE],
);
