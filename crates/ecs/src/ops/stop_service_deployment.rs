//! StopServiceDeployment: asks for the end of a deployment under way; the plan does it.
//!
//! ROLLBACK deploys the revision before it again, ABORT leaves every task as it is.
//! Rule: API reference, StopServiceDeployment; semantics 6.6.

use crate::records::service_deployment::{
    DeploymentStatus, SERVICE_DEPLOYMENTS, ServiceDeploymentKey, ServiceDeploymentRecord,
};
use crate::rules::invalid_parameter;
use crate::service::reference;
use aws_api::ecs::{StopServiceDeploymentRequest, StopServiceDeploymentResponse, errors};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:StopServiceDeployment` on the service deployment.
#[must_use]
pub fn authorisation(input: &StopServiceDeploymentRequest, _world: &World, _ctx: &Ctx) -> Vec<Ask> {
    let arn = input.service_deployment_arn.clone().unwrap_or_default();
    vec![Ask::new("ecs:StopServiceDeployment", arn)]
}

/// The operation.
///
/// # Errors
/// `ServiceDeploymentNotFoundException`, `InvalidParameterException`; `ConflictException` for one
/// that ended or is already being stopped.
pub fn stop_service_deployment(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &StopServiceDeploymentRequest,
) -> Result<StopServiceDeploymentResponse, AwsError> {
    let status = match input.stop_type.as_deref() {
        None | Some("ROLLBACK") => DeploymentStatus::RollbackRequested,
        Some("ABORT") => DeploymentStatus::StopRequested,
        Some(_) => {
            return Err(invalid_parameter(
                "stopType should be one of [ABORT,ROLLBACK]",
            ));
        }
    };
    let key = find(txn, ctx, input.service_deployment_arn.as_deref())?.key;
    let may_stop = |record: &ServiceDeploymentRecord| {
        use DeploymentStatus::{InProgress, Pending};
        matches!(record.status, Pending | InProgress)
    };
    if !txn
        .get(&SERVICE_DEPLOYMENTS, &key)
        .is_some_and(|record| may_stop(record))
    {
        return Err(errors::CONFLICT_EXCEPTION
            .with("The service deployment can't be stopped because it is not in progress."));
    }
    txn.update(&SERVICE_DEPLOYMENTS, &key, |record| {
        record.status = status;
        record.updated = ctx.now;
    });
    Ok(StopServiceDeploymentResponse {
        service_deployment_arn: Some(key.arn()),
    })
}

/// The service deployment whose ARN a request names.
pub(super) fn find(
    world: &World,
    ctx: &Ctx,
    arn: Option<&str>,
) -> Result<ServiceDeploymentRecord, AwsError> {
    let key: ServiceDeploymentKey =
        reference::service_deployment(&ctx.scope, arn.unwrap_or_default())
            .ok_or_else(|| invalid_parameter("The ARN provided is invalid."))?;
    let found = world.get(&SERVICE_DEPLOYMENTS, &key);
    found.map(|record| record.as_ref().clone()).ok_or_else(|| {
        errors::SERVICE_DEPLOYMENT_NOT_FOUND_EXCEPTION.with("Service deployment not found.")
    })
}
