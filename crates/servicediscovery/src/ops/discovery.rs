//! DiscoverInstances, DiscoverInstancesRevision.
//!
//! Rule: API reference: `QueryParameters` must all hold, `OptionalParameters` where any instance has them.

use crate::discover::{select, shown_health};
use crate::errors::{no_namespace, no_service};
use crate::records::{InstanceRecord, NamespaceRecord, ServiceRecord};
use crate::resource::{ask, namespace_named, service_named};
use aws_api::servicediscovery::{
    DiscoverInstancesRequest, DiscoverInstancesResponse, DiscoverInstancesRevisionRequest,
    DiscoverInstancesRevisionResponse, HttpInstanceSummary,
};
use aws_types::{AwsError, Ctx, Scope};
use iam::Ask;
use std::sync::Arc;
use store::World;

/// API reference, `MaxResults`, where none is given.
const LEN: usize = 100;

/// Asks for every service.
pub fn asks(_: &DiscoverInstancesRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "DiscoverInstances", None)
}

/// Finds instances.
pub fn discover(
    world: &World,
    ctx: &mut Ctx,
    input: &DiscoverInstancesRequest,
) -> Result<DiscoverInstancesResponse, AwsError> {
    let (namespace, service) = named(
        world,
        &ctx.scope,
        input.namespace_name.as_deref(),
        input.service_name.as_deref(),
    )?;
    let query = input.query_parameters.clone().unwrap_or_default();
    let mut found = select(world, service, &query, input.health_status.as_deref());
    let optional = input.optional_parameters.clone().unwrap_or_default();
    let has = |one: &Arc<InstanceRecord>| {
        let mut optional = optional.iter();
        optional.all(|(key, value)| one.attributes.get(key) == Some(value))
    };
    if found.iter().any(has) {
        found.retain(has);
    }
    let max = input.max_results.and_then(|max| usize::try_from(max).ok());
    found.truncate(max.unwrap_or(LEN));
    let shown = found.iter().map(|one| HttpInstanceSummary {
        instance_id: Some(one.key.id.clone()),
        namespace_name: Some(namespace.http_name.clone()),
        service_name: Some(service.name.clone()),
        health_status: Some(shown_health(service, one).into()),
        attributes: Some(one.attributes.clone()),
    });
    Ok(DiscoverInstancesResponse {
        instances: Some(shown.collect()),
        instances_revision: Some(service.revision),
    })
}

/// Asks for every service.
pub fn revision_asks(_: &DiscoverInstancesRevisionRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "DiscoverInstancesRevision", None)
}

/// How often a service's instances changed.
pub fn revision(
    world: &World,
    ctx: &mut Ctx,
    input: &DiscoverInstancesRevisionRequest,
) -> Result<DiscoverInstancesRevisionResponse, AwsError> {
    let (_, service) = named(
        world,
        &ctx.scope,
        input.namespace_name.as_deref(),
        input.service_name.as_deref(),
    )?;
    Ok(DiscoverInstancesRevisionResponse {
        instances_revision: Some(service.revision),
    })
}

fn named<'w>(
    world: &'w World,
    scope: &Scope,
    namespace: Option<&str>,
    service: Option<&str>,
) -> Result<(&'w Arc<NamespaceRecord>, &'w Arc<ServiceRecord>), AwsError> {
    let (namespace, service) = (namespace.unwrap_or_default(), service.unwrap_or_default());
    let found = namespace_named(world, scope, namespace).ok_or_else(|| no_namespace(namespace))?;
    let of = service_named(world, found, service).ok_or_else(|| no_service(service))?;
    Ok((found, of))
}
