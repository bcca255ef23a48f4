//! DescribeEventBus: of the one that there is.

use crate::records::BUS;
use crate::rules::{ask_bus, bus_arn, check_bus};
use aws_api::events::{DescribeEventBusRequest, DescribeEventBusResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// Asks for the bus.
pub fn authorisation(_: &DescribeEventBusRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_bus(ctx, "DescribeEventBus")
}

/// Describes.
pub fn describe_event_bus(
    _: &World,
    ctx: &mut Ctx,
    input: &DescribeEventBusRequest,
) -> Result<DescribeEventBusResponse, AwsError> {
    check_bus(&ctx.scope, input.name.as_deref())?;
    Ok(DescribeEventBusResponse {
        name: Some(BUS.into()),
        arn: Some(bus_arn(&ctx.scope)),
        ..DescribeEventBusResponse::default()
    })
}
