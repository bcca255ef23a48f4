//! What EXTERNAL accepts: a machine of one's own has no interfaces of a VPC, no EFS, and no shared
//! GPUs.
//!
//! Rule: developer guide, "External instances (Amazon ECS Anywhere)", considerations; the texts are
//! ours, after those of other launch types.

use super::client;
use aws_api::ecs::TaskDefinition;
use aws_types::AwsError;

/// Whether EXTERNAL would take this definition, a normal form.
///
/// # Errors
/// `ClientException` naming the first thing that it refuses.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    let mut volumes = definition.volumes.iter().flatten();
    let containers = definition.container_definitions.iter().flatten();
    let mut requirements = containers.flat_map(|c| c.resource_requirements.iter().flatten());
    for (given, what) in [
        (
            definition.network_mode.as_deref() == Some("awsvpc"),
            "network mode awsvpc",
        ),
        (
            volumes.any(|volume| volume.efs_volume_configuration.is_some()),
            "efsVolumeConfiguration",
        ),
        // API reference, ResourceRequirement, `sharingStrategy`.
        (
            requirements.any(|requirement| requirement.sharing_strategy.is_some()),
            "GPU sharing",
        ),
    ] {
        if given {
            return Err(client(format!(
                "The EXTERNAL launch type does not support {what}."
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container, task};
    use serde_json::{Value, json};

    #[test]
    fn what_a_machine_of_ones_own_lacks() {
        let with = |launch_types: Value, mut patch: Value| {
            patch["requiresCompatibilities"] = launch_types;
            task(patch)
        };
        let efs = || json!({"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]});
        let shared_gpu = || {
            let need = json!([{"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 1}}}]);
            container(json!({"resourceRequirements": need}))
        };
        let external = || json!(["EXTERNAL"]);
        answers(&[
            (with(external(), json!({})), FINE),
            (with(external(), json!({"networkMode": "host"})), FINE),
            (
                with(external(), json!({"networkMode": "awsvpc"})),
                "The EXTERNAL launch type does not support network mode awsvpc.",
            ),
            (
                with(external(), efs()),
                "The EXTERNAL launch type does not support efsVolumeConfiguration.",
            ),
            (
                with(json!(["EC2", "EXTERNAL"]), efs()),
                "The EXTERNAL launch type does not support efsVolumeConfiguration.",
            ),
            (with(json!(["EC2"]), efs()), FINE),
            (
                with(external(), shared_gpu()),
                "The EXTERNAL launch type does not support GPU sharing.",
            ),
            (with(json!(["EC2"]), shared_gpu()), FINE),
        ]);
    }
}
