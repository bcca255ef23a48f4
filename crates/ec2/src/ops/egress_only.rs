//! Egress-only internet gateways.

use crate::errors::required;
use crate::filter::Field;
use crate::records::ResourceKey;
use crate::records::gateway::{EGRESS_ONLY_GATEWAYS, EgressOnlyGatewayRecord};
use crate::records::vpc::VpcRecord;
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::{tags, tokens};
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
    const LEAVES_OUT_UNKNOWN: bool = true;
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
    let made = tokens::once(txn, ctx, input.client_token.as_ref(), input, |txn, ctx| {
        lookup::<VpcRecord>(txn, &ctx.scope, vpc)?;
        let made = EgressOnlyGatewayRecord {
            key: ResourceKey::fresh(ctx, "eigw"),
            vpc: vpc.into(),
        };
        txn.put(&EGRESS_ONLY_GATEWAYS, made.clone());
        let given = input.tag_specifications.as_ref();
        tags::create(txn, &made.key, EgressOnlyGatewayRecord::KIND, given)?;
        Ok(made)
    })?;
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

/// DescribeEgressOnlyInternetGateways: an id that nothing has is no error, it is not in the answer.
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
