//! What Fargate accepts: sizes from a table, network mode awsvpc, and no member that needs the host.
//!
//! Rule: developer guide, "Task definition differences for Fargate"; texts as users report them.

use super::client;
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
/// What may log from Fargate.
const LOG_DRIVERS: [&str; 3] = ["awslogs", "splunk", "awsfirelens"];

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
    if definition.ipc_mode.is_some() {
        return Err(client(
            "Tasks using the Fargate launch type do not support ipcMode.",
        ));
    }
    let constrained = definition.placement_constraints.iter().flatten().count() > 0;
    refuse(constrained, "placementConstraints")?;
    for volume in definition.volumes.iter().flatten() {
        let host = volume.host.as_ref();
        refuse(host.is_some_and(|h| h.source_path.is_some()), "sourcePath")?;
        let docker = volume.docker_volume_configuration.is_some();
        refuse(docker, "dockerVolumeConfiguration")?;
    }
    for container in definition.container_definitions.iter().flatten() {
        check_container(container)?;
        check_execution_role(definition, container)?;
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
    if known {
        return Ok(());
    }
    Err(client(format!(
        "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the \
         Amazon ECS documentation for the valid values."
    )))
}

fn check_container(c: &ContainerDefinition) -> Result<(), AwsError> {
    fn some<T>(list: Option<&Vec<T>>) -> bool {
        list.is_some_and(|list| !list.is_empty())
    }
    refuse(c.privileged == Some(true), "privileged")?;
    refuse(c.disable_networking == Some(true), "disableNetworking")?;
    refuse(some(c.dns_servers.as_ref()), "dnsServers")?;
    refuse(some(c.dns_search_domains.as_ref()), "dnsSearchDomains")?;
    refuse(
        some(c.docker_security_options.as_ref()),
        "dockerSecurityOptions",
    )?;
    refuse(some(c.extra_hosts.as_ref()), "extraHosts")?;
    refuse(some(c.links.as_ref()), "links")?;
    let gpu = |r: &aws_api::ecs::ResourceRequirement| r.r#type.as_deref() == Some("GPU");
    refuse(c.resource_requirements.iter().flatten().any(gpu), "GPU")?;
    if let Some(linux) = &c.linux_parameters {
        refuse(some(linux.devices.as_ref()), "devices")?;
        refuse(linux.shared_memory_size.is_some(), "sharedMemorySize")?;
        refuse(some(linux.tmpfs.as_ref()), "tmpfs")?;
        refuse(linux.max_swap.is_some(), "maxSwap")?;
        refuse(linux.swappiness.is_some(), "swappiness")?;
        let mut added = linux
            .capabilities
            .iter()
            .flat_map(|c| c.add.iter().flatten());
        refuse(added.any(|name| name != "SYS_PTRACE"), "capabilities add")?;
    }
    let log = c.log_configuration.as_ref();
    let driver = log.and_then(|log| log.log_driver.as_deref());
    match driver {
        Some(driver) if !LOG_DRIVERS.contains(&driver) => Err(client(format!(
            "Fargate compatible task definitions do not support log driver {driver}"
        ))),
        _ => Ok(()),
    }
}

fn check_execution_role(d: &TaskDefinition, c: &ContainerDefinition) -> Result<(), AwsError> {
    if d.execution_role_arn.is_some() {
        return Ok(());
    }
    let needs = |what: &str| {
        client(format!(
            "Fargate requires task definition to have execution role ARN to support {what}."
        ))
    };
    let log = c.log_configuration.as_ref();
    if log.is_some_and(|log| log.log_driver.as_deref() == Some("awslogs")) {
        return Err(needs("log driver awslogs"));
    }
    if c.image
        .as_deref()
        .is_some_and(|image| image.contains(".dkr.ecr."))
    {
        return Err(needs("ECR images"));
    }
    Ok(())
}
