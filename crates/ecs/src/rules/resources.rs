//! `resourceRequirements` and inference accelerators: what a container needs beyond CPU and memory.
//!
//! Rule: API reference, ResourceRequirement, SharingStrategy, NvidiaMpsAllocation. The texts about
//! sharing are ours: none has been seen.

use super::{any, check_one_of, client};
use aws_api::ecs::{ResourceRequirement, SharingStrategy, TaskDefinition, enums};
use aws_types::AwsError;

/// The `value` that asks for every device of the instance.
pub const ALL: &str = "ALL";
/// API reference, NvidiaMpsAllocation, `maxComputePercent`.
const COMPUTE_PERCENT: std::ops::RangeInclusive<i32> = 1..=100;

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    // Amazon Elastic Inference is gone, and AWS takes no definition that asks for it.
    if any(definition.inference_accelerators.as_ref()) {
        return Err(client("Unsupported field 'inferenceAccelerators'."));
    }
    let containers = definition.container_definitions.iter().flatten();
    let all: Vec<_> = containers
        .flat_map(|container| container.resource_requirements.iter().flatten())
        .collect();
    for requirement in &all {
        check_requirement(requirement)?;
    }
    check_together(&all)
}

/// What the requirements of a task's containers ask of one another.
fn check_together(all: &[&ResourceRequirement]) -> Result<(), AwsError> {
    let of_kind = |kind: &'static str| all.iter().filter(move |one| is_of(one, kind));
    if of_kind("NeuronDevice").count() > 1 {
        return Err(client(
            "Only one container in a task can specify NeuronDevice resources.",
        ));
    }
    let shared = of_kind("GPU").filter(|one| one.sharing_strategy.is_some());
    match shared.count() {
        0 => Ok(()),
        count if count == of_kind("GPU").count() => Ok(()),
        _ => Err(client(
            "The containers in a task that request GPUs must all specify a sharing strategy, or \
             none of them.",
        )),
    }
}

fn is_of(requirement: &ResourceRequirement, kind: &str) -> bool {
    requirement.r#type.as_deref() == Some(kind)
}

/// One requirement, of a definition or an override.
///
/// # Errors
/// `ClientException`.
pub fn check_requirement(requirement: &ResourceRequirement) -> Result<(), AwsError> {
    let kind = requirement.r#type.as_deref().unwrap_or_default();
    check_one_of("Resource type", Some(kind), enums::RESOURCE_TYPE)?;
    if let Some(sharing) = &requirement.sharing_strategy {
        return check_shared(requirement, sharing);
    }
    let value = requirement.value.as_deref().unwrap_or_default();
    let is_count = || value.parse::<u32>().is_ok_and(|count| count > 0);
    let is_valid = match kind {
        "GPU" => value == ALL || is_count(),
        "NeuronDevice" => value == ALL,
        _ => true,
    };
    match is_valid {
        true => Ok(()),
        false => Err(client(format!(
            "Invalid value '{value}' for resource type '{kind}'."
        ))),
    }
}

