//! CreateTaskSet: a further set of tasks of a service whose deployments are made elsewhere.
//!
//! Rule: API reference, CreateTaskSet; semantics 6.11.

use super::create_service::workload;
use crate::cluster;
use crate::fargate;
use crate::records::service::{SERVICES, ServiceRecord, Workload};
use crate::records::task_set::{TaskSet, TaskSetStatus};
use crate::rules::service_not_yet::{self, Asked};
use crate::rules::{
    self, capacity, invalid_parameter, launch_type, not_yet, registries, run_task, tags,
};
use crate::service::{authorised, deploy, reference, shape};
use crate::task::{credentials, launch, network, tokens};
use aws_api::Stored;
use aws_api::ecs::{CreateTaskSetRequest, CreateTaskSetResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:CreateTaskSet` on the service, to tag the set, and to hand over the definition's roles.
#[must_use]
pub fn authorisation(input: &CreateTaskSetRequest, world: &World, ctx: &Ctx) -> Vec<Ask> {
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let create = authorised::on_service("ecs:CreateTaskSet", ctx, cluster, service);
    let any = authorised::on_task_set("ecs:CreateTaskSet", ctx, cluster, service, "*");
    let tags = authorised::to_tag(world, ctx, &any, input.tags.as_deref());
    let definition = input.task_definition.as_deref();
    let roles = authorised::to_hand_over(world, ctx, definition, None);
    [create].into_iter().chain(tags).chain(roles).collect()
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`, `ServiceNotFoundException`, `ServiceNotActiveException`,
/// `InvalidParameterException`, `ClientException`.
pub fn create_task_set(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateTaskSetRequest,
) -> Result<CreateTaskSetResponse, AwsError> {
    let scale = rules::task_set::scale(input.scale.as_ref())?;
    rules::service::check_token(input.client_token.as_deref())?;
    service_not_yet::check(Asked::from(input))?;
    let (cluster, service) = (input.cluster.as_deref(), input.service.as_deref());
    let mut record = reference::require_active(txn, ctx, cluster, service)?;
    rules::task_set::check_controller(record.controller)?;
    let token = input.client_token.clone();
    let token = token.map(|token| (token, tokens::fingerprint(input)));
    if let Some(earlier) = earlier(&record, token.as_ref())? {
        return Ok(answer(txn, &record, earlier));
    }
    let definition = launch::definition(txn, ctx, input.task_definition.as_deref())?;
    let capacity = capacity::of_task_set(
        &*cluster::require(txn, &ctx.scope, cluster)?,
        &record.launch_type,
        input.launch_type.as_deref(),
        input.capacity_provider_strategy.as_ref(),
    )?;
    let launch_type = capacity.launch_type.as_str();
    let version = launch_type::platform_version(launch_type, input.platform_version.as_deref())?;
    launch_type::check(&definition.definition, launch_type, version.as_deref())?;
    run_task::check_network(
        &definition.definition,
        input.network_configuration.is_some(),
    )?;
    not_yet::check(&definition.definition)?;
    let shape = &definition.definition;
    let roles = [&shape.task_role_arn, &shape.execution_role_arn];
    credentials::check_roles(&ctx.scope, roles.map(Option::as_ref))?;
    let network = input.network_configuration.as_ref();
    if network.is_some() {
        network::resolve(txn, &ctx.scope, network, fargate::is(launch_type))?;
    }
    let registries = input.service_registries.as_deref().unwrap_or_default();
    registries::check(txn, &ctx.scope, registries, &definition.definition)?;
    let number = deploy::number(&mut ctx.ids);
    let workload = Workload {
        capacity_provider_strategy: capacity.strategy.into_iter().map(Stored).collect(),
        ..workload(
            &definition,
            (&capacity.launch_type, version.as_deref()),
            (network, registries),
        )
    };
    let set = TaskSet {
        external_id: input.external_id.clone(),
        tags: tags::read(input.tags.as_deref())?,
        token,
        ..TaskSet::new(number, workload, scale, ctx.now)
    };
    record.task_sets.insert(0, set.clone());
    txn.put(&SERVICES, record.clone());
    Ok(answer(txn, &record, &set))
}

fn answer(world: &World, record: &ServiceRecord, set: &TaskSet) -> CreateTaskSetResponse {
    CreateTaskSetResponse {
        task_set: Some(shape::task_set(world, record, set, true)),
    }
}

/// The task set that the same call made before.
fn earlier<'s>(
    service: &'s ServiceRecord,
    token: Option<&(String, String)>,
) -> Result<Option<&'s TaskSet>, AwsError> {
    let Some((token, digest)) = token else {
        return Ok(None);
    };
    let sets = service.task_sets.iter();
    let mut live = sets.filter(|set| set.status != TaskSetStatus::Draining);
    let found = live.find_map(|set| {
        let (known, of) = set.token.as_ref()?;
        (known == token).then_some((set, of))
    });
    match found {
        None => Ok(None),
        Some((set, of)) if of == digest => Ok(Some(set)),
        Some(_) => Err(invalid_parameter(
            "Creation of task set was not idempotent.",
        )),
    }
}
