//! The normal form in which a task definition is stored and returned.
//!
//! Some absent members become their defaults, all others stay absent, and what the caller gave,
//! empty lists included, is kept: tools compare answers with what they sent. Normalising twice
//! changes nothing. Rule: recorded answers (semantics 2.4 and traps 19 to 21).

use crate::rules::size;
use aws_api::ecs::{
    ContainerDefinition, HealthCheck, HostVolumeProperties, PortMapping,
    RegisterTaskDefinitionRequest, TaskDefinition, Volume,
};
use aws_types::AwsError;

/// API reference, HealthCheck, `interval`: seconds.
const HEALTH_INTERVAL_S: i32 = 30;
/// API reference, HealthCheck, `timeout`: seconds.
const HEALTH_TIMEOUT_S: i32 = 5;
/// API reference, HealthCheck, `retries`.
const HEALTH_RETRIES: i32 = 3;

/// The normal form of a request, without what is computed from it. `tags` are not part of it.
///
/// # Errors
/// `ClientException` where the task's `cpu` or `memory` is no size.
pub fn form(input: &RegisterTaskDefinitionRequest) -> Result<TaskDefinition, AwsError> {
    let mode = input.network_mode.as_deref();
    Ok(TaskDefinition {
        family: input.family.clone(),
        task_role_arn: input.task_role_arn.clone(),
        execution_role_arn: input.execution_role_arn.clone(),
        network_mode: input.network_mode.clone(),
        container_definitions: Some(
            given(input.container_definitions.as_deref())
                .iter()
                .map(|container| container_form(container, mode))
                .collect(),
        ),
        volumes: Some(
            given(input.volumes.as_deref())
                .iter()
                .map(volume_form)
                .collect(),
        ),
        placement_constraints: Some(input.placement_constraints.clone().unwrap_or_default()),
        requires_compatibilities: input
            .requires_compatibilities
            .clone()
            .filter(|list| !list.is_empty()),
        cpu: sized(input.cpu.as_deref(), size::task_cpu)?,
        memory: sized(input.memory.as_deref(), size::task_memory)?,
        pid_mode: input.pid_mode.clone(),
        ipc_mode: input.ipc_mode.clone(),
        proxy_configuration: input.proxy_configuration.clone(),
        inference_accelerators: input.inference_accelerators.clone(),
        ephemeral_storage: input.ephemeral_storage.clone(),
        runtime_platform: input.runtime_platform.clone(),
        enable_fault_injection: input.enable_fault_injection,
        trusted_execution_configuration: input.trusted_execution_configuration.clone(),
        ..TaskDefinition::default()
    })
}

fn given<T>(list: Option<&[T]>) -> &[T] {
    list.unwrap_or_default()
}

fn sized(
    text: Option<&str>,
    stored: fn(&str) -> Result<String, AwsError>,
) -> Result<Option<String>, AwsError> {
    text.map(stored).transpose()
}

fn container_form(container: &ContainerDefinition, mode: Option<&str>) -> ContainerDefinition {
    let mut c = container.clone();
    c.cpu.get_or_insert(0);
    c.essential.get_or_insert(true);
    c.environment.get_or_insert_default();
    c.mount_points.get_or_insert_default();
    c.volumes_from.get_or_insert_default();
    c.system_controls.get_or_insert_default();
    for port in c.port_mappings.get_or_insert_default() {
        fill_port(port, mode);
    }
    if let Some(check) = &mut c.health_check {
        fill_health_check(check);
    }
    c
}

fn fill_port(port: &mut PortMapping, mode: Option<&str>) {
    port.protocol.get_or_insert_with(|| "tcp".into());
    if port.container_port_range.is_some() {
        return;
    }
    let same = matches!(mode, Some("awsvpc" | "host"));
    if same && port.host_port.unwrap_or(0) == 0 {
        port.host_port = port.container_port;
    }
    port.host_port.get_or_insert(0);
}

fn fill_health_check(check: &mut HealthCheck) {
    check.interval.get_or_insert(HEALTH_INTERVAL_S);
    check.timeout.get_or_insert(HEALTH_TIMEOUT_S);
    check.retries.get_or_insert(HEALTH_RETRIES);
}

fn volume_form(volume: &Volume) -> Volume {
    let mut volume = volume.clone();
    if let Some(docker) = &mut volume.docker_volume_configuration {
        docker.scope.get_or_insert_with(|| "task".into());
    }
    let elsewhere = volume.docker_volume_configuration.is_some()
        || volume.efs_volume_configuration.is_some()
        || volume
            .fsx_windows_file_server_volume_configuration
            .is_some()
        || volume.s3files_volume_configuration.is_some()
        || volume.configured_at_launch == Some(true);
    if !elsewhere {
        volume
            .host
            .get_or_insert_with(HostVolumeProperties::default);
    }
    volume
}
