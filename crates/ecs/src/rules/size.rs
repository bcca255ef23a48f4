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
                "The '{what}' setting for container '{name}' is greater than for the task."
            )));
        }
    }
    match (c.memory, c.memory_reservation) {
        (Some(hard), Some(soft)) if soft > hard => Err(invalid(
            "'memory' must be greater than or equal to 'memoryReservation'.",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container, one, task};
    use serde_json::{Value, json};

    #[test]
    fn sizes_of_tasks() {
        let bad = |what: &str| -> &'static str {
            let text = format!(
                "Invalid '{what}' setting for task. For more information, see the Troubleshooting \
                 section of the Amazon ECS Developer Guide."
            );
            text.leak()
        };
        let cpu = |text: &str| task(json!({"cpu": text}));
        let memory = |text: &str| task(json!({"memory": text}));
        answers(&[
            (cpu("128"), FINE),
            (cpu("196608"), FINE),
            (cpu("192 vCPU"), FINE),
            (cpu(".5 vcpu"), FINE),
            (cpu("127"), bad("cpu")),
            (cpu("196609"), bad("cpu")),
            (cpu("lots"), bad("cpu")),
            (cpu("1 GB"), bad("cpu")),
            (cpu(""), bad("cpu")),
            (memory("64"), FINE),
            (memory("0.5GB"), FINE),
            (memory("2 GB"), FINE),
            (memory("0"), bad("memory")),
            (memory("-1"), bad("memory")),
            (memory("1 TB"), bad("memory")),
        ]);
    }

    #[test]
    fn sizes_of_containers() {
        let in_task = |members: Value, patch: Value| {
            let mut definition = task(members);
            definition["containerDefinitions"] = json!([one(patch)]);
            definition
        };
        let two = json!([
            one(json!({"cpu": 200})),
            one(json!({"name": "y", "cpu": 100}))
        ]);
        answers(&[
            (
                container(json!({"memory": null})),
                "Invalid setting for container 'x'. At least one of 'memory' or \
                 'memoryReservation' must be specified.",
            ),
            (
                container(json!({"memory": null, "memoryReservation": 6})),
                FINE,
            ),
            (
                in_task(json!({"memory": "64"}), json!({"memory": null})),
                FINE,
            ),
            (container(json!({"memory": 6})), FINE),
            (
                container(json!({"memory": 5})),
                "Invalid setting for container 'x'. 'memory' must be at least 6 MiB.",
            ),
            (
                container(json!({"memoryReservation": 5})),
                "Invalid setting for container 'x'. 'memoryReservation' must be at least 6 MiB.",
            ),
            (container(json!({"memoryReservation": 64})), FINE),
            (
                container(json!({"memoryReservation": 65})),
                "Invalid setting for container 'x'. 'memory' must be greater than or equal to \
                 'memoryReservation'.",
            ),
            (
                container(json!({"cpu": -1})),
                "Invalid setting for container 'x'. 'cpu' must not be negative.",
            ),
            (
                in_task(json!({"memory": "63"}), json!({})),
                "The 'memory' setting for container 'x' is greater than for the task.",
            ),
            (
                in_task(
                    json!({"memory": "63"}),
                    json!({"memory": null, "memoryReservation": 64}),
                ),
                "The 'memoryReservation' setting for container 'x' is greater than for the task.",
            ),
            (
                task(json!({"cpu": "300", "containerDefinitions": two.clone()})),
                FINE,
            ),
            (
                task(json!({"cpu": "256", "containerDefinitions": two})),
                "The sum of all container 'cpu' values cannot be greater than the value of the \
                 task 'cpu'.",
            ),
        ]);
    }
}
