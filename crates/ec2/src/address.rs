//! Addresses given and taken: private ones of a subnet, public ones of the pool.

use crate::errors::{code, invalid_value};
use crate::pool;
use crate::records::address::{
    ADDRESSES, AddressKey, AddressRecord, BY_OWNER, POOL, USED, space_of,
};
use crate::records::interface::{BY_IPV6, INTERFACES, ipv6_key};
use crate::records::subnet::SubnetRecord;
use crate::runs::lowest_free;
use aws_types::{AwsError, Ctx};
use ipnet::Ipv6Net;
use std::net::{Ipv4Addr, Ipv6Addr};
use store::{Key, Txn, World};

/// Addresses of a subnet that no interface gets: the network, its router, its resolver, one more, and
/// broadcast. Rule: VPC user guide, "Subnet CIDR blocks".
const RESERVED: u32 = 5;

/// Addresses of a subnet that an interface may have, first and last.
fn usable(subnet: &SubnetRecord) -> (Ipv4Addr, Ipv4Addr) {
    let first = u32::from(subnet.cidr.network()) + RESERVED - 1;
    let last = u32::from(subnet.cidr.broadcast()) - 1;
    (first.into(), last.into())
}

/// `AvailableIpAddressCount`.
#[must_use]
pub fn available(world: &World, subnet: &SubnetRecord) -> i32 {
    let all = 1i64 << (32 - subnet.cidr.prefix_len());
    let space = Key::of(&[&space_of(&subnet.key)]);
    let free = all - i64::from(RESERVED) - world.sum(&ADDRESSES, &USED, &space);
    i32::try_from(free).unwrap_or(i32::MAX)
}

/// Gives an owner the lowest free address of a subnet.
///
/// # Errors
/// `InsufficientFreeAddressesInSubnet`.
pub fn take_lowest(
    txn: &mut Txn,
    subnet: &SubnetRecord,
    owner: &str,
) -> Result<Ipv4Addr, AwsError> {
    let (first, _) = usable(subnet);
    take_from(txn, subnet, owner, first)
}

/// Gives an owner a free address of a subnet, at a place that comes from its id: whoever still knows a task by an
/// address that it has left meets nobody there for a while, and not the task that is started next.
///
/// # Errors
/// `InsufficientFreeAddressesInSubnet`.
pub fn take_any(txn: &mut Txn, subnet: &SubnetRecord, owner: &str) -> Result<Ipv4Addr, AwsError> {
    let (first, last) = usable(subnet);
    let (first, last) = (u32::from(first), u32::from(last));
    let from = first + spread(owner) % (last - first + 1);
    take_from(txn, subnet, owner, from.into())
}

