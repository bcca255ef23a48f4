//! Route tables.

use super::{ResourceKey, within};
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use store::{Index, Table};

/// Where a route leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum To {
    /// A range of IPv4.
    Ipv4(Ipv4Net),
    /// A range of IPv6.
    Ipv6(Ipv6Net),
    /// The ranges of a prefix list.
    PrefixList(String),
}

/// By what way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Via {
    /// An internet gateway, `igw-…`.
    InternetGateway(String),
    /// An egress-only internet gateway, `eigw-…`.
    EgressOnlyGateway(String),
    /// A NAT gateway, `nat-…`.
    NatGateway(String),
    /// An interface, `eni-…`.
    Interface(String),
    /// A gateway endpoint, `vpce-…`.
    Endpoint(String),
}

/// A route, but for those to the VPC's own ranges, which every table has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRecord {
    /// Where to.
    pub to: To,
    /// By what way.
    pub via: Via,
}

/// That a table holds for a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteAssociation {
    /// `rtbassoc-…`.
    pub id: String,
    /// The subnet; `None`: the table is the VPC's main one.
    pub subnet: Option<String>,
}

/// A route table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTableRecord {
    /// Its scope and id.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// For which subnets it holds.
    pub associations: Vec<RouteAssociation>,
    /// Its routes in the order in which they were made.
    pub routes: Vec<RouteRecord>,
}

impl RouteTableRecord {
    /// Whether it holds for every subnet of its VPC that has no other.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(|a| a.subnet.is_none())
    }
}

/// By VPC.
pub static BY_VPC: Index<RouteTableRecord> = Index {
    name: "by_vpc",
    keys: |table| vec![within(&table.key.scope, &table.vpc)],
};

/// By subnet and by association, both by id.
pub static BY_ASSOCIATION: Index<RouteTableRecord> = Index {
    name: "by_association",
    keys: |table| {
        let associations = table.associations.iter();
        associations
            .flat_map(|association| [Some(&association.id), association.subnet.as_ref()])
            .flatten()
            .map(|id| within(&table.key.scope, id))
            .collect()
    },
};

/// All route tables.
pub static ROUTE_TABLES: Table<ResourceKey, RouteTableRecord> = Table::new(
    "ec2.route_tables",
    |table: &RouteTableRecord| table.key.clone(),
    &[&BY_VPC, &BY_ASSOCIATION],
);
