//! The fields whose effect is not built yet: kept and returned, and refused when a task starts.
//!
//! [`TABLE`] is the one list of them. A field that asks for nothing (absent, empty, `false`) is
//! never refused. Each change that builds a field's effect deletes its row and names its leaves in
//! [`EFFECTIVE`]; a test sets every leaf of the model alone and fails for one that is neither listed
//! nor refused.
//! Rule: design, "The services, and how far".

use super::client;
use super::resources::ALL;
use aws_api::ecs::{ContainerDefinition, DockerVolumeConfiguration, TaskDefinition};
use aws_types::AwsError;
use std::collections::BTreeMap;

/// A field that is not built: its path in a task definition, and what asks for it.
pub struct Row<T: 'static> {
    /// The path as users write it; a prefix of a nested field stands for all under it.
    pub field: &'static str,
    /// Of a field that is built in part: what of it is not, in words; else empty.
    pub when: &'static str,
    asks: fn(&T) -> bool,
}

impl<T> std::fmt::Debug for Row<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({})", self.field)
    }
}

const fn row<T>(field: &'static str, asks: fn(&T) -> bool) -> Row<T> {
    row_when(field, "", asks)
}

const fn row_when<T>(field: &'static str, when: &'static str, asks: fn(&T) -> bool) -> Row<T> {
    Row { field, when, asks }
}

fn some<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}

fn on(switch: Option<bool>) -> bool {
    switch == Some(true)
}

fn docker_volumes(definition: &TaskDefinition) -> impl Iterator<Item = &DockerVolumeConfiguration> {
    let volumes = definition.volumes.iter().flatten();
    volumes.filter_map(|volume| volume.docker_volume_configuration.as_ref())
}

/// Options of Docker's driver `local` that name a directory of the host.
fn is_bind(options: &BTreeMap<String, String>) -> bool {
    let option = |name: &str| options.get(name).map(String::as_str);
    let binds = option("o").is_some_and(|all| all.split(',').any(|one| one.ends_with("bind")));
    let is_plain = matches!(option("type"), None | Some("" | "none" | "bind"));
    binds && is_plain && option("device").is_some()
}

/// Fields of a task definition.
pub static TASK: &[Row<TaskDefinition>] = &[
    row("proxyConfiguration", |d| d.proxy_configuration.is_some()),
    row("inferenceAccelerators", |d| some(&d.inference_accelerators)),
    row_when(
        "runtimePlatform.operatingSystemFamily",
        "another than `LINUX`",
        |d| {
            let platform = d.runtime_platform.as_ref();
            let system = platform.and_then(|p| p.operating_system_family.as_deref());
            system.is_some_and(|system| system != "LINUX")
        },
    ),
    row("enableFaultInjection", |d| on(d.enable_fault_injection)),
    row("trustedExecutionConfiguration", |d| {
        d.trusted_execution_configuration.is_some()
    }),
    row_when(
        "volumes.dockerVolumeConfiguration.driver",
        "another than `local`",
        |d| {
            docker_volumes(d).any(|docker| {
                let driver = docker.driver.as_deref();
                driver.is_some_and(|driver| driver != "local")
            })
        },
    ),
    // A directory of the host is the one thing that driver `local` mounts here.
    row_when(
        "volumes.dockerVolumeConfiguration.driverOpts",
        "others than those of a directory of the host: `type` `none` or `bind`, `o` with `bind`, `device`",
        |d| {
            docker_volumes(d)
                .filter_map(|docker| docker.driver_opts.as_ref())
                .any(|options| !options.is_empty() && !is_bind(options))
        },
    ),
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
    row("environmentFiles", |c| some(&c.environment_files)),
    row("secrets", |c| some(&c.secrets)),
    row_when(
        "dockerSecurityOptions label",
        "another than `label:disable`",
        |c| {
            let mut options = c.docker_security_options.iter().flatten();
            options.any(|option| option.starts_with("label:") && option != "label:disable")
        },
    ),
    // GPUs are placed; nothing else is, and none is shared.
    row_when(
        "resourceRequirements",
        "of another type than `GPU`, with a `sharingStrategy`, or with the value `ALL`",
        |c| {
            let mut all = c.resource_requirements.iter().flatten();
            all.any(|r| {
                let is_gpu = r.r#type.as_deref().is_none_or(|t| t == "GPU");
                !is_gpu || r.sharing_strategy.is_some() || r.value.as_deref() == Some(ALL)
            })
        },
    ),
    row("firelensConfiguration", |c| {
        c.firelens_configuration.is_some()
    }),
    row("credentialSpecs", |c| some(&c.credential_specs)),
    row_when(
        "logConfiguration.logDriver",
        "another than `awslogs`, `json-file` and `none`",
        |c| {
            let log = c.log_configuration.as_ref();
            let driver = log.and_then(|log| log.log_driver.as_deref());
            driver.is_some_and(|driver| !["awslogs", "json-file", "none"].contains(&driver))
        },
    ),
    row("logConfiguration.secretOptions", |c| {
        c.log_configuration
            .as_ref()
            .is_some_and(|log| some(&log.secret_options))
    }),
];

