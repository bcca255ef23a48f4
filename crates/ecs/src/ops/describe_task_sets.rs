//! DescribeTaskSets: task sets of a service, all or by id or ARN; what is not there is a failure
//! `MISSING`.
//!
//! Rule: API reference, DescribeTaskSets.

use crate::records::service::ServiceRecord;
use crate::rules::{self, invalid_parameter};
use crate::service::{authorised, reference, shape};
use aws_api::ecs::{DescribeTaskSetsRequest, DescribeTaskSetsResponse, Failure};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeSet;
use store::World;

/// `ecs:DescribeTaskSets` on each task set named, or on every one of the service.
#[must_use]
pub fn authorisation(input: &DescribeTaskSetsRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let ask = |set: &str| {
        let action = "ecs:DescribeTaskSets";
        authorised::on_task_set(action, ctx, cluster, service, set)
    };
    match input.task_sets.as_deref() {
        None | Some([]) => vec![ask("*")],
        Some(sets) => sets.iter().map(|set| ask(set)).collect(),
    }
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`, `ServiceNotFoundException`, `InvalidParameterException`.
pub fn describe_task_sets(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeTaskSetsRequest,
) -> Result<DescribeTaskSetsResponse, AwsError> {
    let include = input.include.as_deref().unwrap_or_default();
    if include.iter().any(|what| what != "TAGS") {
        return Err(invalid_parameter("include should be one of [TAGS]"));
    }
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let record = reference::require(world, ctx, cluster, service)?;
    rules::task_set::check_controller(record.controller)?;
    let with_tags = !include.is_empty();
    let named = input.task_sets.as_deref().unwrap_or_default();
    if named.is_empty() {
        return Ok(DescribeTaskSetsResponse {
            task_sets: Some(shape::task_sets(world, &record, with_tags)),
            failures: Some(Vec::new()),
        });
    }
    let (mut sets, mut failures, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for text in named {
        let number = reference::task_set(&record.key, text);
        let found = record
            .task_sets
            .iter()
            .find(|set| Some(set.number) == number);
        match found {
            Some(set) if seen.insert(set.number) => {
                sets.push(shape::task_set(world, &record, set, with_tags));
            }
            Some(_) => {}
            None => failures.push(missing(&record, text)),
        }
    }
    Ok(DescribeTaskSetsResponse {
        task_sets: Some(sets),
        failures: Some(failures),
    })
}

fn missing(service: &ServiceRecord, text: &str) -> Failure {
    Failure {
        arn: Some(reference::shown_task_set_arn(&service.key, text)),
        reason: Some("MISSING".into()),
        detail: None,
    }
}
