//! Volumes, and the mount points that name them.
//!
//! Rule: API reference, Volume, MountPoint and VolumeFrom.

use super::{check_one_of, client, names};
use aws_api::ecs::{
    DockerVolumeConfiguration, EFSVolumeConfiguration, FSxWindowsFileServerVolumeConfiguration,
    TaskDefinition, Volume, enums,
};
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
    check_uses(definition, &declared)?;
    check_used(definition)
}

/// A volume that is made for the task must be of use to it.
fn check_used(definition: &TaskDefinition) -> Result<(), AwsError> {
    let containers = definition.container_definitions.iter().flatten();
    let mounted: BTreeSet<&str> = containers
        .flat_map(|c| c.mount_points.iter().flatten())
        .filter_map(|point| point.source_volume.as_deref())
        .collect();
    let volumes = definition.volumes.iter().flatten();
    let mut unused = volumes
        .filter(|v| v.configured_at_launch == Some(true))
        .filter_map(|v| v.name.as_deref())
        .filter(|name| !mounted.contains(name));
    match unused.next() {
        Some(name) => Err(client(format!(
            "Volumes [{name}] are not referenced by any of the containers"
        ))),
        None => Ok(()),
    }
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
    if let Some(docker) = &volume.docker_volume_configuration {
        check_docker(docker)?;
    }
    if let Some(efs) = &volume.efs_volume_configuration {
        check_efs(efs)?;
    }
    if let Some(fsx) = &volume.fsx_windows_file_server_volume_configuration {
        check_fsx(fsx)?;
    }
    if let Some(files) = &volume.s3files_volume_configuration {
        check_given("S3 Files file system ARN", files.file_system_arn.as_deref())?;
    }
    Ok(())
}

fn check_given(what: &str, text: Option<&str>) -> Result<(), AwsError> {
    match text {
        None | Some("") => Err(client(format!("{what} should not be null or empty."))),
        Some(_) => Ok(()),
    }
}

fn check_docker(docker: &DockerVolumeConfiguration) -> Result<(), AwsError> {
    let scope = docker.scope.as_deref();
    check_one_of("Docker volume scope", scope, enums::SCOPE)?;
    if docker.autoprovision == Some(true) && scope != Some("shared") {
        return Err(client("autoprovision is only supported with scope shared."));
    }
    Ok(())
}

fn check_efs(efs: &EFSVolumeConfiguration) -> Result<(), AwsError> {
    check_given("EFS file system id", efs.file_system_id.as_deref())?;
    let encryption = efs.transit_encryption.as_deref();
    let allowed = enums::EFS_TRANSIT_ENCRYPTION;
    check_one_of("EFS transit encryption", encryption, allowed)?;
    let authorization = efs.authorization_config.as_ref();
    let iam = authorization.and_then(|a| a.iam.as_deref());
    let allowed = enums::EFS_AUTHORIZATION_CONFIG_IAM;
    check_one_of("EFS IAM authorization", iam, allowed)?;
    let point = authorization.is_some_and(|a| a.access_point_id.is_some());
    let root = efs.root_directory.as_deref().unwrap_or("/");
    if point && root != "/" {
        return Err(client(
            "When using an EFS access point, the root directory must either be set to \"/\" or be \
             omitted.",
        ));
    }
    let encrypted = encryption == Some("ENABLED");
    for (given, what) in [
        (iam == Some("ENABLED"), "IAM authorization"),
        (point, "access point"),
    ] {
        if given && !encrypted {
            return Err(client(format!(
                "EFS {what} requires TransitEncryption to be enabled."
            )));
        }
    }
    match efs.transit_encryption_port {
        Some(_) if !encrypted => Err(client(
            "TransitEncryptionPort requires that TransitEncryption is enabled.",
        )),
        Some(port) if !(0..=65_535).contains(&port) => {
            Err(client("TransitEncryptionPort must be between 0 and 65535."))
        }
        _ => Ok(()),
    }
}

