//! UpdateContainerInstancesState: DRAINING takes no new task, ACTIVE takes them again.
//!
//! Tasks that belong to no service stay where they are; those of services are the service
//! scheduler's. Rule: API reference, UpdateContainerInstancesState.

use crate::cluster;
use crate::decisions::{Standing, StandingChanged};
use crate::instance::{life, shape};
use crate::records::container_instance::{CONTAINER_INSTANCES, InstanceStatus};
use crate::rules::{instances, invalid_parameter};
use crate::task::reference;
use aws_api::ecs::{
    Failure, UpdateContainerInstancesStateRequest, UpdateContainerInstancesStateResponse,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeSet;
use store::{Txn, World};

const ACTION: &str = "ecs:UpdateContainerInstancesState";

/// The action on each instance; who names none may still learn that he has to.
#[must_use]
pub fn authorisation(
    input: &UpdateContainerInstancesStateRequest,
    _world: &World,
    ctx: &Ctx,
) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let named = input.container_instances.iter().flatten();
    let arn =
        |text: &String| reference::shown_arn(&ctx.scope, &cluster, "container-instance", text);
    let asks: Vec<_> = named.map(|text| Ask::new(ACTION, arn(text))).collect();
    match asks.is_empty() {
        true => vec![Ask::any(ACTION)],
        false => asks,
    }
}

/// The operation, each instance once; one that is not registered is a failure.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for none, too many or another status.
pub fn update_container_instances_state(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateContainerInstancesStateRequest,
) -> Result<UpdateContainerInstancesStateResponse, AwsError> {
    let (status, standing) = match input.status.as_deref() {
        Some("ACTIVE") => (InstanceStatus::Active, Standing::Active),
        Some("DRAINING") => (InstanceStatus::Draining, Standing::Draining),
        _ => {
            return Err(invalid_parameter(
                "Container instance status should be one of [ACTIVE, DRAINING]",
            ));
        }
    };
    let named = instances::check_named(input.container_instances.as_deref())?;
    let cluster = cluster::require(txn, &ctx.scope, input.cluster.as_deref())?;
    let (mut shown, mut failures, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for text in named {
        let key = reference::instance(&ctx.scope, &cluster.name, text);
        let known = key.and_then(|key| txn.get(&CONTAINER_INSTANCES, &key).cloned());
        let reason = match &known {
            None => "MISSING",
            Some(record) if record.status == InstanceStatus::Inactive => "INACTIVE",
            Some(record) if seen.insert(record.key.clone()) => {
                life::change(txn, &record.key, |instance| instance.status = status);
                ctx.decided(StandingChanged {
                    instance: record.key.id.clone(),
                    standing,
                });
                let after = txn.get(&CONTAINER_INSTANCES, &record.key);
                shown.extend(after.map(|after| shape::instance(txn, after, true)));
                continue;
            }
            Some(_) => continue,
        };
        let arn = reference::shown_arn(&ctx.scope, &cluster.name, "container-instance", text);
        failures.push(Failure {
            arn: Some(arn),
            reason: Some(reason.into()),
            detail: None,
        });
    }
    Ok(UpdateContainerInstancesStateResponse {
        container_instances: Some(shown),
        failures: Some(failures),
    })
}
