//! ContinueServiceDeployment: goes on behind a PAUSE hook, which no deployment can have yet.
//!
//! Rule: API reference, ContinueServiceDeployment.

use super::stop_service_deployment::find;
use crate::rules::invalid_parameter;
use aws_api::ecs::{ContinueServiceDeploymentRequest, ContinueServiceDeploymentResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// `ecs:ContinueServiceDeployment` on the service deployment.
#[must_use]
pub fn authorisation(
    input: &ContinueServiceDeploymentRequest,
    _world: &World,
    _ctx: &Ctx,
) -> Vec<Ask> {
    let arn = input.service_deployment_arn.clone().unwrap_or_default();
    vec![Ask::new("ecs:ContinueServiceDeployment", arn)]
}

/// The operation.
///
/// # Errors
/// `ServiceDeploymentNotFoundException`; else `InvalidParameterException`.
pub fn continue_service_deployment(
    world: &World,
    ctx: &mut Ctx,
    input: &ContinueServiceDeploymentRequest,
) -> Result<ContinueServiceDeploymentResponse, AwsError> {
    if !matches!(
        input.action.as_deref(),
        None | Some("CONTINUE" | "ROLLBACK")
    ) {
        return Err(invalid_parameter(
            "action should be one of [ROLLBACK,CONTINUE]",
        ));
    }
    find(world, ctx, input.service_deployment_arn.as_deref())?;
    let hook = input.hook_id.as_deref().unwrap_or_default();
    Err(invalid_parameter(format!(
        "The service deployment has no paused lifecycle hook with the hookId '{hook}'."
    )))
}
