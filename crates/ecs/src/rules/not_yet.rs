//! The fields whose effect is not built yet: kept and returned, and refused when a task starts.
//!
//! [`TABLE`] is the one list of them. A field that asks for nothing (absent, empty, `false`) is
//! never refused. Each change that builds a field's effect deletes its row and names the field in
//! [`EFFECTIVE`]; a test fails for a field of the model that is in no list.
//! Rule: design, "The services, and how far".

use super::client;
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use aws_types::AwsError;

/// A field that is not built: its path in a task definition, and what asks for it.
pub struct Row<T: 'static> {
    /// The path as users write it; a prefix of a nested field stands for all under it.
    pub field: &'static str,
    asks: fn(&T) -> bool,
}

impl<T> std::fmt::Debug for Row<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({})", self.field)
    }
}

const fn row<T>(field: &'static str, asks: fn(&T) -> bool) -> Row<T> {
    Row { field, asks }
}

fn some<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}

fn on(switch: Option<bool>) -> bool {
    switch == Some(true)
}

/// Fields of a task definition.
pub static TASK: &[Row<TaskDefinition>] = &[
    row("networkMode awsvpc", |d| {
        d.network_mode.as_deref() == Some("awsvpc")
    }),
    row("requiresCompatibilities", |d| {
        d.requires_compatibilities.as_ref().is_some_and(|list| {
            !list.is_empty() && !list.iter().any(|launch_type| launch_type == "EC2")
        })
    }),
    row("pidMode", |d| d.pid_mode.is_some()),
    row("ipcMode", |d| d.ipc_mode.is_some()),
    row("proxyConfiguration", |d| d.proxy_configuration.is_some()),
    row("inferenceAccelerators", |d| some(&d.inference_accelerators)),
    row("ephemeralStorage", |d| d.ephemeral_storage.is_some()),
    row("runtimePlatform.operatingSystemFamily", |d| {
        let platform = d.runtime_platform.as_ref();
        let system = platform.and_then(|p| p.operating_system_family.as_deref());
        system.is_some_and(|system| system != "LINUX")
    }),
    row("enableFaultInjection", |d| on(d.enable_fault_injection)),
    row("trustedExecutionConfiguration", |d| {
        d.trusted_execution_configuration.is_some()
    }),
    row("placementConstraints", |d| some(&d.placement_constraints)),
    row("volumes.dockerVolumeConfiguration", |d| {
        d.volumes
            .iter()
            .flatten()
            .any(|v| v.docker_volume_configuration.is_some())
    }),
    row("volumes.efsVolumeConfiguration", |d| {
        d.volumes
            .iter()
            .flatten()
            .any(|v| v.efs_volume_configuration.is_some())
    }),
    row("volumes.fsxWindowsFileServerVolumeConfiguration", |d| {
        let mut volumes = d.volumes.iter().flatten();
        volumes.any(|v| v.fsx_windows_file_server_volume_configuration.is_some())
    }),
    row("volumes.s3filesVolumeConfiguration", |d| {
        d.volumes
            .iter()
            .flatten()
            .any(|v| v.s3files_volume_configuration.is_some())
    }),
    row("volumes.configuredAtLaunch", |d| {
        d.volumes
            .iter()
            .flatten()
            .any(|v| on(v.configured_at_launch))
    }),
];

/// Fields of a container definition.
pub static CONTAINER: &[Row<ContainerDefinition>] = &[
    row("image of Amazon ECR", |c| {
        c.image
            .as_deref()
            .is_some_and(|image| image.contains(".dkr.ecr."))
    }),
    row("repositoryCredentials", |c| {
        c.repository_credentials.is_some()
    }),
    row("links", |c| some(&c.links)),
    row("portMappings.containerPortRange", |c| {
        let mut ports = c.port_mappings.iter().flatten();
        ports.any(|port| port.container_port_range.is_some())
    }),
    row("restartPolicy", |c| {
        c.restart_policy.as_ref().is_some_and(|p| on(p.enabled))
    }),
    row("environmentFiles", |c| some(&c.environment_files)),
    row("volumesFrom", |c| some(&c.volumes_from)),
    row("linuxParameters", |c| {
        c.linux_parameters.as_ref().is_some_and(|linux| {
            linux.capabilities.is_some()
                || some(&linux.devices)
                || on(linux.init_process_enabled)
                || linux.shared_memory_size.is_some()
                || some(&linux.tmpfs)
                || linux.max_swap.is_some()
                || linux.swappiness.is_some()
        })
    }),
    row("secrets", |c| some(&c.secrets)),
    row("dependsOn", |c| some(&c.depends_on)),
    row("startTimeout", |c| c.start_timeout.is_some()),
    row("hostname", |c| c.hostname.is_some()),
    row("disableNetworking", |c| on(c.disable_networking)),
    row("privileged", |c| on(c.privileged)),
    row("dnsServers", |c| some(&c.dns_servers)),
    row("dnsSearchDomains", |c| some(&c.dns_search_domains)),
    row("extraHosts", |c| some(&c.extra_hosts)),
    row("dockerSecurityOptions", |c| {
        some(&c.docker_security_options)
    }),
    row("interactive", |c| on(c.interactive)),
    row("pseudoTerminal", |c| on(c.pseudo_terminal)),
    row("healthCheck", |c| c.health_check.is_some()),
    row("systemControls", |c| some(&c.system_controls)),
    row("resourceRequirements", |c| some(&c.resource_requirements)),
    row("firelensConfiguration", |c| {
        c.firelens_configuration.is_some()
    }),
    row("credentialSpecs", |c| some(&c.credential_specs)),
    row("logConfiguration.logDriver", |c| {
        let log = c.log_configuration.as_ref();
        let driver = log.and_then(|log| log.log_driver.as_deref());
        driver.is_some_and(|driver| !["awslogs", "json-file", "none"].contains(&driver))
    }),
    row("logConfiguration.secretOptions", |c| {
        c.log_configuration
            .as_ref()
            .is_some_and(|log| some(&log.secret_options))
    }),
];

