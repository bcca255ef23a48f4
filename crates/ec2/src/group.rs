//! How a security group and its rules are made and unmade.
//!
//! Rule: VPC user guide, "Security groups"; quotas of Amazon VPC.

use crate::errors::code;
use crate::records::group::{
    BY_GROUP, BY_PEER, BY_VPC, DEFAULT, GROUPS, GroupRecord, Peer, RULES, RuleRecord, Traffic,
};
use crate::records::interface::{BY_GROUP as MEMBERS, INTERFACES};
use crate::records::vpc::VPCS;
use crate::records::{ResourceKey, within};
use crate::{prefix_list, tags};
use aws_types::{AwsError, Ctx, Scope};
use ipnet::{Ipv4Net, Ipv6Net};
use std::sync::Arc;
use store::{Key, Txn, World};

/// Rules of a group in one direction and one address family.
const RULES_MAX: usize = 60;

/// Makes a group: nothing comes in, but from itself where it is the default one; everything goes out.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    vpc: &str,
    name: &str,
    description: &str,
) -> GroupRecord {
    let group = GroupRecord {
        key: ResourceKey::fresh(ctx, "sg"),
        vpc: vpc.into(),
        name: name.into(),
        description: description.into(),
    };
    txn.put(&GROUPS, group.clone());
    let mut rules = vec![(true, Peer::Ipv4(Ipv4Net::default()))];
    if has_ipv6(txn, &group) {
        rules.push((true, Peer::Ipv6(Ipv6Net::default())));
    }
    if name == DEFAULT {
        rules.push((false, Peer::Group(group.key.id.clone())));
    }
    for (egress, peer) in rules {
        put_everything(txn, ctx, &group, egress, peer);
    }
    group
}

fn has_ipv6(world: &World, group: &GroupRecord) -> bool {
    let vpc = world.get(&VPCS, &group.key.beside(&group.vpc));
    vpc.is_some_and(|vpc| !vpc.ipv6.is_empty())
}

/// A rule for all traffic of this other side.
fn put_everything(txn: &mut Txn, ctx: &mut Ctx, group: &GroupRecord, egress: bool, peer: Peer) {
    let rule = RuleRecord {
        key: ResourceKey::fresh(ctx, "sgr"),
        group: group.key.id.clone(),
        egress,
        traffic: Traffic {
            protocol: "-1".into(),
            from: None,
            to: None,
        },
        peer,
        description: None,
    };
    txn.put(&RULES, rule);
}

/// A VPC has its first IPv6 range: its groups whose outbound rules nobody changed let that family out too.
/// Rule: VPC user guide, "Default security groups" and "Add IPv6 support".
pub fn open_ipv6(txn: &mut Txn, ctx: &mut Ctx, vpc: &ResourceKey) {
    let at = within(&vpc.scope, &vpc.id);
    let groups: Vec<_> = txn.find(&GROUPS, &BY_VPC, &at).cloned().collect();
    for group in groups {
        let outbound: Vec<_> = rules(txn, &group.key)
            .into_iter()
            .filter(|rule| rule.egress)
            .collect();
        let is_as_made = match outbound.as_slice() {
            [one] => one.traffic.protocol == "-1" && one.peer == Peer::Ipv4(Ipv4Net::default()),
            _ => false,
        };
        if is_as_made {
            put_everything(txn, ctx, &group, true, Peer::Ipv6(Ipv6Net::default()));
        }
    }
}

/// The group of this name in a VPC.
#[must_use]
pub fn by_name<'w>(
    world: &'w World,
    scope: &Scope,
    vpc: &str,
    name: &str,
) -> Option<&'w Arc<GroupRecord>> {
    let at = Key::of(&[&scope.account, &scope.region, vpc, name]);
    world.find(&GROUPS, &BY_VPC, &at).next()
}

/// The rules of a group, in order of id.
#[must_use]
pub fn rules(world: &World, group: &ResourceKey) -> Vec<Arc<RuleRecord>> {
    let at = within(&group.scope, &group.id);
    world.find(&RULES, &BY_GROUP, &at).cloned().collect()
}

