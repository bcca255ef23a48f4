//! Ranges that a VPC gets beside its first one.
//!
//! Rule: VPC user guide, "VPC CIDR blocks"; quotas of Amazon VPC.

use crate::cidr;
use crate::errors::{code, missing, refuse, required};
use crate::records::vpc::{CidrAssociation, VPCS, VpcRecord};
use crate::records::{ResourceKey, fresh_id};
use crate::resource::lookup;
use crate::{group, subnet, vpc};
use aws_api::ec2::{
    AssociateVpcCidrBlockRequest, AssociateVpcCidrBlockResult, DisassociateVpcCidrBlockRequest,
    DisassociateVpcCidrBlockResult, VpcCidrBlockAssociation, VpcCidrBlockState,
    VpcIpv6CidrBlockAssociation,
};
use aws_types::{AwsError, Ctx, Scope};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use store::Txn;

/// Ranges of a VPC in each family.
const RANGES_MAX: usize = 5;

/// AssociateVpcCidrBlock.
pub fn associate(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AssociateVpcCidrBlockRequest,
) -> Result<AssociateVpcCidrBlockResult, AwsError> {
    refuse(&[
        ("Ipv6Pool", input.ipv6_pool.is_some()),
        ("Ipv6CidrBlock", input.ipv6_cidr_block.is_some()),
        ("Ipv4IpamPoolId", input.ipv4_ipam_pool_id.is_some()),
        ("Ipv4NetmaskLength", input.ipv4_netmask_length.is_some()),
        ("Ipv6IpamPoolId", input.ipv6_ipam_pool_id.is_some()),
        ("Ipv6NetmaskLength", input.ipv6_netmask_length.is_some()),
    ])?;
    let id = required(input.vpc_id.as_ref(), "vpcId")?;
    let found = lookup::<VpcRecord>(txn, &ctx.scope, id)?.clone();
    let mut answer = AssociateVpcCidrBlockResult {
        vpc_id: Some(id.into()),
        ..AssociateVpcCidrBlockResult::default()
    };
    if input.amazon_provided_ipv6_cidr_block == Some(true) {
        check_count(found.ipv6.len())?;
        let range = vpc::ipv6_range(txn, ctx);
        let shape = ipv6_shape(&ctx.scope, &range);
        txn.update(&VPCS, &found.key, |vpc| vpc.ipv6.push(range));
        if found.ipv6.is_empty() {
            group::open_ipv6(txn, ctx, &found.key);
        }
        answer.ipv6_cidr_block_association = Some(VpcIpv6CidrBlockAssociation {
            ipv6_cidr_block_state: state("associating"),
            ..shape
        });
        return Ok(answer);
    }
    let text = input
        .cidr_block
        .as_ref()
        .ok_or_else(|| missing("cidrBlock"))?;
    let range = cidr::ipv4(text, "cidrBlock")?;
    check_count(found.cidrs.len())?;
    if !cidr::has_allowed_size(range) {
        return Err(vpc::invalid_range(range));
    }
    if found.cidrs.iter().any(|own| cidr::overlap(own.cidr, range)) {
        return Err(code("InvalidVpc.Range").with(format!(
            "The CIDR '{range}' conflicts with another CIDR block of the VPC."
        )));
    }
    let association = CidrAssociation {
        id: fresh_id(ctx, "vpc-cidr-assoc"),
        cidr: range,
    };
    answer.cidr_block_association = Some(VpcCidrBlockAssociation {
        cidr_block_state: state("associating"),
        ..ipv4_shape(&association)
    });
    txn.update(&VPCS, &found.key, |vpc| vpc.cidrs.push(association));
    Ok(answer)
}

fn check_count(present: usize) -> Result<(), AwsError> {
    match present < RANGES_MAX {
        true => Ok(()),
        false => Err(code("CidrLimitExceeded").with(format!(
            "This network has met its maximum number of allowed CIDRs: {RANGES_MAX}"
        ))),
    }
}

