//! What Fargate accepts: sizes from a table, network mode awsvpc, and no member that needs the host.
//!
//! Rule: developer guide, "Task definition differences for Fargate"; texts as users report them.

use super::{any, client, logging};
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use aws_types::AwsError;

/// CPU units, then MiB: lowest, highest, step.
const SIZES: [(u32, u32, u32, u32); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
];
/// CPU units below which there is no Windows on Fargate.
const WINDOWS_CPU_MIN: u32 = 1024;
/// CPU units above which there is none either.
const WINDOWS_CPU_MAX: u32 = 4096;
/// What may log from Fargate.
const LOG_DRIVERS: [&str; 3] = ["awslogs", "splunk", "awsfirelens"];
/// Seconds that `startTimeout` and `stopTimeout` may be.
const TIMEOUT_S: std::ops::RangeInclusive<i32> = 2..=120;

/// Whether Fargate would take this definition, a normal form.
///
/// # Errors
/// `ClientException` naming the first thing that Fargate refuses.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    if definition.network_mode.as_deref() != Some("awsvpc") {
        return Err(client("Fargate only supports network mode ‘awsvpc’."));
    }
    check_size(definition)?;
    if definition.pid_mode.as_deref() == Some("host") {
        return Err(client(
            "Tasks using the Fargate launch type do not support pidMode 'host'. The supported \
             value for pidMode is 'task'.",
        ));
    }
    refuse(definition.ipc_mode.is_some(), "ipcMode")?;
    refuse(
        any(definition.placement_constraints.as_ref()),
        "constraints",
    )?;
    for volume in definition.volumes.iter().flatten() {
        let host = volume.host.as_ref();
        refuse(host.is_some_and(|h| h.source_path.is_some()), "sourcePath")?;
        let docker = volume.docker_volume_configuration.is_some();
        refuse(docker, "dockerVolumeConfiguration")?;
    }
    for container in definition.container_definitions.iter().flatten() {
        check_container(container)?;
        check_linux(container)?;
        check_logging(definition, container)?;
        check_image(definition, container)?;
    }
    Ok(())
}

fn refuse(given: bool, member: &str) -> Result<(), AwsError> {
    if given {
        return Err(client(format!(
            "Fargate compatible task definitions do not support {member}"
        )));
    }
    Ok(())
}

fn check_size(definition: &TaskDefinition) -> Result<(), AwsError> {
    let missing = |what: &str| {
        client(format!(
            "Fargate requires that '{what}' be defined at the task level."
        ))
    };
    let cpu = definition.cpu.as_deref().ok_or_else(|| missing("cpu"))?;
    let memory = definition
        .memory
        .as_deref()
        .ok_or_else(|| missing("memory"))?;
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let (units, mib) = (number(cpu), number(memory));
    // 256 CPU units have 512 MiB, then whole GB; the table's step would also give 1.5 GB.
    let known = SIZES.iter().any(|&(size, lowest, highest, step)| {
        size == units
            && (lowest..=highest).contains(&mib)
            && (mib - lowest) % step == 0
            && (mib == 512 || mib % 1024 == 0)
    });
    if known && platform_fits(definition, units) {
        return Ok(());
    }
    Err(client(format!(
        "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the \
         Amazon ECS documentation for the valid values."
    )))
}

/// Windows runs on x86 alone, and on some sizes.
fn platform_fits(definition: &TaskDefinition, cpu_units: u32) -> bool {
    let Some(platform) = &definition.runtime_platform else {
        return true;
    };
    let system = platform.operating_system_family.as_deref();
    !system.is_some_and(|system| system.starts_with("WINDOWS"))
        || (WINDOWS_CPU_MIN..=WINDOWS_CPU_MAX).contains(&cpu_units)
            && platform.cpu_architecture.as_deref() != Some("ARM64")
}

fn check_container(c: &ContainerDefinition) -> Result<(), AwsError> {
    if c.privileged == Some(true) {
        return Err(client(
            "Fargate requires that the ‘privileged’ setting be ‘false’ at the container level.",
        ));
    }
    refuse(
        any(c.docker_security_options.as_ref()),
        "dockerSecurityOptions",
    )?;
    let gpu = |r: &aws_api::ecs::ResourceRequirement| r.r#type.as_deref() == Some("GPU");
    if c.resource_requirements.iter().flatten().any(gpu) {
        return Err(client(
            "Tasks using the Fargate launch type do not support GPU resource requirements.",
        ));
    }
    for (what, value) in [
        ("startTimeout", c.start_timeout),
        ("stopTimeout", c.stop_timeout),
    ] {
        if value.is_some_and(|seconds| !TIMEOUT_S.contains(&seconds)) {
            return Err(client(format!(
                "Fargate requires that '{what}' be between {} and {} seconds.",
                TIMEOUT_S.start(),
                TIMEOUT_S.end()
            )));
        }
    }
    let mut limits = c.ulimits.iter().flatten();
    let other = limits.find(|limit| limit.name.as_deref() != Some("nofile"));
    match other.and_then(|limit| limit.name.as_deref()) {
        Some(name) => Err(client(format!(
            "Fargate compatible task definitions do not support ulimit {name}"
        ))),
        None => Ok(()),
    }
}

