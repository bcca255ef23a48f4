//! Sets of DHCP options.

use super::ResourceKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Table;

/// A set of DHCP options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpOptionsRecord {
    /// Its scope and id, `dopt-…`.
    pub key: ResourceKey,
    /// Values by the option's name.
    pub options: BTreeMap<String, Vec<String>>,
}

/// All sets.
pub static DHCP_OPTIONS: Table<ResourceKey, DhcpOptionsRecord> = Table::new(
    "ec2.dhcp_options",
    |options: &DhcpOptionsRecord| options.key.clone(),
    &[],
);