/// DisassociateVpcCidrBlock.
pub fn disassociate(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DisassociateVpcCidrBlockRequest,
) -> Result<DisassociateVpcCidrBlockResult, AwsError> {
    let id = required(input.association_id.as_ref(), "associationId")?;
    let own = ResourceKey::prefix(&ctx.scope);
    let has_it = |vpc: &VpcRecord| {
        let ipv4 = vpc.cidrs.iter().map(|range| &range.id);
        ipv4.chain(vpc.ipv6.iter().map(|range| &range.id))
            .any(|other| other == id)
    };
    let found = txn
        .scan_prefix(&VPCS, &own, None)
        .find(|(_, vpc)| has_it(vpc))
        .map(|(_, vpc)| vpc.clone());
    let found = found.ok_or_else(|| {
        code("InvalidCidrBlockAssociationID.NotFound").with(format!(
            "The vpc CIDR block association ID '{id}' does not exist"
        ))
    })?;
    let mut answer = DisassociateVpcCidrBlockResult {
        vpc_id: Some(found.key.id.clone()),
        ..DisassociateVpcCidrBlockResult::default()
    };
    let subnets = subnet::of_vpc(txn, &found.key);
    if let Some(range) = found.ipv6.iter().find(|range| range.id == id) {
        let mut ranges = subnets.iter().filter_map(|s| s.ipv6.as_ref());
        check_unused(id, ranges.any(|own| range.cidr.contains(&own.cidr)))?;
        answer.ipv6_cidr_block_association = Some(VpcIpv6CidrBlockAssociation {
            ipv6_cidr_block_state: state("disassociating"),
            ..ipv6_shape(&ctx.scope, range)
        });
    }
    if let Some(at) = found.cidrs.iter().position(|range| range.id == id) {
        let range = &found.cidrs[at];
        if at == 0 {
            return Err(code("OperationNotPermitted").with(format!(
                "The vpc CIDR block with association ID {id} may not be disassociated. \
                 It is the primary IPv4 CIDR block of the VPC"
            )));
        }
        let is_used = subnets.iter().any(|own| range.cidr.contains(&own.cidr));
        check_unused(id, is_used)?;
        answer.cidr_block_association = Some(VpcCidrBlockAssociation {
            cidr_block_state: state("disassociating"),
            ..ipv4_shape(range)
        });
    }
    txn.update(&VPCS, &found.key, |vpc| {
        vpc.cidrs.retain(|range| range.id != id);
        vpc.ipv6.retain(|range| range.id != id);
    });
    Ok(answer)
}

fn check_unused(id: &str, is_used: bool) -> Result<(), AwsError> {
    match is_used {
        false => Ok(()),
        true => Err(crate::errors::dependency(format!(
            "The vpc CIDR block with association ID {id} has dependencies and cannot be disassociated"
        ))),
    }
}

fn state(name: &str) -> Option<VpcCidrBlockState> {
    Some(VpcCidrBlockState {
        state: Some(name.into()),
        status_message: None,
    })
}

/// A range of IPv4 as answers have it.
pub fn ipv4_shape(range: &CidrAssociation<Ipv4Net>) -> VpcCidrBlockAssociation {
    VpcCidrBlockAssociation {
        association_id: Some(range.id.clone()),
        cidr_block: Some(IpNet::from(range.cidr).to_string()),
        cidr_block_state: state("associated"),
    }
}

/// A range of IPv6 as answers have it.
pub fn ipv6_shape(scope: &Scope, range: &CidrAssociation<Ipv6Net>) -> VpcIpv6CidrBlockAssociation {
    VpcIpv6CidrBlockAssociation {
        association_id: Some(range.id.clone()),
        ip_source: Some("amazon".into()),
        ipv6_address_attribute: Some("public".into()),
        ipv6_cidr_block: Some(range.cidr.to_string()),
        ipv6_cidr_block_state: state("associated"),
        ipv6_pool: Some("Amazon".into()),
        network_border_group: Some(scope.region.clone()),
    }
}
