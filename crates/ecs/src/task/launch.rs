//! From a call of RunTask or StartTask to a stored task.
//!
//! Both operations ask for the same things; they differ in who chooses the instance.

pub use super::asked::Asked;
use super::credentials;
use super::effective::{self, Effective};
use super::fargate::Terms;
use super::log_mode;
use super::network::{self, Holder, Network};
use super::requirement;
use super::status::{DesiredStatus, TaskStatus};
use crate::decisions::{Placed, Seated};
use crate::fargate;
use crate::instance::interfaces;
use crate::place::choose::{Question, choose};
use crate::place::constraint::Constraint;
use crate::place::feed::PLACEMENT;
use crate::place::index::Cluster;
use crate::place::problem::{Requirement, ZONE};
use crate::place::solve::{Decision, Placement, Reason, Refusal, Refused, refused};
use crate::place::strategy::Criterion;
use crate::place::{constraint, facts, strategy};
use crate::records::attachment::AttachmentRecord;
use crate::records::cluster::{ClusterKey, ClusterRecord};
use crate::records::connect::TaskConnect;
use crate::records::container_instance::{CONTAINER_INSTANCES, InstanceKey};
use crate::records::overrides::TaskOverrides;
use crate::records::registration::RegistrationRecord;
use crate::records::task::{
    ContainerRecord, Delivery, Membership, Reserved, TASKS, TaskId, TaskKey, TaskRecord, TaskTimes,
};
use crate::records::traffic::Traffic;
use crate::records::{Tags, TaskDefinitionRecord, TaskDefinitionStatus};
use crate::rules::{self, client, invalid_parameter, launch_type, run_task};
use crate::task_definition;
use aws_types::{AwsError, Ctx, Scope};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{TableKey, Txn, World};

/// Everything about the tasks to start but where they go.
#[derive(Clone, Debug)]
pub struct Launch {
    pub(crate) cluster: String,
    pub(crate) family: String,
    pub(crate) revision: u32,
    /// `group`, given or `family:FAMILY`.
    pub group: String,
    pub(crate) started_by: Option<String>,
    pub(crate) overrides: TaskOverrides,
    pub(crate) effective: Effective,
    /// What each task reserves and needs.
    pub requirement: Requirement,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) strategy: Vec<Criterion>,
    pub(crate) tags: Tags,
    pub(crate) log_mode: Option<String>,
    pub(crate) execute_command: bool,
    pub(crate) service: Option<Membership>,
    /// Where its interface goes, in network mode `awsvpc`.
    pub(crate) network: Option<Network>,
    /// What each is registered as, with a service registry.
    pub(crate) registration: Option<Box<RegistrationRecord>>,
    /// Whether each is a target of load balancers.
    pub(crate) is_target: bool,
    /// What ties each to Service Connect; its id is each one's own.
    pub(crate) connect: Option<Box<TaskConnect>>,
    /// On what terms, of launch type FARGATE.
    pub(crate) fargate: Option<Terms>,
    /// The capacity provider that starts them.
    pub(crate) capacity_provider: Option<String>,
}

/// Checks what was asked against the state.
///
/// # Errors
/// `InvalidParameterException` and `ClientException` with AWS's texts.
pub fn prepare(
    world: &World,
    ctx: &Ctx,
    cluster: &ClusterRecord,
    asked: Asked<'_>,
) -> Result<Launch, AwsError> {
    if !asked.volumes.unwrap_or_default().is_empty() {
        return Err(run_task::not_yet("volumeConfigurations"));
    }
    let record = definition(world, ctx, asked.task_definition)?;
    let definition = &record.definition;
    let is_fargate = fargate::is(asked.launch_type);
    let version = launch_type::platform_version(asked.launch_type, asked.platform_version)?;
    launch_type::check(definition, asked.launch_type, version.as_deref())?;
    run_task::check_network(definition, asked.network.is_some())?;
    let network = match asked.network {
        Some(given) => {
            let resolved = network::resolve(world, &ctx.scope, Some(given), is_fargate)?;
            Some(resolved.started_by(world, &ctx.scope, &ctx.caller.arn))
        }
        None => None,
    };
    let overrides = rules::overrides::read(asked.overrides, definition, is_fargate)?;
    let effective = effective::merge(definition, &overrides);
    rules::overrides::check_effect(definition, &overrides, &effective, is_fargate)?;
    run_task::check_execute_command(asked.execute_command, effective.task_role_arn.as_deref())?;
    let roles = [&effective.task_role_arn, &effective.execution_role_arn];
    credentials::check_roles(&ctx.scope, roles.map(Option::as_ref))?;
    Ok(Launch {
        cluster: cluster.name.clone(),
        family: record.family.clone(),
        revision: record.revision,
        group: asked
            .group
            .map_or_else(|| format!("family:{}", record.family), Into::into),
        started_by: asked.started_by.map(Into::into),
        requirement: requirement::of(definition, &effective, network.is_some()),
        constraints: constraint::read(asked.constraints, definition)?,
        strategy: strategy::read(asked.strategy)?,
        fargate: version.map(|version| Terms::of(&version, definition, &overrides)),
        overrides,
        effective,
        tags: tags(cluster, &record, asked)?,
        log_mode: log_mode::of_caller(world, ctx),
        execute_command: asked.execute_command,
        service: None,
        network,
        registration: None,
        is_target: false,
        connect: None,
        capacity_provider: None,
    })
}

