//! What RunTask and StartTask have in common.

use aws_api::ecs::{
    NetworkConfiguration, PlacementConstraint, PlacementStrategy, RunTaskRequest, StartTaskRequest,
    Tag, TaskOverride, TaskVolumeConfiguration,
};

/// What both operations take.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub(super) launch_type: &'a str,
    pub(super) platform_version: Option<&'a str>,
    pub(super) task_definition: Option<&'a str>,
    pub(super) group: Option<&'a str>,
    pub(super) started_by: Option<&'a str>,
    pub(super) overrides: Option<&'a TaskOverride>,
    pub(super) network: Option<&'a NetworkConfiguration>,
    pub(super) volumes: Option<&'a [TaskVolumeConfiguration]>,
    pub(super) constraints: Option<&'a [PlacementConstraint]>,
    pub(super) strategy: Option<&'a [PlacementStrategy]>,
    pub(super) tags: Option<&'a [Tag]>,
    pub(super) propagate_tags: Option<&'a str>,
    pub(super) managed_tags: bool,
    pub(super) execute_command: bool,
}

impl<'a> Asked<'a> {
    /// The same, by this launch type.
    #[must_use]
    pub fn launched_by(self, launch_type: &'a str) -> Self {
        Self {
            launch_type,
            ..self
        }
    }
}

impl<'a> From<&'a RunTaskRequest> for Asked<'a> {
    fn from(input: &'a RunTaskRequest) -> Self {
        Self {
            launch_type: input.launch_type.as_deref().unwrap_or("EC2"),
            platform_version: input.platform_version.as_deref(),
            task_definition: input.task_definition.as_deref(),
            group: input.group.as_deref(),
            started_by: input.started_by.as_deref(),
            overrides: input.overrides.as_ref(),
            network: input.network_configuration.as_ref(),
            volumes: input.volume_configurations.as_deref(),
            constraints: input.placement_constraints.as_deref(),
            strategy: input.placement_strategy.as_deref(),
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
            launch_type: "EC2",
            platform_version: None,
            task_definition: input.task_definition.as_deref(),
            group: input.group.as_deref(),
            started_by: input.started_by.as_deref(),
            overrides: input.overrides.as_ref(),
            network: input.network_configuration.as_ref(),
            volumes: input.volume_configurations.as_deref(),
            constraints: None,
            strategy: None,
            tags: input.tags.as_deref(),
            propagate_tags: input.propagate_tags.as_deref(),
            managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
            execute_command: input.enable_execute_command.unwrap_or(false),
        }
    }
}
