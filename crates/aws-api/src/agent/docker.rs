//! The two JSON texts inside a container's `dockerConfig`, by the names of Docker's API.
//!
//! Everything about a container that has no member of its own travels here. Sizes are bytes,
//! durations nanoseconds.

use super::frame;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

frame! {
    /// The texts; [`ContainerConfig`] and [`HostConfig`] are what stands in them.
    DockerConfig {
        /// Least version of Docker's API.
        version: String,
        /// A JSON text: [`ContainerConfig`].
        config: String,
        /// A JSON text: [`HostConfig`].
        host_config: String,
    }
}

/// As [`frame`], in Docker's case.
macro_rules! docker {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$member_doc:meta])* $member:ident: $type:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            #[serde(default, rename_all = "PascalCase")]
            pub struct $name {
                $(
                    $(#[$member_doc])*
                    #[serde(skip_serializing_if = "Option::is_none")]
                    pub $member: Option<$type>,
                )*
            }
        )*
    };
}

docker! {
    /// Docker's `container.Config`, as far as ECS sets it.
    ContainerConfig {
        user: String,
        working_dir: String,
        hostname: String,
        domainname: String,
        labels: BTreeMap<String, String>,
        healthcheck: Healthcheck,
        tty: bool,
        open_stdin: bool,
        network_disabled: bool,
        stop_signal: String,
    }
    /// How to ask a container for its health.
    Healthcheck {
        /// `CMD` or `CMD-SHELL` first.
        test: Vec<String>,
        /// Nanoseconds.
        interval: i64,
        /// Nanoseconds.
        timeout: i64,
        /// Nanoseconds.
        start_period: i64,
        retries: i64,
    }
    /// Docker's `HostConfig`, as far as ECS sets it.
    HostConfig {
        log_config: LogConfig,
        network_mode: String,
        cap_add: Vec<String>,
        cap_drop: Vec<String>,
        privileged: bool,
        readonly_rootfs: bool,
        dns: Vec<String>,
        dns_search: Vec<String>,
        extra_hosts: Vec<String>,
        security_opt: Vec<String>,
        ulimits: Vec<Ulimit>,
        sysctls: BTreeMap<String, String>,
        /// Mount options by path.
        tmpfs: BTreeMap<String, String>,
        /// Bytes.
        shm_size: i64,
        init: bool,
        devices: Vec<Device>,
        /// Soft limit, bytes.
        memory_reservation: i64,
        /// Memory and swap together, bytes; -1 for no limit.
        memory_swap: i64,
        /// 0 to 100.
        memory_swappiness: i64,
        /// The greatest number of processes.
        pids_limit: i64,
    }
    /// Where output goes.
    LogConfig {
        /// The driver, e.g. `awslogs`.
        r#type: String,
        /// The driver's options.
        config: BTreeMap<String, String>,
    }
    /// A limit of the kernel on a process.
    Ulimit {
        name: String,
        soft: i64,
        hard: i64,
    }
    /// A device of the host.
    Device {
        path_on_host: String,
        path_in_container: String,
        /// Of `r`, `w`, `m`.
        cgroup_permissions: String,
    }
}
