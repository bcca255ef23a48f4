//! Subnets: looked up, and their addresses given out.
//!
//! Rule: VPC user guide, "Subnet sizing": the first four addresses and the last are not given.

use crate::errors::{SUBNET, no_free_address};
use crate::records::{
    BY_ADDRESS, INTERFACES, OF_SUBNET, ResourceKey, SUBNETS, SubnetRecord, address_parts, parts,
};
use crate::vpc;
use aws_types::{AwsError, Ids, Scope};
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::World;

/// Reserved at the beginning of a subnet: network, router, resolver, future use.
const RESERVED_FIRST: u32 = 4;
/// Reserved in all: also the last one.
const RESERVED: u32 = 5;

/// The subnet of this id.
///
/// # Errors
/// `InvalidSubnetID.NotFound`.
pub fn require(world: &World, scope: &Scope, id: &str) -> Result<Arc<SubnetRecord>, AwsError> {
    let found = world.get(&SUBNETS, &ResourceKey::new(scope, id));
    found.cloned().ok_or_else(|| SUBNET.missing(id))
}

/// `availableIpAddressCount`; 0 of a subnet that is not there. Visits no interface.
#[must_use]
pub fn free_addresses(world: &World, scope: &Scope, id: &str) -> u32 {
    let Some(subnet) = world.get(&SUBNETS, &ResourceKey::new(scope, id)) else {
        return 0;
    };
    let used = world.sum(&INTERFACES, &OF_SUBNET, &parts(scope, id));
    room(subnet).saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
}

/// Addresses that can be given.
fn room(subnet: &SubnetRecord) -> u32 {
    let size = 1_u32.checked_shl(32 - u32::from(subnet.cidr.prefix_len()));
    size.unwrap_or(u32::MAX).saturating_sub(RESERVED)
}

/// Whether an address of the subnet is one that AWS keeps.
#[must_use]
pub fn is_reserved(subnet: &SubnetRecord, address: Ipv4Addr) -> bool {
    let offset = address.to_bits() - subnet.cidr.network().to_bits();
    offset < RESERVED_FIRST || address == subnet.cidr.broadcast()
}

/// Whether an interface of the subnet's VPC has the address.
#[must_use]
pub fn is_taken(world: &World, subnet: &SubnetRecord, address: Ipv4Addr) -> bool {
    let key = address_parts(&subnet.key.scope, &subnet.vpc, address);
    world.find(&INTERFACES, &BY_ADDRESS, &key).next().is_some()
}

/// A free address: the first from a random place on, so that one that was just given back is not the
/// next to be given.
///
/// # Errors
/// `InsufficientFreeAddressesInSubnet`.
pub fn choose_address(
    world: &World,
    ids: &mut Ids,
    subnet: &SubnetRecord,
) -> Result<Ipv4Addr, AwsError> {
    let room = room(subnet);
    if free_addresses(world, &subnet.key.scope, &subnet.key.id) == 0 {
        return Err(no_free_address());
    }
    let first = subnet.cidr.network().to_bits() + RESERVED_FIRST;
    let start = u32::try_from(ids.number() % u64::from(room)).unwrap_or(0);
    let at = |offset: u32| {
        let offset = u64::from(start) + u64::from(offset);
        let offset = u32::try_from(offset % u64::from(room)).unwrap_or(0);
        Ipv4Addr::from_bits(first + offset)
    };
    let mut all = (0..room).map(at);
    let free = all.find(|address| !is_taken(world, subnet, *address));
    free.ok_or_else(no_free_address)
}

/// The resolver of a subnet's VPC: the third address of the primary range.
#[must_use]
pub fn resolver(world: &World, subnet: &SubnetRecord) -> Ipv4Addr {
    let vpc = vpc::require(world, &subnet.key.scope, &subnet.vpc);
    let primary = vpc
        .ok()
        .and_then(|vpc| vpc.cidrs.first().map(|one| one.cidr));
    let range = primary.unwrap_or(subnet.cidr);
    Ipv4Addr::from_bits(range.network().to_bits() + 2)
}