/// FNV-1a: ids that are alike give places far apart.
fn spread(id: &str) -> u32 {
    id.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The first free one from there on, else the first from the subnet's beginning on.
fn take_from(
    txn: &mut Txn,
    subnet: &SubnetRecord,
    owner: &str,
    from: Ipv4Addr,
) -> Result<Ipv4Addr, AwsError> {
    let space = space_of(&subnet.key);
    let (first, last) = usable(subnet);
    let free = lowest_free(txn, &space, from, last);
    let free = free.or_else(|| lowest_free(txn, &space, first, last));
    let free = free.ok_or_else(|| {
        code("InsufficientFreeAddressesInSubnet").with(
            "The specified subnet does not have enough free addresses to satisfy the request.",
        )
    })?;
    put(txn, space, free, owner);
    Ok(free)
}

/// Gives an owner a certain address of a subnet.
///
/// # Errors
/// `InvalidParameterValue`, `InvalidIPAddress.InUse`.
pub fn take(
    txn: &mut Txn,
    subnet: &SubnetRecord,
    owner: &str,
    wanted: &str,
) -> Result<Ipv4Addr, AwsError> {
    let address: Ipv4Addr = wanted
        .parse()
        .map_err(|_| invalid_value(format!("invalid value for parameter address: {wanted}")))?;
    if !subnet.cidr.contains(&address) {
        return Err(invalid_value(format!(
            "Address {address} does not fall within the subnet's address range"
        )));
    }
    let (first, last) = usable(subnet);
    if address < first || address > last {
        return Err(invalid_value(format!(
            "Address {address} is in subnet's reserved address range"
        )));
    }
    let space = space_of(&subnet.key);
    let key = AddressKey {
        space: space.clone(),
        address,
    };
    if txn.get(&ADDRESSES, &key).is_some() {
        return Err(in_use(&address.to_string()));
    }
    put(txn, space, address, owner);
    Ok(address)
}

fn in_use(address: &str) -> AwsError {
    code("InvalidIPAddress.InUse").with(format!("Address {address} is in use."))
}

/// Gives an owner a public address.
///
/// # Errors
/// `InsufficientAddressCapacity`.
pub fn take_public(txn: &mut Txn, owner: &str) -> Result<Ipv4Addr, AwsError> {
    let range = pool::range(txn);
    let first = u32::from(range.network()) + 1;
    let last = u32::from(range.broadcast()) - 1;
    let free = lowest_free(txn, POOL, first.into(), last.into());
    let free = free.ok_or_else(|| {
        code("InsufficientAddressCapacity")
            .with("There are not enough free public addresses to satisfy the request.")
    })?;
    put(txn, POOL.into(), free, owner);
    Ok(free)
}

fn put(txn: &mut Txn, space: String, address: Ipv4Addr, owner: &str) {
    txn.put(
        &ADDRESSES,
        AddressRecord {
            key: AddressKey { space, address },
            owner: owner.into(),
        },
    );
}

/// Ends an owner's hold on its addresses.
pub fn leave(txn: &mut Txn, owner: &str) {
    for address in of_owner(txn, owner) {
        txn.delete(&ADDRESSES, &address.key);
    }
}

/// Frees one address of an owner: another change of the interface than its end.
pub fn give_back(txn: &mut Txn, owner: &str, address: Ipv4Addr) {
    let mut found = of_owner(txn, owner).into_iter();
    if let Some(row) = found.find(|row| row.key.address == address) {
        txn.delete(&ADDRESSES, &row.key);
    }
}

/// The addresses that an owner has.
#[must_use]
pub fn of_owner(world: &World, owner: &str) -> Vec<AddressRecord> {
    let rows = world.find_after(&ADDRESSES, &BY_OWNER, &Key::of(&[owner]), None);
    rows.map(|row| row.as_ref().clone()).collect()
}

/// A free IPv6 address of a subnet's range, or the one that is wanted.
///
/// # Errors
/// `InvalidParameterValue`; `InvalidIPAddress.InUse`.
pub fn ipv6(
    world: &World,
    ctx: &mut Ctx,
    subnet: &SubnetRecord,
    wanted: Option<&str>,
) -> Result<Ipv6Addr, AwsError> {
    let range = subnet.ipv6.as_ref().map(|association| association.cidr);
    let range = range.ok_or_else(|| {
        invalid_value(format!(
            "The subnet {} has no IPv6 CIDR block associated with it.",
            subnet.key.id
        ))
    })?;
    let is_free = |address: Ipv6Addr| {
        let key = ipv6_key(&subnet.key, &subnet.key.id, address);
        world.find(&INTERFACES, &BY_IPV6, &key).next().is_none()
    };
    let Some(wanted) = wanted else {
        loop {
            let address = random_within(ctx, range);
            if is_free(address) {
                return Ok(address);
            }
        }
    };
    let address: Ipv6Addr = wanted
        .parse()
        .map_err(|_| invalid_value(format!("invalid value for parameter ipv6Address: {wanted}")))?;
    if !range.contains(&address) {
        return Err(invalid_value(format!(
            "Address {address} does not fall within the subnet's address range"
        )));
    }
    match is_free(address) {
        true => Ok(address),
        false => Err(in_use(wanted)),
    }
}

/// A /64 has so many addresses that a random one is free but for bad luck; the low ones are reserved.
fn random_within(ctx: &mut Ctx, range: Ipv6Net) -> Ipv6Addr {
    let bytes = ctx.ids.bytes();
    let mut random = [0; 16];
    random.copy_from_slice(&bytes[..16]);
    let host_bits = u128::from_be_bytes(random) & u128::from(range.hostmask());
    (u128::from(range.network()) | host_bits | 0x100).into()
}