impl Launch {
    /// Starts as many of `count` tasks as find room, each beside those before it; gives their keys,
    /// and why they went there.
    pub fn place(&self, txn: &mut Txn, ctx: &mut Ctx, count: u32) -> (Vec<TaskKey>, Decision) {
        if self.fargate.is_some() {
            return self.place_on_fargate(txn, ctx, count);
        }
        let (mut keys, mut decision) = (Vec::new(), Decision::default());
        let (scope, cluster) = (ctx.scope.clone(), self.cluster.as_str());
        let encoded = ClusterKey::new(&scope, cluster).encode();
        for _ in 0..count {
            let world: &World = txn;
            let Some(index) = world.view(&PLACEMENT).cluster(&encoded) else {
                break;
            };
            let member =
                |id: &str, asked: &_| facts::holds_by_id(world, &scope, cluster, id, asked);
            let requirement = self.requirement_now(world, &scope);
            let question = Question {
                requirement: &requirement,
                group: &self.group,
                constraints: &self.constraints,
                strategy: &self.strategy,
                seed: ctx.ids.number(),
            };
            let Some(placement) = choose(index, &question, &member) else {
                let why = refused(index, &requirement, &self.constraints, &self.group, &member);
                decision.refused = Some(why);
                break;
            };
            match self.insert(txn, ctx, &placement) {
                Ok(key) => keys.push(key),
                Err(error) => {
                    let instance = placement.instance.clone();
                    let reason = Reason::Interface(error.to_string());
                    decision.refused = Some(Refused::of(vec![Refusal { instance, reason }]));
                    break;
                }
            }
            decision.placements.push(placement);
        }
        (keys, decision)
    }

    /// What was asked for and where it went, for the decision log. `tasks` and `placements` go
    /// together.
    #[must_use]
    pub fn placed(
        &self,
        world: &World,
        ctx: &Ctx,
        count: u32,
        (tasks, placements): (&[TaskKey], Vec<Placement>),
    ) -> Placed {
        let key = ClusterKey::new(&ctx.scope, self.hosts()).encode();
        let index = world.view(&PLACEMENT).cluster(&key);
        let tasks = tasks.iter().map(|key| key.id.clone());
        Placed {
            cluster: self.cluster.clone(),
            definition: format!("{}:{}", self.family, self.revision),
            group: self.group.clone(),
            count,
            instances: index.map_or(0, Cluster::len),
            needs: self.requirement.clone(),
            strategy: self.strategy.clone(),
            constraints: self.constraints.clone(),
            placed: tasks
                .zip(placements)
                .map(|(task, at)| Seated { task, at })
                .collect(),
            refused: BTreeMap::new(),
            closest: Vec::new(),
        }
    }

