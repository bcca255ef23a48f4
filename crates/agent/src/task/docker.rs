//! What the control plane says in Docker's own words: `dockerConfig.config` and `.hostConfig`.
//!
//! Docker API field names. Members that have no effect here are ignored; the control plane refuses
//! definitions whose meaning would change by that (`ecs::rules::not_yet`).

use super::definition::null_as_default;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Docker's `container.Config`, the part that has an effect here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DockerConfig {
    /// `uid`, `uid:gid`, `name` or `name:group`; empty is the image's.
    #[serde(deserialize_with = "null_as_default")]
    pub user: String,
    /// Empty is the image's.
    #[serde(deserialize_with = "null_as_default")]
    pub working_dir: String,
    /// Empty is the first 12 digits of the runtime id.
    #[serde(deserialize_with = "null_as_default")]
    pub hostname: String,
    /// `SIGTERM`, `TERM` or a number; empty is the image's.
    #[serde(deserialize_with = "null_as_default")]
    pub stop_signal: String,
    /// Standard streams are a terminal.
    #[serde(deserialize_with = "null_as_default")]
    pub tty: bool,
    /// Standard input stays open.
    #[serde(deserialize_with = "null_as_default")]
    pub open_stdin: bool,
    /// Loopback only, whatever the task's network.
    #[serde(deserialize_with = "null_as_default")]
    pub network_disabled: bool,
    /// Its labels.
    #[serde(deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// How its health is checked.
    #[serde(deserialize_with = "null_as_default")]
    pub healthcheck: Healthcheck,
}

/// Docker's `HealthConfig`: durations in nanoseconds, 0 is Docker's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `CMD` and arguments, `CMD-SHELL` and a line, or `NONE`.
    #[serde(deserialize_with = "null_as_default")]
    pub test: Vec<String>,
    /// Between the end of a check and the next.
    #[serde(deserialize_with = "null_as_default")]
    pub interval: u64,
    /// One check may take so long.
    #[serde(deserialize_with = "null_as_default")]
    pub timeout: u64,
    /// Failures do not count for so long after the start.
    #[serde(deserialize_with = "null_as_default")]
    pub start_period: u64,
    /// So many failures in a row make it unhealthy.
    #[serde(deserialize_with = "null_as_default")]
    pub retries: u32,
}

/// Docker's `container.HostConfig`, the part that has an effect here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostConfig {
    /// Where output goes.
    #[serde(deserialize_with = "null_as_default")]
    pub log_config: LogConfig,
    /// Capabilities added to the default set.
    #[serde(deserialize_with = "null_as_default")]
    pub cap_add: Vec<String>,
    /// Capabilities taken away.
    #[serde(deserialize_with = "null_as_default")]
    pub cap_drop: Vec<String>,
    /// Everything is permitted.
    #[serde(deserialize_with = "null_as_default")]
    pub privileged: bool,
    /// The root file system refuses writes.
    #[serde(deserialize_with = "null_as_default")]
    pub readonly_rootfs: bool,
    /// Resolvers instead of the host's.
    #[serde(deserialize_with = "null_as_default")]
    pub dns: Vec<String>,
    /// Search domains instead of the host's.
    #[serde(deserialize_with = "null_as_default")]
    pub dns_search: Vec<String>,
    /// `name:address` lines for `/etc/hosts`.
    #[serde(deserialize_with = "null_as_default")]
    pub extra_hosts: Vec<String>,
    /// Resource limits.
    #[serde(deserialize_with = "null_as_default")]
    pub ulimits: Vec<DockerUlimit>,
    /// Soft memory limit in bytes; 0 is none.
    #[serde(deserialize_with = "null_as_default")]
    pub memory_reservation: u64,
    /// Most processes; 0 or less is none.
    #[serde(deserialize_with = "null_as_default")]
    pub pids_limit: i64,
    /// `no-new-privileges`, `seccomp=unconfined`, `apparmor:PROFILE`, `label:disable`.
    #[serde(deserialize_with = "null_as_default")]
    pub security_opt: Vec<String>,
    /// Kernel parameters of the container's namespaces.
    #[serde(deserialize_with = "null_as_default")]
    pub sysctls: BTreeMap<String, String>,
    /// Mount options of memory file systems by their paths.
    #[serde(deserialize_with = "null_as_default")]
    pub tmpfs: BTreeMap<String, String>,
    /// Bytes of `/dev/shm`; 0 is Docker's default.
    #[serde(deserialize_with = "null_as_default")]
    pub shm_size: u64,
    /// A small init is the first process.
    #[serde(deserialize_with = "null_as_default")]
    pub init: bool,
    /// Devices of the host.
    #[serde(deserialize_with = "null_as_default")]
    pub devices: Vec<DockerDevice>,
    /// Bytes of memory and swap together; -1 is no limit, 0 is no swap.
    #[serde(deserialize_with = "null_as_default")]
    pub memory_swap: i64,
    /// 0 to 100; absent is the kernel's.
    pub memory_swappiness: Option<u64>,
}

