//! `resourceRequirements` and inference accelerators: what a container needs beyond CPU and memory.
//!
//! Rule: API reference, ResourceRequirement.

use super::{any, check_one_of, client};
use aws_api::ecs::{ResourceRequirement, TaskDefinition, enums};
use aws_types::AwsError;

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    // Amazon Elastic Inference is gone, and AWS takes no definition that asks for it.
    if any(definition.inference_accelerators.as_ref()) {
        return Err(client("Unsupported field 'inferenceAccelerators'."));
    }
    for container in definition.container_definitions.iter().flatten() {
        for requirement in container.resource_requirements.iter().flatten() {
            check_requirement(requirement)?;
        }
    }
    Ok(())
}

/// One requirement, of a definition or an override.
///
/// # Errors
/// `ClientException`.
pub fn check_requirement(requirement: &ResourceRequirement) -> Result<(), AwsError> {
    let kind = requirement.r#type.as_deref().unwrap_or_default();
    check_one_of("Resource type", Some(kind), enums::RESOURCE_TYPE)?;
    let value = requirement.value.as_deref().unwrap_or_default();
    let counted = matches!(kind, "GPU" | "NeuronDevice");
    if counted && !value.parse::<u32>().is_ok_and(|count| count > 0) {
        return Err(client(format!(
            "Invalid value '{value}' for resource type '{kind}'."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container, task};
    use serde_json::json;

    #[test]
    fn requirements() {
        let of = |kind: &str, value: &str| {
            container(json!({"resourceRequirements": [{"type": kind, "value": value}]}))
        };
        let accelerators = json!([{"deviceName": "d", "deviceType": "eia1.medium"}]);
        answers(&[
            (of("GPU", "2"), FINE),
            (of("NeuronDevice", "1"), FINE),
            (of("GPU", "0"), "Invalid value '0' for resource type 'GPU'."),
            (
                of("GPU", "all"),
                "Invalid value 'all' for resource type 'GPU'.",
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
}
