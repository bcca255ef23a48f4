//! UpdateTaskProtection: protects tasks of services from scale-in and deployments, or no longer.
//!
//! Rule: API reference, UpdateTaskProtection: a repeated call sets the end anew.

use crate::cluster;
use crate::records::task::TASKS;
use crate::rules::invalid_parameter;
use crate::task::protection;
use aws_api::ecs::{UpdateTaskProtectionRequest, UpdateTaskProtectionResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// API reference, UpdateTaskProtection, `tasks`.
const TASKS_PER_CALL_MAX: usize = 10;

/// `ecs:UpdateTaskProtection` on each task.
#[must_use]
pub fn authorisation(input: &UpdateTaskProtectionRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let named = input.tasks.as_deref();
    protection::asks("ecs:UpdateTaskProtection", ctx, &cluster, named)
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for none or too many, or a length out of
/// range.
pub fn update_task_protection(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateTaskProtectionRequest,
) -> Result<UpdateTaskProtectionResponse, AwsError> {
    let cluster = cluster::require(txn, &ctx.scope, input.cluster.as_deref())?;
    let named = protection::check_named(input.tasks.as_deref(), TASKS_PER_CALL_MAX)?;
    let enabled = input
        .protection_enabled
        .ok_or_else(|| invalid_parameter("protectionEnabled can not be empty."))?;
    let until = protection::end(ctx.now, enabled, input.expires_in_minutes)?;
    let (mut shown, mut failures) = (Vec::new(), Vec::new());
    for text in named {
        let found = protection::protectable(txn, ctx, &cluster.name, text).and_then(|key| {
            if enabled {
                protection::check_not_blocked(txn, ctx.now, &key)?;
            }
            Ok(key)
        });
        match found {
            Ok(key) => {
                txn.update(&TASKS, &key, |task| task.protected_until = until);
                let task = txn.get(&TASKS, &key);
                shown.extend(task.map(|task| protection::shape(task, ctx.now)));
            }
            Err(failure) => failures.push(failure),
        }
    }
    Ok(UpdateTaskProtectionResponse {
        protected_tasks: Some(shown),
        failures: Some(failures),
    })
}
