//! How a subnet is made and unmade.

use crate::cidr::{has_allowed_size, overlap};
use crate::dhcp::{self, Naming};
use crate::errors::{code, has_dependencies, invalid_value};
use crate::records::acl::{ACLS, AclAssociation, BY_ASSOCIATION as ACL_OF};
use crate::records::address::{ADDRESSES, USED, space_of};
use crate::records::interface::{BY_SUBNET, INTERFACES};
use crate::records::route::{BY_ASSOCIATION as TABLE_OF, ROUTE_TABLES};
use crate::records::subnet::{BY_VPC, SUBNETS, SubnetRecord};
use crate::records::vpc::{CidrAssociation, VPCS, VpcRecord};
use crate::records::{ResourceKey, fresh_id, within};
use crate::resource::lookup;
use crate::{address, tags, vpc};
use aws_types::{AwsError, Ctx, Scope};
use ipnet::{Ipv4Net, Ipv6Net};
use std::sync::Arc;
use store::{Key, Txn, World};

/// The subnet of this id.
///
/// # Errors
/// `InvalidSubnetID.NotFound`, `InvalidSubnetID.Malformed`.
pub fn require(world: &World, scope: &Scope, id: &str) -> Result<Arc<SubnetRecord>, AwsError> {
    lookup::<SubnetRecord>(world, scope, id).cloned()
}

/// Addresses that can be given; 0 of a subnet that is not there. Visits no interface.
#[must_use]
pub fn free_addresses(world: &World, scope: &Scope, id: &str) -> u32 {
    let subnet = world.get(&SUBNETS, &ResourceKey::new(scope, id));
    let free = subnet.map_or(0, |subnet| address::available(world, subnet));
    u32::try_from(free).unwrap_or(0)
}

/// What those in a subnet's VPC are told about names.
#[must_use]
pub fn naming(world: &World, subnet: &SubnetRecord) -> Naming {
    let vpc = world.get(&VPCS, &subnet.key.beside(&subnet.vpc));
    vpc.map(|vpc| dhcp::naming(world, vpc)).unwrap_or_default()
}

/// What a subnet is made of.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its range.
    pub cidr: Ipv4Net,
    /// Its IPv6 range.
    pub ipv6: Option<Ipv6Net>,
    /// Its zone's name.
    pub zone: String,
    /// Its zone's default one.
    pub is_default: bool,
}

/// Makes a subnet of a VPC.
///
/// # Errors
/// `InvalidSubnet.Range`, `InvalidSubnet.Conflict`.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    of: &VpcRecord,
    wanted: Wanted,
) -> Result<SubnetRecord, AwsError> {
    check_ipv4(txn, of, wanted.cidr)?;
    if let Some(range) = wanted.ipv6 {
        check_ipv6(txn, of, range)?;
    }
    let subnet = SubnetRecord {
        key: ResourceKey::fresh(ctx, "subnet"),
        vpc: of.key.id.clone(),
        cidr: wanted.cidr,
        ipv6: wanted.ipv6.map(|cidr| CidrAssociation {
            id: fresh_id(ctx, "subnet-cidr-assoc"),
            cidr,
        }),
        zone: wanted.zone,
        default_for_az: wanted.is_default,
        map_public_ip: wanted.is_default,
        assign_ipv6: false,
        dns64: false,
        hostname_type: "ip-name".into(),
        resource_name_a: false,
        resource_name_aaaa: false,
    };
    txn.put(&SUBNETS, subnet.clone());
    let acl = vpc::default_acl(txn, &of.key.scope, &of.key.id);
    if let Some(acl) = acl.map(|acl| acl.key.clone()) {
        let association = AclAssociation {
            id: fresh_id(ctx, "aclassoc"),
            subnet: subnet.key.id.clone(),
        };
        txn.update(&ACLS, &acl, |acl| acl.associations.push(association));
    }
    Ok(subnet)
}

fn check_ipv4(world: &World, of: &VpcRecord, cidr: Ipv4Net) -> Result<(), AwsError> {
    let is_inside = of.cidrs.iter().any(|range| range.cidr.contains(&cidr));
    if !has_allowed_size(cidr) || !is_inside {
        return Err(code("InvalidSubnet.Range").with(format!("The CIDR '{cidr}' is invalid.")));
    }
    let ranges = of_vpc(world, &of.key).into_iter().map(|subnet| subnet.cidr);
    conflict(ranges, cidr)
}

/// Whether a subnet of this VPC may have this IPv6 range: a /64 within those of the VPC, free.
///
/// # Errors
/// `InvalidSubnet.Range`, `InvalidSubnet.Conflict`, `InvalidParameterValue`.
pub fn check_ipv6(world: &World, of: &VpcRecord, range: Ipv6Net) -> Result<(), AwsError> {
    if range.prefix_len() != 64 {
        return Err(invalid_value(format!(
            "The subnet IPv6 prefix length must be 64, not {}.",
            range.prefix_len()
        )));
    }
    if !of.ipv6.iter().any(|own| own.cidr.contains(&range)) {
        return Err(code("InvalidSubnet.Range").with(format!("The CIDR '{range}' is invalid.")));
    }
    let subnets = of_vpc(world, &of.key).into_iter();
    conflict(subnets.filter_map(|s| s.ipv6.map(|v6| v6.cidr)), range)
}

fn conflict<N>(mut others: impl Iterator<Item = N>, cidr: N) -> Result<(), AwsError>
where
    N: Into<ipnet::IpNet> + Copy + std::fmt::Display,
{
    match others.any(|other| overlap(other, cidr)) {
        false => Ok(()),
        true => Err(code("InvalidSubnet.Conflict")
            .with(format!("The CIDR '{cidr}' conflicts with another subnet"))),
    }
}

/// The subnets of a VPC.
#[must_use]
pub fn of_vpc(world: &World, vpc: &ResourceKey) -> Vec<SubnetRecord> {
    let at = within(&vpc.scope, &vpc.id);
    let subnets = world.find(&SUBNETS, &BY_VPC, &at);
    subnets.map(|subnet| subnet.as_ref().clone()).collect()
}

/// Deletes a subnet.
///
/// # Errors
/// `DependencyViolation` while it has interfaces.
pub fn delete(txn: &mut Txn, subnet: &SubnetRecord) -> Result<(), AwsError> {
    let ResourceKey { scope, id } = &subnet.key;
    let at = within(scope, id);
    let space = Key::of(&[&space_of(&subnet.key)]);
    let is_used = txn.find(&INTERFACES, &BY_SUBNET, &at).next().is_some()
        || txn.sum(&ADDRESSES, &USED, &space) > 0;
    if is_used {
        return Err(has_dependencies("subnet", id));
    }
    let table = txn.find(&ROUTE_TABLES, &TABLE_OF, &at).next();
    if let Some(table) = table.map(|table| table.key.clone()) {
        txn.update(&ROUTE_TABLES, &table, |table| {
            let associations = &mut table.associations;
            associations.retain(|association| association.subnet.as_deref() != Some(id));
        });
    }
    let acl = txn.find(&ACLS, &ACL_OF, &at).next();
    if let Some(acl) = acl.map(|acl| acl.key.clone()) {
        txn.update(&ACLS, &acl, |acl| {
            acl.associations.retain(|a| a.subnet != *id);
        });
    }
    txn.delete(&SUBNETS, &subnet.key);
    tags::forget(txn, &subnet.key);
    Ok(())
}
