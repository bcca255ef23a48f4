//! NAT gateways.

use crate::errors::{invalid_combination, invalid_parameter, missing, refuse, required};
use crate::filter::Field;
use crate::nat::{self, Wanted};
use crate::records::ResourceKey;
use crate::records::address::AllocationRecord;
use crate::records::nat::{NAT_GATEWAYS, NatGatewayRecord, NatState};
use crate::records::subnet::SubnetRecord;
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::{tags, tokens};
use aws_api::ec2::{
    CreateNatGatewayRequest, CreateNatGatewayResult, DeleteNatGatewayRequest,
    DeleteNatGatewayResult, DescribeNatGatewaysRequest, DescribeNatGatewaysResult, NatGateway,
    NatGatewayAddress,
};
use aws_types::{AwsError, Ctx};
use store::{Table, Txn, World};

impl Resource for NatGatewayRecord {
    const KIND: Kind = Kind {
        prefix: "nat",
        name: "natgateway",
        noun: "natGateway ID",
        not_found: "NatGatewayNotFound",
        malformed: "NatGatewayMalformed",
        parameter: "natGatewayId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &NAT_GATEWAYS
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeNatGateways, `Filter.N`.
const FIELDS: &[Field<NatGatewayRecord>] = &[
    Field {
        name: "nat-gateway-id",
        values: |_, nat| vec![nat.key.id.clone()],
    },
    Field {
        name: "state",
        values: |_, nat| vec![state(nat).into()],
    },
    Field {
        name: "subnet-id",
        values: |_, nat| vec![nat.subnet.clone()],
    },
    Field {
        name: "vpc-id",
        values: |_, nat| vec![nat.vpc.clone()],
    },
];

fn state(nat: &NatGatewayRecord) -> &'static str {
    match nat.state {
        NatState::Available => "available",
        NatState::Failed(..) => "failed",
        NatState::Deleted => "deleted",
    }
}

/// CreateNatGateway.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateNatGatewayRequest,
) -> Result<CreateNatGatewayResult, AwsError> {
    refuse_unserved(input)?;
    nat::forget_ended(txn, ctx);
    let made = tokens::once(txn, ctx, input.client_token.as_ref(), input, |txn, ctx| {
        let wanted = wanted(txn, ctx, input)?;
        let made = nat::create(txn, ctx, &wanted)?;
        let given = input.tag_specifications.as_ref();
        tags::create(txn, &made.key, NatGatewayRecord::KIND, given)?;
        Ok(made)
    })?;
    Ok(CreateNatGatewayResult {
        client_token: input.client_token.clone(),
        nat_gateway: Some(NatGateway {
            state: Some("pending".into()),
            ..shape(txn, &made)
        }),
    })
}

fn refuse_unserved(input: &CreateNatGatewayRequest) -> Result<(), AwsError> {
    let mode = input.availability_mode.as_deref();
    refuse(&[
        ("AvailabilityMode", mode.is_some_and(|mode| mode != "zonal")),
        (
            "AvailabilityZoneAddresses",
            input.availability_zone_addresses.is_some(),
        ),
        (
            "SecondaryAllocationIds",
            input.secondary_allocation_ids.is_some(),
        ),
        (
            "SecondaryPrivateIpAddresses",
            input.secondary_private_ip_addresses.is_some(),
        ),
        (
            "SecondaryPrivateIpAddressCount",
            input.secondary_private_ip_address_count.is_some(),
        ),
    ])
}

fn wanted(world: &World, ctx: &Ctx, input: &CreateNatGatewayRequest) -> Result<Wanted, AwsError> {
    let subnet = required(input.subnet_id.as_ref(), "subnetId")?;
    let subnet = lookup::<SubnetRecord>(world, &ctx.scope, subnet)?.clone();
    let id = input.allocation_id.as_ref();
    let allocation = match (input.connectivity_type.as_deref().unwrap_or("public"), id) {
        ("public", Some(id)) => Some(lookup::<AllocationRecord>(world, &ctx.scope, id)?.clone()),
        ("public", None) => return Err(missing("AllocationId")),
        ("private", None) => None,
        ("private", Some(_)) => {
            return Err(invalid_combination(
                "The AllocationId parameter cannot be specified with a private connectivity type.",
            ));
        }
        (other, _) => {
            let why = "Expecting public or private.";
            return Err(invalid_parameter("ConnectivityType", other, why));
        }
    };
    Ok(Wanted {
        subnet,
        allocation,
        private: input.private_ip_address.clone(),
    })
}

/// DeleteNatGateway.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteNatGatewayRequest,
) -> Result<DeleteNatGatewayResult, AwsError> {
    nat::forget_ended(txn, ctx);
    let id = required(input.nat_gateway_id.as_ref(), "natGatewayId")?;
    let found = lookup::<NatGatewayRecord>(txn, &ctx.scope, id)?.clone();
    if found.state != NatState::Deleted {
        nat::delete(txn, ctx, &found.key);
    }
    Ok(DeleteNatGatewayResult {
        nat_gateway_id: Some(id.into()),
    })
}

/// DescribeNatGateways: those too that ended within the hour.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeNatGatewaysRequest,
) -> Result<DescribeNatGatewaysResult, AwsError> {
    let query = Query {
        ids: input.nat_gateway_ids.as_ref(),
        filters: input.filter.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<NatGatewayRecord>(world, ctx, query)?;
    let shown = page.items.iter().filter(|nat| !nat.is_forgotten(ctx.now));
    Ok(DescribeNatGatewaysResult {
        nat_gateways: Some(shown.map(|nat| shape(world, nat)).collect()),
        next_token: page.next_token,
    })
}

fn shape(world: &World, nat: &NatGatewayRecord) -> NatGateway {
    let (public, allocation) = nat.public.clone().unzip();
    let failure = match &nat.state {
        NatState::Failed(code, message) => Some((code.clone(), message.clone())),
        NatState::Available | NatState::Deleted => None,
    };
    let (failure_code, failure_message) = failure.unzip();
    NatGateway {
        availability_mode: Some("zonal".into()),
        connectivity_type: Some(if nat.is_public { "public" } else { "private" }.into()),
        create_time: Some(nat.created),
        delete_time: nat.ended,
        failure_code,
        nat_gateway_addresses: Some(vec![NatGatewayAddress {
            allocation_id: allocation,
            association_id: nat.association.clone(),
            failure_message: failure_message.clone(),
            is_primary: Some(true),
            network_interface_id: nat.interface.clone(),
            private_ip: nat.private.map(|address| address.to_string()),
            public_ip: public.map(|address| address.to_string()),
            status: Some(
                if nat.is_available() {
                    "succeeded"
                } else {
                    "failed"
                }
                .into(),
            ),
            ..NatGatewayAddress::default()
        }]),
        failure_message,
        nat_gateway_id: Some(nat.key.id.clone()),
        state: Some(state(nat).into()),
        subnet_id: Some(nat.subnet.clone()),
        tags: Some(tags::shape(world, &nat.key)),
        vpc_id: Some(nat.vpc.clone()),
        ..NatGateway::default()
    }
}
