//! RegisterInstance, DeregisterInstance, GetInstance, ListInstances.

use crate::errors::{limit, no_instance};
use crate::operation;
use crate::page::page;
use crate::records::{INSTANCES, InstanceKey, InstanceRecord, OF_SERVICE};
use crate::resource::{ask, service};
use crate::{errors, instances};
use aws_api::servicediscovery::{
    DeregisterInstanceRequest, DeregisterInstanceResponse, GetInstanceRequest, GetInstanceResponse,
    Instance, InstanceSummary, ListInstancesRequest, ListInstancesResponse,
    RegisterInstanceRequest, RegisterInstanceResponse,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, Txn, World};

/// Service quotas: instances of a service.
const INSTANCES_MAX: usize = 1_000;

/// Asks for the service.
pub fn register_asks(input: &RegisterInstanceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "RegisterInstance", input.service_id.as_deref())
}

/// Registers an instance, or replaces what is known of it.
pub fn register(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &RegisterInstanceRequest,
) -> Result<RegisterInstanceResponse, AwsError> {
    let found = service(
        txn,
        &ctx.scope,
        input.service_id.as_deref().unwrap_or_default(),
    )?
    .clone();
    let id = input.instance_id.clone().unwrap_or_default();
    let attributes = input.attributes.clone().unwrap_or_default();
    instances::check(&found, &attributes)?;
    let key = InstanceKey {
        service: found.key.clone(),
        id: id.clone(),
    };
    let count = txn.sum(&INSTANCES, &OF_SERVICE, &found.key.encode());
    let is_full = usize::try_from(count).is_ok_and(|count| count >= INSTANCES_MAX);
    if is_full && txn.get(&INSTANCES, &key).is_none() {
        return Err(limit("instances of a service", INSTANCES_MAX));
    }
    let request = input.creator_request_id.clone();
    if !instances::register(txn, ctx.now, key, attributes, request) {
        return Err(errors::no_service(&found.key.id));
    }
    let targets = [
        ("INSTANCE", id.as_str()),
        ("SERVICE", found.key.id.as_str()),
    ];
    let operation_id = Some(operation::done(txn, ctx, "REGISTER_INSTANCE", &targets));
    Ok(RegisterInstanceResponse { operation_id })
}

/// Asks for the service.
pub fn deregister_asks(input: &DeregisterInstanceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "DeregisterInstance", input.service_id.as_deref())
}

/// Takes an instance away.
pub fn deregister(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeregisterInstanceRequest,
) -> Result<DeregisterInstanceResponse, AwsError> {
    let service = service(
        txn,
        &ctx.scope,
        input.service_id.as_deref().unwrap_or_default(),
    )?;
    let service = service.key.clone();
    let id = input.instance_id.clone().unwrap_or_default();
    let key = InstanceKey { service, id };
    if !instances::deregister(txn, ctx.now, &key) {
        return Err(no_instance(&key.id));
    }
    let targets = [
        ("INSTANCE", key.id.as_str()),
        ("SERVICE", key.service.id.as_str()),
    ];
    let operation_id = Some(operation::done(txn, ctx, "DEREGISTER_INSTANCE", &targets));
    Ok(DeregisterInstanceResponse { operation_id })
}

/// Asks for the service.
pub fn get_asks(input: &GetInstanceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "GetInstance", input.service_id.as_deref())
}

/// Shows one.
pub fn get(
    world: &World,
    ctx: &mut Ctx,
    input: &GetInstanceRequest,
) -> Result<GetInstanceResponse, AwsError> {
    let service = service(
        world,
        &ctx.scope,
        input.service_id.as_deref().unwrap_or_default(),
    )?;
    let id = input.instance_id.clone().unwrap_or_default();
    let key = InstanceKey {
        service: service.key.clone(),
        id,
    };
    let found: &InstanceRecord = world
        .get(&INSTANCES, &key)
        .ok_or_else(|| no_instance(&key.id))?;
    Ok(GetInstanceResponse {
        resource_owner: Some(ctx.scope.account.clone()),
        instance: Some(Instance {
            id: Some(key.id.clone()),
            creator_request_id: found.creator_request_id.clone(),
            attributes: Some(found.attributes.clone()),
            created_by_account: Some(ctx.scope.account.clone()),
        }),
    })
}

/// Asks for the service.
pub fn list_asks(input: &ListInstancesRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "ListInstances", input.service_id.as_deref())
}

/// Lists, in order of id.
pub fn list(
    world: &World,
    ctx: &mut Ctx,
    input: &ListInstancesRequest,
) -> Result<ListInstancesResponse, AwsError> {
    let service = service(
        world,
        &ctx.scope,
        input.service_id.as_deref().unwrap_or_default(),
    )?;
    let account = &ctx.scope.account;
    let all = instances::of_service(world, &service.key).map(|one| {
        let summary = InstanceSummary {
            id: Some(one.key.id.clone()),
            attributes: Some(one.attributes.clone()),
            created_by_account: Some(account.clone()),
        };
        (one.key.id.clone(), summary)
    });
    let (found, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    Ok(ListInstancesResponse {
        resource_owner: Some(account.clone()),
        instances: Some(found),
        next_token,
    })
}