/// A device of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DockerDevice {
    /// Its path on the host.
    pub path_on_host: String,
    /// Its path in the container.
    pub path_in_container: String,
    /// Of `r`, `w`, `m`.
    pub cgroup_permissions: String,
}

/// Docker's `LogConfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LogConfig {
    /// The driver's name; empty is `json-file`.
    #[serde(rename = "Type", deserialize_with = "null_as_default")]
    pub driver: String,
    /// The driver's options.
    #[serde(rename = "Config", deserialize_with = "null_as_default")]
    pub options: BTreeMap<String, String>,
}

/// A resource limit by its name (`nofile`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DockerUlimit {
    /// Lower case, without `RLIMIT_`.
    pub name: String,
    /// The soft limit.
    pub soft: i64,
    /// The hard limit.
    pub hard: i64,
}

/// SIGTERM, what a container gets whose image names no signal.
pub const SIGTERM: i32 = 15;
/// SIGKILL, after the stop timeout.
pub const SIGKILL: i32 = 9;

/// A signal by number or by name, with or without `SIG`; `None` for what is neither.
#[must_use]
pub fn signal_number(name: &str) -> Option<i32> {
    const NAMES: [(&str, i32); 20] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("TRAP", 5),
        ("ABRT", 6),
        ("BUS", 7),
        ("FPE", 8),
        ("KILL", SIGKILL),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("TERM", SIGTERM),
        ("CONT", 18),
        ("STOP", 19),
        ("TSTP", 20),
        ("WINCH", 28),
        ("PWR", 30),
    ];
    if let Ok(number) = name.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = bare.strip_prefix("RTMIN+") {
        return offset
            .parse::<i32>()
            .ok()
            .map(|n| 34 + n)
            .filter(|n| (34..=64).contains(n));
    }
    NAMES
        .iter()
        .find(|(known, _)| *known == bare)
        .map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_dockers_spellings() {
        for (given, expected) in [
            ("SIGTERM", Some(15)),
            ("quit", Some(3)),
            ("10", Some(10)),
            ("SIGRTMIN+3", Some(37)),
            ("0", None),
            ("SIGNOPE", None),
        ] {
            assert_eq!(signal_number(given), expected, "{given}");
        }
    }

    #[test]
    fn a_host_config_is_read_in_dockers_words() {
        let read: HostConfig = serde_json::from_str(
            r#"{"LogConfig":{"Type":"awslogs","Config":{"mode":"non-blocking"}},"CapDrop":["ALL"],
                "Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}],"Binds":null}"#,
        )
        .unwrap();
        assert_eq!(read.log_config.driver, "awslogs");
        assert_eq!(read.cap_drop, ["ALL"]);
        assert_eq!(read.ulimits[0].hard, 2);
    }
}