fn check_linux(c: &ContainerDefinition) -> Result<(), AwsError> {
    let Some(linux) = &c.linux_parameters else {
        return Ok(());
    };
    refuse(any(linux.devices.as_ref()), "devices")?;
    refuse(linux.shared_memory_size.is_some(), "sharedMemorySize")?;
    refuse(any(linux.tmpfs.as_ref()), "tmpfs")?;
    refuse(linux.max_swap.is_some(), "maxSwap")?;
    refuse(linux.swappiness.is_some(), "swappiness")?;
    let mut added = linux
        .capabilities
        .iter()
        .flat_map(|c| c.add.iter().flatten());
    match added.find(|name| *name != "SYS_PTRACE") {
        Some(name) => Err(client(format!("{name} is not allowed on Fargate."))),
        None => Ok(()),
    }
}

fn check_logging(d: &TaskDefinition, c: &ContainerDefinition) -> Result<(), AwsError> {
    let firelens = c.firelens_configuration.as_ref();
    let source = firelens
        .and_then(|f| f.options.as_ref())
        .and_then(|options| options.get("config-file-type"));
    if source.is_some_and(|source| source == "s3") {
        return Err(client(
            "Fargate launch type does not support FirelensConfiguration config file from 's3'",
        ));
    }
    let Some(log) = &c.log_configuration else {
        return Ok(());
    };
    let driver = log.log_driver.as_deref().unwrap_or_default();
    logging::check_driver(driver, &LOG_DRIVERS)?;
    if driver != "awslogs" {
        return Ok(());
    }
    if d.execution_role_arn.is_none() {
        return Err(needs_role("log driver awslogs"));
    }
    let prefix = "awslogs-stream-prefix";
    if !log.options.iter().any(|all| all.contains_key(prefix)) {
        return Err(client(format!(
            "Fargate requires log configuration options to include {prefix} to support log driver \
             awslogs."
        )));
    }
    Ok(())
}

fn check_image(d: &TaskDefinition, c: &ContainerDefinition) -> Result<(), AwsError> {
    let image = c.image.as_deref().unwrap_or_default();
    match image.contains(".dkr.ecr.") && d.execution_role_arn.is_none() {
        true => Err(needs_role("ECR images")),
        false => Ok(()),
    }
}

