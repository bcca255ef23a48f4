//! DiscoverPollEndpoint: where an agent opens its sessions. Everything is at one address.
//!
//! Rule: the public agent (scheme http or https; the agent makes websocket addresses of it).

use crate::cluster;
use crate::instance::endpoints;
use crate::task::reference;
use aws_api::ecs::errors::SERVER_EXCEPTION;
use aws_api::ecs::{DiscoverPollEndpointRequest, DiscoverPollEndpointResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// What the caller needs.
#[must_use]
pub fn authorisation(input: &DiscoverPollEndpointRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let instance = input.container_instance.as_deref().unwrap_or_default();
    let arn = reference::shown_arn(&ctx.scope, &cluster, "container-instance", instance);
    vec![Ask::new("ecs:DiscoverPollEndpoint", arn)]
}

/// Gives the server's address.
///
/// # Errors
/// `ServerException` when the server has not told its own address yet.
pub fn discover_poll_endpoint(
    world: &World,
    _ctx: &mut Ctx,
    _input: &DiscoverPollEndpointRequest,
) -> Result<DiscoverPollEndpointResponse, AwsError> {
    let url = endpoints::get(world).ok_or_else(|| {
        SERVER_EXCEPTION
            .with("Service Unavailable. Please try again later.")
            .detail("instance::endpoints::set was not called at start")
    })?;
    Ok(DiscoverPollEndpointResponse {
        endpoint: Some(url.into()),
        telemetry_endpoint: Some(url.into()),
        ..DiscoverPollEndpointResponse::default()
    })
}
