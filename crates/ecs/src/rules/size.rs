//! CPU and memory of tasks and containers.
//!
//! Rule: API reference, RegisterTaskDefinition, `cpu` and `memory`; developer guide, "Invalid CPU
//! or memory value specified".

use super::client;
use crate::task_definition::units;
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use aws_types::AwsError;

/// CPU units of a task on EC2: an eighth of a vCPU to 192 vCPUs.
const TASK_CPU_MIN: u32 = 128;
/// See [`TASK_CPU_MIN`].
const TASK_CPU_MAX: u32 = 192 * 1024;
/// MiB below which Docker starts no container.
const CONTAINER_MEMORY_MIB_MIN: i32 = 6;

/// A task's `cpu` in its stored form.
///
/// # Errors
/// `ClientException`.
pub fn task_cpu(text: &str) -> Result<String, AwsError> {
    units::cpu_units(text)
        .filter(|units| (TASK_CPU_MIN..=TASK_CPU_MAX).contains(units))
        .map(|units| units.to_string())
        .ok_or_else(|| invalid_task_setting("cpu"))
}

/// A task's `memory` in its stored form.
///
/// # Errors
/// `ClientException`.
pub fn task_memory(text: &str) -> Result<String, AwsError> {
    units::memory_mib(text)
        .filter(|mib| *mib > 0)
        .map(|mib| mib.to_string())
        .ok_or_else(|| invalid_task_setting("memory"))
}

fn invalid_task_setting(what: &str) -> AwsError {
    client(format!(
        "Invalid '{what}' setting for task. For more information, see the Troubleshooting section \
         of the Amazon ECS Developer Guide."
    ))
}

/// Containers' sizes against each other and the task's. `cpu` and `memory` are in stored form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    let containers = definition
        .container_definitions
        .as_deref()
        .unwrap_or_default();
    let task_memory = stored(definition.memory.as_deref());
    for container in containers {
        check_container(container, task_memory)?;
    }
    let asked: i64 = containers
        .iter()
        .map(|c| i64::from(c.cpu.unwrap_or(0)))
        .sum();
    match stored(definition.cpu.as_deref()) {
        Some(cpu) if asked > cpu => Err(client(
            "The sum of all container 'cpu' values cannot be greater than the value of the task \
             'cpu'.",
        )),
        _ => Ok(()),
    }
}

/// A size in stored form as a number.
fn stored(text: Option<&str>) -> Option<i64> {
    text.and_then(|text| text.parse().ok())
}

fn check_container(c: &ContainerDefinition, task_memory: Option<i64>) -> Result<(), AwsError> {
    let name = c.name.as_deref().unwrap_or_default();
    let invalid = |text: &str| client(format!("Invalid setting for container '{name}'. {text}"));
    if c.cpu.unwrap_or(0) < 0 {
        return Err(invalid("'cpu' must not be negative."));
    }
    if c.memory.is_none() && c.memory_reservation.is_none() && task_memory.is_none() {
        return Err(invalid(
            "At least one of 'memory' or 'memoryReservation' must be specified.",
        ));
    }
    for (what, value) in [
        ("memory", c.memory),
        ("memoryReservation", c.memory_reservation),
    ] {
        if value.is_some_and(|value| value < CONTAINER_MEMORY_MIB_MIN) {
            return Err(invalid(&format!(
                "'{what}' must be at least {CONTAINER_MEMORY_MIB_MIN} MiB."
            )));
        }
        if let (Some(value), Some(task)) = (value, task_memory)
            && i64::from(value) > task
        {
            return Err(client(format!(
                "The '{what}' setting for container is greater than for the task."
            )));
        }
    }
    match (c.memory, c.memory_reservation) {
        (Some(hard), Some(soft)) if soft > hard => Err(invalid(
            "The 'memoryReservation' must be less than or equal to 'memory'.",
        )),
        _ => Ok(()),
    }
}
