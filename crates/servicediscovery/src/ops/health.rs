//! GetInstancesHealthStatus, UpdateInstanceCustomHealthStatus.

use crate::discover::shown_health;
use crate::errors::no_instance;
use crate::instances;
use crate::page::page;
use crate::records::{Health, INSTANCES, InstanceKey};
use crate::resource::{ask, service};
use aws_api::servicediscovery::{
    GetInstancesHealthStatusRequest, GetInstancesHealthStatusResponse,
    UpdateInstanceCustomHealthStatusRequest, errors,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// Asks for the service.
pub fn get_asks(input: &GetInstancesHealthStatusRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "GetInstancesHealthStatus", input.service_id.as_deref())
}

/// The status of all instances, or of those that are named.
pub fn get(
    world: &World,
    ctx: &mut Ctx,
    input: &GetInstancesHealthStatusRequest,
) -> Result<GetInstancesHealthStatusResponse, AwsError> {
    let of = service(
        world,
        &ctx.scope,
        input.service_id.as_deref().unwrap_or_default(),
    )?;
    let named = input.instances.as_ref();
    for id in named.into_iter().flatten() {
        let key = InstanceKey {
            service: of.key.clone(),
            id: id.clone(),
        };
        world.get(&INSTANCES, &key).ok_or_else(|| no_instance(id))?;
    }
    let asked = instances::of_service(world, &of.key)
        .filter(|one| named.is_none_or(|named| named.contains(&one.key.id)))
        .map(|one| {
            let id = one.key.id.clone();
            (id.clone(), (id, shown_health(of, one).to_owned()))
        });
    let (status, next_token) = page(asked, input.next_token.as_deref(), input.max_results)?;
    Ok(GetInstancesHealthStatusResponse {
        status: Some(status.into_iter().collect()),
        next_token,
    })
}

/// Asks for the service.
pub fn update_asks(
    input: &UpdateInstanceCustomHealthStatusRequest,
    _: &World,
    ctx: &Ctx,
) -> Vec<Ask> {
    ask(
        ctx,
        "UpdateInstanceCustomHealthStatus",
        input.service_id.as_deref(),
    )
}

/// Says how an instance is.
pub fn update(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateInstanceCustomHealthStatusRequest,
) -> Result<aws_api::shape::Empty, AwsError> {
    let of = service(
        txn,
        &ctx.scope,
        input.service_id.as_deref().unwrap_or_default(),
    )?
    .clone();
    if !of.custom_health {
        return Err(errors::CUSTOM_HEALTH_NOT_FOUND.with(format!(
            "The service {} has no custom health check.",
            of.key.id
        )));
    }
    let key = InstanceKey {
        service: of.key.clone(),
        id: input.instance_id.clone().unwrap_or_default(),
    };
    let health = match input.status.as_deref() {
        Some("UNHEALTHY") => Health::Unhealthy,
        _ => Health::Healthy,
    };
    match instances::set_health(txn, ctx.now, &key, health) {
        true => Ok(aws_api::shape::Empty {}),
        false => Err(no_instance(&key.id)),
    }
}
