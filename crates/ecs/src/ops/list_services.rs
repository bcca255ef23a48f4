//! ListServices: the ARNs of a cluster's ACTIVE services, filtered, by page.
//!
//! Rule: API reference, ListServices; semantics 1.6: ten on a page.

use crate::cluster;
use crate::page::Request;
use crate::records::service::{ACTIVE, SERVICES, ServiceRecord, cluster_parts};
use crate::rules::invalid_parameter;
use crate::rules::service::scheduling;
use aws_api::ecs::{ListServicesRequest, ListServicesResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, World};

/// API reference, ListServices, `maxResults`: the default.
pub(super) const PAGE_LEN: usize = 10;
/// API reference, ListServices, `maxResults`: the most.
pub(super) const PAGE_LEN_MAX: usize = 100;

/// `ecs:ListServices`, which is on no single resource.
#[must_use]
pub fn authorisation(_input: &ListServicesRequest, _world: &World, _ctx: &Ctx) -> Vec<Ask> {
    vec![Ask::any("ecs:ListServices")]
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`, `InvalidParameterException`.
pub fn list_services(
    world: &World,
    ctx: &mut Ctx,
    input: &ListServicesRequest,
) -> Result<ListServicesResponse, AwsError> {
    check(input)?;
    let cluster = cluster::require(world, &ctx.scope, input.cluster.as_deref())?;
    let filter = |given: &Option<String>| given.clone().unwrap_or_default();
    let request = Request::read(
        &[
            "ListServices",
            &ctx.scope.account,
            &ctx.scope.region,
            &cluster.name,
            &filter(&input.launch_type),
            &filter(&input.scheduling_strategy),
            &filter(&input.resource_management_type),
        ],
        input.next_token.as_deref(),
        input.max_results,
        PAGE_LEN,
        PAGE_LEN_MAX,
    )?;
    let key = cluster_parts(&ctx.scope, &cluster.name);
    let found = world.find_after(&SERVICES, &ACTIVE, &key, request.after.as_ref());
    let shown = found.filter(|service| shows(input, service));
    let page = request.page(shown.map(|service| (service.key.encode(), service.key.arn())));
    Ok(ListServicesResponse {
        service_arns: Some(page.items),
        next_token: page.next_token,
    })
}

fn check(input: &ListServicesRequest) -> Result<(), AwsError> {
    scheduling(input.scheduling_strategy.as_deref())?;
    let launch_type = input.launch_type.as_deref();
    if launch_type
        .is_some_and(|t| !matches!(t, "EC2" | "FARGATE" | "EXTERNAL" | "MANAGED_INSTANCES"))
    {
        return Err(invalid_parameter(
            "launchType should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]",
        ));
    }
    match input.resource_management_type.as_deref() {
        None | Some("CUSTOMER" | "ECS") => Ok(()),
        Some(_) => Err(invalid_parameter(
            "resourceManagementType should be one of [CUSTOMER,ECS]",
        )),
    }
}

fn shows(input: &ListServicesRequest, service: &ServiceRecord) -> bool {
    let is = |given: &Option<String>, value: &str| given.as_ref().is_none_or(|g| g == value);
    is(&input.launch_type, &service.launch_type)
        && is(&input.scheduling_strategy, service.scheduling.name())
        // Services that ECS manages are Express services, which there are none of.
        && is(&input.resource_management_type, "CUSTOMER")
}
