//! DescribeServiceDeployments: by ARN; what is not there is a failure `MISSING`.
//!
//! Rule: API reference, DescribeServiceDeployments.

use super::describe_service_revisions::{check_arns, missing};
use crate::records::service_deployment::SERVICE_DEPLOYMENTS;
use crate::service::{deployment_shape, reference};
use aws_api::ecs::{DescribeServiceDeploymentsRequest, DescribeServiceDeploymentsResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// `ecs:DescribeServiceDeployments` on each.
#[must_use]
pub fn authorisation(
    input: &DescribeServiceDeploymentsRequest,
    _world: &World,
    _ctx: &Ctx,
) -> Vec<Ask> {
    let action = "ecs:DescribeServiceDeployments";
    match input.service_deployment_arns.as_deref() {
        None | Some([]) => vec![Ask::any(action)],
        Some(arns) => arns.iter().map(|arn| Ask::new(action, arn)).collect(),
    }
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException` for none or too many.
pub fn describe_service_deployments(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeServiceDeploymentsRequest,
) -> Result<DescribeServiceDeploymentsResponse, AwsError> {
    let arns = input.service_deployment_arns.as_deref().unwrap_or_default();
    check_arns("Service deployment ARNs", arns)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        let key = reference::service_deployment(&ctx.scope, arn);
        match key.and_then(|key| world.get(&SERVICE_DEPLOYMENTS, &key)) {
            Some(record) => found.push(deployment_shape::full(world, record)),
            None => failures.push(missing(arn)),
        }
    }
    Ok(DescribeServiceDeploymentsResponse {
        service_deployments: Some(found),
        failures: Some(failures),
    })
}
