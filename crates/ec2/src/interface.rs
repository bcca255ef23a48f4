//! Interfaces: how `ecs` makes, places and frees one for a task, in the transaction of the task; and how
//! users make theirs.
//!
//! What always holds: an address is its interface's alone until [`remove`], which `ecs` calls when the
//! task's host has confirmed that nothing is left of it, or was deregistered by force.
//! Rule: docs/decisions/0008; EC2 API reference, CreateNetworkInterface.

use crate::errors::{code, invalid_value};
use crate::records::address::{ALLOCATIONS, BY_INTERFACE};
use crate::records::group::{DEFAULT, GroupRecord};
use crate::records::interface::{
    AttachmentRecord, BY_ID, BY_MAC, INTERFACES, InterfaceRecord, PublicAddress,
};
use crate::records::subnet::SubnetRecord;
use crate::records::{ResourceKey, fresh_id, within};
use crate::resource::lookup;
use crate::{address, defaults, elastic, group, tags};
use aws_types::{AwsError, Ctx, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::{Key, Txn, World};

/// Groups of an interface. Rule: quotas of Amazon VPC.
pub const GROUPS_MAX: usize = 5;

/// What a task wants of its interface.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `subnet-…`.
    pub subnet: String,
    /// `sg-…`, of the subnet's VPC; its default group where none is given.
    pub groups: Vec<String>,
    /// `assignPublicIp`.
    pub assign_public_ip: bool,
    /// No IPv6 address, also where its subnet would give one.
    pub without_ipv6: bool,
    /// `Description`: the ARN of the task's attachment.
    pub description: String,
    /// Tags, reserved ones too.
    pub tags: BTreeMap<String, String>,
    /// The host that is to hold it, where that is known already.
    pub host: Option<String>,
    /// Whether that host has its interfaces by a trunk.
    pub is_branch: bool,
}

/// Makes the interface of a task.
///
/// # Errors
/// `InvalidSubnetID.NotFound`, `InvalidGroup.NotFound`, `InvalidParameterValue` for a group of another
/// VPC, `SecurityGroupsPerInterfaceLimitExceeded`, `InsufficientFreeAddressesInSubnet`,
/// `InsufficientAddressCapacity`.
pub fn create_for_task(
    txn: &mut Txn,
    ctx: &mut Ctx,
    wanted: &Wanted,
) -> Result<InterfaceRecord, AwsError> {
    let subnet = lookup::<SubnetRecord>(txn, &ctx.scope, &wanted.subnet)?.clone();
    let mut made = draft(txn, ctx, &subnet, &wanted.groups)?;
    let first = address::take_any(txn, &subnet, &made.key.id)?;
    made.addresses.push(first);
    made.private_dns_name = private_dns_name(&ctx.scope, first);
    if subnet.assign_ipv6 && !wanted.without_ipv6 {
        made.ipv6_addresses
            .push(address::ipv6(txn, ctx, &subnet, None)?);
    }
    if wanted.assign_public_ip {
        made.public = Some(PublicAddress {
            address: address::take_public(txn, &made.key.id)?,
            allocation: None,
            association: None,
        });
    }
    made.description.clone_from(&wanted.description);
    made.requester_managed = true;
    if wanted.is_branch {
        made.kind = "branch".into();
    }
    made.attachment = Some(AttachmentRecord {
        id: fresh_id(ctx, "eni-attach"),
        at: ctx.now,
        is_attached: false,
    });
    made.host.clone_from(&wanted.host);
    for (key, value) in &wanted.tags {
        tags::put(txn, &made.key, key, value);
    }
    txn.put(&INTERFACES, made.clone());
    Ok(made)
}

/// An interface of a subnet that has no address yet, and is not stored.
///
/// # Errors
/// As [`create_for_task`], about its groups.
pub fn draft(
    world: &World,
    ctx: &mut Ctx,
    subnet: &SubnetRecord,
    groups: &[String],
) -> Result<InterfaceRecord, AwsError> {
    Ok(InterfaceRecord {
        groups: check_groups(world, &ctx.scope, &subnet.vpc, groups)?,
        key: ResourceKey::fresh(ctx, "eni"),
        vpc: subnet.vpc.clone(),
        subnet: subnet.key.id.clone(),
        zone: subnet.zone.clone(),
        description: String::new(),
        mac: free_mac(world, ctx),
        addresses: vec![],
        ipv6_addresses: vec![],
        private_dns_name: String::new(),
        source_dest_check: true,
        kind: "interface".into(),
        requester_managed: false,
        public: None,
        attachment: None,
        host: None,
    })
}

