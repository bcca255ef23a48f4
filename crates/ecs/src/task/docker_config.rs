//! What of a container goes to its agent in Docker's own words: two JSON texts that the agent lays
//! over the configuration it builds.
//!
//! Rule: the public agent, `dockerConfig`; ECS API reference, ContainerDefinition, which names
//! Docker's field for each member; account setting `defaultLogDriverMode` (non-blocking since
//! 2025-06-25).

use super::log_streams;
use aws_api::agent::{
    ContainerConfig, Device, DockerConfig, Healthcheck, HostConfig, LogConfig, Ulimit,
};
use aws_api::ecs::{
    self, ContainerDefinition, HealthCheck, LinuxParameters, LogConfiguration, TaskDefinition,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The Docker API that containers are made with.
const API_VERSION: &str = "1.24";
/// Bytes in a MiB.
const MIB: i64 = 1024 * 1024;
/// Docker counts durations in nanoseconds.
const NANOSECONDS: i64 = 1_000_000_000;
/// What a stream that may lose lines keeps in memory, unless its options say otherwise.
const BUFFER_SIZE: &str = "10m";

/// The `dockerConfig` of one container.
#[must_use]
pub fn of(container: &ContainerDefinition, task: &TaskDefinition, task_id: &str) -> DockerConfig {
    DockerConfig {
        version: Some(API_VERSION.into()),
        config: Some(text(&config(container))),
        host_config: Some(text(&host_config(container, task, task_id))),
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("Docker's shapes are texts, numbers, lists and text maps")
}

fn config(container: &ContainerDefinition) -> ContainerConfig {
    ContainerConfig {
        user: container.user.clone(),
        working_dir: container.working_directory.clone(),
        hostname: container.hostname.clone(),
        labels: container.docker_labels.clone(),
        healthcheck: container.health_check.as_ref().map(health_check),
        tty: container.pseudo_terminal,
        open_stdin: container.interactive,
        network_disabled: container.disable_networking,
        ..ContainerConfig::default()
    }
}

fn host_config(
    container: &ContainerDefinition,
    task: &TaskDefinition,
    task_id: &str,
) -> HostConfig {
    let own = HostConfig {
        log_config: log_config(container, task_id),
        network_mode: task.network_mode.clone(),
        privileged: container.privileged,
        readonly_rootfs: container.readonly_root_filesystem,
        dns: container.dns_servers.clone(),
        dns_search: container.dns_search_domains.clone(),
        extra_hosts: container
            .extra_hosts
            .as_ref()
            .map(|all| all.iter().map(host).collect()),
        security_opt: container.docker_security_options.clone(),
        ulimits: container
            .ulimits
            .as_ref()
            .map(|all| all.iter().map(ulimit).collect()),
        sysctls: container.system_controls.as_deref().map(sysctls),
        memory_reservation: container.memory_reservation.map(bytes),
        ..HostConfig::default()
    };
    match &container.linux_parameters {
        Some(linux) => with_linux_parameters(own, linux, container.memory),
        None => own,
    }
}

/// The log driver with its options.
fn log_config(container: &ContainerDefinition, task_id: &str) -> Option<LogConfig> {
    let given = container.log_configuration.as_ref()?;
    let name = container.name.as_deref().unwrap_or_default();
    Some(LogConfig {
        r#type: given.log_driver.clone(),
        config: Some(log_options(given, name, task_id)),
    })
}

/// The options of a log driver as the agent gets them; for `awslogs`, the stream's full name instead of its prefix.
pub fn log_options(
    given: &LogConfiguration,
    name: &str,
    task_id: &str,
) -> BTreeMap<String, String> {
    let mut options = given.options.clone().unwrap_or_default();
    if let Some(target) = log_streams::of(given, name, task_id) {
        options.remove("awslogs-stream-prefix");
        if let Some(stream) = target.stream {
            options.insert("awslogs-stream".into(), stream);
        }
        let mode = options
            .entry("mode".into())
            .or_insert_with(|| "non-blocking".into());
        if mode == "non-blocking" {
            options
                .entry("max-buffer-size".into())
                .or_insert_with(|| BUFFER_SIZE.into());
        }
    }
    options
}

fn bytes(mib: i32) -> i64 {
    i64::from(mib) * MIB
}

fn host(entry: &ecs::HostEntry) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}:{}", text(&entry.hostname), text(&entry.ip_address))
}

