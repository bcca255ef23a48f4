//! Subnets.

use crate::errors::{code, invalid_combination, invalid_parameter, missing, refuse, required};
use crate::filter::{Field, fields};
use crate::records::ResourceKey;
use crate::records::subnet::{SUBNETS, SubnetRecord};
use crate::records::vpc::{CidrAssociation, VpcRecord};
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::{address, cidr, defaults, subnet, tags, vpc, zones};
use aws_api::Empty;
use aws_api::ec2::{
    AttributeBooleanValue, CreateDefaultSubnetRequest, CreateDefaultSubnetResult,
    CreateSubnetRequest, CreateSubnetResult, DeleteSubnetRequest, DescribeSubnetsRequest,
    DescribeSubnetsResult, ModifySubnetAttributeRequest, PrivateDnsNameOptionsOnLaunch, Subnet,
    SubnetCidrBlockState, SubnetIpv6CidrBlockAssociation,
};
use aws_types::{AwsError, Ctx};
use ipnet::{Ipv4Net, Ipv6Net};
use store::{Table, Txn, World};

impl Resource for SubnetRecord {
    const KIND: Kind = Kind {
        prefix: "subnet",
        name: "subnet",
        noun: "subnet ID",
        not_found: "InvalidSubnetID.NotFound",
        malformed: "InvalidSubnetID.Malformed",
        parameter: "subnetId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &SUBNETS
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeSubnets, `Filter.N`, with the other spellings that it tells of.
const FIELDS: &[Field<SubnetRecord>] = fields![
    "availability-zone" => |_, subnet| [subnet.zone.clone()],
    "availabilityZone" => |_, subnet| [subnet.zone.clone()],
    "availability-zone-id" => |_, subnet| [zones::id_of(&subnet.zone)],
    "availabilityZoneId" => |_, subnet| [zones::id_of(&subnet.zone)],
    "available-ip-address-count" => |world, subnet| [address::available(world, subnet).to_string()],
    "cidr" => |_, subnet| [subnet.cidr.to_string()],
    "cidr-block" => |_, subnet| [subnet.cidr.to_string()],
    "cidrBlock" => |_, subnet| [subnet.cidr.to_string()],
    "customer-owned-ipv4-pool" => |_, _| Vec::<String>::new(),
    "default-for-az" => |_, subnet| [subnet.default_for_az.to_string()],
    "defaultForAz" => |_, subnet| [subnet.default_for_az.to_string()],
    "enable-dns64" => |_, subnet| [subnet.dns64.to_string()],
    "enable-lni-at-device-index" => |_, _| Vec::<String>::new(),
    "ipv6-cidr-block-association.association-id" => |_, subnet| subnet.ipv6.iter().map(|range| range.id.clone()),
    "ipv6-cidr-block-association.ipv6-cidr-block" => |_, subnet| subnet.ipv6.iter().map(|range| range.cidr.to_string()),
    "ipv6-cidr-block-association.state" => |_, subnet| subnet.ipv6.iter().map(|_| "associated".to_owned()),
    "ipv6-native" => |_, _| ["false".to_owned()],
    "map-customer-owned-ip-on-launch" => |_, _| ["false".to_owned()],
    "map-public-ip-on-launch" => |_, subnet| [subnet.map_public_ip.to_string()],
    "outpost-arn" => |_, _| Vec::<String>::new(),
    "owner-id" => |_, subnet| [subnet.key.scope.account.clone()],
    "private-dns-name-options-on-launch.enable-resource-name-dns-a-record" => |_, subnet| [subnet.resource_name_a.to_string()],
    "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record" => |_, subnet| [subnet.resource_name_aaaa.to_string()],
    "private-dns-name-options-on-launch.hostname-type" => |_, subnet| [subnet.hostname_type.clone()],
    "state" => |_, _| ["available".to_owned()],
    "subnet-arn" => |_, subnet| [subnet.key.arn("subnet")],
    "subnet-id" => |_, subnet| [subnet.key.id.clone()],
    "vpc-id" => |_, subnet| [subnet.vpc.clone()],
];

/// CreateSubnet.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateSubnetRequest,
) -> Result<CreateSubnetResult, AwsError> {
    refuse(&[
        ("OutpostArn", input.outpost_arn.is_some()),
        ("Ipv6Native", input.ipv6_native == Some(true)),
        ("Ipv4IpamPoolId", input.ipv4_ipam_pool_id.is_some()),
        ("Ipv4NetmaskLength", input.ipv4_netmask_length.is_some()),
        ("Ipv6IpamPoolId", input.ipv6_ipam_pool_id.is_some()),
        ("Ipv6NetmaskLength", input.ipv6_netmask_length.is_some()),
    ])?;
    let id = required(input.vpc_id.as_ref(), "vpcId")?;
    let text = input
        .cidr_block
        .as_ref()
        .ok_or_else(|| missing("cidrBlock"))?;
    let vpc = lookup::<VpcRecord>(txn, &ctx.scope, id)?.clone();
    let zone = zones::chosen(
        txn,
        &ctx.scope,
        input.availability_zone.as_deref(),
        input.availability_zone_id.as_deref(),
    )?;
    let ipv6 = input.ipv6_cidr_block.as_ref();
    let wanted = subnet::Wanted {
        cidr: cidr::ipv4(text, "cidrBlock")?,
        ipv6: ipv6
            .map(|text| cidr::ipv6(text, "ipv6CidrBlock"))
            .transpose()?,
        zone,
        is_default: false,
    };
    let made = subnet::create(txn, ctx, &vpc, wanted)?;
    tags::create(
        txn,
        &made.key,
        SubnetRecord::KIND,
        input.tag_specifications.as_ref(),
    )?;
    Ok(CreateSubnetResult {
        subnet: Some(shape(txn, &made)),
    })
}

/// CreateDefaultSubnet: the lowest free /20 of the default VPC.
pub fn create_default(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateDefaultSubnetRequest,
) -> Result<CreateDefaultSubnetResult, AwsError> {
    refuse(&[("Ipv6Native", input.ipv6_native == Some(true))])?;
    let (name, id) = (&input.availability_zone, &input.availability_zone_id);
    if name.is_none() && id.is_none() {
        return Err(missing("availabilityZone"));
    }
    let zone = zones::chosen(txn, &ctx.scope, name.as_deref(), id.as_deref())?;
    let vpc = vpc::default_of(txn, &ctx.scope).cloned().ok_or_else(|| {
        code("DefaultVpcDoesNotExist")
            .with("No default VPC exists for this account in this region.")
    })?;
    let present = subnet::of_vpc(txn, &vpc.key);
    let mut of_zone = present.iter().filter(|subnet| subnet.zone == zone);
    if let Some(there) = of_zone.find(|subnet| subnet.default_for_az) {
        return Err(
            code("DefaultSubnetAlreadyExistsInAvailabilityZone").with(format!(
                "'{}' is already the default subnet in {zone}.",
                there.key.id
            )),
        );
    }
    let is_free = |cidr: &Ipv4Net| !present.iter().any(|s| cidr::overlap(s.cidr, *cidr));
    let cidr = defaults::subnet_ranges().find(is_free).ok_or_else(|| {
        code("InsufficientFreeAddressesInVpc")
            .with("The default VPC has no room for a default subnet.")
    })?;
    let wanted = subnet::Wanted {
        cidr,
        ipv6: None,
        zone,
        is_default: true,
    };
    let made = subnet::create(txn, ctx, &vpc, wanted)?;
    Ok(CreateDefaultSubnetResult {
        subnet: Some(shape(txn, &made)),
    })
}

/// DeleteSubnet.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteSubnetRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.subnet_id.as_ref(), "subnetId")?;
    let found = lookup::<SubnetRecord>(txn, &ctx.scope, id)?.clone();
    subnet::delete(txn, &found)?;
    Ok(Empty {})
}

