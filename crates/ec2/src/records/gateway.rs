//! Internet gateways of both kinds.

use super::{ResourceKey, within};
use serde::{Deserialize, Serialize};
use store::{Index, Table};

/// An internet gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetGatewayRecord {
    /// Its scope and id, `igw-…`.
    pub key: ResourceKey,
    /// The VPC that it is attached to.
    pub vpc: Option<String>,
}

/// By VPC.
pub static BY_VPC: Index<InternetGatewayRecord> = Index {
    name: "by_vpc",
    keys: |gateway| {
        let vpc = gateway.vpc.iter();
        vpc.map(|vpc| within(&gateway.key.scope, vpc)).collect()
    },
};

/// All internet gateways.
pub static INTERNET_GATEWAYS: Table<ResourceKey, InternetGatewayRecord> = Table::new(
    "ec2.internet_gateways",
    |gateway: &InternetGatewayRecord| gateway.key.clone(),
    &[&BY_VPC],
);

/// An egress-only internet gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressOnlyGatewayRecord {
    /// Its scope and id, `eigw-…`.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
}

/// By VPC.
pub static EGRESS_BY_VPC: Index<EgressOnlyGatewayRecord> = Index {
    name: "by_vpc",
    keys: |gateway| vec![within(&gateway.key.scope, &gateway.vpc)],
};

/// All egress-only internet gateways.
pub static EGRESS_ONLY_GATEWAYS: Table<ResourceKey, EgressOnlyGatewayRecord> = Table::new(
    "ec2.egress_only_gateways",
    |gateway: &EgressOnlyGatewayRecord| gateway.key.clone(),
    &[&EGRESS_BY_VPC],
);
