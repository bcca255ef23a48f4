//! From a call of RunTask or StartTask to a stored task.
//!
//! Both operations ask for the same things; they differ in who chooses the instance.

use super::effective::{self, Effective};
use super::log_mode;
use super::status::{DesiredStatus, TaskStatus};
use crate::place::problem::Requirement;
use crate::records::cluster::ClusterRecord;
use crate::records::container_instance::InstanceId;
use crate::records::overrides::TaskOverrides;
use crate::records::task::{
    ContainerRecord, Delivery, Reserved, TASKS, TaskId, TaskKey, TaskRecord, TaskTimes,
};
use crate::records::{Tags, TaskDefinitionRecord, TaskDefinitionStatus};
use crate::rules::{self, client, invalid_parameter, run_task};
use crate::task_definition;
use aws_api::ecs::{
    NetworkConfiguration, RunTaskRequest, StartTaskRequest, Tag, TaskOverride,
    TaskVolumeConfiguration,
};
use aws_types::{AwsError, Ctx};
use std::sync::Arc;
use store::{Txn, World};

/// What both operations take.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    task_definition: Option<&'a str>,
    group: Option<&'a str>,
    started_by: Option<&'a str>,
    overrides: Option<&'a TaskOverride>,
    network: Option<&'a NetworkConfiguration>,
    volumes: Option<&'a [TaskVolumeConfiguration]>,
    tags: Option<&'a [Tag]>,
    propagate_tags: Option<&'a str>,
    managed_tags: bool,
    execute_command: bool,
}

impl<'a> From<&'a RunTaskRequest> for Asked<'a> {
    fn from(input: &'a RunTaskRequest) -> Self {
        Self {
            task_definition: input.task_definition.as_deref(),
            group: input.group.as_deref(),
            started_by: input.started_by.as_deref(),
            overrides: input.overrides.as_ref(),
            network: input.network_configuration.as_ref(),
            volumes: input.volume_configurations.as_deref(),
            tags: input.tags.as_deref(),
            propagate_tags: input.propagate_tags.as_deref(),
            managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
            execute_command: input.enable_execute_command.unwrap_or(false),
        }
    }
}

impl<'a> From<&'a StartTaskRequest> for Asked<'a> {
    fn from(input: &'a StartTaskRequest) -> Self {
        Self {
            task_definition: input.task_definition.as_deref(),
            group: input.group.as_deref(),
            started_by: input.started_by.as_deref(),
            overrides: input.overrides.as_ref(),
            network: input.network_configuration.as_ref(),
            volumes: input.volume_configurations.as_deref(),
            tags: input.tags.as_deref(),
            propagate_tags: input.propagate_tags.as_deref(),
            managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
            execute_command: input.enable_execute_command.unwrap_or(false),
        }
    }
}

/// Everything about the tasks to start but where they go.
#[derive(Clone, Debug)]
pub struct Launch {
    cluster: String,
    family: String,
    revision: u32,
    /// `group`, given or `family:FAMILY`.
    pub group: String,
    started_by: Option<String>,
    overrides: TaskOverrides,
    effective: Effective,
    /// What each task reserves and needs.
    pub requirement: Requirement,
    tags: Tags,
    log_mode: Option<String>,
    execute_command: bool,
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
    run_task::check_network(definition, asked.network.is_some())?;
    let overrides = rules::overrides::read(asked.overrides, definition)?;
    let effective = effective::merge(definition, &overrides);
    rules::overrides::check_effect(definition, &overrides, &effective)?;
    let requires = definition.requires_attributes.iter().flatten();
    let attribute = |a: &aws_api::ecs::Attribute| Some((a.name.clone()?, a.value.clone()));
    Ok(Launch {
        cluster: cluster.name.clone(),
        family: record.family.clone(),
        revision: record.revision,
        group: asked
            .group
            .map_or_else(|| format!("family:{}", record.family), Into::into),
        started_by: asked.started_by.map(Into::into),
        requirement: Requirement {
            reserved: effective::reserved(&effective),
            attributes: requires.filter_map(attribute).collect(),
        },
        overrides,
        effective,
        tags: tags(cluster, &record, asked)?,
        log_mode: log_mode::of_caller(world, ctx),
        execute_command: asked.execute_command,
    })
}

impl Launch {
    /// Stores one task on this instance; gives its key.
    pub fn insert(&self, txn: &mut Txn, ctx: &mut Ctx, instance: &InstanceId) -> TaskKey {
        let key = TaskKey {
            scope: ctx.scope.clone(),
            cluster: self.cluster.clone(),
            id: TaskId(ctx.ids.hex(32)),
        };
        let containers = self.effective.containers.iter().map(|container| {
            let name = container.name.as_deref().unwrap_or_default();
            ContainerRecord::pending(name, ctx.ids.uuid(), container.essential.unwrap_or(true))
        });
        let record = TaskRecord {
            key: key.clone(),
            family: self.family.clone(),
            revision: self.revision,
            instance: instance.clone(),
            group: self.group.clone(),
            started_by: self.started_by.clone(),
            version: 1,
            last_status: TaskStatus::Pending,
            desired: DesiredStatus::Running,
            holds: true,
            reserved: Reserved::clone(&self.requirement.reserved),
            containers: containers.collect(),
            times: TaskTimes::created(ctx.now),
            stop: None,
            overrides: self.overrides.clone(),
            enable_execute_command: self.execute_command,
            tags: self.tags.clone(),
            protected_until: None,
            log_mode: self.log_mode.clone(),
            delivery: Delivery {
                wanted: 1,
                acknowledged: 0,
            },
        };
        txn.put(&TASKS, record);
        key
    }
}

fn definition(
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
