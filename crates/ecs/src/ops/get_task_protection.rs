//! GetTaskProtection: which tasks of services are protected, and until when.
//!
//! Rule: API reference, GetTaskProtection.

use crate::cluster;
use crate::records::task::TASKS;
use crate::task::protection;
use aws_api::ecs::{GetTaskProtectionRequest, GetTaskProtectionResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// API reference, GetTaskProtection, `tasks`.
const TASKS_PER_CALL_MAX: usize = 100;

/// `ecs:GetTaskProtection` on each task.
#[must_use]
pub fn authorisation(input: &GetTaskProtectionRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let named = input.tasks.as_deref();
    protection::asks("ecs:GetTaskProtection", ctx, &cluster, named)
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for none or too many.
pub fn get_task_protection(
    world: &World,
    ctx: &mut Ctx,
    input: &GetTaskProtectionRequest,
) -> Result<GetTaskProtectionResponse, AwsError> {
    let cluster = cluster::require(world, &ctx.scope, input.cluster.as_deref())?;
    let named = protection::check_named(input.tasks.as_deref(), TASKS_PER_CALL_MAX)?;
    let (mut shown, mut failures) = (Vec::new(), Vec::new());
    for text in named {
        match protection::protectable(world, ctx, &cluster.name, text) {
            Ok(key) => {
                let task = world.get(&TASKS, &key);
                shown.extend(task.map(|task| protection::shape(task, ctx.now)));
            }
            Err(failure) => failures.push(failure),
        }
    }
    Ok(GetTaskProtectionResponse {
        protected_tasks: Some(shown),
        failures: Some(failures),
    })
}
