//! Internet gateways.

use crate::errors::{code, has_dependencies, required};
use crate::filter::Field;
use crate::records::gateway::{BY_VPC, INTERNET_GATEWAYS, InternetGatewayRecord};
use crate::records::interface::{BY_VPC as INTERFACES_OF, INTERFACES};
use crate::records::vpc::VpcRecord;
use crate::records::{ResourceKey, within};
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::tags;
use aws_api::Empty;
use aws_api::ec2::{
    AttachInternetGatewayRequest, CreateInternetGatewayRequest, CreateInternetGatewayResult,
    DeleteInternetGatewayRequest, DescribeInternetGatewaysRequest, DescribeInternetGatewaysResult,
    DetachInternetGatewayRequest, InternetGateway, InternetGatewayAttachment,
};
use aws_types::{AwsError, Ctx};
use store::{Table, Txn, World};

impl Resource for InternetGatewayRecord {
    const KIND: Kind = Kind {
        prefix: "igw",
        name: "internet-gateway",
        noun: "internetGateway ID",
        not_found: "InvalidInternetGatewayID.NotFound",
        malformed: "InvalidInternetGatewayId.Malformed",
        parameter: "internetGatewayId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &INTERNET_GATEWAYS
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeInternetGateways, `Filter.N`.
const FIELDS: &[Field<InternetGatewayRecord>] = &[
    Field {
        name: "attachment.state",
        values: |_, gateway| gateway.vpc.iter().map(|_| "available".into()).collect(),
    },
    Field {
        name: "attachment.vpc-id",
        values: |_, gateway| gateway.vpc.iter().cloned().collect(),
    },
    Field {
        name: "internet-gateway-id",
        values: |_, gateway| vec![gateway.key.id.clone()],
    },
    Field {
        name: "owner-id",
        values: |_, gateway| vec![gateway.key.scope.account.clone()],
    },
];

/// CreateInternetGateway.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateInternetGatewayRequest,
) -> Result<CreateInternetGatewayResult, AwsError> {
    let made = InternetGatewayRecord {
        key: ResourceKey::fresh(ctx, "igw"),
        vpc: None,
    };
    txn.put(&INTERNET_GATEWAYS, made.clone());
    let given = input.tag_specifications.as_ref();
    tags::create(txn, &made.key, InternetGatewayRecord::KIND, given)?;
    Ok(CreateInternetGatewayResult {
        internet_gateway: Some(shape(txn, &made)),
    })
}

/// DeleteInternetGateway.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteInternetGatewayRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.internet_gateway_id.as_ref(), "internetGatewayId")?;
    let found = lookup::<InternetGatewayRecord>(txn, &ctx.scope, id)?.clone();
    if found.vpc.is_some() {
        return Err(has_dependencies("internetGateway", id));
    }
    txn.delete(&INTERNET_GATEWAYS, &found.key);
    tags::forget(txn, &found.key);
    Ok(Empty {})
}

/// AttachInternetGateway.
pub fn attach(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AttachInternetGatewayRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.internet_gateway_id.as_ref(), "internetGatewayId")?;
    let vpc = required(input.vpc_id.as_ref(), "vpcId")?;
    let found = lookup::<InternetGatewayRecord>(txn, &ctx.scope, id)?.clone();
    lookup::<VpcRecord>(txn, &ctx.scope, vpc)?;
    if let Some(other) = &found.vpc {
        return Err(code("Resource.AlreadyAssociated").with(format!(
            "resource {id} is already attached to network {other}"
        )));
    }
    let at = within(&ctx.scope, vpc);
    if txn.find(&INTERNET_GATEWAYS, &BY_VPC, &at).next().is_some() {
        return Err(code("InvalidParameterValue").with(format!(
            "Network {vpc} already has an internet gateway attached"
        )));
    }
    txn.update(&INTERNET_GATEWAYS, &found.key, |gateway| {
        gateway.vpc = Some(vpc.into());
    });
    Ok(Empty {})
}

/// DetachInternetGateway: not while the VPC has public addresses.
pub fn detach(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DetachInternetGatewayRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.internet_gateway_id.as_ref(), "internetGatewayId")?;
    let vpc = required(input.vpc_id.as_ref(), "vpcId")?;
    let found = lookup::<InternetGatewayRecord>(txn, &ctx.scope, id)?.clone();
    if found.vpc.as_deref() != Some(vpc) {
        return Err(code("Gateway.NotAttached")
            .with(format!("resource {id} is not attached to network {vpc}")));
    }
    let at = within(&ctx.scope, vpc);
    let mut interfaces = txn.find(&INTERFACES, &INTERFACES_OF, &at);
    if interfaces.any(|interface| interface.public.is_some()) {
        return Err(crate::errors::dependency(format!(
            "Network {vpc} has some mapped public address(es). Please unmap those public \
             address(es) before detaching the gateway."
        )));
    }
    drop(interfaces);
    txn.update(&INTERNET_GATEWAYS, &found.key, |gateway| gateway.vpc = None);
    Ok(Empty {})
}

/// DescribeInternetGateways.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeInternetGatewaysRequest,
) -> Result<DescribeInternetGatewaysResult, AwsError> {
    let query = Query {
        ids: input.internet_gateway_ids.as_ref(),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<InternetGatewayRecord>(world, ctx, query)?;
    let shapes = page.items.iter().map(|gateway| shape(world, gateway));
    Ok(DescribeInternetGatewaysResult {
        internet_gateways: Some(shapes.collect()),
        next_token: page.next_token,
    })
}

fn shape(world: &World, gateway: &InternetGatewayRecord) -> InternetGateway {
    let attachments = gateway.vpc.iter().map(|vpc| InternetGatewayAttachment {
        state: Some("available".into()),
        vpc_id: Some(vpc.clone()),
    });
    InternetGateway {
        attachments: Some(attachments.collect()),
        internet_gateway_id: Some(gateway.key.id.clone()),
        owner_id: Some(gateway.key.scope.account.clone()),
        tags: Some(tags::shape(world, &gateway.key)),
    }
}
