//! UpdateService: changes what is wanted of a service; a changed workload, or the wish, deploys it.
//!
//! Rule: API reference, UpdateService; semantics 2.3, "What UpdateService redeploys".

use super::create_service::{check_execute_command, workload};
use crate::cluster;
use crate::connect::claim;
use crate::fargate;
use crate::place::{constraint, strategy};
use crate::records::connect::ConnectRecord;
use crate::records::service::{SERVICES, ServiceRecord, Workload};
use crate::records::task_definition::{TASK_DEFINITIONS, TaskDefinitionKey, TaskDefinitionRecord};
use crate::rules::capacity::{self, Capacity};
use crate::rules::service::Change;
use crate::rules::{
    self, deployment_configuration, launch_type, not_yet, registries, run_task, zone_rebalancing,
};
use crate::service::wanted::{self, Wanted};
use crate::service::{authorised, reference, shape};
use crate::targets;
use crate::task::{credentials, launch, network};
use aws_api::Stored;
use aws_api::ecs::{
    CapacityProviderStrategyItem, LoadBalancer, NetworkConfiguration, PlacementConstraint,
    PlacementStrategy, ServiceRegistry, TaskDefinition, UpdateServiceRequest,
    UpdateServiceResponse,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use servicediscovery::records::ItemKey;
use std::sync::Arc;
use store::{Txn, World};

/// `ecs:UpdateService` on the service, and to hand over the roles of a new definition.
#[must_use]
pub fn authorisation(input: &UpdateServiceRequest, world: &World, ctx: &Ctx) -> Vec<Ask> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let update = authorised::on_service("ecs:UpdateService", ctx, cluster, service);
    let definition = input.task_definition.as_deref();
    let roles = authorised::to_hand_over(world, ctx, definition, None);
    let hooks = authorised::to_call(input.deployment_configuration.as_ref());
    [update].into_iter().chain(roles).chain(hooks).collect()
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`, `ServiceNotFoundException`, `ServiceNotActiveException`,
/// `InvalidParameterException`, `ClientException`.
pub fn update_service(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateServiceRequest,
) -> Result<UpdateServiceResponse, AwsError> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let mut record = reference::require_active(txn, ctx, cluster, service)?;
    let change = rules::service::check_update(input, record.scheduling, record.controller)?;
    let named = input.task_definition.as_deref();
    let given = named.map(|named| launch::definition(txn, ctx, Some(named)));
    let given = given.transpose()?;
    let present = wanted::workload(txn, &record);
    let definition = given.clone().or_else(|| held(txn, ctx, present.as_ref()));
    configure(txn, &mut record, input)?;
    change_flags(&mut record, input, &change);
    place(&mut record, input);
    let capacity = capacity(txn, &mut record, input, present.as_ref())?;
    let network = network_of(input, present.as_ref());
    let has_version = set_version(&mut record, input.platform_version.as_deref())?;
    let registries = registries(input, present.as_ref());
    let is_new = given.is_some()
        || input.network_configuration.is_some()
        || input.service_registries.is_some()
        || input.service_connect_configuration.is_some()
        || capacity.is_some()
        || has_version;
    check(
        &mut record,
        input,
        definition.as_deref(),
        (is_new, network.as_ref()),
    )?;
    let changed = definition.as_ref().filter(|_| is_new);
    if let Some(definition) = changed {
        let around = (network.as_ref(), registries.as_slice());
        check_around(txn, &record, around, definition)?;
    }
    let terms = (
        record.launch_type.as_str(),
        record.platform_version.as_deref(),
    );
    let is_concerned = is_new || input.deployment_configuration.is_some();
    let of = definition.as_deref().filter(|_| is_concerned);
    let connect = connect(txn, ctx, (&record, of), (input, present.as_ref()))?;
    let workload = changed.map(|one| Workload {
        connect,
        load_balancers: load_balancers(present.as_ref()),
        capacity_provider_strategy: strategy(capacity, present.as_ref()),
        ..workload(one, terms, (network.as_ref(), &registries))
    });
    let wanted = Wanted {
        desired: change.desired,
        workload,
        force: input.force_new_deployment.unwrap_or(false),
    };
    wanted::want(txn, ctx, &mut record, wanted);
    txn.put(&SERVICES, record.clone());
    Ok(answer(txn, &record))
}

fn answer(world: &World, record: &ServiceRecord) -> UpdateServiceResponse {
    UpdateServiceResponse {
        service: Some(shape::service(world, record, true)),
    }
}

/// `platformVersion`; whether it was given.
fn set_version(record: &mut ServiceRecord, given: Option<&str>) -> Result<bool, AwsError> {
    if given.is_some() {
        record.platform_version = launch_type::platform_version(&record.launch_type, given)?;
    }
    Ok(given.is_some())
}

fn configure(
    world: &World,
    record: &mut ServiceRecord,
    input: &UpdateServiceRequest,
) -> Result<(), AwsError> {
    let given = input.deployment_configuration.as_ref();
    record.configuration = Stored(deployment_configuration::read(
        given,
        Some(&record.configuration.0),
        record.scheduling,
        record.controller,
    )?);
    targets::check_hooks(world, &record.key.scope, given)
}

/// The definition that the service runs, whatever became of it.
fn held(world: &World, ctx: &Ctx, present: Option<&Workload>) -> Option<Arc<TaskDefinitionRecord>> {
    let Workload {
        family, revision, ..
    } = present?;
    let key = TaskDefinitionKey::new(&ctx.scope, family, *revision);
    world.get(&TASK_DEFINITIONS, &key).cloned()
}

fn change_flags(record: &mut ServiceRecord, input: &UpdateServiceRequest, change: &Change) {
    record.grace_seconds = change.grace_seconds.or(record.grace_seconds);
    record.propagate = change.propagate.unwrap_or(record.propagate);
    let managed = input.enable_ecs_managed_tags;
    record.managed_tags = managed.unwrap_or(record.managed_tags);
    let execute = input.enable_execute_command;
    record.execute_command = execute.unwrap_or(record.execute_command);
}

/// `networkConfiguration` as it will be.
fn network_of(
    input: &UpdateServiceRequest,
    present: Option<&Workload>,
) -> Option<NetworkConfiguration> {
    let kept = present.and_then(|present| present.network.as_ref());
    let given = input.network_configuration.as_ref();
    given.or(kept.map(|kept| &kept.0)).cloned()
}

/// `serviceRegistries` as they will be: an empty list ends them, an absent one keeps them.
fn registries(input: &UpdateServiceRequest, present: Option<&Workload>) -> Vec<ServiceRegistry> {
    let kept = || present.map(Workload::shown_registries).unwrap_or_default();
    input.service_registries.clone().unwrap_or_else(kept)
}

/// `loadBalancers` as they will be: not to be changed yet.
fn load_balancers(present: Option<&Workload>) -> Vec<Stored<LoadBalancer>> {
    let kept = present.map(|present| present.load_balancers.clone());
    kept.unwrap_or_default()
}

/// What the service goes by from now on, where it changes; its launch type is then the record's.
fn capacity(
    world: &World,
    record: &mut ServiceRecord,
    input: &UpdateServiceRequest,
    present: Option<&Workload>,
) -> Result<Option<Capacity>, AwsError> {
    let cluster = cluster::require(world, &record.key.scope, Some(&record.key.cluster))?;
    let kept = present.map(|present| present.capacity_provider_strategy.as_slice());
    let next = capacity::of_update(
        &cluster,
        (&record.launch_type, kept.unwrap_or_default()),
        input.capacity_provider_strategy.as_ref(),
        input.force_new_deployment.unwrap_or(false),
    )?;
    if let Some(next) = next
        .as_ref()
        .filter(|one| one.launch_type != record.launch_type)
    {
        rules::service::check_scheduled(record.scheduling, &next.launch_type)?;
        record.launch_type.clone_from(&next.launch_type);
        record.platform_version = launch_type::platform_version(&next.launch_type, None)?;
    }
    Ok(next)
}

/// `capacityProviderStrategy` as it will be.
fn strategy(
    next: Option<Capacity>,
    present: Option<&Workload>,
) -> Vec<Stored<CapacityProviderStrategyItem>> {
    let kept = present.map(|present| present.capacity_provider_strategy.clone());
    match next {
        Some(next) => next.strategy.into_iter().map(Stored).collect(),
        None => kept.unwrap_or_default(),
    }
}

/// What Service Connect will be: what is not given stays, and is checked against what else changes.
fn connect(
    txn: &mut Txn,
    ctx: &mut Ctx,
    (service, definition): (&ServiceRecord, Option<&TaskDefinitionRecord>),
    (input, present): (&UpdateServiceRequest, Option<&Workload>),
) -> Result<Option<Box<ConnectRecord>>, AwsError> {
    let Some(definition) = definition else {
        return Ok(None);
    };
    let kept = present.and_then(|present| present.connect.as_ref());
    let given = input.service_connect_configuration.as_ref();
    let asked = given.or(kept.map(|kept| &kept.given.0));
    let cluster = cluster::require(txn, &ctx.scope, Some(&service.key.cluster))?;
    let default = cluster.service_connect_namespace.as_deref();
    // What was resolved once stays so, whatever became of the cluster's default since.
    let before = kept.map(|kept| ItemKey::new(&ctx.scope, &kept.namespace).arn());
    let default = match given {
        Some(_) => default,
        None => before.as_deref(),
    };
    let asked = claim::check(txn, service, asked, (default, &definition.definition))?;
    Ok(asked.map(|asked| claim::claim(txn, ctx, asked)))
}

/// What a new deployment names outside of the service must be there.
fn check_around(
    world: &World,
    service: &ServiceRecord,
    (network, given): (Option<&NetworkConfiguration>, &[ServiceRegistry]),
    definition: &TaskDefinitionRecord,
) -> Result<(), AwsError> {
    let scope = &service.key.scope;
    if network.is_some() {
        network::resolve(world, scope, network, fargate::is(&service.launch_type))?;
    }
    registries::check(world, scope, given, &definition.definition)
}

/// Lists replace lists; what is absent stays.
fn place(record: &mut ServiceRecord, input: &UpdateServiceRequest) {
    if let Some(constraints) = &input.placement_constraints {
        record.constraints = constraints.iter().cloned().map(Stored).collect();
    }
    if let Some(strategy) = &input.placement_strategy {
        record.strategy = strategy.iter().cloned().map(Stored).collect();
    }
}

fn check(
    record: &mut ServiceRecord,
    input: &UpdateServiceRequest,
    definition: Option<&TaskDefinitionRecord>,
    (is_new, network): (bool, Option<&NetworkConfiguration>),
) -> Result<(), AwsError> {
    let none = TaskDefinition::default();
    let shape = definition.map_or(&none, |definition| &definition.definition);
    let launch_type = record.launch_type.as_str();
    let constraints = record.constraints.iter().map(|one| one.0.clone());
    let constraints: Vec<PlacementConstraint> = constraints.collect();
    let strategies = record.strategy.iter().map(|one| one.0.clone());
    let strategies: Vec<PlacementStrategy> = strategies.collect();
    launch_type::check_placement(launch_type, Some(&constraints), Some(&strategies))?;
    if is_new {
        launch_type::check(shape, launch_type, record.platform_version.as_deref())?;
        run_task::check_network(shape, network.is_some())?;
        let roles = [&shape.task_role_arn, &shape.execution_role_arn];
        credentials::check_roles(&record.key.scope, roles.map(Option::as_ref))?;
    }
    if is_new {
        not_yet::check(shape)?;
    }
    if definition.is_some() && (is_new || input.enable_execute_command.is_some()) {
        check_execute_command(record.execute_command, shape, "updated")?;
    }
    constraint::read(Some(&constraints), shape)?;
    let strategy = strategy::read(Some(&strategies))?;
    let asked = zone_rebalancing::read(input.availability_zone_rebalancing.as_deref())?;
    record.rebalances_zones = zone_rebalancing::of_changed(record, &strategy, asked)?;
    Ok(())
}
