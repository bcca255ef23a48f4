//! Egress-only internet gateways.

use crate::errors::required;
use crate::filter::Field;
use crate::records::ResourceKey;
use crate::records::gateway::{EGRESS_ONLY_GATEWAYS, EgressOnlyGatewayRecord};
use crate::records::vpc::VpcRecord;
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::tags;
use aws_api::ec2::{
    CreateEgressOnlyInternetGatewayRequest, CreateEgressOnlyInternetGatewayResult,
    DeleteEgressOnlyInternetGatewayRequest, DeleteEgressOnlyInternetGatewayResult,
    DescribeEgressOnlyInternetGatewaysRequest, DescribeEgressOnlyInternetGatewaysResult,
    EgressOnlyInternetGateway, InternetGatewayAttachment,
};
use aws_types::{AwsError, Ctx};
use store::{Table, Txn, World};

impl Resource for EgressOnlyGatewayRecord {
    const KIND: Kind = Kind {
        prefix: "eigw",
        name: "egress-only-internet-gateway",
        noun: "eigw ID",
        not_found: "InvalidGatewayID.NotFound",
        malformed: "InvalidEgressOnlyInternetGatewayId.Malformed",
        parameter: "egressOnlyInternetGatewayId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &EGRESS_ONLY_GATEWAYS
    }
    /// Rule: EC2 API reference, DescribeEgressOnlyInternetGateways: tags alone.
    fn fields() -> &'static [Field<Self>] {
        &[]
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// CreateEgressOnlyInternetGateway.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateEgressOnlyInternetGatewayRequest,
) -> Result<CreateEgressOnlyInternetGatewayResult, AwsError> {
    let vpc = required(input.vpc_id.as_ref(), "vpcId")?;
    lookup::<VpcRecord>(txn, &ctx.scope, vpc)?;
    let made = EgressOnlyGatewayRecord {
        key: ResourceKey::fresh(ctx, "eigw"),
        vpc: vpc.into(),
    };
    txn.put(&EGRESS_ONLY_GATEWAYS, made.clone());
    let given = input.tag_specifications.as_ref();
    tags::create(txn, &made.key, EgressOnlyGatewayRecord::KIND, given)?;
    Ok(CreateEgressOnlyInternetGatewayResult {
        client_token: input.client_token.clone(),
        egress_only_internet_gateway: Some(shape(txn, &made)),
    })
}

/// DeleteEgressOnlyInternetGateway: routes by it lead nowhere from now on.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteEgressOnlyInternetGatewayRequest,
) -> Result<DeleteEgressOnlyInternetGatewayResult, AwsError> {
    let id = input.egress_only_internet_gateway_id.as_ref();
    let id = required(id, "egressOnlyInternetGatewayId")?;
    let found = lookup::<EgressOnlyGatewayRecord>(txn, &ctx.scope, id)?.clone();
    txn.delete(&EGRESS_ONLY_GATEWAYS, &found.key);
    tags::forget(txn, &found.key);
    Ok(DeleteEgressOnlyInternetGatewayResult {
        return_code: Some(true),
    })
}

/// DescribeEgressOnlyInternetGateways.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeEgressOnlyInternetGatewaysRequest,
) -> Result<DescribeEgressOnlyInternetGatewaysResult, AwsError> {
    let query = Query {
        ids: input.egress_only_internet_gateway_ids.as_ref(),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<EgressOnlyGatewayRecord>(world, ctx, query)?;
    let shapes = page.items.iter().map(|gateway| shape(world, gateway));
    Ok(DescribeEgressOnlyInternetGatewaysResult {
        egress_only_internet_gateways: Some(shapes.collect()),
        next_token: page.next_token,
    })
}

fn shape(world: &World, gateway: &EgressOnlyGatewayRecord) -> EgressOnlyInternetGateway {
    EgressOnlyInternetGateway {
        attachments: Some(vec![InternetGatewayAttachment {
            state: Some("attached".into()),
            vpc_id: Some(gateway.vpc.clone()),
        }]),
        egress_only_internet_gateway_id: Some(gateway.key.id.clone()),
        tags: Some(tags::shape(world, &gateway.key)),
    }
}
