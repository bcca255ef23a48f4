//! ListServiceDeployments: what was rolled out of a service, the newest first, by page.
//!
//! Rule: API reference, ListServiceDeployments; semantics 1.6: twenty on a page.

use crate::cluster;
use crate::page::Request;
use crate::records::service::{SERVICES, ServiceKey};
use crate::records::service_deployment::{
    DeploymentStatus, NEWEST, SERVICE_DEPLOYMENTS, ServiceDeploymentRecord,
};
use crate::rules::invalid_parameter;
use crate::service::{authorised, deployment_shape, reference};
use aws_api::ecs::{ListServiceDeploymentsRequest, ListServiceDeploymentsResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::sync::Arc;
use store::{Key, TableKey, World};

/// API reference, ListServiceDeployments, `maxResults`: the default, and the most.
const PAGE_LEN: usize = 20;
const PAGE_LEN_MAX: usize = 100;

/// `ecs:ListServiceDeployments` on the service.
#[must_use]
pub fn authorisation(input: &ListServiceDeploymentsRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let action = "ecs:ListServiceDeployments";
    let (cluster, service) = (cluster_of(input, ctx), input.service.as_deref());
    vec![authorised::on_service(
        action,
        ctx,
        cluster.as_deref(),
        service,
    )]
}

/// The operation; an INACTIVE service still has its history.
///
/// # Errors
/// `ClusterNotFoundException`, `ServiceNotFoundException`, `InvalidParameterException`.
pub fn list_service_deployments(
    world: &World,
    ctx: &mut Ctx,
    input: &ListServiceDeploymentsRequest,
) -> Result<ListServiceDeploymentsResponse, AwsError> {
    check_statuses(input)?;
    let cluster = cluster_of(input, ctx);
    let cluster = cluster::require(world, &ctx.scope, cluster.as_deref())?;
    let named = input.service.as_deref().unwrap_or_default();
    let key = reference::service(&ctx.scope, &cluster.name, named)
        .filter(|key| world.get(&SERVICES, key).is_some())
        .ok_or_else(reference::not_found)?;
    let request = page(ctx, input, &key)?;
    let of_service = key.encode();
    let history = world.find(&SERVICE_DEPLOYMENTS, &NEWEST, &of_service);
    let mut rows: Vec<(Key, &Arc<ServiceDeploymentRecord>)> = history
        .filter(|deployment| shows(input, deployment))
        .map(|deployment| (newest_first(deployment), deployment))
        .filter(|(key, _)| request.after.as_ref().is_none_or(|after| key > after))
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let rows = rows.into_iter();
    let page = request.page(rows.map(|(key, row)| (key, deployment_shape::brief(row))));
    Ok(ListServiceDeploymentsResponse {
        service_deployments: Some(page.items),
        next_token: page.next_token,
    })
}

/// The cluster given, or that of the service's ARN.
fn cluster_of(input: &ListServiceDeploymentsRequest, ctx: &Ctx) -> Option<String> {
    let of_arn = || reference::cluster_in(&ctx.scope, input.service.as_deref()?);
    input.cluster.clone().or_else(of_arn)
}

fn page(
    ctx: &Ctx,
    input: &ListServiceDeploymentsRequest,
    service: &ServiceKey,
) -> Result<Request, AwsError> {
    let filters = format!("{:?} {:?}", input.status, input.created_at);
    Request::read(
        &[
            "ListServiceDeployments",
            &ctx.scope.account,
            &ctx.scope.region,
            &service.cluster,
            &service.name,
            &filters,
        ],
        input.next_token.as_deref(),
        input.max_results,
        PAGE_LEN,
        PAGE_LEN_MAX,
    )
}

fn check_statuses(input: &ListServiceDeploymentsRequest) -> Result<(), AwsError> {
    let names = DeploymentStatus::ALL.map(DeploymentStatus::name);
    let mut asked = input.status.iter().flatten();
    match asked.all(|status| names.contains(&status.as_str())) {
        true => Ok(()),
        false => Err(invalid_parameter(format!(
            "status should be one of [{}]",
            names.join(",")
        ))),
    }
}

fn shows(input: &ListServiceDeploymentsRequest, deployment: &ServiceDeploymentRecord) -> bool {
    let statuses = input.status.as_deref().unwrap_or_default();
    let status = deployment.status.name();
    let created = deployment.created;
    let range = input.created_at.as_ref();
    (statuses.is_empty() || statuses.iter().any(|asked| asked == status))
        && range.is_none_or(|range| {
            range.after.is_none_or(|after| created >= after)
                && range.before.is_none_or(|before| created <= before)
        })
}

/// Orders the newest first, those of one moment by id.
fn newest_first(deployment: &ServiceDeploymentRecord) -> Key {
    let created = u64::try_from(deployment.created.millis()).unwrap_or(0);
    Key::build()
        .number(u64::MAX - created)
        .text(&deployment.key.id.0)
        .finish()
}
