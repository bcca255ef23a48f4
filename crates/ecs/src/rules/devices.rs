//! Kernel settings of containers: ulimits, capabilities, devices, tmpfs, swap.
//!
//! Rule: API reference, Ulimit and LinuxParameters.

use super::{check_one_of, client};
use aws_api::ecs::{ContainerDefinition, LinuxParameters, TaskDefinition, enums};
use aws_types::AwsError;

/// API reference, KernelCapabilities.
const CAPABILITIES: [&str; 38] = [
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
];
/// API reference, Tmpfs, `mountOptions`; some of them with `=VALUE`.
const MOUNT_OPTIONS: [&str; 39] = [
    "defaults",
    "ro",
    "rw",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "sync",
    "async",
    "dirsync",
    "remount",
    "mand",
    "nomand",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "bind",
    "rbind",
    "unbindable",
    "runbindable",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "mode",
    "uid",
    "gid",
    "nr_inodes",
    "nr_blocks",
    "mpol",
];

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
                    "Soft limit exceeds hard limit for ulimit {name}"
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
    let capabilities = linux.capabilities.iter();
    for name in capabilities.flat_map(|c| c.add.iter().flatten().chain(c.drop.iter().flatten())) {
        check_one_of("Linux capability", Some(name), &CAPABILITIES)?;
    }
    for device in linux.devices.iter().flatten() {
        if device.host_path.as_deref().unwrap_or_default().is_empty() {
            return Err(client("Device.hostPath should not be null or empty."));
        }
        for permission in device.permissions.iter().flatten() {
            check_one_of(
                "Device permission",
                Some(permission),
                enums::DEVICE_CGROUP_PERMISSION,
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
        for option in tmpfs.mount_options.iter().flatten() {
            let name = option
                .split_once('=')
                .map_or(option.as_str(), |(name, _)| name);
            if !MOUNT_OPTIONS.contains(&name) {
                return Err(client(format!(
                    "Tmpfs mount option '{option}' is not supported."
                )));
            }
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

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container};
    use serde_json::{Value, json};

    #[test]
    fn ulimits() {
        let limit = |name: &str, soft: Value, hard: Value| {
            let limit = json!({"name": name, "softLimit": soft, "hardLimit": hard});
            container(json!({"ulimits": [limit]}))
        };
        answers(&[
            (limit("nofile", json!(1024), json!(4096)), FINE),
            (limit("core", json!(-1), json!(-1)), FINE),
            (limit("core", json!(5), json!(-1)), FINE),
            (
                limit("nofile", json!(4096), json!(1024)),
                "Soft limit exceeds hard limit for ulimit nofile",
            ),
            (
                limit("core", json!(-1), json!(5)),
                "Soft limit exceeds hard limit for ulimit core",
            ),
            (
                limit("nofile", json!(1), Value::Null),
                "Ulimit 'nofile' should have a softLimit and a hardLimit.",
            ),
            (
                limit("files", json!(1), json!(1)),
                "Ulimit name should be one of [core,cpu,data,fsize,locks,memlock,msgqueue,nice,\
                 nofile,nproc,rss,rtprio,rttime,sigpending,stack]",
            ),
        ]);
    }

    #[test]
    fn linux_parameters() {
        let linux = |parameters: Value| container(json!({"linuxParameters": parameters}));
        let tmpfs = |tmpfs: Value| linux(json!({"tmpfs": [tmpfs]}));
        let capability = linux(json!({"capabilities": {"add": ["CAP_NET_ADMIN"]}}));
        let names = super::CAPABILITIES.join(",");
        let unknown = format!("Linux capability should be one of [{names}]").leak();
        answers(&[
            (
                linux(json!({"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}})),
                FINE,
            ),
            (capability, unknown),
            (linux(json!({"devices": [{"hostPath": "/dev/fuse"}]})), FINE),
            (
                linux(json!({"devices": [{"hostPath": ""}]})),
                "Device.hostPath should not be null or empty.",
            ),
            (
                linux(json!({"devices": [{"hostPath": "/dev/fuse", "permissions": ["rw"]}]})),
                "Device permission should be one of [read,write,mknod]",
            ),
            (
                tmpfs(
                    json!({"containerPath": "/t", "size": 64, "mountOptions": ["mode=1777", "ro"]}),
                ),
                FINE,
            ),
            (
                tmpfs(json!({"size": 64})),
                "Tmpfs.containerPath should not be null or empty.",
            ),
            (
                tmpfs(json!({"containerPath": "/t", "size": 0})),
                "Tmpfs.size must be a positive number of MiB.",
            ),
            (
                tmpfs(json!({"containerPath": "/t", "size": 1, "mountOptions": ["huge=always"]})),
                "Tmpfs mount option 'huge=always' is not supported.",
            ),
            (
                linux(json!({"sharedMemorySize": 0})),
                "sharedMemorySize must be a positive number of MiB.",
            ),
            (linux(json!({"maxSwap": 0, "swappiness": 100})), FINE),
            (
                linux(json!({"maxSwap": -1})),
                "maxSwap must be 0 or a positive number of MiB.",
            ),
            (
                linux(json!({"swappiness": 101})),
                "swappiness must be between 0 and 100.",
            ),
            (
                linux(json!({"swappiness": -1})),
                "swappiness must be between 0 and 100.",
            ),
        ]);
    }
}