/// A GPU that other containers use too.
fn check_shared(
    requirement: &ResourceRequirement,
    sharing: &SharingStrategy,
) -> Result<(), AwsError> {
    if !is_of(requirement, "GPU") {
        return Err(client(
            "A sharing strategy can only be specified for resource type 'GPU'.",
        ));
    }
    if requirement.value.is_some() {
        return Err(client(
            "Specify either a value or a sharing strategy for resource type 'GPU', but not both.",
        ));
    }
    let Some(mps) = &sharing.nvidia_mps else {
        return Err(client("A sharing strategy must specify nvidiaMps."));
    };
    if mps.memory.is_none_or(|mib| mib < 1) {
        return Err(client("nvidiaMps memory must be at least 1 MiB."));
    }
    match mps.max_compute_percent {
        Some(percent) if !COMPUTE_PERCENT.contains(&percent) => Err(client(format!(
            "nvidiaMps maxComputePercent must be between {} and {}.",
            COMPUTE_PERCENT.start(),
            COMPUTE_PERCENT.end()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container, task};
    use serde_json::{Value, json};

    fn of(kind: &str, value: &str) -> Value {
        container(json!({"resourceRequirements": [{"type": kind, "value": value}]}))
    }

    fn shared(mps: Value) -> Value {
        json!([{"type": "GPU", "sharingStrategy": {"nvidiaMps": mps}}])
    }

    /// A task whose two containers have these requirements.
    fn two(first: Value, second: Value) -> Value {
        let of = |name: &str, need: Value| json!({"name": name, "image": "i", "memory": 64, "resourceRequirements": need});
        task(json!({"containerDefinitions": [of("a", first), of("b", second)]}))
    }

    #[test]
    fn requirements() {
        let accelerators = json!([{"deviceName": "d", "deviceType": "eia1.medium"}]);
        let neuron = || json!([{"type": "NeuronDevice", "value": "ALL"}]);
        answers(&[
            (of("GPU", "2"), FINE),
            (of("GPU", "ALL"), FINE),
            (of("NeuronDevice", "ALL"), FINE),
            (of("GPU", "0"), "Invalid value '0' for resource type 'GPU'."),
            (of("GPU", ""), "Invalid value '' for resource type 'GPU'."),
            (
                container(json!({"resourceRequirements": [{"type": "GPU"}]})),
                "Invalid value '' for resource type 'GPU'.",
            ),
            (
                of("GPU", "all"),
                "Invalid value 'all' for resource type 'GPU'.",
            ),
            (
                of("NeuronDevice", "1"),
                "Invalid value '1' for resource type 'NeuronDevice'.",
            ),
            (
                two(neuron(), neuron()),
                "Only one container in a task can specify NeuronDevice resources.",
            ),
            (
                of("FPGA", "1"),
                "Resource type should be one of [GPU,InferenceAccelerator,NeuronDevice]",
            ),
            (
                task(json!({"inferenceAccelerators": accelerators})),
                "Unsupported field 'inferenceAccelerators'.",
            ),
            (task(json!({"inferenceAccelerators": []})), FINE),
        ]);
    }

    #[test]
    fn a_gpu_is_counted_or_shared() {
        let with = |need: Value| container(json!({"resourceRequirements": need}));
        let mps = || json!({"memory": 1024});
        let counted = json!([{"type": "GPU", "value": "1"}]);
        let sharing = json!({"nvidiaMps": mps()});
        answers(&[
            (with(shared(mps())), FINE),
            (
                with(shared(json!({"memory": 1, "maxComputePercent": 100}))),
                FINE,
            ),
            (two(shared(mps()), shared(mps())), FINE),
            (
                with(json!([{"type": "GPU", "value": "1", "sharingStrategy": sharing}])),
                "Specify either a value or a sharing strategy for resource type 'GPU', but not both.",
            ),
            (
                with(json!([{"type": "NeuronDevice", "sharingStrategy": sharing}])),
                "A sharing strategy can only be specified for resource type 'GPU'.",
            ),
            (
                with(json!([{"type": "GPU", "sharingStrategy": {}}])),
                "A sharing strategy must specify nvidiaMps.",
            ),
            (
                with(shared(json!({"maxComputePercent": 1}))),
                "nvidiaMps memory must be at least 1 MiB.",
            ),
            (
                with(shared(json!({"memory": 0}))),
                "nvidiaMps memory must be at least 1 MiB.",
            ),
            (
                with(shared(json!({"memory": 1, "maxComputePercent": 101}))),
                "nvidiaMps maxComputePercent must be between 1 and 100.",
            ),
            (
                two(shared(mps()), counted),
                "The containers in a task that request GPUs must all specify a sharing strategy, or \
                 none of them.",
            ),
        ]);
    }
}
