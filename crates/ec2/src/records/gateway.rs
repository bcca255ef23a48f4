//! The stored internet gateway.

use super::{ResourceKey, Tags};
use serde::{Deserialize, Serialize};
use store::Table;

/// One internet gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetGatewayRecord {
    /// `igw-…`.
    pub key: ResourceKey,
    /// The VPC to which it is attached.
    pub vpc: Option<String>,
    /// Tags by key.
    #[serde(default)]
    pub tags: Tags,
}

/// All internet gateways.
pub static INTERNET_GATEWAYS: Table<ResourceKey, InternetGatewayRecord> =
    Table::new("ec2.internet_gateways", |gateway| gateway.key.clone(), &[]);
