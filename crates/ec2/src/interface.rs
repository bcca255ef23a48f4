//! Interfaces: made for tasks, and removed when their host has said that nothing is left of them.
//!
//! Rule: semantics 4.6 and 11 ("requester-managed"); design section 8, invariant 5.

use crate::errors::{INTERFACE, code};
use crate::records::{
    BY_GROUP_NAME, GROUPS, INTERFACES, InterfaceRecord, ResourceKey, SubnetRecord, Tags,
    group_name_parts,
};
use crate::security::groups;
use crate::vpc::{DEFAULT_GROUP, new_id};
use crate::{public, subnet};
use aws_types::{AwsError, Ctx, Ids, Scope};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use store::{Txn, World};

/// VPC user guide, "Amazon VPC quotas": groups of an interface.
pub const GROUPS_MAX: usize = 5;

/// What an interface of a task is made from.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `subnet-…`.
    pub subnet: String,
    /// Its groups; the VPC's default group where none is named.
    pub groups: Vec<String>,
    /// Whether it gets a public address.
    pub assign_public_ip: bool,
    /// The ARN of its attachment.
    pub description: String,
    /// Tags by key.
    pub tags: Tags,
    /// What names its host in host sync.
    pub host: Option<String>,
}

/// The interface of this id.
///
/// # Errors
/// `InvalidNetworkInterfaceID.NotFound`.
pub fn require(world: &World, scope: &Scope, id: &str) -> Result<Arc<InterfaceRecord>, AwsError> {
    let found = world.get(&INTERFACES, &ResourceKey::new(scope, id));
    found.cloned().ok_or_else(|| INTERFACE.missing(id))
}

/// Makes the interface of a task, on its host.
///
/// # Errors
/// `InvalidSubnetID.NotFound`, `InvalidGroup.NotFound`, `InvalidParameter` for groups of another VPC,
/// `InsufficientFreeAddressesInSubnet`, `InsufficientAddressCapacity` for the public one.
pub fn create_for_task(
    txn: &mut Txn,
    ctx: &mut Ctx,
    wanted: &Wanted,
) -> Result<InterfaceRecord, AwsError> {
    let subnet = subnet::require(txn, &ctx.scope, &wanted.subnet)?;
    let groups = resolve_groups(txn, &subnet, &wanted.groups)?;
    let address = subnet::choose_address(txn, &mut ctx.ids, &subnet)?;
    let public = match wanted.assign_public_ip {
        true => Some(public::choose(txn, &mut ctx.ids)?),
        false => None,
    };
    let made = InterfaceRecord {
        key: ResourceKey::new(&ctx.scope, &new_id(&mut ctx.ids, "eni")),
        public,
        description: wanted.description.clone(),
        host: wanted.host.clone(),
        attachment: wanted
            .host
            .as_ref()
            .map(|_| new_id(&mut ctx.ids, "eni-attach")),
        is_managed: true,
        tags: wanted.tags.clone(),
        ..bare(&mut ctx.ids, &subnet, groups, address)
    };
    txn.put(&INTERFACES, made.clone());
    Ok(made)
}

/// An interface with this address that is nowhere yet; its key is still to be made.
pub fn bare(
    ids: &mut Ids,
    subnet: &SubnetRecord,
    groups: Vec<String>,
    address: Ipv4Addr,
) -> InterfaceRecord {
    let scope = &subnet.key.scope;
    let ipv6 = subnet.ipv6_cidr.as_ref().filter(|_| subnet.assign_ipv6);
    let ipv6 = ipv6.map(|range| {
        // Random bits of a /64: as good as unique.
        let host = u128::from(ids.number()) & range.cidr.hostmask().to_bits();
        Ipv6Addr::from_bits(range.cidr.network().to_bits() | host)
    });
    InterfaceRecord {
        key: ResourceKey::new(scope, ""),
        vpc: subnet.vpc.clone(),
        subnet: subnet.key.id.clone(),
        zone: subnet.zone.clone(),
        mac: mac(ids),
        addresses: vec![address],
        ipv6_addresses: ipv6.into_iter().collect(),
        public: None,
        groups,
        description: String::new(),
        source_dest_check: true,
        host: None,
        attachment: None,
        is_managed: false,
        private_dns_name: private_dns_name(&scope.region, address),
        tags: Tags::new(),
    }
}

/// Removes an interface of which nothing is left anywhere; its addresses are free from here on.
pub fn remove(txn: &mut Txn, scope: &Scope, id: &str) {
    txn.delete(&INTERFACES, &ResourceKey::new(scope, id));
}

/// Groups of the subnet's VPC, in order of id, each once; its default group where none is named.
///
/// # Errors
/// `InvalidGroup.NotFound`, `InvalidParameter`, `SecurityGroupsPerInterfaceLimitExceeded`.
pub fn resolve_groups(
    world: &World,
    subnet: &SubnetRecord,
    named: &[String],
) -> Result<Vec<String>, AwsError> {
    let scope = &subnet.key.scope;
    if named.is_empty() {
        let key = group_name_parts(scope, &subnet.vpc, DEFAULT_GROUP);
        let found = world.find(&GROUPS, &BY_GROUP_NAME, &key).next();
        return Ok(found
            .map(|group| group.key.id.clone())
            .into_iter()
            .collect());
    }
    let mut groups: Vec<String> = Vec::new();
    for id in named {
        let group = groups::require(world, scope, id)?;
        if group.vpc != subnet.vpc {
            let text = format!(
                "You have specified two resources that belong to different networks. ({id} and {})",
                subnet.key.id
            );
            return Err(code("InvalidParameter").with(text));
        }
        groups.push(id.clone());
    }
    groups.sort();
    groups.dedup();
    match groups.len() > GROUPS_MAX {
        true => Err(code("SecurityGroupsPerInterfaceLimitExceeded").with(format!(
            "The maximum number of security groups per interface has been reached. Limit: {GROUPS_MAX}"
        ))),
        false => Ok(groups),
    }
}

/// A locally administered address of 38 random bits: two of one VPC are as good as never alike.
fn mac(ids: &mut Ids) -> String {
    let bytes = ids.number().to_be_bytes();
    let [a, b, c, d, e, ..] = bytes;
    format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}")
}

/// `ip-10-0-0-5.ec2.internal`; `ip-10-0-0-5.REGION.compute.internal` elsewhere.
#[must_use]
pub fn private_dns_name(region: &str, address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("ip-{a}-{b}-{c}-{d}.{}", domain(region))
}

/// The domain of private names.
#[must_use]
pub fn domain(region: &str) -> String {
    match region {
        "us-east-1" => "ec2.internal".into(),
        other => format!("{other}.compute.internal"),
    }
}
