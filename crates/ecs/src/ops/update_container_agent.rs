//! UpdateContainerAgent: nothing here can update an agent through its session. The agent is this
//! program and is replaced with it; the answer is AWS's for an agent that is up to date.
//!
//! Rule: API reference, UpdateContainerAgent, its errors.

use crate::cluster;
use crate::records::container_instance::{CONTAINER_INSTANCES, InstanceStatus};
use crate::rules::invalid_parameter;
use crate::task::reference;
use aws_api::ecs::{UpdateContainerAgentRequest, UpdateContainerAgentResponse, errors};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// `ecs:UpdateContainerAgent` on the instance.
#[must_use]
pub fn authorisation(input: &UpdateContainerAgentRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let instance = input.container_instance.as_deref().unwrap_or_default();
    let arn = reference::shown_arn(&ctx.scope, &cluster, "container-instance", instance);
    vec![Ask::new("ecs:UpdateContainerAgent", arn)]
}

/// The operation.
///
/// # Errors
/// Always: `ClusterNotFoundException`; `InvalidParameterException` for an instance that is not
/// there; `MissingVersionException` where the agent never said its version;
/// `NoUpdateAvailableException` otherwise.
pub fn update_container_agent(
    world: &World,
    ctx: &mut Ctx,
    input: &UpdateContainerAgentRequest,
) -> Result<UpdateContainerAgentResponse, AwsError> {
    let cluster = cluster::require(world, &ctx.scope, input.cluster.as_deref())?;
    let named = input.container_instance.as_deref().unwrap_or_default();
    let key = reference::instance(&ctx.scope, &cluster.name, named);
    let record = key.and_then(|key| world.get(&CONTAINER_INSTANCES, &key));
    let registered = record.filter(|record| record.status != InstanceStatus::Inactive);
    let instance = registered
        .ok_or_else(|| invalid_parameter("The referenced container instance was not found."))?;
    Err(match &instance.versions.agent_version {
        Some(_) => errors::NO_UPDATE_AVAILABLE_EXCEPTION
            .with("There is no update available for your container agent."),
        None => errors::MISSING_VERSION_EXCEPTION
            .with("The version of the container agent cannot be determined."),
    })
}
