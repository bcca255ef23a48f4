//! ContinueServiceDeployment: resolves a PAUSE hook; the plan goes on, or rolls back.
//!
//! Rule: API reference, ContinueServiceDeployment; semantics 6.7.

use super::stop_service_deployment::find;
use crate::records::deployment_stage::{HookAction, HookStatus};
use crate::records::service::SERVICES;
use crate::rules::invalid_parameter;
use crate::service::hooks;
use aws_api::ecs::{ContinueServiceDeploymentRequest, ContinueServiceDeploymentResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

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
/// `ServiceDeploymentNotFoundException`; else `InvalidParameterException`, also where the hook is
/// not paused.
pub fn continue_service_deployment(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ContinueServiceDeploymentRequest,
) -> Result<ContinueServiceDeploymentResponse, AwsError> {
    let status = match input.action.as_deref().map(HookAction::parse) {
        None | Some(Some(HookAction::Continue)) => HookStatus::Succeeded,
        Some(Some(HookAction::Rollback)) => HookStatus::Failed,
        Some(None) => {
            return Err(invalid_parameter(
                "action should be one of [ROLLBACK,CONTINUE]",
            ));
        }
    };
    let key = find(txn, ctx, input.service_deployment_arn.as_deref())?.key;
    let id = input.hook_id.as_deref().unwrap_or_default();
    let service = txn.get(&SERVICES, &key.service);
    let mut service = service.map(|service| service.as_ref().clone());
    let is_of = |number: &_| *number == Some(key.id.clone());
    let paused = service
        .as_mut()
        .filter(|service| service.primary().is_some_and(|one| is_of(&one.part_of)))
        .and_then(|service| hooks::open_one(service, id))
        .filter(|hook| hook.status == HookStatus::AwaitingAction && hook.expires > ctx.now);
    let Some(paused) = paused else {
        return Err(invalid_parameter(format!(
            "The service deployment has no paused lifecycle hook with the hookId '{id}'."
        )));
    };
    paused.status = status;
    if let Some(service) = service {
        txn.put(&SERVICES, service);
    }
    Ok(ContinueServiceDeploymentResponse {
        service_deployment_arn: Some(key.arn()),
    })
}
