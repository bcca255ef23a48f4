//! A service's task, ready to be placed.
//!
//! Unlike a call, a service keeps starting tasks of a definition that was deregistered, and spreads
//! over Availability Zones where it has no strategy. Rule: semantics 3.7, 5.2.

use crate::connect;
use crate::fargate;
use crate::place::constraint::Constraint;
use crate::place::feed::{CAPACITY_PROVIDER, PLACEMENT};
use crate::place::solve::{Decision, Placement, Reason, Refusal, Refused, refuses};
use crate::place::strategy::Criterion;
use crate::place::{constraint, strategy};
use crate::records::container_instance::InstanceId;
use crate::records::overrides::TaskOverrides;
use crate::records::registration::RegistrationRecord;
use crate::records::service::{Propagate, ServiceRecord, Workload, deployment_id};
use crate::records::task::{Membership, TaskKey};
use crate::records::{ClusterKey, TASK_DEFINITIONS, Tags, TaskDefinitionKey, TaskDefinitionRecord};
use crate::task::effective::Effective;
use crate::task::fargate::Terms;
use crate::task::launch::Launch;
use crate::task::network::{self, Network};
use crate::task::{effective, registration, requirement};
use aws_api::ecs::{PlacementConstraint, PlacementStrategy, TaskDefinition};
use aws_types::{AwsError, Ctx, Scope};
use store::{TableKey, Txn, World};

pub use crate::place::problem::ZONE;

/// Where the interfaces of its tasks go, as the VPCs are now.
///
/// # Errors
/// A subnet or group is gone since: as [`network::resolve`].
pub fn network(
    world: &World,
    scope: &Scope,
    workload: &Workload,
) -> Result<Option<Network>, AwsError> {
    let is_fargate = fargate::is(&workload.launch_type);
    let given = workload.network.as_ref().map(|given| &given.0);
    let resolved = given.map(|given| network::resolve(world, scope, Some(given), is_fargate));
    resolved.transpose()
}

/// The tasks that a deployment or task set of this number starts; `None` where the definition is
/// gone or its stored rules can no longer be read.
#[must_use]
pub fn of(
    world: &World,
    service: &ServiceRecord,
    number: u64,
    workload: &Workload,
) -> Option<Launch> {
    let scope = &service.key.scope;
    let key = TaskDefinitionKey::new(scope, &workload.family, workload.revision);
    let record = world.get(&TASK_DEFINITIONS, &key)?;
    let definition = &record.definition;
    let overrides = TaskOverrides::default();
    let effective = effective::merge(definition, &overrides);
    let constraints = service.constraints.iter().map(|one| one.0.clone());
    let constraints: Vec<PlacementConstraint> = constraints.collect();
    let strategies: Vec<PlacementStrategy> =
        service.strategy.iter().map(|one| one.0.clone()).collect();
    let mut criteria = strategy::read(Some(&strategies)).ok()?;
    if criteria.is_empty() {
        criteria.push(Criterion::SpreadAttribute(ZONE.into()));
    }
    let is_fargate = fargate::is(&workload.launch_type);
    let version = workload.platform_version.as_deref().unwrap_or("LATEST");
    let network = network(world, scope, workload).ok()?;
    let network = network.map(|one| one.started_by(world, scope, &service.created_by));
    let mut requirement = requirement::of(definition, &effective, network.is_some());
    let connect = connect::task::of(service, number, workload, (definition, &effective));
    let proxy = connect.as_ref().map(|_| connect::task::CAPABILITY);
    let proxy = proxy.map(|name| (name.to_owned(), None));
    requirement.attributes.extend(proxy);
    Some(Launch {
        cluster: service.key.cluster.clone(),
        family: record.family.clone(),
        revision: record.revision,
        group: service.key.group(),
        started_by: Some(deployment_id(number)),
        requirement,
        is_target: !workload.load_balancers.is_empty(),
        registration: registered(service, number, workload, (definition, &effective)),
        connect,
        constraints: constraint::read(Some(&constraints), definition).ok()?,
        strategy: criteria,
        fargate: is_fargate.then(|| Terms::of(version, definition, &overrides)),
        overrides,
        effective,
        tags: tags(service, record),
        log_mode: None,
        execute_command: service.execute_command,
        service: Some(Membership {
            deployment: number,
            is_settled: false,
        }),
        network,
        capacity_provider: None,
    })
}

