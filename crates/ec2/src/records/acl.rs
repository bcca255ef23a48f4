//! Network ACLs.

use super::{ResourceKey, within};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use store::{Index, Table};

/// The number of the last entry, which denies everything and cannot be changed.
pub const LAST: u16 = 32767;

/// An entry of a network ACL; the last one of each direction is not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclEntryRecord {
    /// 1 to 32766: entries are asked in this order.
    pub number: u16,
    /// For what leaves the subnet.
    pub egress: bool,
    /// Lets pass; else drops.
    pub allow: bool,
    /// The other side.
    pub cidr: IpNet,
    /// `-1`, or the protocol's number.
    pub protocol: i16,
    /// First and last destination port, of TCP and UDP.
    pub ports: Option<(u16, u16)>,
    /// Type and code of ICMP; -1 is every one.
    pub icmp: Option<(i16, i16)>,
}

/// That an ACL holds for a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclAssociation {
    /// `aclassoc-…`.
    pub id: String,
    /// The subnet.
    pub subnet: String,
}

/// A network ACL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclRecord {
    /// Its scope and id.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// Whether new subnets get it.
    pub is_default: bool,
    /// For which subnets it holds.
    pub associations: Vec<AclAssociation>,
    /// Its entries in order of direction (in, then out) and number.
    pub entries: Vec<AclEntryRecord>,
}

/// By VPC.
pub static BY_VPC: Index<AclRecord> = Index {
    name: "by_vpc",
    keys: |acl| vec![within(&acl.key.scope, &acl.vpc)],
};

/// By subnet and by association, both by id.
pub static BY_ASSOCIATION: Index<AclRecord> = Index {
    name: "by_association",
    keys: |acl| {
        let associations = acl.associations.iter();
        associations
            .flat_map(|association| [&association.id, &association.subnet])
            .map(|id| within(&acl.key.scope, id))
            .collect()
    },
};

/// All network ACLs.
pub static ACLS: Table<ResourceKey, AclRecord> = Table::new(
    "ec2.acls",
    |acl: &AclRecord| acl.key.clone(),
    &[&BY_VPC, &BY_ASSOCIATION],
);