/// Deletes a group.
///
/// # Errors
/// `CannotDelete` for a default one; `DependencyViolation` where an interface has it, or a rule of
/// another group names it.
pub fn delete(txn: &mut Txn, group: &GroupRecord) -> Result<(), AwsError> {
    let ResourceKey { scope, id } = &group.key;
    if group.name == DEFAULT {
        return Err(code("CannotDelete").with(format!(
            "the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"
        )));
    }
    let at = within(scope, id);
    let is_named = txn
        .find(&RULES, &BY_PEER, &at)
        .any(|rule| rule.group != *id);
    if is_named || txn.find(&INTERFACES, &MEMBERS, &at).next().is_some() {
        let text = format!("resource {id} has a dependent object");
        return Err(crate::errors::dependency(text));
    }
    forget(txn, &group.key);
    Ok(())
}

/// Removes a group with its rules and tags.
pub fn forget(txn: &mut Txn, group: &ResourceKey) {
    for rule in rules(txn, group) {
        remove_rule(txn, &rule.key);
    }
    txn.delete(&GROUPS, group);
    tags::forget(txn, group);
}

/// Removes a rule with its tags.
pub fn remove_rule(txn: &mut Txn, rule: &ResourceKey) {
    txn.delete(&RULES, rule);
    tags::forget(txn, rule);
}

/// Adds a rule.
///
/// # Errors
/// `InvalidPermission.Duplicate`, `RulesPerSecurityGroupLimitExceeded`.
pub fn add_rule(txn: &mut Txn, rule: RuleRecord) -> Result<(), AwsError> {
    let group = rule.key.beside(&rule.group);
    let present = rules(txn, &group);
    let is_same = |other: &Arc<RuleRecord>| {
        other.egress == rule.egress && other.traffic == rule.traffic && other.peer == rule.peer
    };
    if present.iter().any(is_same) {
        return Err(duplicate(&rule));
    }
    let counts = |peer: &Peer| match peer {
        Peer::Ipv4(_) => (1, 0),
        Peer::Ipv6(_) => (0, 1),
        Peer::Group(_) => (1, 1),
        Peer::PrefixList(id) => weight(txn, &rule.key.scope, id),
    };
    let same_direction = present.iter().filter(|other| other.egress == rule.egress);
    let (ipv4, ipv6) = same_direction
        .map(|other| counts(&other.peer))
        .fold(counts(&rule.peer), |sum, one| {
            (sum.0 + one.0, sum.1 + one.1)
        });
    if ipv4.max(ipv6) > RULES_MAX {
        return Err(code("RulesPerSecurityGroupLimitExceeded")
            .with("The maximum number of rules per security group has been reached."));
    }
    txn.put(&RULES, rule);
    Ok(())
}

/// A prefix list counts for as many rules as it may have entries.
/// Rule: VPC user guide, "Managed prefix lists".
fn weight(world: &World, scope: &Scope, id: &str) -> (usize, usize) {
    match prefix_list::require(world, scope, id) {
        Ok(list) if list.is_ipv6 => (0, list.max_entries),
        Ok(list) => (list.max_entries, 0),
        Err(_) => (1, 1),
    }
}

fn duplicate(rule: &RuleRecord) -> AwsError {
    let peer = match &rule.peer {
        Peer::Ipv4(net) => net.to_string(),
        Peer::Ipv6(net) => net.to_string(),
        Peer::Group(id) | Peer::PrefixList(id) => id.clone(),
    };
    let Traffic { protocol, from, to } = &rule.traffic;
    let what = match (protocol.as_str(), from, to) {
        ("-1", ..) => "ALL".into(),
        (name, Some(from), Some(to)) => {
            format!("{}, from port: {from}, to port: {to}", name.to_uppercase())
        }
        (name, ..) => name.to_uppercase(),
    };
    code("InvalidPermission.Duplicate").with(format!(
        "the specified rule \"peer: {peer}, {what}, ALLOW\" already exists"
    ))
}