fn needs_role(what: &str) -> AwsError {
    client(format!(
        "Fargate requires task definition to have execution role ARN to support {what}."
    ))
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, fargate, fargate_container, one};
    use serde_json::{Value, json};

    #[test]
    fn sizes() {
        let sized = |cpu: &str, memory: &str, platform: Value| {
            let wanted = json!({"cpu": cpu, "memory": memory, "runtimePlatform": platform});
            fargate(wanted)
        };
        for (cpu, accepted, refused) in [
            (
                "256",
                &["512", "1024", "1 GB", "2048"][..],
                &["1536", "3072"][..],
            ),
            ("512", &["1024", "4096"], &["512", "1536", "5120"]),
            ("1024", &["2048", "8192"], &["1024", "9216"]),
            ("2 vCPU", &["4096", "16384"], &["3072", "17408"]),
            ("4096", &["8192", "30720"], &["7168", "31744"]),
            ("8192", &["16384", "20480", "61440"], &["17408", "65536"]),
            ("16384", &["32768", "122880"], &["36864", "131072"]),
            ("128", &[], &["512"]),
            ("768", &[], &["1024"]),
        ] {
            for memory in accepted {
                answers(&[(sized(cpu, memory, Value::Null), FINE)]);
            }
            let units = if cpu == "2 vCPU" { "2048" } else { cpu };
            for memory in refused {
                let text = format!(
                    "No Fargate configuration exists for given values: {units} CPU, {memory} \
                     memory. See the Amazon ECS documentation for the valid values."
                );
                answers(&[(sized(cpu, memory, Value::Null), text.as_str())]);
            }
        }
        let windows = json!({"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"});
        let arm = json!({
            "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "ARM64"
        });
        answers(&[
            (sized("1024", "2048", windows.clone()), FINE),
            (
                sized("512", "1024", windows),
                "No Fargate configuration exists for given values: 512 CPU, 1024 memory. See the \
                 Amazon ECS documentation for the valid values.",
            ),
            (
                sized("1024", "2048", arm),
                "No Fargate configuration exists for given values: 1024 CPU, 2048 memory. See \
                 the Amazon ECS documentation for the valid values.",
            ),
            (
                fargate(json!({"cpu": null})),
                "Fargate requires that 'cpu' be defined at the task level.",
            ),
            (
                fargate(json!({"memory": null})),
                "Fargate requires that 'memory' be defined at the task level.",
            ),
        ]);
    }

    #[test]
    fn tasks() {
        let volume = |patch: Value| {
            let mut volume = patch;
            volume["name"] = json!("v");
            fargate(json!({"volumes": [volume]}))
        };
        let constraint = json!([{"type": "memberOf", "expression": "attribute:a == b"}]);
        answers(&[
            (fargate(json!({})), FINE),
            (
                fargate(json!({"networkMode": "bridge"})),
                "Fargate only supports network mode ‘awsvpc’.",
            ),
            (
                fargate(json!({"networkMode": null})),
                "Fargate only supports network mode ‘awsvpc’.",
            ),
            (fargate(json!({"pidMode": "task"})), FINE),
            (
                fargate(json!({"pidMode": "host"})),
                "Tasks using the Fargate launch type do not support pidMode 'host'. The supported \
                 value for pidMode is 'task'.",
            ),
            (
                fargate(json!({"ipcMode": "task"})),
                "Fargate compatible task definitions do not support ipcMode",
            ),
            (
                fargate(json!({"placementConstraints": constraint})),
                "Fargate compatible task definitions do not support constraints",
            ),
            (volume(json!({})), FINE),
            (
                volume(json!({"host": {"sourcePath": "/data"}})),
                "Fargate compatible task definitions do not support sourcePath",
            ),
            (
                volume(json!({"dockerVolumeConfiguration": {}})),
                "Fargate compatible task definitions do not support dockerVolumeConfiguration",
            ),
        ]);
    }

    #[test]
    fn containers() {
        let of = fargate_container;
        let linux = |parameters: Value| fargate_container(json!({"linuxParameters": parameters}));
        let not = |what: &str| -> &'static str {
            format!("Fargate compatible task definitions do not support {what}").leak()
        };
        let limit = |name: &str| {
            let limit = json!({"name": name, "softLimit": 1, "hardLimit": 1});
            fargate_container(json!({"ulimits": [limit]}))
        };
        let gpu = json!({"resourceRequirements": [{"type": "GPU", "value": "1"}]});
        let tmpfs = json!({"tmpfs": [{"containerPath": "/t", "size": 1}]});
        answers(&[
            (
                of(json!({"privileged": true})),
                "Fargate requires that the ‘privileged’ setting be ‘false’ at the container level.",
            ),
            (of(json!({"privileged": false})), FINE),
            (
                of(json!({"dockerSecurityOptions": ["no-new-privileges"]})),
                not("dockerSecurityOptions"),
            ),
            (
                of(gpu),
                "Tasks using the Fargate launch type do not support GPU resource requirements.",
            ),
            (of(json!({"startTimeout": 120, "stopTimeout": 2})), FINE),
            (
                of(json!({"stopTimeout": 121})),
                "Fargate requires that 'stopTimeout' be between 2 and 120 seconds.",
            ),
            (limit("nofile"), FINE),
            (limit("nproc"), not("ulimit nproc")),
            (
                linux(json!({"devices": [{"hostPath": "/dev/fuse"}]})),
                not("devices"),
            ),
            (
                linux(json!({"sharedMemorySize": 64})),
                not("sharedMemorySize"),
            ),
            (linux(tmpfs), not("tmpfs")),
            (linux(json!({"maxSwap": 0})), not("maxSwap")),
            (linux(json!({"swappiness": 0})), not("swappiness")),
            (
                linux(json!({"capabilities": {"add": ["SYS_PTRACE"]}})),
                FINE,
            ),
            (
                linux(json!({"capabilities": {"add": ["NET_ADMIN"]}})),
                "NET_ADMIN is not allowed on Fargate.",
            ),
            (linux(json!({"initProcessEnabled": true})), FINE),
        ]);
    }

    #[test]
    fn logs_and_images() {
        let log = |driver: &str, options: Value| {
            let log = json!({"logDriver": driver, "options": options});
            fargate(json!({
                "executionRoleArn": "exec",
                "containerDefinitions": [one(json!({"logConfiguration": log}))],
            }))
        };
        let whole = json!({
            "awslogs-region": "r", "awslogs-group": "g", "awslogs-stream-prefix": "p"
        });
        let without_prefix = json!({"awslogs-region": "r", "awslogs-group": "g"});
        let mut without_role = log("awslogs", whole.clone());
        without_role["executionRoleArn"] = Value::Null;
        let s3 = json!({"config-file-type": "s3", "config-file-value": "arn:aws:s3:::b/c"});
        let router = json!({"firelensConfiguration": {"type": "fluentbit", "options": s3}});
        let image = json!({"image": "1.dkr.ecr.us-east-1.amazonaws.com/a"});
        answers(&[
            (log("awslogs", whole), FINE),
            (
                log("json-file", json!({})),
                "json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]",
            ),
            (
                log("awslogs", without_prefix),
                "Fargate requires log configuration options to include awslogs-stream-prefix to \
                 support log driver awslogs.",
            ),
            (
                without_role,
                "Fargate requires task definition to have execution role ARN to support log \
                 driver awslogs.",
            ),
            (
                fargate_container(router),
                "Fargate launch type does not support FirelensConfiguration config file from 's3'",
            ),
            (
                fargate_container(image),
                "Fargate requires task definition to have execution role ARN to support ECR \
                 images.",
            ),
        ]);
    }
}
