//! Prefix lists of users.

use super::ResourceKey;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use store::Table;

/// A range of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixEntry {
    /// The range.
    pub cidr: IpNet,
    /// `Description`.
    pub description: Option<String>,
}

/// A prefix list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixListRecord {
    /// Its scope and id, `pl-…`.
    pub key: ResourceKey,
    /// `PrefixListName`.
    pub name: String,
    /// `AddressFamily`: `IPv6`; else `IPv4`.
    pub is_ipv6: bool,
    /// Entries that it may have; so many rules it counts for in a security group.
    pub max_entries: usize,
    /// `State`: `create-complete`, `modify-complete`.
    pub state: String,
    /// The entries of each version in order of ranges, the first version first.
    pub versions: Vec<Vec<PrefixEntry>>,
}

impl PrefixListRecord {
    /// The entries that hold.
    #[must_use]
    pub fn entries(&self) -> &[PrefixEntry] {
        self.versions.last().map_or(&[], Vec::as_slice)
    }
}

/// All prefix lists.
pub static PREFIX_LISTS: Table<ResourceKey, PrefixListRecord> = Table::new(
    "ec2.prefix_lists",
    |list: &PrefixListRecord| list.key.clone(),
    &[],
);