/// Leaves of a task definition that have their effect, each by its whole path.
pub static EFFECTIVE: &[&str] = &[
    "taskRoleArn",
    // `awslogs` signs with it.
    "executionRoleArn",
    "family",
    // Compared with the launch type of a call (`rules::launch_type`).
    "requiresCompatibilities",
    "ephemeralStorage.sizeInGiB",
    "networkMode",
    "volumes.name",
    "volumes.host.sourcePath",
    "cpu",
    "memory",
    // Compared with the `ecs.cpu-architecture` of the instance (`task::requirement`).
    "runtimePlatform.cpuArchitecture",
    "placementConstraints.type",
    "placementConstraints.expression",
    "containerDefinitions.name",
    "containerDefinitions.image",
    "containerDefinitions.cpu",
    "containerDefinitions.memory",
    "containerDefinitions.memoryReservation",
    "containerDefinitions.portMappings.containerPort",
    "containerDefinitions.portMappings.hostPort",
    "containerDefinitions.portMappings.containerPortRange",
    "containerDefinitions.portMappings.protocol",
    // Service Connect goes by these two.
    "containerDefinitions.portMappings.name",
    "containerDefinitions.portMappings.appProtocol",
    "containerDefinitions.essential",
    "containerDefinitions.entryPoint",
    "containerDefinitions.command",
    "containerDefinitions.environment.name",
    "containerDefinitions.environment.value",
    "containerDefinitions.mountPoints.sourceVolume",
    "containerDefinitions.mountPoints.containerPath",
    "containerDefinitions.mountPoints.readOnly",
    "containerDefinitions.dependsOn.containerName",
    "containerDefinitions.dependsOn.condition",
    "containerDefinitions.startTimeout",
    "containerDefinitions.stopTimeout",
    "containerDefinitions.healthCheck.command",
    "containerDefinitions.healthCheck.interval",
    "containerDefinitions.healthCheck.timeout",
    "containerDefinitions.healthCheck.retries",
    "containerDefinitions.healthCheck.startPeriod",
    "containerDefinitions.restartPolicy.enabled",
    "containerDefinitions.restartPolicy.ignoredExitCodes",
    "containerDefinitions.restartPolicy.restartAttemptPeriod",
    "containerDefinitions.user",
    "containerDefinitions.workingDirectory",
    "containerDefinitions.readonlyRootFilesystem",
    "containerDefinitions.ulimits.name",
    "containerDefinitions.ulimits.softLimit",
    "containerDefinitions.ulimits.hardLimit",
    "containerDefinitions.logConfiguration.options",
    // Its type, where it is not `GPU`, is refused.
    "containerDefinitions.resourceRequirements.value",
    "pidMode",
    "ipcMode",
    "volumes.dockerVolumeConfiguration.scope",
    "volumes.dockerVolumeConfiguration.autoprovision",
    "volumes.dockerVolumeConfiguration.labels",
    "containerDefinitions.links",
    "containerDefinitions.volumesFrom.sourceContainer",
    "containerDefinitions.volumesFrom.readOnly",
    "containerDefinitions.linuxParameters.capabilities.add",
    "containerDefinitions.linuxParameters.capabilities.drop",
    "containerDefinitions.linuxParameters.devices.hostPath",
    "containerDefinitions.linuxParameters.devices.containerPath",
    "containerDefinitions.linuxParameters.devices.permissions",
    "containerDefinitions.linuxParameters.initProcessEnabled",
    "containerDefinitions.linuxParameters.sharedMemorySize",
    "containerDefinitions.linuxParameters.tmpfs.containerPath",
    "containerDefinitions.linuxParameters.tmpfs.size",
    "containerDefinitions.linuxParameters.tmpfs.mountOptions",
    "containerDefinitions.linuxParameters.maxSwap",
    // Where the host has cgroup v1; v2 keeps one value for the whole host.
    "containerDefinitions.linuxParameters.swappiness",
    "containerDefinitions.dockerLabels",
    "containerDefinitions.versionConsistency",
    "containerDefinitions.hostname",
    "containerDefinitions.disableNetworking",
    "containerDefinitions.privileged",
    "containerDefinitions.dnsServers",
    "containerDefinitions.dnsSearchDomains",
    "containerDefinitions.extraHosts.hostname",
    "containerDefinitions.extraHosts.ipAddress",
    "containerDefinitions.dockerSecurityOptions",
    "containerDefinitions.interactive",
    "containerDefinitions.pseudoTerminal",
    "containerDefinitions.systemControls.namespace",
    "containerDefinitions.systemControls.value",
];

