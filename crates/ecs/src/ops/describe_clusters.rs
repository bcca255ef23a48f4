//! `DescribeClusters`: the named clusters, INACTIVE ones too; `default` where none is named.

use crate::cluster::{self, Include};
use crate::records::cluster::cluster_arn;
use crate::records::{CLUSTERS, ClusterKey};
use crate::rules::invalid_parameter;
use aws_api::ecs::{DescribeClustersRequest, DescribeClustersResponse, Failure};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// API reference, `clusters`.
const CLUSTERS_PER_CALL_MAX: usize = 100;

/// `ecs:DescribeClusters` on each named cluster.
#[must_use]
pub fn authorisation(input: &DescribeClustersRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let ask = |given: &String| Ask::new("ecs:DescribeClusters", arn_of(given, ctx));
    asked(input).iter().map(ask).collect()
}

fn asked(input: &DescribeClustersRequest) -> Vec<String> {
    match input.clusters.as_deref() {
        None | Some([]) => vec![cluster::DEFAULT.into()],
        Some(clusters) => clusters.to_vec(),
    }
}

fn arn_of(given: &str, ctx: &Ctx) -> String {
    cluster::name_of(&ctx.scope, Some(given))
        .map_or_else(|| given.into(), |name| cluster_arn(&ctx.scope, &name))
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException` for too many clusters or an unknown `include`.
pub fn describe_clusters(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeClustersRequest,
) -> Result<DescribeClustersResponse, AwsError> {
    let asked = asked(input);
    if asked.len() > CLUSTERS_PER_CALL_MAX {
        return Err(invalid_parameter(format!(
            "Clusters cannot have more than {CLUSTERS_PER_CALL_MAX} elements."
        )));
    }
    let include = include(input.include.as_deref().unwrap_or_default())?;
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for given in asked {
        let found = cluster::name_of(&ctx.scope, Some(&given))
            .and_then(|name| world.get(&CLUSTERS, &ClusterKey::new(&ctx.scope, &name)));
        match found {
            Some(record) => clusters.push(cluster::shape(world, record, include)),
            None => failures.push(Failure {
                arn: Some(arn_of(&given, ctx)),
                reason: Some("MISSING".into()),
                ..Failure::default()
            }),
        }
    }
    Ok(DescribeClustersResponse {
        clusters: Some(clusters),
        failures: Some(failures),
    })
}

fn include(fields: &[String]) -> Result<Include, AwsError> {
    let mut include = Include::default();
    for field in fields {
        match field.as_str() {
            "ATTACHMENTS" => include.attachments = true,
            "CONFIGURATIONS" => include.configuration = true,
            "SETTINGS" => include.settings = true,
            "STATISTICS" => include.statistics = true,
            "TAGS" => include.tags = true,
            _ => {
                return Err(invalid_parameter(
                    "include should be one of [ATTACHMENTS,CONFIGURATIONS,SETTINGS,STATISTICS,TAGS]",
                ));
            }
        }
    }
    Ok(include)
}