fn registered(
    service: &ServiceRecord,
    number: u64,
    workload: &Workload,
    made_from: (&TaskDefinition, &Effective),
) -> Option<Box<RegistrationRecord>> {
    let mut sets = service.task_sets.iter();
    let set = sets.find(|set| set.number == number);
    let external_id = set.and_then(|set| set.external_id.clone());
    let registry = workload.registries.first().map(|one| &one.0);
    registration::of(&service.key.scope, registry, made_from, external_id)
}

fn tags(service: &ServiceRecord, definition: &TaskDefinitionRecord) -> Tags {
    let mut tags = match service.propagate {
        Propagate::None => Tags::default(),
        Propagate::TaskDefinition => definition.tags.clone(),
        Propagate::Service => service.tags.clone(),
    };
    if service.managed_tags {
        let cluster = service.key.cluster.clone();
        tags.0.insert("aws:ecs:clusterName".into(), cluster);
        let name = service.key.name.clone();
        tags.0.insert("aws:ecs:serviceName".into(), name);
    }
    tags
}

/// The same tasks, by this capacity provider: of launch type EC2 only on its instances.
#[must_use]
pub fn by_provider(mut launch: Launch, name: &str) -> Launch {
    if launch.fargate.is_none() {
        let own = (CAPACITY_PROVIDER.to_owned(), Some(name.to_owned()));
        launch.requirement.attributes.push(own);
    }
    launch.capacity_provider = Some(name.to_owned());
    launch
}

/// The same tasks, only in this zone.
#[must_use]
pub fn in_zone(launch: &Launch, zone: &str) -> Launch {
    let mut launch = launch.clone();
    if launch.fargate.is_some() {
        launch.network = launch.network.map(|network| network.in_zone(zone));
        return launch;
    }
    let asked = format!("attribute:{ZONE} == '{zone}'");
    if let Ok(expression) = constraint::expression(&asked) {
        launch.constraints.push(Constraint::MemberOf(expression));
    }
    launch
}

/// One task on this instance, if it takes it.
pub fn place_on(
    launch: &Launch,
    txn: &mut Txn,
    ctx: &mut Ctx,
    instance: &InstanceId,
) -> (Vec<TaskKey>, Decision) {
    let cluster = ClusterKey::new(&ctx.scope, &launch.cluster).encode();
    let index = txn.view(&PLACEMENT).cluster(&cluster);
    let candidate = index.and_then(|index| index.candidate(&instance.0, &launch.group));
    let Some(candidate) = candidate else {
        return (Vec::new(), Decision::default());
    };
    let refused = |reason| {
        let instance = instance.clone();
        let refusal = Refusal { instance, reason };
        let decision = Decision {
            placements: Vec::new(),
            refused: Some(Refused::of(vec![refusal])),
        };
        (Vec::new(), decision)
    };
    if let Some(reason) = refuses(&candidate, &launch.requirement_now(txn, &ctx.scope)) {
        return refused(reason);
    }
    let gpus = launch.requirement.gpus as usize;
    let placement = Placement {
        instance: instance.clone(),
        gpus: candidate.free.gpus.into_iter().take(gpus).collect(),
        tasks_of_group: candidate.tasks_of_group,
        tasks: candidate.tasks,
    };
    let key = match launch.insert(txn, ctx, &placement) {
        Ok(key) => key,
        Err(error) => return refused(Reason::Interface(error.to_string())),
    };
    let decision = Decision {
        placements: vec![placement],
        refused: None,
    };
    (vec![key], decision)
}
