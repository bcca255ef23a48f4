//! ListContainerInstances: the ARNs of a cluster's instances, by page.
//!
//! Rule: API reference, ListContainerInstances.

use crate::cluster;
use crate::page::Request;
use crate::records::cluster::cluster_arn;
use crate::records::container_instance::{CONTAINER_INSTANCES, InstanceStatus};
use crate::rules::run_task as rules;
use aws_api::ecs::{ListContainerInstancesRequest, ListContainerInstancesResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, World};

/// API reference, ListContainerInstances, `maxResults`: the default and the most.
const PAGE_LEN: usize = 100;

/// What the caller needs.
#[must_use]
pub fn authorisation(input: &ListContainerInstancesRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let arn = cluster_arn(&ctx.scope, &cluster);
    vec![Ask::new("ecs:ListContainerInstances", arn)]
}

/// Lists instances; without a status, all but INACTIVE ones.
///
/// # Errors
/// `ClusterNotFoundException`, `InvalidParameterException`; `ClientException` for a filter.
pub fn list_container_instances(
    world: &World,
    ctx: &mut Ctx,
    input: &ListContainerInstancesRequest,
) -> Result<ListContainerInstancesResponse, AwsError> {
    let cluster = cluster::require(world, &ctx.scope, input.cluster.as_deref())?;
    if input
        .filter
        .as_ref()
        .is_some_and(|filter| !filter.is_empty())
    {
        return Err(rules::not_yet("filter"));
    }
    let status = rules::instance_status(input.status.as_deref())?;
    let request = Request::read(
        &[
            "ListContainerInstances",
            &ctx.scope.account,
            &ctx.scope.region,
            &cluster.name,
            status.map_or("", InstanceStatus::name),
        ],
        input.next_token.as_deref(),
        input.max_results,
        PAGE_LEN,
        PAGE_LEN,
    )?;
    let prefix = cluster.key().encode();
    let rows = world.scan_prefix(&CONTAINER_INSTANCES, &prefix, request.after.as_ref());
    let shown = rows.filter(|(_, instance)| match status {
        Some(status) => instance.status == status,
        None => instance.status != InstanceStatus::Inactive,
    });
    let page = request.page(shown.map(|(key, instance)| (key.clone(), instance.key.arn())));
    Ok(ListContainerInstancesResponse {
        container_instance_arns: Some(page.items),
        next_token: page.next_token,
    })
}
