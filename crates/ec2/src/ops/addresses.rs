//! Elastic addresses.

use super::attachments::no_instance;
use crate::errors::{code, missing, refuse, required};
use crate::filter::Field;
use crate::records::address::{ALLOCATIONS, AllocationRecord};
use crate::records::gateway::{BY_VPC, INTERNET_GATEWAYS};
use crate::records::interface::{INTERFACES, InterfaceRecord};
use crate::records::{ResourceKey, within};
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::{address, elastic, held, tags};
use aws_api::Empty;
use aws_api::ec2::{
    Address, AllocateAddressRequest, AllocateAddressResult, AssociateAddressRequest,
    AssociateAddressResult, DescribeAddressesAttributeRequest, DescribeAddressesAttributeResult,
    DescribeAddressesRequest, DescribeAddressesResult, DisassociateAddressRequest,
    ReleaseAddressRequest,
};
use aws_types::{AwsError, Ctx};
use std::sync::Arc;
use store::{Table, Txn, World};

impl Resource for AllocationRecord {
    const KIND: Kind = Kind {
        prefix: "eipalloc",
        name: "elastic-ip",
        noun: "allocation ID",
        not_found: "InvalidAllocationID.NotFound",
        malformed: "InvalidAllocationID.Malformed",
        parameter: "allocationId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &ALLOCATIONS
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeAddresses, `Filter.N`.
const FIELDS: &[Field<AllocationRecord>] = &[
    Field {
        name: "allocation-id",
        values: |_, one| vec![one.key.id.clone()],
    },
    Field {
        name: "association-id",
        values: |_, one| one.association.iter().cloned().collect(),
    },
    Field {
        name: "domain",
        values: |_, _| vec!["vpc".into()],
    },
    Field {
        name: "instance-id",
        values: |_, _| vec![],
    },
    Field {
        name: "network-border-group",
        values: |_, one| vec![one.key.scope.region.clone()],
    },
    Field {
        name: "network-interface-id",
        values: |_, one| one.interface.iter().cloned().collect(),
    },
    Field {
        name: "network-interface-owner-id",
        values: |_, one| {
            let interface = one.interface.iter();
            interface.map(|_| one.key.scope.account.clone()).collect()
        },
    },
    Field {
        name: "private-ip-address",
        values: |world, one| {
            interface_of(world, one)
                .map(|i| i.address().to_string())
                .into_iter()
                .collect()
        },
    },
    Field {
        name: "public-ip",
        values: |_, one| vec![one.address.to_string()],
    },
];

fn interface_of<'w>(world: &'w World, one: &AllocationRecord) -> Option<&'w Arc<InterfaceRecord>> {
    world.get(&INTERFACES, &one.key.beside(one.interface.as_ref()?))
}

/// AllocateAddress.
pub fn allocate(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AllocateAddressRequest,
) -> Result<AllocateAddressResult, AwsError> {
    let domain = input.domain.as_deref();
    let pool = input.public_ipv4_pool.as_deref();
    refuse(&[
        ("Domain", domain.is_some_and(|domain| domain != "vpc")),
        ("Address", input.address.is_some()),
        ("PublicIpv4Pool", pool.is_some_and(|pool| pool != "amazon")),
        (
            "CustomerOwnedIpv4Pool",
            input.customer_owned_ipv4_pool.is_some(),
        ),
        ("IpamPoolId", input.ipam_pool_id.is_some()),
    ])?;
    let key = ResourceKey::fresh(ctx, "eipalloc");
    let made = AllocationRecord {
        address: address::take_public(txn, &key.id)?,
        key,
        interface: None,
        association: None,
    };
    txn.put(&ALLOCATIONS, made.clone());
    let given = input.tag_specifications.as_ref();
    tags::create(txn, &made.key, AllocationRecord::KIND, given)?;
    Ok(AllocateAddressResult {
        allocation_id: Some(made.key.id.clone()),
        domain: Some("vpc".into()),
        network_border_group: Some(ctx.scope.region.clone()),
        public_ip: Some(made.address.to_string()),
        public_ipv4_pool: Some("amazon".into()),
        ..AllocateAddressResult::default()
    })
}

/// The address that a request names by its id or by itself.
fn chosen(
    world: &World,
    ctx: &Ctx,
    id: Option<&String>,
    public_ip: Option<&String>,
) -> Result<Arc<AllocationRecord>, AwsError> {
    let Some(wanted) = public_ip.filter(|_| id.is_none()) else {
        let id = id.ok_or_else(|| missing("allocationId"))?;
        return lookup::<AllocationRecord>(world, &ctx.scope, id).cloned();
    };
    let own = ResourceKey::prefix(&ctx.scope);
    let mut all = world.scan_prefix(&ALLOCATIONS, &own, None);
    let found = all.find(|(_, one)| one.address.to_string() == *wanted);
    found.map(|(_, one)| one.clone()).ok_or_else(|| {
        code("InvalidAddress.NotFound").with(format!("Address '{wanted}' not found."))
    })
}

