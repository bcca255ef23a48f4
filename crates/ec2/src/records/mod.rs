//! What is stored. Every table's key is an id within account and region.

mod gateway;
mod group;
mod interface;
mod route_table;
mod subnet;
mod vpc;

pub use gateway::{INTERNET_GATEWAYS, InternetGatewayRecord};
pub use group::{
    BY_GROUP_NAME, GROUPS, GroupRecord, GroupRule, OF_VPC as GROUPS_OF_VPC, Peer, group_name_parts,
};
pub use interface::{
    BY_ADDRESS, BY_PUBLIC, IN_SUBNET, INTERFACES, InterfaceRecord, OF_GROUP, OF_HOST, OF_SUBNET,
    OF_VPC as INTERFACES_OF_VPC, address_parts, host_parts, public_parts,
};
pub use route_table::{
    Destination, OF_VPC as ROUTE_TABLES_OF_VPC, ROUTE_TABLES, RouteRecord, RouteTableAssociation,
    RouteTableRecord, Target,
};
pub use subnet::{OF_VPC as SUBNETS_OF_VPC, SUBNETS, SubnetRecord};
pub use vpc::{CidrAssociation, VPCS, VpcRecord};

use aws_types::Scope;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Key, TableDefinition, TableKey};

/// Tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// A resource, within account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// For example `vpc-0123456789abcdef0`.
    pub id: String,
}

impl ResourceKey {
    /// The key of the resource of this id.
    #[must_use]
    pub fn new(scope: &Scope, id: &str) -> Self {
        Self {
            scope: scope.clone(),
            id: id.into(),
        }
    }

    /// What the keys of all resources of a scope begin with.
    #[must_use]
    pub fn prefix(scope: &Scope) -> Key {
        Key::of(&[&scope.account, &scope.region])
    }
}

impl TableKey for ResourceKey {
    fn encode(&self) -> Key {
        Key::of(&[&self.scope.account, &self.scope.region, &self.id])
    }
}

/// The key of an index by another resource.
#[must_use]
pub fn parts(scope: &Scope, of: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, of])
}

/// The tables of this crate.
#[must_use]
pub fn tables() -> Vec<&'static dyn TableDefinition> {
    vec![
        &VPCS,
        &SUBNETS,
        &INTERFACES,
        &GROUPS,
        &ROUTE_TABLES,
        &INTERNET_GATEWAYS,
    ]
}
