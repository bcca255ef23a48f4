//! The range that public addresses come from.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use store::{Key, Table};

/// A range of addresses, chosen once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolRecord {
    /// What it is for.
    pub name: String,
    /// Its addresses.
    pub range: Ipv4Net,
}

/// The ranges of a Longshore.
pub static POOLS: Table<Key, PoolRecord> =
    Table::new("ec2.pools", |pool: &PoolRecord| Key::of(&[&pool.name]), &[]);