/// DescribeSubnets.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeSubnetsRequest,
) -> Result<DescribeSubnetsResult, AwsError> {
    let query = Query {
        ids: input.subnet_ids.as_ref(),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<SubnetRecord>(world, ctx, query)?;
    let subnets = page.items.iter().map(|subnet| shape(world, subnet));
    Ok(DescribeSubnetsResult {
        subnets: Some(subnets.collect()),
        next_token: page.next_token,
    })
}

/// ModifySubnetAttribute.
pub fn modify(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ModifySubnetAttributeRequest,
) -> Result<Empty, AwsError> {
    refuse(&[
        (
            "MapCustomerOwnedIpOnLaunch",
            input.map_customer_owned_ip_on_launch.is_some(),
        ),
        (
            "CustomerOwnedIpv4Pool",
            input.customer_owned_ipv4_pool.is_some(),
        ),
        (
            "EnableLniAtDeviceIndex",
            input.enable_lni_at_device_index.is_some(),
        ),
        (
            "DisableLniAtDeviceIndex",
            input.disable_lni_at_device_index.is_some(),
        ),
    ])?;
    let id = required(input.subnet_id.as_ref(), "subnetId")?;
    let found = lookup::<SubnetRecord>(txn, &ctx.scope, id)?.clone();
    let mut changed = (*found).clone();
    let count = change(&mut changed, input)?;
    match count {
        0 => return Err(missing("attribute")),
        1 => {}
        _ => {
            return Err(invalid_combination(
                "Fields for multiple attribute types specified",
            ));
        }
    }
    if changed.assign_ipv6 && changed.ipv6.is_none() {
        return Err(invalid_parameter(
            "assignIpv6AddressOnCreation",
            "true",
            "The subnet has no IPv6 CIDR block associated with it.",
        ));
    }
    txn.put(&SUBNETS, changed);
    Ok(Empty {})
}

/// Puts the attributes that a request names; how many.
fn change(
    changed: &mut SubnetRecord,
    input: &ModifySubnetAttributeRequest,
) -> Result<u32, AwsError> {
    let value = |given: &Option<AttributeBooleanValue>| given.as_ref().and_then(|v| v.value);
    let mut count = 0;
    for (given, field) in [
        (
            value(&input.map_public_ip_on_launch),
            &mut changed.map_public_ip,
        ),
        (
            value(&input.assign_ipv6_address_on_creation),
            &mut changed.assign_ipv6,
        ),
        (value(&input.enable_dns64), &mut changed.dns64),
        (
            value(&input.enable_resource_name_dns_a_record_on_launch),
            &mut changed.resource_name_a,
        ),
        (
            value(&input.enable_resource_name_dns_aaaa_record_on_launch),
            &mut changed.resource_name_aaaa,
        ),
    ] {
        if let Some(given) = given {
            *field = given;
            count += 1;
        }
    }
    if let Some(kind) = &input.private_dns_hostname_type_on_launch {
        if !["ip-name", "resource-name"].contains(&kind.as_str()) {
            let why = "Expecting ip-name or resource-name.";
            return Err(invalid_parameter(
                "privateDnsHostnameTypeOnLaunch",
                kind,
                why,
            ));
        }
        changed.hostname_type.clone_from(kind);
        count += 1;
    }
    Ok(count)
}

/// Its IPv6 range as answers have it.
pub(super) fn ipv6_shape(range: &CidrAssociation<Ipv6Net>) -> SubnetIpv6CidrBlockAssociation {
    SubnetIpv6CidrBlockAssociation {
        association_id: Some(range.id.clone()),
        ip_source: Some("amazon".into()),
        ipv6_address_attribute: Some("public".into()),
        ipv6_cidr_block: Some(range.cidr.to_string()),
        ipv6_cidr_block_state: Some(SubnetCidrBlockState {
            state: Some("associated".into()),
            status_message: None,
        }),
    }
}

/// A subnet as answers have it.
fn shape(world: &World, subnet: &SubnetRecord) -> Subnet {
    let ipv6 = subnet.ipv6.iter().map(ipv6_shape);
    Subnet {
        assign_ipv6_address_on_creation: Some(subnet.assign_ipv6),
        availability_zone: Some(subnet.zone.clone()),
        availability_zone_id: Some(zones::id_of(&subnet.zone)),
        available_ip_address_count: Some(address::available(world, subnet)),
        cidr_block: Some(subnet.cidr.to_string()),
        default_for_az: Some(subnet.default_for_az),
        enable_dns64: Some(subnet.dns64),
        ipv6_cidr_block_association_set: Some(ipv6.collect()),
        ipv6_native: Some(false),
        map_customer_owned_ip_on_launch: Some(false),
        map_public_ip_on_launch: Some(subnet.map_public_ip),
        owner_id: Some(subnet.key.scope.account.clone()),
        private_dns_name_options_on_launch: Some(PrivateDnsNameOptionsOnLaunch {
            hostname_type: Some(subnet.hostname_type.clone()),
            enable_resource_name_dns_a_record: Some(subnet.resource_name_a),
            enable_resource_name_dns_aaaa_record: Some(subnet.resource_name_aaaa),
        }),
        state: Some("available".into()),
        subnet_arn: Some(subnet.key.arn("subnet")),
        subnet_id: Some(subnet.key.id.clone()),
        tags: Some(tags::shape(world, &subnet.key)),
        vpc_id: Some(subnet.vpc.clone()),
        ..Subnet::default()
    }
}