/// Fields of both levels that have their effect.
pub static EFFECTIVE: &[&str] = &[
    "containerDefinitions",
    "family",
    "networkMode",
    "volumes",
    "volumes.name",
    "volumes.host",
    "cpu",
    "memory",
    "runtimePlatform",
    // The instance's `ecs.cpu-architecture` is compared at placement.
    "runtimePlatform.cpuArchitecture",
    "name",
    "image",
    "memoryReservation",
    "portMappings",
    "portMappings.containerPort",
    "portMappings.hostPort",
    "portMappings.protocol",
    "essential",
    "entryPoint",
    "command",
    "environment",
    "mountPoints",
    "stopTimeout",
    "user",
    "workingDirectory",
    "readonlyRootFilesystem",
    "ulimits",
    "logConfiguration",
    "logConfiguration.options",
];

/// Fields that are kept and shown, and whose absence of effect changes nothing that was asked for.
pub static KEPT: &[&str] = &[
    "tags",
    "taskRoleArn",
    "executionRoleArn",
    "versionConsistency",
    "dockerLabels",
    "portMappings.name",
    "portMappings.appProtocol",
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "deleteRequestedAt",
    "registeredBy",
];

/// Whether every field that this definition uses has its effect.
///
/// # Errors
/// `ClientException` naming the first that has not, and its container.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    if let Some(row) = TASK.iter().find(|row| (row.asks)(definition)) {
        return Err(client(format!(
            "Longshore does not yet support {}",
            row.field
        )));
    }
    for container in definition.container_definitions.iter().flatten() {
        if let Some(row) = CONTAINER.iter().find(|row| (row.asks)(container)) {
            return Err(client(format!(
                "Longshore does not yet support {} (container {})",
                row.field,
                container.name.as_deref().unwrap_or_default()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::ecs::{
        CONTAINER_DEFINITION, LOG_CONFIGURATION, PORT_MAPPING, REGISTER_TASK_DEFINITION_REQUEST,
        RUNTIME_PLATFORM, TASK_DEFINITION, VOLUME,
    };

    fn first_word(field: &str) -> &str {
        field.split(' ').next().unwrap_or_default()
    }

    /// Listed itself, or under a row that stands for the whole of it.
    fn is_listed(path: &str) -> bool {
        let rows = TASK.iter().map(|row| row.field);
        let rows = rows
            .chain(CONTAINER.iter().map(|row| row.field))
            .map(first_word);
        rows.chain(EFFECTIVE.iter().copied())
            .chain(KEPT.iter().copied())
            .any(|listed| listed == path)
    }

    #[test]
    fn every_field_of_the_model_is_effective_kept_or_refused() {
        let mut missing = Vec::new();
        for (shape, prefix) in [
            (&REGISTER_TASK_DEFINITION_REQUEST, ""),
            (&TASK_DEFINITION, ""),
            (&CONTAINER_DEFINITION, ""),
            (&VOLUME, "volumes."),
            (&PORT_MAPPING, "portMappings."),
            (&LOG_CONFIGURATION, "logConfiguration."),
            (&RUNTIME_PLATFORM, "runtimePlatform."),
        ] {
            for member in shape.members {
                let path = format!("{prefix}{}", member.name);
                if !is_listed(&path) {
                    missing.push(path);
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn the_refusal_names_field_and_container() {
        let container = ContainerDefinition {
            name: Some("web".into()),
            privileged: Some(true),
            ..ContainerDefinition::default()
        };
        let definition = TaskDefinition {
            container_definitions: Some(vec![container]),
            ..TaskDefinition::default()
        };
        let error = check(&definition).unwrap_err();
        assert_eq!(error.code().name, "ClientException");
        assert_eq!(
            error.message(),
            "Longshore does not yet support privileged (container web)"
        );
        assert!(check(&TaskDefinition::default()).is_ok());
    }
}
