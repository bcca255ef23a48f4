//! CreateService: a desired count, from now on kept by the service's plan.
//!
//! Not idempotent but by its client token; the name of an INACTIVE service is free.
//! Rule: API reference, CreateService; semantics 2.3.

use crate::cluster;
use crate::connect::claim;
use crate::fargate;
use crate::place::{constraint, strategy};
use crate::records::service::{
    Controller, SERVICES, ServiceKey, ServiceRecord, ServiceStatus, Workload,
};
use crate::records::task_set::{TaskSet, TaskSetStatus};
use crate::records::{ClusterRecord, TaskDefinitionRecord};
use crate::rules::capacity::{self, Capacity};
use crate::rules::service::New;
use crate::rules::{
    self, deployment_configuration, invalid_parameter, launch_type, not_yet, registries, run_task,
    tags, zone_rebalancing,
};
use crate::service::wanted::{self, Wanted};
use crate::service::{authorised, deploy, retention, shape};
use crate::targets;
use crate::task::{credentials, launch, network, tokens};
use aws_api::Stored;
use aws_api::ecs::{
    CreateServiceRequest, CreateServiceResponse, NetworkConfiguration, ServiceRegistry,
    TaskDefinition,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeMap;
use store::{Txn, World};

/// `scale` of the task set that a CODE_DEPLOY service begins with.
const WHOLE: u32 = 10_000;

/// `ecs:CreateService` on the service to be, to tag it, and to hand over its roles.
#[must_use]
pub fn authorisation(input: &CreateServiceRequest, world: &World, ctx: &Ctx) -> Vec<Ask> {
    let (cluster, name) = (input.cluster.as_deref(), input.service_name.as_deref());
    let create = authorised::on_service("ecs:CreateService", ctx, cluster, name);
    let tags = authorised::to_tag(world, ctx, &create, input.tags.as_deref());
    let (definition, role) = (input.task_definition.as_deref(), input.role.as_deref());
    let roles = authorised::to_hand_over(world, ctx, definition, role);
    let hooks = authorised::to_call(input.deployment_configuration.as_ref());
    let asks = [create].into_iter().chain(tags);
    asks.chain(roles).chain(hooks).collect()
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`, `InvalidParameterException`, `ClientException`, each with AWS's text.
pub fn create_service(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateServiceRequest,
) -> Result<CreateServiceResponse, AwsError> {
    let cluster = cluster::require(txn, &ctx.scope, input.cluster.as_deref());
    let capacity = capacity_of(cluster.as_deref().ok(), input)?;
    let new = rules::service::check_create(input, &capacity.launch_type)?;
    let cluster = cluster?;
    let name = input.service_name.as_deref().unwrap_or_default();
    let key = ServiceKey::new(&ctx.scope, &cluster.name, name);
    if let Some(earlier) = earlier(txn, &key, input)? {
        return Ok(answer(txn, &earlier));
    }
    let definition = match new.controller {
        Controller::Ecs | Controller::CodeDeploy => {
            let named = input.task_definition.as_deref();
            Some(launch::definition(txn, ctx, named)?)
        }
        Controller::External => None,
    };
    let mut record = record(ctx, key, input, (new, &capacity.launch_type))?;
    targets::check_hooks(txn, &ctx.scope, input.deployment_configuration.as_ref())?;
    check(&mut record, input, definition.as_deref())?;
    let network = input.network_configuration.as_ref();
    if network.is_some() {
        network::resolve(txn, &ctx.scope, network, fargate::is(&record.launch_type))?;
    }
    let registries = input.service_registries.as_deref().unwrap_or_default();
    if let Some(definition) = &definition {
        registries::check(txn, &ctx.scope, registries, &definition.definition)?;
    }
    let asked = match &definition {
        Some(of) => {
            let asked = input.service_connect_configuration.as_ref();
            let default = cluster.service_connect_namespace.as_deref();
            claim::check(txn, &record, asked, (default, &of.definition))?
        }
        None => None,
    };
    retention::forget(txn, &record.key);
    if let Some(definition) = definition {
        let connect = asked.map(|asked| claim::claim(txn, ctx, asked));
        let terms = (
            record.launch_type.as_str(),
            record.platform_version.as_deref(),
        );
        let workload = Workload {
            connect,
            capacity_provider_strategy: capacity.strategy.into_iter().map(Stored).collect(),
            ..workload(&definition, terms, (network, registries))
        };
        begin(txn, ctx, &mut record, workload);
    }
    txn.put(&SERVICES, record.clone());
    Ok(answer(txn, &record))
}

/// What its tasks go by. The cluster's default strategy is for replicas that the service itself starts: Fargate has no
/// daemons, and an EXTERNAL controller's task sets say by themselves.
fn capacity_of(
    cluster: Option<&ClusterRecord>,
    input: &CreateServiceRequest,
) -> Result<Capacity, AwsError> {
    let controller = input.deployment_controller.as_ref();
    let is_external = controller.is_some_and(|of| of.r#type.as_deref() == Some("EXTERNAL"));
    let is_daemon = input.scheduling_strategy.as_deref() == Some("DAEMON");
    let strategy = input.capacity_provider_strategy.as_ref();
    let has_default = !is_external && !is_daemon || strategy.is_some();
    let cluster = cluster.filter(|_| has_default);
    capacity::of(cluster, input.launch_type.as_deref(), strategy)
}

fn answer(world: &World, record: &ServiceRecord) -> CreateServiceResponse {
    CreateServiceResponse {
        service: Some(shape::service(world, record, true)),
    }
}

/// The service that the same call made before.
fn earlier(
    world: &World,
    key: &ServiceKey,
    input: &CreateServiceRequest,
) -> Result<Option<ServiceRecord>, AwsError> {
    let Some(service) = world.get(&SERVICES, key) else {
        return Ok(None);
    };
    match service.status {
        ServiceStatus::Inactive => Ok(None),
        ServiceStatus::Draining => Err(invalid_parameter(
            "Unable to Start a service that is still Draining.",
        )),
        ServiceStatus::Active => match token(input) {
            Some(token) if service.token == Some(token.clone()) => {
                Ok(Some(service.as_ref().clone()))
            }
            _ => Err(invalid_parameter("Creation of service was not idempotent.")),
        },
    }
}

fn token(input: &CreateServiceRequest) -> Option<(String, String)> {
    let token = input.client_token.clone()?;
    Some((token, tokens::fingerprint(input)))
}

fn record(
    ctx: &Ctx,
    key: ServiceKey,
    input: &CreateServiceRequest,
    (new, launch_type): (New, &str),
) -> Result<ServiceRecord, AwsError> {
    let configuration = deployment_configuration::read(
        input.deployment_configuration.as_ref(),
        None,
        new.scheduling,
        new.controller,
    )?;
    let version = input.platform_version.as_deref();
    let constraints = input.placement_constraints.iter().flatten();
    let strategy = input.placement_strategy.iter().flatten();
    Ok(ServiceRecord {
        key,
        status: ServiceStatus::Active,
        created: ctx.now,
        created_by: ctx.caller.arn.clone(),
        ended: None,
        scheduling: new.scheduling,
        controller: new.controller,
        desired: new.desired,
        launch_type: launch_type.into(),
        platform_version: launch_type::platform_version(launch_type, version)?,
        configuration: Stored(configuration),
        constraints: constraints.cloned().map(Stored).collect(),
        strategy: strategy.cloned().map(Stored).collect(),
        grace_seconds: new.grace_seconds,
        rebalances_zones: false,
        tags: tags::read(input.tags.as_deref())?,
        managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
        propagate: new.propagate,
        execute_command: input.enable_execute_command.unwrap_or(false),
        token: token(input),
        deployments: Vec::new(),
        task_sets: Vec::new(),
        completed_revision: None,
        steady: None,
        told: BTreeMap::new(),
        lacks_room: false,
        is_rebalancing: false,
        unevened: None,
        last_event: 0,
    })
}

/// What the service asks for against the definition that its tasks are made from.
fn check(
    record: &mut ServiceRecord,
    input: &CreateServiceRequest,
    definition: Option<&TaskDefinitionRecord>,
) -> Result<(), AwsError> {
    let none = TaskDefinition::default();
    let shape = definition.map_or(&none, |definition| &definition.definition);
    if definition.is_some() {
        let version = record.platform_version.as_deref();
        launch_type::check(shape, &record.launch_type, version)?;
        run_task::check_network(shape, input.network_configuration.is_some())?;
        not_yet::check(shape)?;
        check_execute_command(record.execute_command, shape, "created")?;
        let roles = [&shape.task_role_arn, &shape.execution_role_arn];
        credentials::check_roles(&record.key.scope, roles.map(Option::as_ref))?;
    }
    constraint::read(input.placement_constraints.as_deref(), shape)?;
    let strategy = strategy::read(input.placement_strategy.as_deref())?;
    let asked = zone_rebalancing::read(input.availability_zone_rebalancing.as_deref())?;
    record.rebalances_zones = zone_rebalancing::of_new(record, &strategy, asked)?;
    Ok(())
}

/// A session in a container needs the credentials of a task role. `done`: `created` or `updated`.
pub(super) fn check_execute_command(
    is_asked: bool,
    definition: &TaskDefinition,
    done: &str,
) -> Result<(), AwsError> {
    match is_asked && definition.task_role_arn.is_none() {
        true => Err(invalid_parameter(format!(
            "The service couldn't be {done} because a valid taskRoleArn is not being used. Specify \
             a valid task role in your task definition and try again."
        ))),
        false => Ok(()),
    }
}

/// Tasks of this definition, launched so.
pub(super) fn workload(
    definition: &TaskDefinitionRecord,
    (launch_type, platform_version): (&str, Option<&str>),
    (network, registries): (Option<&NetworkConfiguration>, &[ServiceRegistry]),
) -> Workload {
    Workload {
        family: definition.family.clone(),
        revision: definition.revision,
        launch_type: launch_type.into(),
        platform_version: platform_version.map(Into::into),
        network: network.cloned().map(Stored),
        registries: registries.iter().cloned().map(Stored).collect(),
        capacity_provider_strategy: Vec::new(),
        load_balancers: Vec::new(),
        connect: None,
    }
}

fn begin(txn: &mut Txn, ctx: &mut Ctx, record: &mut ServiceRecord, workload: Workload) {
    if record.controller == Controller::Ecs {
        let workload = Some(workload);
        let wanted = Wanted {
            workload,
            ..Wanted::default()
        };
        return wanted::want(txn, ctx, record, wanted);
    }
    let number = deploy::number(&mut ctx.ids);
    let set = TaskSet::new(number, workload, WHOLE, ctx.now);
    record.task_sets.push(TaskSet {
        status: TaskSetStatus::Primary,
        ..set
    });
}
