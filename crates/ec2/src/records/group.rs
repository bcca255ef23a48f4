//! The stored security group, with its rules.

use super::{ResourceKey, Tags, parts};
use aws_types::Scope;
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use store::{Index, Key, Table};

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// `sg-…`.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// Its name, unique in the VPC.
    pub name: String,
    /// `description`.
    pub description: String,
    /// Its rules, in the order in which they were made.
    pub rules: Vec<GroupRule>,
    /// Tags by key.
    #[serde(default)]
    pub tags: Tags,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRule {
    /// `sgr-…`.
    pub id: String,
    /// For what leaves the members; else for what comes to them.
    pub is_egress: bool,
    /// IP protocol; `None` is all (`-1`).
    pub protocol: Option<u8>,
    /// First port, or ICMP type; -1 is all.
    pub from: i32,
    /// Last port, or ICMP code; -1 is all.
    pub to: i32,
    /// The other side.
    pub peer: Peer,
    /// `description`.
    #[serde(default)]
    pub description: Option<String>,
    /// Tags by key.
    #[serde(default)]
    pub tags: Tags,
}

impl GroupRule {
    /// Whether the other allows the same, whatever it is called.
    #[must_use]
    pub fn allows_same(&self, other: &Self) -> bool {
        let of = |rule: &Self| (rule.is_egress, rule.protocol, rule.from, rule.to);
        of(self) == of(other) && self.peer == other.peer
    }
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Peer {
    /// Addresses.
    Ipv4(Ipv4Net),
    /// Addresses.
    Ipv6(Ipv6Net),
    /// `pl-…`.
    PrefixList(String),
    /// Members of `sg-…`.
    Group(String),
}

/// By VPC.
pub static OF_VPC: Index<GroupRecord> = Index {
    name: "of_vpc",
    keys: |group| vec![parts(&group.key.scope, &group.vpc)],
};

/// By name within the VPC.
pub static BY_GROUP_NAME: Index<GroupRecord> = Index {
    name: "by_name",
    keys: |group| vec![group_name_parts(&group.key.scope, &group.vpc, &group.name)],
};

/// The key of [`BY_GROUP_NAME`].
#[must_use]
pub fn group_name_parts(scope: &Scope, vpc: &str, name: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, vpc, name])
}

/// All groups.
pub static GROUPS: Table<ResourceKey, GroupRecord> = Table::new(
    "ec2.security_groups",
    |group| group.key.clone(),
    &[&OF_VPC, &BY_GROUP_NAME],
);