/// Fields that ask for nothing in a container: the tags, and what AWS answers of a revision; a field
/// stands for all under it.
pub static KEPT: &[&str] = &[
    "tags",
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

/// Members of RunTask and StartTask that are refused, each by its own check and by its name where it
/// asks for something. A launch type other than EC2 and FARGATE is one of them.
pub static REFUSED_IN_CALLS: &[&str] = &["volumeConfigurations"];

/// Members of RunTask and StartTask that are checked and then dropped: no answer of AWS's shows them.
pub static DROPPED_IN_CALLS: &[&str] = &["referenceId"];

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
    use crate::rules;
    use crate::task::effective;
    use aws_api::Stored;
    use aws_api::description::{Kind, StructDescription};
    use aws_api::ecs::{REGISTER_TASK_DEFINITION_REQUEST, TASK_DEFINITION, TASK_OVERRIDE};
    use aws_api::ecs::{RUN_TASK_REQUEST, START_TASK_REQUEST, TaskOverride};
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    /// Every leaf that a structure of the model can hold: its path, and the structure with that
    /// leaf alone, set to something that asks for an effect.
    fn leaves(kind: Kind) -> Vec<(String, Value)> {
        let leaf = |value: Value| vec![(String::new(), value)];
        match kind {
            Kind::Boolean => leaf(json!(true)),
            Kind::Integer | Kind::Long | Kind::Float | Kind::Double | Kind::Timestamp => {
                leaf(json!(1))
            }
            Kind::String | Kind::Blob | Kind::Document => leaf(json!("x")),
            Kind::List(item) => leaves(*item)
                .into_iter()
                .map(|(path, value)| (path, json!([value])))
                .collect(),
            Kind::Map(value) => leaves(*value)
                .into_iter()
                .map(|(path, value)| (path, json!({ "k": value })))
                .collect(),
            Kind::Structure(description) => leaves_of(description),
        }
    }

    fn leaves_of(description: &StructDescription) -> Vec<(String, Value)> {
        let of = |member: &aws_api::description::Member| {
            let name = member.name;
            leaves(member.kind).into_iter().map(move |(path, value)| {
                let path = format!("{name}.{path}");
                let whole = json!({ name: value });
                (path.trim_end_matches('.').to_owned(), whole)
            })
        };
        description.members.iter().flat_map(of).collect()
    }

    fn is_refused<T>(result: Result<T, AwsError>) -> bool {
        let refusal = "Longshore does not yet support ";
        result.is_err_and(|error| error.message().starts_with(refusal))
    }

    fn is_under(path: &str, listed: &str) -> bool {
        let rest = path.strip_prefix(listed);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Each leaf is set alone and `check` asked: it refuses exactly those that have no effect. A
    /// leaf that the model gains, however deep, and a row whose question is wrong both fail here.
    #[test]
    fn every_leaf_of_the_model_is_effective_kept_or_refused() {
        let mut wrong = Vec::new();
        let leaves = leaves_of(&TASK_DEFINITION);
        assert!(leaves.len() > 130, "{} leaves", leaves.len());
        for (path, whole) in &leaves {
            let definition: Stored<TaskDefinition> = serde_json::from_value(whole.clone()).unwrap();
            let listed =
                EFFECTIVE.contains(&path.as_str()) || KEPT.iter().any(|kept| is_under(path, kept));
            if is_refused(check(&definition.0)) == listed {
                wrong.push(path);
            }
        }
        assert_eq!(wrong, Vec::<&String>::new());
        let known: BTreeSet<_> = leaves.iter().map(|(path, _)| path.as_str()).collect();
        for path in EFFECTIVE {
            assert!(known.contains(path), "no leaf of the model: {path}");
        }
    }

    /// What RegisterTaskDefinition takes is what a definition keeps, but for the tags.
    #[test]
    fn a_definition_has_every_member_that_a_registration_has() {
        let kept = TASK_DEFINITION.members.iter().map(|member| member.name);
        let kept: BTreeSet<_> = kept.chain(["tags"]).collect();
        for member in REGISTER_TASK_DEFINITION_REQUEST.members {
            assert!(kept.contains(member.name), "{}", member.name);
        }
    }

    /// The override with what its leaf needs beside it, and in values that other rules take.
    fn completed(mut whole: Value) -> Value {
        if whole.get("ephemeralStorage").is_some() {
            whole["ephemeralStorage"]["sizeInGiB"] = 30.into();
        }
        let file = json!({"type": "s3", "value": "arn:aws:s3:::b/k.env"});
        for (list, sample) in [
            ("environment", json!({"name": "x", "value": "x"})),
            ("environmentFiles", file),
            ("resourceRequirements", json!({"type": "GPU", "value": "1"})),
        ] {
            let item = whole.pointer_mut(&format!("/containerOverrides/0/{list}/0"));
            if let (Some(Value::Object(item)), Value::Object(sample)) = (item, sample) {
                // What is given is a type; any value of another is refused for the type's sake.
                let given = item.remove("type");
                item.extend(sample);
                item.extend(given.map(|given| ("type".to_owned(), given)));
            }
        }
        for size in ["cpu", "memory"] {
            if whole.get(size).is_some() {
                whole[size] = json!("256");
            }
        }
        whole
    }

    #[test]
    fn every_leaf_of_an_override_is_effective_or_refused() {
        // An override has the effect of the definition's member of the same name.
        let has_effect = |path: &str| {
            let of_container = path.strip_prefix("containerOverrides.");
            let own = of_container.map_or_else(
                || path.to_owned(),
                |path| format!("containerDefinitions.{path}"),
            );
            EFFECTIVE.contains(&own.as_str()) || KEPT.iter().any(|kept| is_under(&own, kept))
        };
        let container = |name: &str| ContainerDefinition {
            name: Some(name.into()),
            memory: Some(64),
            ..ContainerDefinition::default()
        };
        let definition = TaskDefinition {
            container_definitions: Some(vec![container("x"), container("")]),
            ..TaskDefinition::default()
        };
        for (path, whole) in leaves_of(&TASK_OVERRIDE) {
            let given: Stored<TaskOverride> = serde_json::from_value(completed(whole)).unwrap();
            let overrides = match rules::overrides::read(Some(&given.0), &definition, true) {
                Ok(overrides) => overrides,
                Err(error) => {
                    assert!(!has_effect(&path), "{path}: {error}");
                    continue;
                }
            };
            let effective = effective::merge(&definition, &overrides);
            let refused = check(&effective::as_definition(&definition, &effective));
            assert_ne!(is_refused(refused), has_effect(&path), "{path}");
        }
    }

    /// A member that RunTask or StartTask gains must be given its effect, or be refused, by name.
    #[test]
    fn every_member_of_run_task_and_start_task_is_known() {
        const EFFECTIVE: &[&str] = &[
            "capacityProviderStrategy",
            "clientToken",
            "cluster",
            "containerInstances",
            "count",
            "enableECSManagedTags",
            "enableExecuteCommand",
            "group",
            "launchType",
            "networkConfiguration",
            "overrides",
            "placementConstraints",
            "placementStrategy",
            "platformVersion",
            "propagateTags",
            "startedBy",
            "tags",
            "taskDefinition",
        ];
        for member in RUN_TASK_REQUEST
            .members
            .iter()
            .chain(START_TASK_REQUEST.members)
        {
            let lists = [EFFECTIVE, REFUSED_IN_CALLS, DROPPED_IN_CALLS];
            let of_lists = lists.iter().filter(|list| list.contains(&member.name));
            assert_eq!(of_lists.count(), 1, "{}", member.name);
        }
    }

    #[test]
    fn the_refusal_names_field_and_container() {
        let container = ContainerDefinition {
            name: Some("web".into()),
            firelens_configuration: Some(aws_api::ecs::FirelensConfiguration::default()),
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
            "Longshore does not yet support firelensConfiguration (container web)"
        );
        assert!(check(&TaskDefinition::default()).is_ok());
    }
}