/// The groups of an interface, in order: those given, or the VPC's default one.
///
/// # Errors
/// `InvalidGroup.NotFound`, `InvalidParameterValue`, `SecurityGroupsPerInterfaceLimitExceeded`.
pub fn check_groups(
    world: &World,
    scope: &Scope,
    vpc: &str,
    given: &[String],
) -> Result<Vec<String>, AwsError> {
    if given.is_empty() {
        let default = group::by_name(world, scope, vpc, DEFAULT);
        return Ok(default
            .map(|group| group.key.id.clone())
            .into_iter()
            .collect());
    }
    let mut groups = BTreeSet::new();
    for id in given {
        let group = lookup::<GroupRecord>(world, scope, id)?;
        if group.vpc != vpc {
            return Err(invalid_value(
                "You have specified two resources that belong to different networks.",
            ));
        }
        groups.insert(id.clone());
    }
    match groups.len() <= GROUPS_MAX {
        true => Ok(groups.into_iter().collect()),
        false => Err(code("SecurityGroupsPerInterfaceLimitExceeded")
            .with("The maximum number of security groups per interface has been reached.")),
    }
}

/// A hardware address that nobody has; its first byte says that it is locally administered.
fn free_mac(world: &World, ctx: &mut Ctx) -> String {
    loop {
        let bytes = ctx.ids.bytes();
        let rest: Vec<String> = bytes[..5].iter().map(|b| format!("{b:02x}")).collect();
        let mac = format!("02:{}", rest.join(":"));
        let key = Key::of(&[&mac]);
        if world.find(&INTERFACES, &BY_MAC, &key).next().is_none() {
            return mac;
        }
    }
}

/// The interface of this id, in whatever scope.
#[must_use]
pub fn get<'w>(world: &'w World, id: &str) -> Option<&'w Arc<InterfaceRecord>> {
    world.find(&INTERFACES, &BY_ID, &Key::of(&[id])).next()
}

fn change(txn: &mut Txn, id: &str, with: impl FnOnce(&mut InterfaceRecord)) -> bool {
    let key = get(txn, id).map(|interface| interface.key.clone());
    key.is_some_and(|key| txn.update(&INTERFACES, &key, with))
}

/// Says which host is to hold an interface; whether there is such an interface.
pub fn place(txn: &mut Txn, id: &str, host: &str) -> bool {
    change(txn, id, |interface| interface.host = Some(host.into()))
}

/// The host has attached an interface; whether there is such an interface.
pub fn attached(txn: &mut Txn, ctx: &Ctx, id: &str) -> bool {
    let now = ctx.now;
    change(txn, id, |interface| {
        if let Some(attachment) = interface.attachment.as_mut().filter(|a| !a.is_attached) {
            attachment.is_attached = true;
            attachment.at = now;
        }
    })
}

/// Removes an interface of which nothing is left on any host: its addresses are free from here on.
pub fn remove(txn: &mut Txn, scope: &Scope, id: &str) {
    let found = get(txn, id).filter(|interface| interface.key.scope == *scope);
    let Some(interface) = found.cloned() else {
        return;
    };
    let own = within(scope, id);
    let elastics: Vec<_> = txn
        .find(&ALLOCATIONS, &BY_INTERFACE, &own)
        .cloned()
        .collect();
    for one in elastics {
        elastic::part(txn, &one);
    }
    address::leave(txn, id);
    tags::forget(txn, &interface.key);
    txn.delete(&INTERFACES, &interface.key);
}

/// The private name of an address: `ip-10-0-1-232.ec2.internal`.
#[must_use]
pub fn private_dns_name(scope: &Scope, address: Ipv4Addr) -> String {
    let dashed = address.to_string().replace('.', "-");
    format!("ip-{dashed}.{}", defaults::domain(&scope.region))
}

/// The name of a public address: `ec2-100-64-0-1.compute-1.amazonaws.com`.
#[must_use]
pub fn public_dns_name(scope: &Scope, address: Ipv4Addr) -> String {
    let dashed = address.to_string().replace('.', "-");
    match scope.region.as_str() {
        "us-east-1" => format!("ec2-{dashed}.compute-1.amazonaws.com"),
        region => format!("ec2-{dashed}.{region}.compute.amazonaws.com"),
    }
}

#[cfg(test)]
mod tests;
