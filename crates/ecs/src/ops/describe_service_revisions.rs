//! DescribeServiceRevisions: by ARN; what is not there is a failure `MISSING`.
//!
//! Rule: API reference, DescribeServiceRevisions.

use crate::records::service_revision::SERVICE_REVISIONS;
use crate::rules::invalid_parameter;
use crate::service::{deployment_shape, reference};
use aws_api::ecs::{DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse, Failure};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// API reference, `serviceRevisionArns` and `serviceDeploymentArns`: at most 20.
const ARNS_PER_CALL_MAX: usize = 20;

/// `ecs:DescribeServiceRevisions` on each.
#[must_use]
pub fn authorisation(
    input: &DescribeServiceRevisionsRequest,
    _world: &World,
    _ctx: &Ctx,
) -> Vec<Ask> {
    let action = "ecs:DescribeServiceRevisions";
    match input.service_revision_arns.as_deref() {
        None | Some([]) => vec![Ask::any(action)],
        Some(arns) => arns.iter().map(|arn| Ask::new(action, arn)).collect(),
    }
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException` for none or too many.
pub fn describe_service_revisions(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeServiceRevisionsRequest,
) -> Result<DescribeServiceRevisionsResponse, AwsError> {
    let arns = input.service_revision_arns.as_deref().unwrap_or_default();
    check_arns("Service revision ARNs", arns)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        let key = reference::revision(&ctx.scope, arn);
        match key.and_then(|key| world.get(&SERVICE_REVISIONS, &key)) {
            Some(record) => found.push(deployment_shape::revision(record)),
            None => failures.push(missing(arn)),
        }
    }
    Ok(DescribeServiceRevisionsResponse {
        service_revisions: Some(found),
        failures: Some(failures),
    })
}

/// One to twenty ARNs of `what`.
pub(super) fn check_arns(what: &str, arns: &[String]) -> Result<(), AwsError> {
    match arns.len() {
        0 => Err(invalid_parameter(format!("{what} cannot be empty."))),
        1..=ARNS_PER_CALL_MAX => Ok(()),
        _ => Err(invalid_parameter(format!(
            "{what} cannot be more than {ARNS_PER_CALL_MAX}."
        ))),
    }
}

/// There is nothing of this ARN.
pub(super) fn missing(arn: &str) -> Failure {
    Failure {
        arn: Some(arn.into()),
        reason: Some("MISSING".into()),
        detail: None,
    }
}
