//! `ListClusters`: ARNs of the clusters that are not INACTIVE, in order of name.

use crate::page::Request;
use crate::records::{CLUSTERS, ClusterKey, ClusterStatus};
use aws_api::ecs::{ListClustersRequest, ListClustersResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// `ecs:ListClusters` on everything.
#[must_use]
pub fn authorisation(_input: &ListClustersRequest, _world: &World, _ctx: &Ctx) -> Vec<Ask> {
    vec![Ask::any("ecs:ListClusters")]
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException` for `maxResults` or `nextToken`.
pub fn list_clusters(
    world: &World,
    ctx: &mut Ctx,
    input: &ListClustersRequest,
) -> Result<ListClustersResponse, AwsError> {
    let listing = ["ListClusters", &ctx.scope.account, &ctx.scope.region];
    let token = input.next_token.as_deref();
    let request = Request::read(&listing, token, input.max_results, 100, 100)?;
    let prefix = ClusterKey::prefix(&ctx.scope);
    let rows = world
        .scan_prefix(&CLUSTERS, &prefix, request.after.as_ref())
        .filter(|(_, cluster)| cluster.status == ClusterStatus::Active)
        .map(|(key, cluster)| (key.clone(), cluster.arn()));
    let page = request.page(rows);
    Ok(ListClustersResponse {
        cluster_arns: Some(page.items),
        next_token: page.next_token,
    })
}
