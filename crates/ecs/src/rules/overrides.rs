//! Overrides of RunTask and StartTask: each by its own form, then the definition that they make of
//! the registered one by the rules of definitions.
//!
//! Rule: API reference, TaskOverride and ContainerOverride. What a definition answers with
//! `ClientException` is an `InvalidParameterException` here.

use super::{
    any, containers, fargate, invalid_parameter, not_yet, platform, resources, secrets, size,
};
use crate::records::overrides::{ContainerOverrides, TaskOverrides};
use crate::task::effective::{self, Effective};
use aws_api::Stored;
use aws_api::ecs::{ContainerOverride, TaskDefinition, TaskOverride};
use aws_types::AwsError;

/// API reference, `overrides`: characters, as JSON.
const OVERRIDES_LEN_MAX: usize = 8192;

/// Reads overrides, each checked by its own form; which containers there are, `definition` says.
///
/// # Errors
/// `InvalidParameterException`; `ClientException` for a malformed role.
pub fn read(
    given: Option<&TaskOverride>,
    definition: &TaskDefinition,
    is_fargate: bool,
) -> Result<TaskOverrides, AwsError> {
    let Some(given) = given else {
        return Ok(TaskOverrides::default());
    };
    if length(given) > OVERRIDES_LEN_MAX {
        return Err(invalid_parameter(format!(
            "Container Overrides length must be at most {OVERRIDES_LEN_MAX}"
        )));
    }
    if let Some(storage) = &given.ephemeral_storage {
        platform::check_ephemeral(storage).map_err(of_parameter)?;
        if !is_fargate {
            return Err(invalid_parameter(
                "Tasks using the EC2 launch type do not support EphemeralStorage.",
            ));
        }
    }
    if any(given.inference_accelerator_overrides.as_ref()) {
        return Err(invalid_parameter(
            "Unsupported field 'inferenceAcceleratorOverrides'.",
        ));
    }
    for role in [&given.task_role_arn, &given.execution_role_arn] {
        platform::check_role(role.as_deref())?;
    }
    let stored = |text: &Option<String>, read: fn(&str) -> Result<String, AwsError>| {
        let text = text.as_deref().map(read).transpose();
        text.map_err(of_parameter)
    };
    let containers = given.container_overrides.iter().flatten();
    let storage = given.ephemeral_storage.as_ref();
    Ok(TaskOverrides {
        ephemeral_gib: storage.and_then(|one| u32::try_from(one.size_in_gi_b?).ok()),
        cpu: stored(&given.cpu, size::task_cpu)?,
        memory: stored(&given.memory, size::task_memory)?,
        execution_role_arn: given.execution_role_arn.clone(),
        task_role_arn: given.task_role_arn.clone(),
        containers: containers
            .map(|container| read_container(container, definition))
            .collect::<Result<_, _>>()?,
    })
}

/// Whether tasks with these overrides can be: sizes fit each other, and all that is used is built.
///
/// # Errors
/// `InvalidParameterException`; `ClientException` for what is not yet served.
pub fn check_effect(
    definition: &TaskDefinition,
    overrides: &TaskOverrides,
    effective: &Effective,
    is_fargate: bool,
) -> Result<(), AwsError> {
    if *overrides == TaskOverrides::default() {
        return not_yet::check(definition);
    }
    let effect = effective::as_definition(definition, effective);
    size::check(&effect).map_err(of_parameter)?;
    if is_fargate {
        fargate::check(&effect).map_err(of_parameter)?;
    }
    not_yet::check(&effect)
}

/// A rule of definitions, broken by a parameter of another operation.
fn of_parameter(error: AwsError) -> AwsError {
    invalid_parameter(error.message())
}

fn read_container(
    given: &ContainerOverride,
    definition: &TaskDefinition,
) -> Result<ContainerOverrides, AwsError> {
    let name = given.name.clone().unwrap_or_default();
    let mut known = definition.container_definitions.iter().flatten();
    if !known.any(|container| container.name.as_ref() == Some(&name)) {
        return Err(invalid_parameter(format!(
            "Override for container named {name} is not a container in the TaskDefinition."
        )));
    }
    let environment = given.environment.as_deref().unwrap_or_default();
    containers::check_environment(environment).map_err(of_parameter)?;
    let files = given.environment_files.as_deref().unwrap_or_default();
    secrets::check_files(files).map_err(of_parameter)?;
    for requirement in given.resource_requirements.iter().flatten() {
        resources::check_requirement(requirement).map_err(of_parameter)?;
    }
    let pairs = given.environment.as_ref().map(|pairs| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        pairs
            .iter()
            .map(|pair| (text(&pair.name), text(&pair.value)))
            .collect()
    });
    Ok(ContainerOverrides {
        name,
        command: given.command.clone(),
        environment: pairs,
        environment_files: given.environment_files.as_deref().map(stored),
        resource_requirements: given.resource_requirements.as_deref().map(stored),
        cpu_units: given.cpu,
        memory_mib: given.memory,
        memory_reservation_mib: given.memory_reservation,
    })
}

fn stored<T: Clone>(all: &[T]) -> Vec<Stored<T>> {
    all.iter().cloned().map(Stored).collect()
}

