//! ListContainerInstances: the ARNs of a cluster's instances, by page.
//!
//! Rule: API reference, ListContainerInstances.

use crate::cluster;
use crate::page::Request;
use crate::place::{constraint, facts};
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
/// `ClusterNotFoundException`, `InvalidParameterException`.
pub fn list_container_instances(
    world: &World,
    ctx: &mut Ctx,
    input: &ListContainerInstancesRequest,
) -> Result<ListContainerInstancesResponse, AwsError> {
    let cluster = cluster::require(world, &ctx.scope, input.cluster.as_deref())?;
    let filter = input.filter.as_deref().filter(|text| !text.is_empty());
    let asked = filter.map(constraint::expression).transpose()?;
    let status = rules::instance_status(input.status.as_deref())?;
    let request = Request::read(
        &[
            "ListContainerInstances",
            &ctx.scope.account,
            &ctx.scope.region,
            &cluster.name,
            status.map_or("", InstanceStatus::name),
            filter.unwrap_or_default(),
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
    let shown = shown.filter(|(_, instance)| {
        let mut asked = asked.iter();
        asked.all(|expression| facts::holds(world, instance, expression))
    });
    let page = request.page(shown.map(|(key, instance)| (key.clone(), instance.key.arn())));
    Ok(ListContainerInstancesResponse {
        container_instance_arns: Some(page.items),
        next_token: page.next_token,
    })
}