fn check_fsx(fsx: &FSxWindowsFileServerVolumeConfiguration) -> Result<(), AwsError> {
    check_given("FSx file system id", fsx.file_system_id.as_deref())?;
    check_given("FSx root directory", fsx.root_directory.as_deref())?;
    let authorization = fsx.authorization_config.as_ref();
    let credentials = authorization.and_then(|a| a.credentials_parameter.as_deref());
    check_given("FSx credentials parameter", credentials)?;
    check_given(
        "FSx domain",
        authorization.and_then(|a| a.domain.as_deref()),
    )
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
                return Err(client(format!(
                    "Invalid 'volumesFrom' setting. Unknown container: '{source}'."
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container, one, task};
    use serde_json::{Value, json};

    fn volume(patch: Value) -> Value {
        let mut volume = patch;
        volume["name"] = json!("v");
        let points = json!([{"sourceVolume": "v", "containerPath": "/v"}]);
        let containers = json!([one(json!({"mountPoints": points}))]);
        task(json!({"volumes": [volume], "containerDefinitions": containers}))
    }

    #[test]
    fn volumes() {
        let named = |names: &[&str]| {
            let all: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
            task(json!({"volumes": all}))
        };
        let at_launch = json!({"name": "v", "configuredAtLaunch": true});
        let other = json!({"name": "w", "configuredAtLaunch": true});
        let docker = |docker: Value| volume(json!({"dockerVolumeConfiguration": docker}));
        answers(&[
            (named(&["a", "b"]), FINE),
            (named(&["a", "a"]), "Volume name 'a' is duplicated."),
            (named(&[""]), "Volume.name should not be null or empty."),
            (named(&["a/b"]), "Volume.name contains invalid characters."),
            (volume(json!({"host": {"sourcePath": "/data"}})), FINE),
            (
                volume(json!({"host": {}, "dockerVolumeConfiguration": {}})),
                "Volume 'v' can have only one kind of configuration.",
            ),
            (volume(json!({"configuredAtLaunch": true})), FINE),
            (
                task(json!({"volumes": [at_launch.clone()]})),
                "Volumes [v] are not referenced by any of the containers",
            ),
            (
                task(json!({"volumes": [at_launch, other]})),
                "Only one volume can be configured at launch.",
            ),
            (
                docker(json!({"scope": "shared", "autoprovision": true, "driver": "local"})),
                FINE,
            ),
            (
                docker(json!({"scope": "task", "autoprovision": true})),
                "autoprovision is only supported with scope shared.",
            ),
            (
                docker(json!({"scope": "host"})),
                "Docker volume scope should be one of [task,shared]",
            ),
        ]);
    }

    #[test]
    fn file_systems() {
        let efs = |efs: Value| volume(json!({"efsVolumeConfiguration": efs}));
        let fsx = |fsx: Value| volume(json!({"fsxWindowsFileServerVolumeConfiguration": fsx}));
        let point = json!({"accessPointId": "fsap-1"});
        let whole = json!({"credentialsParameter": "arn", "domain": "d"});
        answers(&[
            (efs(json!({"fileSystemId": "fs-1"})), FINE),
            (
                efs(json!({"fileSystemId": ""})),
                "EFS file system id should not be null or empty.",
            ),
            (
                efs(json!({"fileSystemId": "fs-1", "transitEncryption": "ON"})),
                "EFS transit encryption should be one of [ENABLED,DISABLED]",
            ),
            (
                efs(json!({"fileSystemId": "fs-1", "authorizationConfig": {"iam": "ON"}})),
                "EFS IAM authorization should be one of [ENABLED,DISABLED]",
            ),
            (
                efs(json!({"fileSystemId": "fs-1", "authorizationConfig": {"iam": "ENABLED"}})),
                "EFS IAM authorization requires TransitEncryption to be enabled.",
            ),
            (
                efs(json!({"fileSystemId": "fs-1", "authorizationConfig": point.clone()})),
                "EFS access point requires TransitEncryption to be enabled.",
            ),
            (
                efs(json!({
                    "fileSystemId": "fs-1", "authorizationConfig": point, "rootDirectory": "/a"
                })),
                "When using an EFS access point, the root directory must either be set to \"/\" or \
                 be omitted.",
            ),
            (
                efs(json!({"fileSystemId": "fs-1", "transitEncryptionPort": 2049})),
                "TransitEncryptionPort requires that TransitEncryption is enabled.",
            ),
            (
                efs(json!({
                    "fileSystemId": "fs-1", "transitEncryption": "ENABLED",
                    "transitEncryptionPort": 70_000
                })),
                "TransitEncryptionPort must be between 0 and 65535.",
            ),
            (
                fsx(json!({
                    "fileSystemId": "fs-1", "rootDirectory": "share", "authorizationConfig": whole
                })),
                FINE,
            ),
            (
                fsx(json!({"rootDirectory": "share", "authorizationConfig": whole})),
                "FSx file system id should not be null or empty.",
            ),
            (
                volume(json!({"s3filesVolumeConfiguration": {}})),
                "S3 Files file system ARN should not be null or empty.",
            ),
            (
                fsx(json!({"fileSystemId": "fs-1"})),
                "FSx root directory should not be null or empty.",
            ),
            (
                fsx(json!({"fileSystemId": "fs-1", "rootDirectory": "share"})),
                "FSx credentials parameter should not be null or empty.",
            ),
        ]);
    }

    #[test]
    fn uses_of_volumes() {
        let point = |volume: &str, path: &str| {
            container(json!({"mountPoints": [{"sourceVolume": volume, "containerPath": path}]}))
        };
        let mut without_path = point("v", "");
        without_path["volumes"] = json!([{"name": "v"}]);
        answers(&[
            (point("nope", "/v"), "Unknown volume 'nope'."),
            (
                without_path,
                "MountPoint.containerPath should not be null or empty.",
            ),
            (
                container(json!({"volumesFrom": [{"sourceContainer": "nope"}]})),
                "Invalid 'volumesFrom' setting. Unknown container: 'nope'.",
            ),
        ]);
    }
}
