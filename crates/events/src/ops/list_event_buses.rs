//! ListEventBuses: there is one.

use crate::page::page;
use crate::records::BUS;
use crate::rules::{ask_bus, bus_arn};
use aws_api::events::{EventBus, ListEventBusesRequest, ListEventBusesResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// Asks for the bus.
pub fn authorisation(_: &ListEventBusesRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_bus(ctx, "ListEventBuses")
}

/// Lists.
pub fn list_event_buses(
    _: &World,
    ctx: &mut Ctx,
    input: &ListEventBusesRequest,
) -> Result<ListEventBusesResponse, AwsError> {
    let prefix = input.name_prefix.as_deref().unwrap_or_default();
    let bus = EventBus {
        name: Some(BUS.into()),
        arn: Some(bus_arn(&ctx.scope)),
        ..EventBus::default()
    };
    let all = BUS.starts_with(prefix).then(|| (BUS.to_owned(), bus));
    let page = page(all.into_iter(), input.next_token.as_deref(), input.limit)?;
    Ok(ListEventBusesResponse {
        event_buses: Some(page.items),
        next_token: page.next_token,
    })
}
