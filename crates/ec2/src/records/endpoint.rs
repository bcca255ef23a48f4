//! VPC endpoints.

use super::{ResourceKey, within};
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::{Index, Table};

/// A VPC endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRecord {
    /// Its scope and id, `vpce-…`.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// `ServiceName`, as `com.amazonaws.us-east-1.s3`.
    pub service: String,
    /// `VpcEndpointType`: `Gateway`; else `Interface`.
    pub is_gateway: bool,
    /// `PolicyDocument`.
    pub policy: String,
    /// The route tables that lead to it; of a gateway one.
    pub tables: BTreeSet<String>,
    /// Its subnets, and its interface in each; of an interface one.
    pub subnets: BTreeMap<String, String>,
    /// The security groups of its interfaces.
    pub groups: Vec<String>,
    /// `PrivateDnsEnabled`.
    pub private_dns: bool,
    /// `CreationTimestamp`.
    pub created: Timestamp,
}

/// By VPC.
pub static BY_VPC: Index<EndpointRecord> = Index {
    name: "by_vpc",
    keys: |endpoint| vec![within(&endpoint.key.scope, &endpoint.vpc)],
};

/// All endpoints.
pub static ENDPOINTS: Table<ResourceKey, EndpointRecord> = Table::new(
    "ec2.endpoints",
    |endpoint: &EndpointRecord| endpoint.key.clone(),
    &[&BY_VPC],
);
