//! The log group and stream of a container that logs by `awslogs`.
//!
//! One place, so that what the agent is told and what its host may write cannot differ.
//! Rule: ECS developer guide, "awslogs log driver": stream `PREFIX/CONTAINER/TASK-ID`; without a
//! prefix the container's runtime id.

use aws_api::ecs::{ContainerDefinition, LogConfiguration};

/// Where a container's lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTarget {
    /// The log group.
    pub group: String,
    /// The stream; `None` where the agent names it after the container's runtime id.
    pub stream: Option<String>,
}

/// Where this container's lines go; `None` unless it logs by `awslogs` to a named group.
#[must_use]
pub fn target(container: &ContainerDefinition, task_id: &str) -> Option<LogTarget> {
    let name = container.name.as_deref().unwrap_or_default();
    of(container.log_configuration.as_ref()?, name, task_id)
}

/// The same, of a container of this name that logs like this.
#[must_use]
pub fn of(configuration: &LogConfiguration, name: &str, task_id: &str) -> Option<LogTarget> {
    if configuration.log_driver.as_deref() != Some("awslogs") {
        return None;
    }
    let options = configuration.options.as_ref()?;
    let prefix = options
        .get("awslogs-stream-prefix")
        .filter(|prefix| !prefix.is_empty());
    Some(LogTarget {
        group: options.get("awslogs-group")?.clone(),
        stream: prefix.map(|prefix| format!("{prefix}/{name}/{task_id}")),
    })
}
