//! DescribeServices: services by name or ARN; what is not there is a failure `MISSING`.
//!
//! Rule: API reference, DescribeServices.

use crate::cluster;
use crate::records::service::SERVICES;
use crate::rules::invalid_parameter;
use crate::service::{authorised, reference, shape};
use aws_api::ecs::{DescribeServicesRequest, DescribeServicesResponse, Failure};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeSet;
use store::World;

/// API reference, DescribeServices, `services`: at most 10.
const SERVICES_PER_CALL_MAX: usize = 10;

/// `ecs:DescribeServices` on each service; who names none may still learn that he has to.
#[must_use]
pub fn authorisation(input: &DescribeServicesRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let action = "ecs:DescribeServices";
    let cluster = input.cluster.as_deref();
    let services = input.services.iter().flatten();
    let asks: Vec<_> = services
        .map(|service| authorised::on_service(action, ctx, cluster, Some(service)))
        .collect();
    match asks.is_empty() {
        true => vec![Ask::any(action)],
        false => asks,
    }
}

/// Describes services, each once, in the order asked, INACTIVE ones too.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for none or too many.
pub fn describe_services(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeServicesRequest,
) -> Result<DescribeServicesResponse, AwsError> {
    let named = input.services.as_deref().unwrap_or_default();
    match named.len() {
        0 => return Err(invalid_parameter("Services cannot be empty.")),
        1..=SERVICES_PER_CALL_MAX => {}
        _ => {
            return Err(invalid_parameter(format!(
                "Services cannot be more than {SERVICES_PER_CALL_MAX}."
            )));
        }
    }
    let include = input.include.as_deref().unwrap_or_default();
    if include.iter().any(|what| what != "TAGS") {
        return Err(invalid_parameter("include should be one of [TAGS]"));
    }
    let cluster = cluster::require(world, &ctx.scope, input.cluster.as_deref())?;
    let (mut services, mut failures, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for text in named {
        let key = reference::service(&ctx.scope, &cluster.name, text);
        match key.and_then(|key| world.get(&SERVICES, &key)) {
            Some(record) if seen.insert(&record.key) => {
                services.push(shape::service(world, record, !include.is_empty()));
            }
            Some(_) => {}
            None => failures.push(Failure {
                arn: Some(reference::shown_arn(&ctx.scope, &cluster.name, text)),
                reason: Some("MISSING".into()),
                detail: None,
            }),
        }
    }
    Ok(DescribeServicesResponse {
        services: Some(services),
        failures: Some(failures),
    })
}
