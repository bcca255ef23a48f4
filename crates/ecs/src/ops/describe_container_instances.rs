//! DescribeContainerInstances: instances by id or ARN; what is not there is a failure `MISSING`.
//!
//! Rule: API reference, DescribeContainerInstances.

use crate::cluster;
use crate::instance::shape;
use crate::records::container_instance::CONTAINER_INSTANCES;
use crate::rules::invalid_parameter;
use crate::task::reference;
use aws_api::ecs::{
    ContainerInstance, ContainerInstanceHealthStatus, DescribeContainerInstancesRequest,
    DescribeContainerInstancesResponse, Failure,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeSet;
use store::World;

/// API reference, DescribeContainerInstances, `containerInstances`: at most 100.
const INSTANCES_PER_CALL_MAX: usize = 100;

/// What the caller needs, for each instance; who names none may still learn that he has to.
#[must_use]
pub fn authorisation(
    input: &DescribeContainerInstancesRequest,
    _world: &World,
    ctx: &Ctx,
) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let instances = input.container_instances.iter().flatten();
    let arn =
        |text: &String| reference::shown_arn(&ctx.scope, &cluster, "container-instance", text);
    let ask = |text| Ask::new("ecs:DescribeContainerInstances", arn(text));
    let asks: Vec<_> = instances.map(ask).collect();
    match asks.is_empty() {
        true => vec![Ask::any("ecs:DescribeContainerInstances")],
        false => asks,
    }
}

/// Describes instances, each once, in the order asked.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for none or too many.
pub fn describe_container_instances(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeContainerInstancesRequest,
) -> Result<DescribeContainerInstancesResponse, AwsError> {
    let cluster = cluster::require(world, &ctx.scope, input.cluster.as_deref())?;
    let named = input.container_instances.as_deref().unwrap_or_default();
    match named.len() {
        0 => return Err(invalid_parameter("Container Instances cannot be empty.")),
        1..=INSTANCES_PER_CALL_MAX => {}
        _ => {
            return Err(invalid_parameter(format!(
                "Container Instances cannot be more than {INSTANCES_PER_CALL_MAX}."
            )));
        }
    }
    let include = input.include.as_deref().unwrap_or_default();
    let known = |what: &String| matches!(what.as_str(), "TAGS" | "CONTAINER_INSTANCE_HEALTH");
    if !include.iter().all(known) {
        return Err(invalid_parameter(
            "include should be one of [TAGS,CONTAINER_INSTANCE_HEALTH]",
        ));
    }
    let asked = |what: &str| include.iter().any(|included| included == what);
    let (mut instances, mut failures, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for text in named {
        let key = reference::instance(&ctx.scope, &cluster.name, text);
        match key.and_then(|key| world.get(&CONTAINER_INSTANCES, &key)) {
            Some(record) if seen.insert(&record.key) => {
                let shown = shape::instance(world, record, asked("TAGS"));
                instances.push(match asked("CONTAINER_INSTANCE_HEALTH") {
                    true => with_health(shown),
                    false => shown,
                });
            }
            Some(_) => {}
            None => failures.push(Failure {
                arn: Some(reference::shown_arn(
                    &ctx.scope,
                    &cluster.name,
                    "container-instance",
                    text,
                )),
                reason: Some("MISSING".into()),
                detail: None,
            }),
        }
    }
    Ok(DescribeContainerInstancesResponse {
        container_instances: Some(instances),
        failures: Some(failures),
    })
}

/// Agents' own checks are not kept: nothing is known, and AWS has a word for that.
fn with_health(instance: ContainerInstance) -> ContainerInstance {
    ContainerInstance {
        health_status: Some(ContainerInstanceHealthStatus {
            overall_status: Some("INSUFFICIENT_DATA".into()),
            details: Some(Vec::new()),
        }),
        ..instance
    }
}
