//! Further addresses of users' interfaces, given and taken.
//!
//! Rule: EC2 API reference, AssignPrivateIpAddresses, AssignIpv6Addresses; texts as users report them.

use super::interfaces::check_is_users;
use crate::address;
use crate::errors::{invalid_combination, invalid_value, missing, refuse, required};
use crate::records::interface::{INTERFACES, InterfaceRecord};
use crate::records::subnet::SubnetRecord;
use crate::resource::lookup;
use aws_api::Empty;
use aws_api::ec2::{
    AssignIpv6AddressesRequest, AssignIpv6AddressesResult, AssignPrivateIpAddressesRequest,
    AssignPrivateIpAddressesResult, AssignedPrivateIpAddress, UnassignIpv6AddressesRequest,
    UnassignIpv6AddressesResult, UnassignPrivateIpAddressesRequest,
};
use aws_types::{AwsError, Ctx};
use std::sync::Arc;
use store::Txn;

/// As many addresses as an interface of any instance type has.
const ADDRESSES_MAX: i32 = 50;

type Found = (Arc<InterfaceRecord>, Arc<SubnetRecord>);

fn found(txn: &Txn, ctx: &Ctx, id: Option<&String>) -> Result<Found, AwsError> {
    let id = required(id, "networkInterfaceId")?;
    let interface = lookup::<InterfaceRecord>(txn, &ctx.scope, id)?.clone();
    check_is_users(&interface)?;
    let subnet = lookup::<SubnetRecord>(txn, &ctx.scope, &interface.subnet)?.clone();
    Ok((interface, subnet))
}

/// Those that are wanted by name, or so many of any; one of the two is asked for.
fn wanted(
    named: Option<&Vec<String>>,
    count: Option<i32>,
    present: usize,
) -> Result<Vec<Option<&str>>, AwsError> {
    let wanted = match (named, count) {
        (Some(named), None) if !named.is_empty() => {
            named.iter().map(|one| Some(one.as_str())).collect()
        }
        (None, Some(count)) if count > 0 => vec![None; count.min(ADDRESSES_MAX + 1) as usize],
        (Some(_), Some(_)) => {
            return Err(invalid_combination(
                "You may specify addresses or their count, not both.",
            ));
        }
        _ => {
            return Err(missing(
                "privateIpAddresses or secondaryPrivateIpAddressCount",
            ));
        }
    };
    let all = present + wanted.len();
    match i32::try_from(all).is_ok_and(|all| all <= ADDRESSES_MAX) {
        true => Ok(wanted),
        false => Err(crate::errors::code("PrivateIpAddressLimitExceeded").with(format!(
            "Number of private addresses will exceed limit. Max {ADDRESSES_MAX}, requested {all}"
        ))),
    }
}

fn not_assigned(of: &[String], id: &str) -> AwsError {
    let list = of.join(", ");
    invalid_value(format!(
        "Some of [{list}] are not assigned to interface {id}"
    ))
}

/// AssignPrivateIpAddresses.
pub fn assign(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AssignPrivateIpAddressesRequest,
) -> Result<AssignPrivateIpAddressesResult, AwsError> {
    refuse(&[
        ("Ipv4Prefixes", input.ipv4_prefixes.is_some()),
        ("Ipv4PrefixCount", input.ipv4_prefix_count.is_some()),
        ("AllowReassignment", input.allow_reassignment == Some(true)),
    ])?;
    let (interface, subnet) = found(txn, ctx, input.network_interface_id.as_ref())?;
    let (named, count) = (
        input.private_ip_addresses.as_ref(),
        input.secondary_private_ip_address_count,
    );
    let mut given = Vec::new();
    for one in wanted(named, count, interface.addresses.len())? {
        given.push(match one {
            Some(text) => address::take(txn, &subnet, interface.id(), text)?,
            None => address::take_lowest(txn, &subnet, interface.id())?,
        });
    }
    txn.update(&INTERFACES, &interface.key, |one| {
        one.addresses.extend(&given);
    });
    let shapes = given.iter().map(|address| AssignedPrivateIpAddress {
        private_ip_address: Some(address.to_string()),
    });
    Ok(AssignPrivateIpAddressesResult {
        assigned_private_ip_addresses: Some(shapes.collect()),
        network_interface_id: Some(interface.id().into()),
        assigned_ipv4_prefixes: None,
    })
}