    /// What a task needs of its instance, as its subnets are now.
    #[must_use]
    pub fn requirement_now(&self, world: &World, scope: &Scope) -> Cow<'_, Requirement> {
        match &self.network {
            Some(network) => Cow::Owned(network.narrowed(world, scope, &self.requirement)),
            None => Cow::Borrowed(&self.requirement),
        }
    }

    /// Stores one task where it was placed, with its interface; gives its key.
    ///
    /// # Errors
    /// The interface cannot be made: EC2's.
    pub fn insert(
        &self,
        txn: &mut Txn,
        ctx: &mut Ctx,
        placement: &Placement,
    ) -> Result<TaskKey, AwsError> {
        self.store(txn, ctx, placement, None)
    }

    /// The cluster in which the instances that take it are registered.
    fn hosts(&self) -> &str {
        match self.fargate {
            Some(_) => fargate::CLUSTER,
            None => &self.cluster,
        }
    }

    /// The same, with its interface in this zone; without one in its instance's.
    pub(super) fn store(
        &self,
        txn: &mut Txn,
        ctx: &mut Ctx,
        placement: &Placement,
        zone: Option<&str>,
    ) -> Result<TaskKey, AwsError> {
        let key = TaskKey {
            scope: ctx.scope.clone(),
            cluster: self.cluster.clone(),
            id: TaskId(ctx.ids.hex(32)),
        };
        let attachment = self.attach(txn, ctx, &key, (placement, zone))?;
        let record = TaskRecord {
            key: key.clone(),
            family: self.family.clone(),
            revision: self.revision,
            instance: placement.instance.clone(),
            group: self.group.clone(),
            started_by: self.started_by.clone(),
            version: 1,
            last_status: first_status(attachment.as_ref()),
            desired: DesiredStatus::Running,
            holds: true,
            reserved: Reserved {
                gpus: placement.gpus.clone(),
                ..self.requirement.reserved.clone()
            },
            containers: self.containers(ctx, placement),
            times: TaskTimes::created(ctx.now),
            stop: None,
            overrides: self.overrides.clone(),
            enable_execute_command: self.execute_command,
            tags: self.tags.clone(),
            host_was_lost: false,
            protected_until: None,
            log_mode: self.log_mode.clone(),
            delivery: Delivery {
                wanted: 1,
                acknowledged: 0,
            },
            service: self.service,
            attachment: attachment.map(Box::new),
            registration: self.registration.clone(),
            traffic: self.is_target.then_some(Traffic::Joining),
            connect: self.connected(ctx),
            fargate: self
                .fargate
                .as_ref()
                .map(|terms| Box::new(terms.record(zone))),
            capacity_provider: self.capacity_provider.clone(),
        };
        txn.put(&TASKS, record);
        Ok(key)
    }

    fn connected(&self, ctx: &mut Ctx) -> Option<Box<TaskConnect>> {
        let mut connect = self.connect.clone()?;
        connect.id = ctx.ids.uuid();
        Some(connect)
    }

    fn containers(&self, ctx: &mut Ctx, placement: &Placement) -> Vec<ContainerRecord> {
        let mut gpus = placement.gpus.iter().cloned();
        let containers = self.effective.containers.iter();
        containers
            .map(|container| {
                let name = container.name.as_deref().unwrap_or_default();
                let essential = container.essential.unwrap_or(true);
                ContainerRecord {
                    gpu_ids: gpus
                        .by_ref()
                        .take(effective::gpus(container) as usize)
                        .collect(),
                    ..ContainerRecord::pending(name, ctx.ids.uuid(), essential)
                }
            })
            .collect()
    }

    fn attach(
        &self,
        txn: &mut Txn,
        ctx: &mut Ctx,
        task: &TaskKey,
        (placement, zone): (&Placement, Option<&str>),
    ) -> Result<Option<AttachmentRecord>, AwsError> {
        let Some(network) = &self.network else {
            return Ok(None);
        };
        let id = &placement.instance.0;
        let instance = InstanceKey::new(&task.scope, self.hosts(), id);
        let record = txn.get(&CONTAINER_INSTANCES, &instance).cloned();
        let of_host = record
            .as_ref()
            .and_then(|one| one.attribute(ZONE))
            .flatten();
        let zone = zone.or(of_host);
        let holder = Holder {
            host: &instance.arn(),
            has_trunk: record
                .as_ref()
                .is_some_and(|one| interfaces::has_trunk(one)),
            tags: &self.tags,
        };
        let made = network.attach(txn, ctx, task, zone, holder)?;
        Ok(Some(made))
    }
}

/// An interface is waited for first.
fn first_status(attachment: Option<&AttachmentRecord>) -> TaskStatus {
    match attachment {
        Some(_) => TaskStatus::Provisioning,
        None => TaskStatus::Pending,
    }
}

/// The ACTIVE definition that a call means.
///
/// # Errors
/// `ClientException`.
pub fn definition(
    world: &World,
    ctx: &Ctx,
    name: Option<&str>,
) -> Result<Arc<TaskDefinitionRecord>, AwsError> {
    let record = task_definition::resolve(world, &ctx.scope, name.unwrap_or_default())?;
    match record.status {
        TaskDefinitionStatus::Active => Ok(record),
        TaskDefinitionStatus::Inactive => Err(client("TaskDefinition is inactive")),
        TaskDefinitionStatus::DeleteInProgress => {
            Err(client("TaskDefinition is DELETE_IN_PROGRESS"))
        }
    }
}

/// Tags given, over those propagated, over those that ECS itself adds.
fn tags(
    cluster: &ClusterRecord,
    definition: &TaskDefinitionRecord,
    asked: Asked<'_>,
) -> Result<Tags, AwsError> {
    let mut tags = match asked.propagate_tags {
        None | Some("NONE" | "") => Tags::default(),
        Some("TASK_DEFINITION") => definition.tags.clone(),
        Some(_) => {
            return Err(invalid_parameter(
                "propagateTags should be one of [TASK_DEFINITION,NONE] for a task.",
            ));
        }
    };
    rules::tags::merge(&mut tags, asked.tags.unwrap_or_default())?;
    if asked.managed_tags {
        tags.0
            .insert("aws:ecs:clusterName".into(), cluster.name.clone());
    }
    Ok(tags)
}