/// The characters of the overrides as JSON.
fn length(given: &TaskOverride) -> usize {
    let text = serde_json::to_string(&Stored(given.clone()))
        .expect("shapes are plain data: their Serialize cannot fail");
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_definition::normal;
    use aws_api::ecs::RegisterTaskDefinitionRequest;
    use serde_json::{Value, json};

    const FINE: &str = "";

    /// What a call with these overrides gets: containers `app` (cpu 64, memory 128, reservation
    /// 64) and `log` of a task of 256 CPU units and 512 MiB.
    fn answer(overrides: &Value) -> String {
        let request: Stored<RegisterTaskDefinitionRequest> = serde_json::from_value(json!({
            "family": "f", "cpu": "256", "memory": "512",
            "containerDefinitions": [
                {"name": "app", "image": "a", "cpu": 64, "memory": 128, "memoryReservation": 64},
                {"name": "log", "image": "a", "cpu": 64, "memory": 128},
            ],
        }))
        .unwrap();
        let definition = normal::form(&request.0).unwrap();
        let given: Stored<TaskOverride> = serde_json::from_value(overrides.clone()).unwrap();
        let answer = read(Some(&given.0), &definition, false).and_then(|overrides| {
            let effective = effective::merge(&definition, &overrides);
            check_effect(&definition, &overrides, &effective, false)
        });
        answer.map_or_else(|error| error.to_string(), |()| FINE.to_owned())
    }

    fn answers(rows: &[(Value, &str)]) {
        for (overrides, expected) in rows {
            let expected = match *expected {
                text if text == FINE || text.contains("Exception: ") => text.to_owned(),
                text => format!("InvalidParameterException: {text}"),
            };
            assert_eq!(answer(overrides), expected, "{overrides}");
        }
    }

    fn app(patch: Value) -> Value {
        let mut container = patch;
        container["name"] = json!("app");
        json!({"containerOverrides": [container]})
    }

    #[test]
    fn of_tasks() {
        let bad = |what: &str| -> &'static str {
            let text = format!(
                "Invalid '{what}' setting for task. For more information, see the Troubleshooting \
                 section of the Amazon ECS Developer Guide."
            );
            text.leak()
        };
        let accelerator = json!([{"deviceName": "d", "deviceType": "t"}]);
        answers(&[
            (json!({}), FINE),
            (json!({"cpu": "0.5 vCPU", "memory": "1 GB"}), FINE),
            (json!({"cpu": "lots"}), bad("cpu")),
            (json!({"memory": "0"}), bad("memory")),
            (json!({"cpu": "127"}), bad("cpu")),
            (
                json!({"memory": "100"}),
                "The 'memory' setting for container 'app' is greater than for the task.",
            ),
            (
                json!({"taskRoleArn": "app", "executionRoleArn": "arn:aws:iam::1:role/e"}),
                FINE,
            ),
            (
                json!({"taskRoleArn": "arn:aws:s3:::b"}),
                "ClientException: Role is not valid",
            ),
            (
                json!({"ephemeralStorage": {"sizeInGiB": 20}}),
                "EphemeralStorage size should be at least 21",
            ),
            (
                json!({"ephemeralStorage": {"sizeInGiB": 30}}),
                "Tasks using the EC2 launch type do not support EphemeralStorage.",
            ),
            (
                json!({"inferenceAcceleratorOverrides": accelerator}),
                "Unsupported field 'inferenceAcceleratorOverrides'.",
            ),
        ]);
    }

    #[test]
    fn of_containers() {
        let not_there =
            "Override for container named web is not a container in the TaskDefinition.";
        let file = |value: &str| app(json!({"environmentFiles": [{"type": "s3", "value": value}]}));
        let need = |kind: &str, value: &str| {
            app(json!({"resourceRequirements": [{"type": kind, "value": value}]}))
        };
        answers(&[
            (
                app(json!({"command": ["a"], "environment": [{"name": "A", "value": "1"}]})),
                FINE,
            ),
            (json!({"containerOverrides": [{"name": "web"}]}), not_there),
            (app(json!({"cpu": 192})), FINE),
            (
                app(json!({"cpu": 193})),
                "The sum of all container 'cpu' values cannot be greater than the value of the \
                 task 'cpu'.",
            ),
            (
                app(json!({"cpu": -1})),
                "Invalid setting for container 'app'. 'cpu' must not be negative.",
            ),
            (app(json!({"memory": 512})), FINE),
            (
                app(json!({"memory": 513})),
                "The 'memory' setting for container 'app' is greater than for the task.",
            ),
            (
                app(json!({"memory": 5, "memoryReservation": 5})),
                "Invalid setting for container 'app'. 'memory' must be at least 6 MiB.",
            ),
            (
                app(json!({"memory": 32})),
                "Invalid setting for container 'app'. 'memory' must be greater than or equal to \
                 'memoryReservation'.",
            ),
            (
                app(json!({"environment": [{"value": "1"}]})),
                "Environment variable name cannot be null or empty.",
            ),
            (file("s3://b/a.env"), "Invalid arn syntax."),
            (
                need("GPU", "none"),
                "Invalid value 'none' for resource type 'GPU'.",
            ),
            (
                need("FPGA", "1"),
                "Resource type should be one of [GPU,InferenceAccelerator,NeuronDevice]",
            ),
        ]);
    }

    #[test]
    fn their_length_is_that_of_their_json() {
        let whole = |filling: usize| {
            app(json!({"environment": [{"name": "A", "value": "x".repeat(filling)}]}))
        };
        let rest = whole(0).to_string().len();
        answers(&[
            (whole(8192 - rest), FINE),
            (
                whole(8193 - rest),
                "Container Overrides length must be at most 8192",
            ),
        ]);
    }
}
