//! The IPv6 range of a subnet, given to it and taken from it.
//!
//! Rule: EC2 API reference, AssociateSubnetCidrBlock; texts as users report them.

use super::subnets::ipv6_shape;
use crate::errors::{code, missing, refuse, required};
use crate::records::interface::{BY_SUBNET, INTERFACES};
use crate::records::subnet::{SUBNETS, SubnetRecord};
use crate::records::vpc::{CidrAssociation, VPCS};
use crate::records::{ResourceKey, fresh_id, within};
use crate::resource::lookup;
use crate::{cidr, subnet};
use aws_api::ec2::{
    AssociateSubnetCidrBlockRequest, AssociateSubnetCidrBlockResult,
    DisassociateSubnetCidrBlockRequest, DisassociateSubnetCidrBlockResult, SubnetCidrBlockState,
    SubnetIpv6CidrBlockAssociation,
};
use aws_types::{AwsError, Ctx};
use ipnet::Ipv6Net;
use store::{Txn, World};

/// AssociateSubnetCidrBlock.
pub fn associate(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AssociateSubnetCidrBlockRequest,
) -> Result<AssociateSubnetCidrBlockResult, AwsError> {
    refuse(&[
        ("Ipv6IpamPoolId", input.ipv6_ipam_pool_id.is_some()),
        ("Ipv6NetmaskLength", input.ipv6_netmask_length.is_some()),
    ])?;
    let id = required(input.subnet_id.as_ref(), "subnetId")?;
    let text = input
        .ipv6_cidr_block
        .as_ref()
        .ok_or_else(|| missing("ipv6CidrBlock"))?;
    let range = cidr::ipv6(text, "ipv6CidrBlock")?;
    let found = lookup::<SubnetRecord>(txn, &ctx.scope, id)?.clone();
    if found.ipv6.is_some() {
        return Err(code("CidrLimitExceeded")
            .with("This subnet has met its maximum number of allowed IPv6 CIDRs: 1"));
    }
    if let Some(vpc) = txn.get(&VPCS, &found.key.beside(&found.vpc)).cloned() {
        subnet::check_ipv6(txn, &vpc, range)?;
    }
    let association = CidrAssociation {
        id: fresh_id(ctx, "subnet-cidr-assoc"),
        cidr: range,
    };
    let shape = in_state(&association, "associating");
    txn.update(&SUBNETS, &found.key, |subnet| {
        subnet.ipv6 = Some(association);
    });
    Ok(AssociateSubnetCidrBlockResult {
        ipv6_cidr_block_association: Some(shape),
        subnet_id: Some(id.into()),
    })
}

/// DisassociateSubnetCidrBlock.
pub fn disassociate(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DisassociateSubnetCidrBlockRequest,
) -> Result<DisassociateSubnetCidrBlockResult, AwsError> {
    let id = required(input.association_id.as_ref(), "associationId")?;
    let own = ResourceKey::prefix(&ctx.scope);
    let found = txn
        .scan_prefix(&SUBNETS, &own, None)
        .find_map(|(_, subnet)| {
            let range = subnet.ipv6.clone().filter(|range| range.id == id)?;
            Some((subnet.clone(), range))
        });
    let (found, range) = found.ok_or_else(|| {
        code("InvalidSubnetCidrBlockAssociationID.NotFound").with(format!(
            "The subnet CIDR block with association ID '{id}' does not exist"
        ))
    })?;
    let in_use = |why: &str| {
        code("InvalidCidrBlock.InUse").with(format!(
            "The subnet IPv6 CIDR block with association ID {id} may not be disassociated, because {why}."
        ))
    };
    if found.assign_ipv6 {
        return Err(in_use(
            "its subnet has assign-ipv6-address-on-creation set to true",
        ));
    }
    if has_addresses(txn, &found) {
        return Err(in_use("it has addresses in use"));
    }
    txn.update(&SUBNETS, &found.key, |subnet| subnet.ipv6 = None);
    Ok(DisassociateSubnetCidrBlockResult {
        ipv6_cidr_block_association: Some(in_state(&range, "disassociating")),
        subnet_id: Some(found.key.id.clone()),
    })
}

fn has_addresses(world: &World, subnet: &SubnetRecord) -> bool {
    let at = within(&subnet.key.scope, &subnet.key.id);
    let mut all = world.find(&INTERFACES, &BY_SUBNET, &at);
    all.any(|interface| !interface.ipv6_addresses.is_empty())
}

fn in_state(range: &CidrAssociation<Ipv6Net>, state: &str) -> SubnetIpv6CidrBlockAssociation {
    SubnetIpv6CidrBlockAssociation {
        ipv6_cidr_block_state: Some(SubnetCidrBlockState {
            state: Some(state.into()),
            status_message: None,
        }),
        ..ipv6_shape(range)
    }
}
