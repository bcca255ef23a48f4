//! DeregisterContainerInstance: with `force`, its tasks count as stopped.
//!
//! The instance is INACTIVE at once; of its tasks only the first few are stopped here, a controller
//! does the rest (`instance::life::orphan`). Rule: API reference, DeregisterContainerInstance.

use crate::cluster;
use crate::decisions::{Standing, StandingChanged};
use crate::instance::life::{self, TASKS_PER_STEP_MAX};
use crate::instance::{load, shape};
use crate::records::container_instance::{CONTAINER_INSTANCES, InstanceStatus};
use crate::rules::invalid_parameter;
use crate::task::reference;
use aws_api::ecs::{DeregisterContainerInstanceRequest, DeregisterContainerInstanceResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// What the caller needs.
#[must_use]
pub fn authorisation(
    input: &DeregisterContainerInstanceRequest,
    _world: &World,
    ctx: &Ctx,
) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let instance = input.container_instance.as_deref().unwrap_or_default();
    let arn = reference::shown_arn(&ctx.scope, &cluster, "container-instance", instance);
    vec![Ask::new("ecs:DeregisterContainerInstance", arn)]
}

/// Deregisters an instance.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for an instance that is not there, or
/// that has tasks, or is lost with some, where `force` is not given.
pub fn deregister_container_instance(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeregisterContainerInstanceRequest,
) -> Result<DeregisterContainerInstanceResponse, AwsError> {
    let cluster = cluster::require(txn, &ctx.scope, input.cluster.as_deref())?;
    let named = input.container_instance.as_deref().unwrap_or_default();
    let key = reference::instance(&ctx.scope, &cluster.name, named);
    let key = key.filter(|key| {
        let record = txn.get(&CONTAINER_INSTANCES, key);
        record.is_some_and(|record| record.status != InstanceStatus::Inactive)
    });
    let not_found = || invalid_parameter("The referenced container instance was not found.");
    let key = key.ok_or_else(not_found)?;
    // Of a lost host, tasks that count as STOPPED may still run: their addresses would go to others.
    if load::is_held(txn, &key) && !input.force.unwrap_or(false) {
        return Err(invalid_parameter("Found running tasks on the instance."));
    }
    life::deregister(txn, ctx, &key);
    // What is left is found again by the controller that watches INACTIVE instances.
    let _ = life::orphan(txn, ctx, &key, TASKS_PER_STEP_MAX - 2);
    ctx.decided(StandingChanged {
        instance: key.id.clone(),
        standing: Standing::Deregistered,
    });
    let record = txn.get(&CONTAINER_INSTANCES, &key);
    Ok(DeregisterContainerInstanceResponse {
        container_instance: record.map(|record| shape::instance(txn, record, true)),
    })
}
