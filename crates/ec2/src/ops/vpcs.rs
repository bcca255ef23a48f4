//! VPCs.

use crate::errors::{code, invalid_combination, invalid_parameter, missing, refuse, required};
use crate::filter::Field;
use crate::records::ResourceKey;
use crate::records::vpc::{VPCS, VpcRecord};
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::{cidr, defaults, tags, vpc};
use aws_api::Empty;
use aws_api::ec2::{
    AttributeBooleanValue, CreateDefaultVpcRequest, CreateDefaultVpcResult, CreateVpcRequest,
    CreateVpcResult, DeleteVpcRequest, DescribeVpcAttributeRequest, DescribeVpcAttributeResult,
    DescribeVpcsRequest, DescribeVpcsResult, ModifyVpcAttributeRequest, Vpc,
};
use aws_types::{AwsError, Ctx};
use store::{Table, Txn, World};

use super::vpc_ranges;

impl Resource for VpcRecord {
    const KIND: Kind = Kind {
        prefix: "vpc",
        name: "vpc",
        noun: "vpc ID",
        not_found: "InvalidVpcID.NotFound",
        malformed: "InvalidVpcID.Malformed",
        parameter: "vpcId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &VPCS
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeVpcs, `Filter.N`.
const FIELDS: &[Field<VpcRecord>] = &[
    Field {
        name: "cidr",
        values: |_, vpc| vec![vpc.cidrs[0].cidr.to_string()],
    },
    Field {
        name: "cidr-block-association.association-id",
        values: |_, vpc| vpc.cidrs.iter().map(|range| range.id.clone()).collect(),
    },
    Field {
        name: "cidr-block-association.cidr-block",
        values: |_, vpc| {
            vpc.cidrs
                .iter()
                .map(|range| range.cidr.to_string())
                .collect()
        },
    },
    Field {
        name: "cidr-block-association.state",
        values: |_, vpc| vpc.cidrs.iter().map(|_| "associated".into()).collect(),
    },
    Field {
        name: "dhcp-options-id",
        values: |_, vpc| vec![vpc.dhcp_options.clone()],
    },
    Field {
        name: "ipv6-cidr-block-association.association-id",
        values: |_, vpc| vpc.ipv6.iter().map(|range| range.id.clone()).collect(),
    },
    Field {
        name: "ipv6-cidr-block-association.ipv6-cidr-block",
        values: |_, vpc| {
            vpc.ipv6
                .iter()
                .map(|range| range.cidr.to_string())
                .collect()
        },
    },
    Field {
        name: "ipv6-cidr-block-association.ipv6-pool",
        values: |_, vpc| vpc.ipv6.iter().map(|_| "Amazon".into()).collect(),
    },
    Field {
        name: "ipv6-cidr-block-association.state",
        values: |_, vpc| vpc.ipv6.iter().map(|_| "associated".into()).collect(),
    },
    Field {
        name: "is-default",
        values: |_, vpc| vec![vpc.is_default.to_string()],
    },
    Field {
        name: "isDefault",
        values: |_, vpc| vec![vpc.is_default.to_string()],
    },
    Field {
        name: "owner-id",
        values: |_, vpc| vec![vpc.key.scope.account.clone()],
    },
    Field {
        name: "state",
        values: |_, _| vec!["available".into()],
    },
    Field {
        name: "vpc-id",
        values: |_, vpc| vec![vpc.key.id.clone()],
    },
];

/// CreateVpc.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateVpcRequest,
) -> Result<CreateVpcResult, AwsError> {
    refuse(&[
        ("Ipv6Pool", input.ipv6_pool.is_some()),
        ("Ipv6CidrBlock", input.ipv6_cidr_block.is_some()),
        ("Ipv4IpamPoolId", input.ipv4_ipam_pool_id.is_some()),
        ("Ipv4NetmaskLength", input.ipv4_netmask_length.is_some()),
        ("Ipv6IpamPoolId", input.ipv6_ipam_pool_id.is_some()),
        ("Ipv6NetmaskLength", input.ipv6_netmask_length.is_some()),
        (
            "VpcEncryptionControl",
            input.vpc_encryption_control.is_some(),
        ),
    ])?;
    let range = cidr::ipv4(
        required(input.cidr_block.as_ref(), "cidrBlock")?,
        "cidrBlock",
    )?;
    let tenancy = input.instance_tenancy.as_deref().unwrap_or("default");
    if !["default", "dedicated"].contains(&tenancy) {
        let why = "Expecting default or dedicated.";
        return Err(invalid_parameter("instanceTenancy", tenancy, why));
    }
    let made = vpc::create(
        txn,
        ctx,
        vpc::Wanted {
            cidr: range,
            with_ipv6: input.amazon_provided_ipv6_cidr_block == Some(true),
            tenancy: tenancy.into(),
            is_default: false,
        },
    )?;
    tags::create(
        txn,
        &made.key,
        VpcRecord::KIND,
        input.tag_specifications.as_ref(),
    )?;
    Ok(CreateVpcResult {
        vpc: Some(Vpc {
            state: Some("pending".into()),
            ..shape(txn, &made)
        }),
    })
}

/// CreateDefaultVpc.
pub fn create_default(
    txn: &mut Txn,
    ctx: &mut Ctx,
    _: &CreateDefaultVpcRequest,
) -> Result<CreateDefaultVpcResult, AwsError> {
    if vpc::default_of(txn, &ctx.scope).is_some() {
        return Err(code("DefaultVpcAlreadyExists")
            .with("A Default VPC already exists for this account in this region."));
    }
    let made = defaults::create_vpc(txn, ctx)?;
    Ok(CreateDefaultVpcResult {
        vpc: Some(shape(txn, &made)),
    })
}

/// DeleteVpc.
pub fn delete(txn: &mut Txn, ctx: &mut Ctx, input: &DeleteVpcRequest) -> Result<Empty, AwsError> {
    let id = required(input.vpc_id.as_ref(), "vpcId")?;
    let found = lookup::<VpcRecord>(txn, &ctx.scope, id)?.clone();
    vpc::delete(txn, &found)?;
    Ok(Empty {})
}

/// DescribeVpcs.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeVpcsRequest,
) -> Result<DescribeVpcsResult, AwsError> {
    let query = Query {
        ids: input.vpc_ids.as_ref(),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<VpcRecord>(world, ctx, query)?;
    let vpcs = page.items.iter().map(|vpc| shape(world, vpc)).collect();
    Ok(DescribeVpcsResult {
        vpcs: Some(vpcs),
        next_token: page.next_token,
    })
}

/// ModifyVpcAttribute.
pub fn modify(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ModifyVpcAttributeRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.vpc_id.as_ref(), "vpcId")?;
    let key = lookup::<VpcRecord>(txn, &ctx.scope, id)?.key.clone();
    let value = |given: &Option<AttributeBooleanValue>| given.as_ref().and_then(|v| v.value);
    let hostnames = value(&input.enable_dns_hostnames);
    let support = value(&input.enable_dns_support);
    let metrics = value(&input.enable_network_address_usage_metrics);
    match [hostnames, support, metrics].into_iter().flatten().count() {
        0 => return Err(missing("attribute")),
        1 => {}
        _ => {
            return Err(invalid_combination(
                "Fields for multiple attribute types specified",
            ));
        }
    }
    txn.update(&VPCS, &key, |vpc| {
        vpc.dns_hostnames = hostnames.unwrap_or(vpc.dns_hostnames);
        vpc.dns_support = support.unwrap_or(vpc.dns_support);
        vpc.address_usage_metrics = metrics.unwrap_or(vpc.address_usage_metrics);
    });
    Ok(Empty {})
}

