//! Makes this machine a container instance of its cluster, or one that lends FARGATE capacity.

use crate::cdi;
use crate::engine::Host;
use crate::part::Part;
use aws_api::ecs::{
    Attribute, PlatformDevice, RegisterContainerInstanceRequest, Resource,
    operations::RegisterContainerInstance,
};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// Waits between tries: from the first, doubled, to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// What the public agent registers as taken.
const RESERVED_PORTS: [&str; 5] = ["22", "2376", "2375", "51678", "51679"];
/// The attribute that names the type of the instance.
const INSTANCE_TYPE: &str = "ecs.instance-type";
/// Capabilities that this agent has, by the public agent's names.
const CAPABILITIES: &[&str] = &[
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.20",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.22",
    "com.amazonaws.ecs.capability.docker-remote-api.1.23",
    "com.amazonaws.ecs.capability.docker-remote-api.1.24",
    "com.amazonaws.ecs.capability.docker-remote-api.1.25",
    "com.amazonaws.ecs.capability.docker-remote-api.1.28",
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "com.amazonaws.ecs.capability.docker-remote-api.1.30",
    "com.amazonaws.ecs.capability.docker-remote-api.1.32",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "com.amazonaws.ecs.capability.logging-driver.none",
    "com.amazonaws.ecs.capability.task-iam-role",
    "com.amazonaws.ecs.capability.task-iam-role-network-host",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.full-sync",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.increased-task-cpu-limit",
    "ecs.capability.container-ordering",
    "ecs.capability.container-health-check",
    "ecs.capability.container-restart-policy",
    "com.amazonaws.ecs.capability.privileged-container",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.pid-ipc-namespace-sharing",
    "ecs.capability.network.container-port-range",
    "ecs.capability.task-eni",
    "ecs.capability.service-connect-v1",
    "ecs.capability.task-eni-trunking",
];

/// Registers until it succeeds; the container instance's ARN.
pub async fn register(host: &Arc<Host>, part: Part) -> String {
    let mut wait = RETRY.0;
    loop {
        let known = host.records.agent(part);
        match host
            .api
            .call::<RegisterContainerInstance>(&request(host, part, known.container_instance_arn))
            .await
        {
            Ok(answer) => {
                let instance = answer.container_instance.unwrap_or_default();
                let arn = instance.container_instance_arn.unwrap_or_default();
                info!(container_instance = arn, "registered");
                let kept = host.records.keep_instance(part, Some(arn.clone()));
                let kind = instance_type(instance.attributes);
                let id = instance.ec2_instance_id;
                if let Err(error) = kept.and_then(|()| host.records.keep_ec2(part, id, kind)) {
                    warn!(%error, "the agent's record could not be written");
                }
                return arn;
            }
            Err(error) => {
                if error.status != 0 {
                    warn!(%error, "cannot register");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY.1);
            }
        }
    }
}

/// What the instance counts as, which its launch template may say.
fn instance_type(attributes: Option<Vec<Attribute>>) -> Option<String> {
    let mut attributes = attributes.into_iter().flatten();
    let is_it = |one: &Attribute| one.name.as_deref() == Some(INSTANCE_TYPE);
    attributes.find(is_it)?.value
}

fn request(host: &Host, part: Part, arn: Option<String>) -> RegisterContainerInstanceRequest {
    let number = |name: &str, value: i32| Resource {
        name: Some(name.into()),
        r#type: Some("INTEGER".into()),
        integer_value: Some(value),
        ..Resource::default()
    };
    let set = |name: &str, texts: Vec<String>| Resource {
        name: Some(name.into()),
        r#type: Some("STRINGSET".into()),
        string_set_value: Some(texts),
        ..Resource::default()
    };
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = memory_mib().saturating_sub(host.config.reserved_memory_mib);
    let mut resources = vec![
        number("CPU", i32::try_from(cpus * 1024).unwrap_or(i32::MAX)),
        number("MEMORY", i32::try_from(memory).unwrap_or(i32::MAX)),
        set("PORTS", RESERVED_PORTS.map(str::to_owned).to_vec()),
        set("PORTS_UDP", Vec::new()),
    ];
    let gpus = cdi::gpus(&host.config.cdi_dirs);
    if !gpus.is_empty() {
        resources.push(set("GPU", gpus.clone()));
    }
    RegisterContainerInstanceRequest {
        cluster: Some(part.cluster(&host.config).to_owned()),
        container_instance_arn: arn,
        total_resources: Some(resources),
        platform_devices: Some(gpus.into_iter().map(platform_device).collect()),
        attributes: Some(attributes(host, part)),
        ..RegisterContainerInstanceRequest::default()
    }
}

fn platform_device(id: String) -> PlatformDevice {
    PlatformDevice {
        id: Some(id),
        r#type: Some("GPU".into()),
    }
}

fn attributes(host: &Host, part: Part) -> Vec<Attribute> {
    let attribute = |name: &str, value: Option<&str>| Attribute {
        name: Some(name.into()),
        value: value.map(str::to_owned),
        ..Attribute::default()
    };
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    };
    let first = || (part == Part::Instance).then(|| format!("{}a", host.config.region));
    let zone = host.config.zone.clone().or_else(first);
    let mut attributes = vec![
        attribute("ecs.os-type", Some("linux")),
        attribute("ecs.os-family", Some("LINUX")),
        attribute("ecs.cpu-architecture", Some(architecture)),
    ];
    attributes.extend(zone.map(|zone| attribute("ecs.availability-zone", Some(&zone))));
    attributes.extend(CAPABILITIES.iter().map(|name| attribute(name, None)));
    let apparmor = std::fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    if apparmor.is_ok_and(|enabled| enabled.starts_with('Y')) {
        attributes.push(attribute("com.amazonaws.ecs.capability.apparmor", None));
    }
    attributes.extend(
        host.config
            .attributes
            .iter()
            .map(|(name, value)| attribute(name, Some(value))),
    );
    attributes
}

/// `MemTotal` of this machine.
pub fn memory_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: u64 = line
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    kib / 1024
}