fn ulimit(limit: &ecs::Ulimit) -> Ulimit {
    Ulimit {
        name: limit.name.clone(),
        soft: limit.soft_limit.map(i64::from),
        hard: limit.hard_limit.map(i64::from),
    }
}

fn sysctls(controls: &[ecs::SystemControl]) -> BTreeMap<String, String> {
    let pair =
        |control: &ecs::SystemControl| Some((control.namespace.clone()?, control.value.clone()?));
    controls.iter().filter_map(pair).collect()
}

fn health_check(check: &HealthCheck) -> Healthcheck {
    let nanoseconds = |seconds: Option<i32>| seconds.map(|s| i64::from(s) * NANOSECONDS);
    Healthcheck {
        test: check.command.clone(),
        interval: nanoseconds(check.interval),
        timeout: nanoseconds(check.timeout),
        start_period: nanoseconds(check.start_period),
        retries: check.retries.map(i64::from),
    }
}

/// `maxSwap` counts on top of the memory limit, Docker's MemorySwap is the sum of both. Without it
/// `swappiness` is ignored (API reference, LinuxParameters).
fn with_linux_parameters(
    own: HostConfig,
    linux: &LinuxParameters,
    memory_mib: Option<i32>,
) -> HostConfig {
    let capabilities = linux.capabilities.clone().unwrap_or_default();
    let swap = linux.max_swap.zip(memory_mib);
    HostConfig {
        cap_add: capabilities.add,
        cap_drop: capabilities.drop,
        devices: linux
            .devices
            .as_ref()
            .map(|all| all.iter().map(device).collect()),
        init: linux.init_process_enabled,
        shm_size: linux.shared_memory_size.map(bytes),
        tmpfs: linux
            .tmpfs
            .as_ref()
            .map(|all| all.iter().map(tmpfs).collect()),
        memory_swap: swap.map(|(swap, memory)| bytes(swap) + bytes(memory)),
        memory_swappiness: linux.max_swap.and(linux.swappiness).map(i64::from),
        ..own
    }
}

fn tmpfs(given: &ecs::Tmpfs) -> (String, String) {
    let mut options = vec![format!("size={}m", given.size.unwrap_or(0))];
    options.extend(given.mount_options.iter().flatten().cloned());
    (
        given.container_path.clone().unwrap_or_default(),
        options.join(","),
    )
}

fn device(given: &ecs::Device) -> Device {
    let letters =
        |all: &Vec<String>| -> String { all.iter().filter_map(|p| p.chars().next()).collect() };
    Device {
        path_on_host: given.host_path.clone(),
        path_in_container: given
            .container_path
            .clone()
            .or_else(|| given.host_path.clone()),
        cgroup_permissions: Some(
            given
                .permissions
                .as_ref()
                .map_or_else(|| "rwm".into(), letters),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swappiness_counts_beside_max_swap_alone() {
        for (max_swap, swappiness, expected) in [
            (None, Some(60), None),
            (Some(0), Some(60), Some(60)),
            (Some(32), Some(0), Some(0)),
            (Some(32), None, None),
            (None, None, None),
        ] {
            let given = LinuxParameters {
                max_swap,
                swappiness,
                ..LinuxParameters::default()
            };
            let host = with_linux_parameters(HostConfig::default(), &given, Some(64));
            assert_eq!(host.memory_swappiness, expected, "{given:?}");
            let swap = max_swap.map(|swap| bytes(swap + 64));
            assert_eq!(host.memory_swap, swap, "{given:?}");
        }
    }
}