/// DescribeVpcAttribute.
pub fn describe_attribute(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeVpcAttributeRequest,
) -> Result<DescribeVpcAttributeResult, AwsError> {
    let id = required(input.vpc_id.as_ref(), "vpcId")?;
    let vpc = lookup::<VpcRecord>(world, &ctx.scope, id)?;
    let mut answer = DescribeVpcAttributeResult {
        vpc_id: Some(id.into()),
        ..DescribeVpcAttributeResult::default()
    };
    let of = |value| Some(AttributeBooleanValue { value: Some(value) });
    match required(input.attribute.as_ref(), "attribute")? {
        "enableDnsSupport" => answer.enable_dns_support = of(vpc.dns_support),
        "enableDnsHostnames" => answer.enable_dns_hostnames = of(vpc.dns_hostnames),
        "enableNetworkAddressUsageMetrics" => {
            answer.enable_network_address_usage_metrics = of(vpc.address_usage_metrics);
        }
        other => return Err(invalid_parameter("attribute", other, "Unknown attribute.")),
    }
    Ok(answer)
}

/// A VPC as answers have it.
fn shape(world: &World, vpc: &VpcRecord) -> Vpc {
    Vpc {
        cidr_block: Some(vpc.cidrs[0].cidr.to_string()),
        cidr_block_association_set: Some(vpc.cidrs.iter().map(vpc_ranges::ipv4_shape).collect()),
        dhcp_options_id: Some(vpc.dhcp_options.clone()),
        instance_tenancy: Some(vpc.tenancy.clone()),
        ipv6_cidr_block_association_set: Some(
            vpc.ipv6
                .iter()
                .map(|range| vpc_ranges::ipv6_shape(&vpc.key.scope, range))
                .collect(),
        ),
        is_default: Some(vpc.is_default),
        owner_id: Some(vpc.key.scope.account.clone()),
        state: Some("available".into()),
        tags: Some(tags::shape(world, &vpc.key)),
        vpc_id: Some(vpc.key.id.clone()),
    }
}
