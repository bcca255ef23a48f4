//! What a caller needs in order to start tasks. Rule: service authorization reference, Amazon ECS.

use crate::{account_settings, cluster, task_definition};
use aws_api::ecs::{Tag, TaskOverride};
use aws_types::Ctx;
use iam::Ask;
use store::World;

/// The action on the task definition, and `iam:PassRole` on each role that the tasks would get.
#[must_use]
pub fn to_launch(
    action: &'static str,
    world: &World,
    ctx: &Ctx,
    definition: Option<&str>,
    overrides: Option<&TaskOverride>,
) -> Vec<Ask> {
    let name = definition.unwrap_or_default();
    let record = task_definition::resolve(world, &ctx.scope, name).ok();
    let unknown = || {
        ctx.scope
            .arn("ecs", &format!("task-definition/{name}"))
            .to_string()
    };
    let resource = record.as_ref().map_or_else(unknown, |record| record.arn());
    let overridden = overrides.map(|o| [&o.task_role_arn, &o.execution_role_arn]);
    let own = record.as_ref().map(|record| {
        [
            &record.definition.task_role_arn,
            &record.definition.execution_role_arn,
        ]
    });
    let role = |n: usize| {
        let over = overridden.and_then(|roles| roles[n].clone());
        over.or_else(|| own.and_then(|roles| roles[n].clone()))
    };
    let mut asks = vec![Ask::new(action, resource)];
    let roles = [role(0), role(1)].into_iter().flatten();
    asks.extend(roles.map(|role| Ask::new("iam:PassRole", role)));
    asks
}

/// What tags given to the tasks to be need.
#[must_use]
pub fn to_tag(
    world: &World,
    ctx: &Ctx,
    cluster: Option<&str>,
    tags: Option<&[Tag]>,
) -> Option<Ask> {
    let cluster = cluster::name_of(&ctx.scope, cluster).unwrap_or_default();
    let any_task = ctx.scope.arn("ecs", &format!("task/{cluster}/*"));
    account_settings::ask_to_tag(world, ctx, &any_task.to_string(), tags)
}
