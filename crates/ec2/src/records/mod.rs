//! What is stored: one table a kind of thing, each keyed by account, region and id.

pub mod acl;
pub mod address;
pub mod dhcp;
pub mod endpoint;
pub mod gateway;
pub mod group;
pub mod held;
pub mod interface;
pub mod launch_template;
pub mod nat;
pub mod pool;
pub mod prefix_list;
pub mod region;
pub mod route;
pub mod subnet;
pub mod tag;
pub mod token;
pub mod vpc;

pub use group::{GROUPS, GroupRecord, Peer, RULES, RuleRecord};
pub use interface::{INTERFACES, InterfaceRecord};
pub use subnet::{SUBNETS, SubnetRecord};
pub use vpc::{VPCS, VpcRecord};

use aws_types::{Ctx, Scope};
use serde::{Deserialize, Serialize};
use store::{Key, TableDefinition, TableKey};

/// A resource within account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// For example `vpc-0123456789abcdef0`.
    pub id: String,
}

impl ResourceKey {
    /// The key of a resource.
    #[must_use]
    pub fn new(scope: &Scope, id: &str) -> Self {
        Self {
            scope: scope.clone(),
            id: id.into(),
        }
    }

    /// A fresh one: `PREFIX-` and 17 hexadecimal digits.
    #[must_use]
    pub fn fresh(ctx: &mut Ctx, prefix: &str) -> Self {
        let id = fresh_id(ctx, prefix);
        Self::new(&ctx.scope, &id)
    }

    /// The same scope's resource of another id.
    #[must_use]
    pub fn beside(&self, id: &str) -> Self {
        Self::new(&self.scope, id)
    }

    /// What the keys of all resources of a scope begin with.
    #[must_use]
    pub fn prefix(scope: &Scope) -> Key {
        Key::of(&[&scope.account, &scope.region])
    }

    /// `arn:PARTITION:ec2:REGION:ACCOUNT:KIND/ID`.
    #[must_use]
    pub fn arn(&self, kind: &str) -> String {
        let resource = format!("{kind}/{}", self.id);
        self.scope.arn("ec2", &resource).to_string()
    }
}

impl TableKey for ResourceKey {
    fn encode(&self) -> Key {
        within(&self.scope, &self.id)
    }
}

/// A fresh id: `PREFIX-` and 17 hexadecimal digits.
#[must_use]
pub fn fresh_id(ctx: &mut Ctx, prefix: &str) -> String {
    format!("{prefix}-{}", ctx.ids.hex(17))
}

/// The key of something within a scope: of a row, or of an index.
#[must_use]
pub fn within(scope: &Scope, name: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, name])
}

/// The tables of this crate.
#[must_use]
pub fn tables() -> Vec<&'static dyn TableDefinition> {
    vec![
        &acl::ACLS,
        &address::ADDRESSES,
        &address::ALLOCATIONS,
        &dhcp::DHCP_OPTIONS,
        &endpoint::ENDPOINTS,
        &gateway::EGRESS_ONLY_GATEWAYS,
        &gateway::INTERNET_GATEWAYS,
        &group::GROUPS,
        &group::RULES,
        &held::HELD,
        &interface::INTERFACES,
        &launch_template::LAUNCH_TEMPLATES,
        &launch_template::LAUNCH_TEMPLATE_VERSIONS,
        &nat::NAT_GATEWAYS,
        &pool::POOLS,
        &prefix_list::PREFIX_LISTS,
        &region::REGIONS,
        &route::ROUTE_TABLES,
        &subnet::SUBNETS,
        &tag::TAGS,
        &token::TOKENS,
        &vpc::COUNTERS,
        &vpc::VPCS,
    ]
}
