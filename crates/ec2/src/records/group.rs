//! Security groups and their rules.

use super::{ResourceKey, within};
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use store::{Index, Key, Table};

/// The name of each VPC's own group.
pub const DEFAULT: &str = "default";

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// Its scope and id.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// Its name, unique in the VPC.
    pub name: String,
    /// `GroupDescription`.
    pub description: String,
}

/// By VPC and name.
pub static BY_VPC: Index<GroupRecord> = Index {
    name: "by_vpc",
    keys: |group| {
        let scope = &group.key.scope;
        vec![Key::of(&[
            &scope.account,
            &scope.region,
            &group.vpc,
            &group.name,
        ])]
    },
};

/// All groups.
pub static GROUPS: Table<ResourceKey, GroupRecord> = Table::new(
    "ec2.groups",
    |group: &GroupRecord| group.key.clone(),
    &[&BY_VPC],
);

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Peer {
    /// A range of IPv4.
    Ipv4(Ipv4Net),
    /// A range of IPv6.
    Ipv6(Ipv6Net),
    /// The members of a group.
    Group(String),
    /// The ranges of a prefix list.
    PrefixList(String),
}

/// What a rule lets pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Traffic {
    /// `-1`, `tcp`, `udp`, `icmp`, `icmpv6`, or a number.
    pub protocol: String,
    /// First port, or type of ICMP; -1 is every one. Absent where the protocol has none.
    pub from: Option<i32>,
    /// Last port, or code of ICMP; likewise.
    pub to: Option<i32>,
}

/// A rule of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRecord {
    /// Its scope and id, `sgr-…`.
    pub key: ResourceKey,
    /// Its group.
    pub group: String,
    /// For what goes out; else for what comes in.
    pub egress: bool,
    /// What passes.
    pub traffic: Traffic,
    /// From whom, or to whom.
    pub peer: Peer,
    /// `Description`.
    #[serde(default)]
    pub description: Option<String>,
}

/// By group.
pub static BY_GROUP: Index<RuleRecord> = Index {
    name: "by_group",
    keys: |rule| vec![within(&rule.key.scope, &rule.group)],
};

/// By the group or prefix list that it names.
pub static BY_PEER: Index<RuleRecord> = Index {
    name: "by_peer",
    keys: |rule| match &rule.peer {
        Peer::Group(id) | Peer::PrefixList(id) => vec![within(&rule.key.scope, id)],
        Peer::Ipv4(_) | Peer::Ipv6(_) => vec![],
    },
};

/// All rules.
pub static RULES: Table<ResourceKey, RuleRecord> = Table::new(
    "ec2.rules",
    |rule: &RuleRecord| rule.key.clone(),
    &[&BY_GROUP, &BY_PEER],
);
