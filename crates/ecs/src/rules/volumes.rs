//! Volumes, and the mount points that name them.
//!
//! Rule: API reference, Volume, MountPoint and VolumeFrom.

use super::{client, names};
use aws_api::ecs::{TaskDefinition, Volume};
use aws_types::AwsError;
use std::collections::BTreeSet;

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    let volumes = definition.volumes.as_deref().unwrap_or_default();
    let mut declared = BTreeSet::new();
    for volume in volumes {
        names::check_member("Volume.name", volume.name.as_deref())?;
        let name = volume.name.as_deref().unwrap_or_default();
        if !declared.insert(name) {
            return Err(client(format!("Volume name '{name}' is duplicated.")));
        }
        check_volume(name, volume)?;
    }
    let at_launch = volumes
        .iter()
        .filter(|v| v.configured_at_launch == Some(true));
    if at_launch.count() > 1 {
        return Err(client("Only one volume can be configured at launch."));
    }
    check_uses(definition, &declared)
}

fn check_volume(name: &str, volume: &Volume) -> Result<(), AwsError> {
    let kinds = [
        volume.host.is_some(),
        volume.docker_volume_configuration.is_some(),
        volume.efs_volume_configuration.is_some(),
        volume
            .fsx_windows_file_server_volume_configuration
            .is_some(),
        volume.s3files_volume_configuration.is_some(),
        volume.configured_at_launch == Some(true),
    ];
    if kinds.into_iter().filter(|given| *given).count() > 1 {
        return Err(client(format!(
            "Volume '{name}' can have only one kind of configuration."
        )));
    }
    if let Some(docker) = &volume.docker_volume_configuration
        && docker.autoprovision == Some(true)
        && docker.scope.as_deref() != Some("shared")
    {
        return Err(client("autoprovision is only supported with scope shared."));
    }
    if let Some(efs) = &volume.efs_volume_configuration {
        if efs.file_system_id.as_deref().unwrap_or_default().is_empty() {
            return Err(client("EFS file system id should not be null or empty."));
        }
        let authorization = efs.authorization_config.as_ref();
        let point = authorization.is_some_and(|a| a.access_point_id.is_some());
        let by_iam = authorization.is_some_and(|a| a.iam.as_deref() == Some("ENABLED"));
        if point
            && efs
                .root_directory
                .as_deref()
                .is_some_and(|root| root != "/")
        {
            return Err(client(
                "With an EFS access point, the root directory must be omitted or be '/'.",
            ));
        }
        if (point || by_iam) && efs.transit_encryption.as_deref() != Some("ENABLED") {
            return Err(client(
                "EFS transit encryption must be enabled when IAM authorization or an access point \
                 is used.",
            ));
        }
    }
    Ok(())
}

fn check_uses(definition: &TaskDefinition, declared: &BTreeSet<&str>) -> Result<(), AwsError> {
    let containers = definition
        .container_definitions
        .as_deref()
        .unwrap_or_default();
    for container in containers {
        for point in container.mount_points.iter().flatten() {
            let volume = point.source_volume.as_deref().unwrap_or_default();
            if !declared.contains(volume) {
                return Err(client(format!("Unknown volume '{volume}'.")));
            }
            if point
                .container_path
                .as_deref()
                .unwrap_or_default()
                .is_empty()
            {
                return Err(client(
                    "MountPoint.containerPath should not be null or empty.",
                ));
            }
        }
        for from in container.volumes_from.iter().flatten() {
            let source = from.source_container.as_deref().unwrap_or_default();
            if !containers.iter().any(|c| c.name.as_deref() == Some(source)) {
                return Err(client(format!("Unknown container '{source}'.")));
            }
        }
    }
    Ok(())
}
