//! The stored route table.

use super::{ResourceKey, Tags, parts};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use store::{Index, Table};

/// One route table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTableRecord {
    /// `rtb-…`.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// Routes but for the local ones, which follow from the VPC's ranges.
    pub routes: Vec<RouteRecord>,
    /// For which subnets it holds.
    pub associations: Vec<RouteTableAssociation>,
    /// Tags by key.
    #[serde(default)]
    pub tags: Tags,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRecord {
    /// Where to; unique in the table.
    pub to: Destination,
    /// By what way.
    pub target: Target,
}

/// Where a route leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Destination {
    /// A range.
    Cidr(IpNet),
    /// `pl-…`.
    PrefixList(String),
}

/// By what way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// `igw-…`.
    InternetGateway(String),
    /// `eigw-…`.
    EgressOnlyInternetGateway(String),
    /// `nat-…`.
    NatGateway(String),
    /// `eni-…`.
    Interface(String),
    /// `vpce-…`.
    Endpoint(String),
}

/// A table holds for a subnet, or is the VPC's main one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTableAssociation {
    /// `rtbassoc-…`.
    pub id: String,
    /// The subnet; `None`: it is the main table, for all that have no other.
    pub subnet: Option<String>,
}

impl RouteTableRecord {
    /// Whether it holds for subnets that have no other.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(|one| one.subnet.is_none())
    }

    /// Whether it was associated with the subnet.
    #[must_use]
    pub fn has(&self, subnet: &str) -> bool {
        let is = |one: &RouteTableAssociation| one.subnet.as_deref() == Some(subnet);
        self.associations.iter().any(is)
    }
}

/// By VPC.
pub static OF_VPC: Index<RouteTableRecord> = Index {
    name: "of_vpc",
    keys: |table| vec![parts(&table.key.scope, &table.vpc)],
};

/// All route tables.
pub static ROUTE_TABLES: Table<ResourceKey, RouteTableRecord> =
    Table::new("ec2.route_tables", |table| table.key.clone(), &[&OF_VPC]);