/// UnassignPrivateIpAddresses: not the primary one.
pub fn unassign(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UnassignPrivateIpAddressesRequest,
) -> Result<Empty, AwsError> {
    refuse(&[("Ipv4Prefixes", input.ipv4_prefixes.is_some())])?;
    let (interface, _) = found(txn, ctx, input.network_interface_id.as_ref())?;
    let named = input.private_ip_addresses.as_deref().unwrap_or_default();
    if named.is_empty() {
        return Err(missing("privateIpAddresses"));
    }
    let secondary = interface.addresses.iter().skip(1);
    let gone: Vec<_> = secondary
        .filter(|address| named.contains(&address.to_string()))
        .copied()
        .collect();
    if gone.len() != named.len() {
        return Err(not_assigned(named, interface.id()));
    }
    for address in &gone {
        address::give_back(txn, interface.id(), *address);
    }
    txn.update(&INTERFACES, &interface.key, |one| {
        one.addresses.retain(|address| !gone.contains(address));
    });
    Ok(Empty {})
}

/// AssignIpv6Addresses.
pub fn assign_ipv6(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AssignIpv6AddressesRequest,
) -> Result<AssignIpv6AddressesResult, AwsError> {
    refuse(&[
        ("Ipv6Prefixes", input.ipv6_prefixes.is_some()),
        ("Ipv6PrefixCount", input.ipv6_prefix_count.is_some()),
    ])?;
    let (interface, subnet) = found(txn, ctx, input.network_interface_id.as_ref())?;
    let (named, count) = (input.ipv6_addresses.as_ref(), input.ipv6_address_count);
    let mut given = Vec::new();
    for one in wanted(named, count, interface.ipv6_addresses.len())? {
        let address = address::ipv6(txn, ctx, &subnet, one)?;
        // Each is the interface's before the next is looked for.
        txn.update(&INTERFACES, &interface.key, |one| {
            one.ipv6_addresses.push(address);
        });
        given.push(address.to_string());
    }
    Ok(AssignIpv6AddressesResult {
        assigned_ipv6_addresses: Some(given),
        assigned_ipv6_prefixes: None,
        network_interface_id: Some(interface.id().into()),
    })
}

/// UnassignIpv6Addresses.
pub fn unassign_ipv6(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UnassignIpv6AddressesRequest,
) -> Result<UnassignIpv6AddressesResult, AwsError> {
    refuse(&[("Ipv6Prefixes", input.ipv6_prefixes.is_some())])?;
    let (interface, _) = found(txn, ctx, input.network_interface_id.as_ref())?;
    let named = input.ipv6_addresses.as_deref().unwrap_or_default();
    if named.is_empty() {
        return Err(missing("ipv6Addresses"));
    }
    let read = |text: &String| text.parse().ok();
    let gone: Vec<std::net::Ipv6Addr> = named.iter().filter_map(read).collect();
    let all_there = gone
        .iter()
        .all(|one| interface.ipv6_addresses.contains(one));
    if gone.len() != named.len() || !all_there {
        return Err(not_assigned(named, interface.id()));
    }
    txn.update(&INTERFACES, &interface.key, |one| {
        one.ipv6_addresses.retain(|address| !gone.contains(address));
    });
    Ok(UnassignIpv6AddressesResult {
        network_interface_id: Some(interface.id().into()),
        unassigned_ipv6_addresses: Some(named.to_vec()),
        unassigned_ipv6_prefixes: None,
    })
}
