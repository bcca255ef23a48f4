//! Kernel settings of containers: ulimits, devices, tmpfs, swap.
//!
//! Rule: API reference, Ulimit and LinuxParameters.

use super::{check_one_of, client};
use aws_api::ecs::{ContainerDefinition, LinuxParameters, TaskDefinition, enums};
use aws_types::AwsError;

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    for container in definition.container_definitions.iter().flatten() {
        check_ulimits(container)?;
        if let Some(linux) = &container.linux_parameters {
            check_linux(linux)?;
        }
    }
    Ok(())
}

fn check_ulimits(container: &ContainerDefinition) -> Result<(), AwsError> {
    for limit in container.ulimits.iter().flatten() {
        let name = limit.name.as_deref().unwrap_or_default();
        check_one_of("Ulimit name", Some(name), enums::ULIMIT_NAME)?;
        match (limit.soft_limit, limit.hard_limit) {
            (Some(soft), Some(hard)) if within(soft, hard) => {}
            (Some(_), Some(_)) => {
                return Err(client(format!(
                    "The soft limit of ulimit '{name}' must be less than or equal to its hard \
                     limit."
                )));
            }
            _ => {
                return Err(client(format!(
                    "Ulimit '{name}' should have a softLimit and a hardLimit."
                )));
            }
        }
    }
    Ok(())
}

/// -1 is unlimited.
fn within(soft: i32, hard: i32) -> bool {
    hard == -1 || (soft != -1 && soft <= hard)
}

fn check_linux(linux: &LinuxParameters) -> Result<(), AwsError> {
    for device in linux.devices.iter().flatten() {
        if device.host_path.as_deref().unwrap_or_default().is_empty() {
            return Err(client("Device.hostPath should not be null or empty."));
        }
        for permission in device.permissions.iter().flatten() {
            check_one_of(
                "Device permission",
                Some(permission),
                &["read", "write", "mknod"],
            )?;
        }
    }
    for tmpfs in linux.tmpfs.iter().flatten() {
        if tmpfs
            .container_path
            .as_deref()
            .unwrap_or_default()
            .is_empty()
        {
            return Err(client("Tmpfs.containerPath should not be null or empty."));
        }
        if tmpfs.size.unwrap_or(0) <= 0 {
            return Err(client("Tmpfs.size must be a positive number of MiB."));
        }
    }
    if linux.shared_memory_size.is_some_and(|mib| mib <= 0) {
        return Err(client("sharedMemorySize must be a positive number of MiB."));
    }
    if linux.max_swap.is_some_and(|mib| mib < 0) {
        return Err(client("maxSwap must be 0 or a positive number of MiB."));
    }
    if linux
        .swappiness
        .is_some_and(|value| !(0..=100).contains(&value))
    {
        return Err(client("swappiness must be between 0 and 100."));
    }
    Ok(())
}
