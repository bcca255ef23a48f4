//! The regions of a Longshore.

use serde::{Deserialize, Serialize};
use store::{Key, Table};

/// A region that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionRecord {
    /// For example `us-east-1`.
    pub name: String,
    /// Names of its zones.
    pub zones: Vec<String>,
    /// Accounts whose defaults were made here: once deleted they are not made again.
    #[serde(default)]
    pub accounts: Vec<String>,
}

/// The regions served, written at start.
pub static REGIONS: Table<Key, RegionRecord> = Table::new(
    "ec2.regions",
    |region: &RegionRecord| Key::of(&[&region.name]),
    &[],
);
