//! What MANAGED_INSTANCES accepts.
//!
//! Rule: developer guide, "Amazon ECS task definition differences for Amazon ECS Managed Instances":
//! the members that are not valid, and the network modes; the texts are ours, after Fargate's.

use super::{any, client};
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use aws_types::AwsError;

/// Whether MANAGED_INSTANCES would take this definition, a normal form.
///
/// # Errors
/// `ClientException` naming the first thing that it refuses.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    refuse(
        definition.network_mode.as_deref() == Some("bridge"),
        "network mode bridge",
    )?;
    refuse(definition.ephemeral_storage.is_some(), "ephemeralStorage")?;
    refuse(definition.ipc_mode.is_some(), "ipcMode")?;
    refuse(
        definition.proxy_configuration.is_some(),
        "proxyConfiguration",
    )?;
    for volume in definition.volumes.iter().flatten() {
        let host = volume.host.as_ref();
        refuse(host.is_some_and(|h| h.source_path.is_some()), "sourcePath")?;
        refuse(
            volume.docker_volume_configuration.is_some(),
            "dockerVolumeConfiguration",
        )?;
        refuse(
            volume
                .fsx_windows_file_server_volume_configuration
                .is_some(),
            "fsxWindowsFileServerVolumeConfiguration",
        )?;
    }
    let mut containers = definition.container_definitions.iter().flatten();
    containers.try_for_each(check_container)
}

fn check_container(c: &ContainerDefinition) -> Result<(), AwsError> {
    let linux = c.linux_parameters.clone().unwrap_or_default();
    for (given, member) in [
        (c.disable_networking == Some(true), "disableNetworking"),
        (any(c.dns_search_domains.as_ref()), "dnsSearchDomains"),
        (any(c.dns_servers.as_ref()), "dnsServers"),
        (
            c.docker_labels.as_ref().is_some_and(|all| !all.is_empty()),
            "dockerLabels",
        ),
        (
            any(c.docker_security_options.as_ref()),
            "dockerSecurityOptions",
        ),
        (any(c.extra_hosts.as_ref()), "extraHosts"),
        (c.hostname.is_some(), "hostname"),
        (any(c.links.as_ref()), "links"),
        (linux.max_swap.is_some(), "maxSwap"),
        (linux.shared_memory_size.is_some(), "sharedMemorySize"),
        (linux.swappiness.is_some(), "swappiness"),
        (any(linux.tmpfs.as_ref()), "tmpfs"),
    ] {
        refuse(given, member)?;
    }
    Ok(())
}

fn refuse(given: bool, member: &str) -> Result<(), AwsError> {
    match given {
        true => Err(client(format!(
            "Managed Instances compatible task definitions do not support {member}"
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, one, task};
    use serde_json::{Value, json};

    fn managed(mut patch: Value) -> Value {
        patch["requiresCompatibilities"] = json!(["MANAGED_INSTANCES"]);
        task(patch)
    }

    fn refused(member: &str) -> String {
        format!("Managed Instances compatible task definitions do not support {member}")
    }

    #[test]
    fn what_a_task_may_not_have() {
        let volume = |volume: Value| json!({"volumes": [volume]});
        let fsx = json!({
            "fileSystemId": "fs-1", "rootDirectory": "a",
            "authorizationConfig": {"credentialsParameter": "arn:aws:ssm:us-east-1:1:parameter/a", "domain": "d"},
        });
        let proxy = json!({
            "proxyConfiguration": {"containerName": "x", "properties": [
                {"name": "IgnoredUID", "value": "1"}, {"name": "AppPorts", "value": "1"},
                {"name": "ProxyIngressPort", "value": "2"}, {"name": "ProxyEgressPort", "value": "3"},
                {"name": "EgressIgnoredIPs", "value": "169.254.170.2"},
            ]},
            "networkMode": "awsvpc",
        });
        for (patch, member) in [
            (json!({"networkMode": "bridge"}), "network mode bridge"),
            (
                json!({"ephemeralStorage": {"sizeInGiB": 21}}),
                "ephemeralStorage",
            ),
            (json!({"ipcMode": "task"}), "ipcMode"),
            (proxy, "proxyConfiguration"),
            (
                volume(json!({"name": "v", "host": {"sourcePath": "/a"}})),
                "sourcePath",
            ),
            (
                volume(json!({"name": "v", "dockerVolumeConfiguration": {}})),
                "dockerVolumeConfiguration",
            ),
            (
                volume(json!({"name": "v", "fsxWindowsFileServerVolumeConfiguration": fsx})),
                "fsxWindowsFileServerVolumeConfiguration",
            ),
        ] {
            answers(&[(managed(patch), &refused(member))]);
        }
        for mode in ["awsvpc", "host", "none"] {
            answers(&[(managed(json!({"networkMode": mode})), FINE)]);
        }
        answers(&[(managed(volume(json!({"name": "v"}))), FINE)]);
    }

    #[test]
    fn what_a_container_may_not_have() {
        let linux = |patch: Value| json!({"linuxParameters": patch});
        for (patch, member) in [
            (json!({"disableNetworking": true}), "disableNetworking"),
            (json!({"dnsSearchDomains": ["a.b"]}), "dnsSearchDomains"),
            (json!({"dnsServers": ["10.0.0.1"]}), "dnsServers"),
            (json!({"dockerLabels": {"a": "b"}}), "dockerLabels"),
            (
                json!({"dockerSecurityOptions": ["no-new-privileges"]}),
                "dockerSecurityOptions",
            ),
            (
                json!({"extraHosts": [{"hostname": "a", "ipAddress": "10.0.0.1"}]}),
                "extraHosts",
            ),
            (json!({"hostname": "a"}), "hostname"),
            (linux(json!({"maxSwap": 0})), "maxSwap"),
            (linux(json!({"sharedMemorySize": 1})), "sharedMemorySize"),
            (linux(json!({"swappiness": 1})), "swappiness"),
            (
                linux(json!({"tmpfs": [{"containerPath": "/t", "size": 1}]})),
                "tmpfs",
            ),
        ] {
            let whole = managed(json!({"containerDefinitions": [one(patch)]}));
            answers(&[(whole, &refused(member))]);
        }
        let links = json!({"containerDefinitions": [
            one(json!({"links": ["y"]})), one(json!({"name": "y"})),
        ]});
        answers(&[(managed(links), &refused("links"))]);
        let fine = linux(json!({"initProcessEnabled": true}));
        answers(&[(managed(json!({"containerDefinitions": [one(fine)]})), FINE)]);
    }
}
