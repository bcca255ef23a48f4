//! What a caller needs in order to act on services. Rule: service authorization reference, Amazon
//! ECS; semantics 9.

use super::reference;
use crate::task::authorised;
use crate::{account_settings, cluster};
use aws_api::ecs::{DeploymentConfiguration, Tag};
use aws_types::Ctx;
use iam::Ask;
use store::World;

/// The action on a service, named as in the request.
#[must_use]
pub fn on_service(
    action: &'static str,
    ctx: &Ctx,
    cluster: Option<&str>,
    service: Option<&str>,
) -> Ask {
    let cluster = cluster::name_of(&ctx.scope, cluster).unwrap_or_default();
    let text = service.unwrap_or_default();
    Ask::new(action, reference::shown_arn(&ctx.scope, &cluster, text))
}

/// The action on a task set of a service, both named as in the request; `*` for every one of it.
#[must_use]
pub fn on_task_set(
    action: &'static str,
    ctx: &Ctx,
    cluster: Option<&str>,
    service: Option<&str>,
    set: &str,
) -> Ask {
    let service = on_service(action, ctx, cluster, service).resource;
    let key = reference::service_arn(&ctx.scope, &service);
    let shown = |key| reference::shown_task_set_arn(&key, set);
    Ask::new(action, key.map_or(service, shown))
}

/// `iam:PassRole` on the roles that the service's tasks would get, and on the service's own.
#[must_use]
pub fn to_hand_over(
    world: &World,
    ctx: &Ctx,
    definition: Option<&str>,
    role: Option<&str>,
) -> Vec<Ask> {
    let pass = |role: &str| Ask::new("iam:PassRole", role);
    let of_tasks = definition.into_iter().flat_map(|name| {
        let asks = authorised::to_launch("ecs:RunTask", world, ctx, Some(name), None);
        asks.into_iter().filter(|ask| ask.action == "iam:PassRole")
    });
    role.map(pass).into_iter().chain(of_tasks).collect()
}

/// `iam:PassRole` on the roles in which hooks are called.
#[must_use]
pub fn to_call(given: Option<&DeploymentConfiguration>) -> Vec<Ask> {
    let hooks = given.and_then(|given| given.lifecycle_hooks.as_ref());
    let roles = hooks.into_iter().flatten();
    let roles = roles.filter_map(|hook| hook.role_arn.as_ref());
    roles.map(|role| Ask::new("iam:PassRole", role)).collect()
}

/// What tags given to a new service need.
#[must_use]
pub fn to_tag(world: &World, ctx: &Ctx, service: &Ask, tags: Option<&[Tag]>) -> Option<Ask> {
    account_settings::ask_to_tag(world, ctx, &service.resource, tags)
}