/// ReleaseAddress.
pub fn release(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ReleaseAddressRequest,
) -> Result<Empty, AwsError> {
    let (id, public_ip) = (input.allocation_id.as_ref(), input.public_ip.as_ref());
    let found = chosen(txn, ctx, id, public_ip)?;
    if found.interface.is_some() {
        return Err(
            code("InvalidIPAddress.InUse").with(format!("Address {} is in use.", found.address))
        );
    }
    held::free(txn, found.address);
    txn.delete(&ALLOCATIONS, &found.key);
    tags::forget(txn, &found.key);
    Ok(Empty {})
}

/// AssociateAddress, with the primary address of an interface.
/// Rule: EC2 API reference: an address moves from where it is, unless `AllowReassociation` is false.
pub fn associate(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AssociateAddressRequest,
) -> Result<AssociateAddressResult, AwsError> {
    if let Some(instance) = &input.instance_id {
        return Err(no_instance(instance));
    }
    let (id, public_ip) = (input.allocation_id.as_ref(), input.public_ip.as_ref());
    let found = chosen(txn, ctx, id, public_ip)?;
    let eni = required(input.network_interface_id.as_ref(), "networkInterfaceId")?;
    let interface = lookup::<InterfaceRecord>(txn, &ctx.scope, eni)?.clone();
    super::interfaces::check_is_users(&interface)?;
    let private = input.private_ip_address.as_ref();
    let is_other = private.is_some_and(|wanted| *wanted != interface.address().to_string());
    refuse(&[("PrivateIpAddress", is_other)])?;
    let at = within(&ctx.scope, &interface.vpc);
    if txn.find(&INTERNET_GATEWAYS, &BY_VPC, &at).next().is_none() {
        return Err(code("Gateway.NotAttached").with(format!(
            "Network {} is not attached to any internet gateway",
            interface.vpc
        )));
    }
    if let Some(association) = found
        .association
        .as_ref()
        .filter(|_| input.allow_reassociation == Some(false))
    {
        return Err(code("Resource.AlreadyAssociated").with(format!(
            "resource {} is already associated with associate-id {association}",
            found.key.id
        )));
    }
    check_is_movable(txn, &found)?;
    let association = elastic::join(txn, ctx, &found, &interface);
    Ok(AssociateAddressResult {
        association_id: Some(association),
    })
}

/// What a service put an address on, a NAT gateway's interface, keeps it.
fn check_is_movable(world: &World, one: &AllocationRecord) -> Result<(), AwsError> {
    match interface_of(world, one).is_some_and(|interface| interface.requester_managed) {
        false => Ok(()),
        true => Err(code("AuthFailure")
            .with("You do not have permission to access the specified resource.")),
    }
}

/// DisassociateAddress.
pub fn disassociate(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DisassociateAddressRequest,
) -> Result<Empty, AwsError> {
    let found = match (&input.association_id, &input.public_ip) {
        (Some(id), _) => {
            let own = ResourceKey::prefix(&ctx.scope);
            let mut all = txn.scan_prefix(&ALLOCATIONS, &own, None);
            let found = all.find(|(_, one)| one.association.as_ref() == Some(id));
            found.map(|(_, one)| one.clone()).ok_or_else(|| {
                code("InvalidAssociationID.NotFound")
                    .with(format!("The association ID '{id}' does not exist"))
            })?
        }
        (None, public_ip) => chosen(txn, ctx, None, public_ip.as_ref())?,
    };
    check_is_movable(txn, &found)?;
    elastic::part(txn, &found);
    Ok(Empty {})
}

/// DescribeAddresses.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeAddressesRequest,
) -> Result<DescribeAddressesResult, AwsError> {
    let mut ids = input.allocation_ids.clone().unwrap_or_default();
    for public_ip in input.public_ips.iter().flatten() {
        ids.push(chosen(world, ctx, None, Some(public_ip))?.key.id.clone());
    }
    let query = Query {
        ids: Some(&ids),
        filters: input.filters.as_ref(),
        ..Query::default()
    };
    let page = resource::describe::<AllocationRecord>(world, ctx, query)?;
    let shapes = page.items.iter().map(|one| shape(world, one));
    Ok(DescribeAddressesResult {
        addresses: Some(shapes.collect()),
    })
}

/// DescribeAddressesAttribute: reverse names, of which there are none.
pub fn describe_attribute(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeAddressesAttributeRequest,
) -> Result<DescribeAddressesAttributeResult, AwsError> {
    for id in input.allocation_ids.iter().flatten() {
        lookup::<AllocationRecord>(world, &ctx.scope, id)?;
    }
    Ok(DescribeAddressesAttributeResult {
        addresses: Some(vec![]),
        next_token: None,
    })
}

fn shape(world: &World, one: &AllocationRecord) -> Address {
    let interface = interface_of(world, one);
    let account = &one.key.scope.account;
    Address {
        allocation_id: Some(one.key.id.clone()),
        association_id: one.association.clone(),
        domain: Some("vpc".into()),
        network_border_group: Some(one.key.scope.region.clone()),
        network_interface_id: one.interface.clone(),
        network_interface_owner_id: interface.map(|_| account.clone()),
        private_ip_address: interface.map(|interface| interface.address().to_string()),
        public_ip: Some(one.address.to_string()),
        public_ipv4_pool: Some("amazon".into()),
        tags: Some(tags::shape(world, &one.key)),
        ..Address::default()
    }
}
