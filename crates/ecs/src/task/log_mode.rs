//! The delivery mode of log drivers whose options name none: the account setting
//! `defaultLogDriverMode` of who started the task, fixed at that moment.
//!
//! Rule: API reference, PutAccountSetting, `defaultLogDriverMode`.

use crate::account_settings;
use crate::rules::account_settings::DEFAULT_LOG_DRIVER_MODE;
use aws_api::ecs::ContainerDefinition;
use aws_types::Ctx;
use store::World;

/// The one driver here that has modes.
const AWSLOGS: &str = "awslogs";
/// AWS's default, which `docker_config` takes where nothing says otherwise.
const DEFAULT: &str = "non-blocking";

/// The caller's setting; `None` where it is AWS's default.
#[must_use]
pub fn of_caller(world: &World, ctx: &Ctx) -> Option<String> {
    let name = DEFAULT_LOG_DRIVER_MODE;
    let mode = account_settings::value(world, &ctx.scope, &ctx.caller.arn, name);
    (mode != DEFAULT).then_some(mode)
}

/// The containers with this mode where theirs is not given and their driver has one.
#[must_use]
pub fn filled_in(
    mut containers: Vec<ContainerDefinition>,
    mode: Option<&str>,
) -> Vec<ContainerDefinition> {
    let Some(mode) = mode else { return containers };
    let logs = containers
        .iter_mut()
        .filter_map(|container| container.log_configuration.as_mut());
    for log in logs.filter(|log| log.log_driver.as_deref() == Some(AWSLOGS)) {
        let options = log.options.get_or_insert_default();
        options.entry("mode".into()).or_insert_with(|| mode.into());
    }
    containers
}
