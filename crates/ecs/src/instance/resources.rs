//! A host's resources as the API writes them: a list of CPU, MEMORY, PORTS, PORTS_UDP and
//! GPU.
//!
//! `remainingResources` lists the ports in use, not the free ones; every element carries all three
//! numbers, zero where they mean nothing. Rule: API reference, Resource; as recorded from AWS.

use crate::place::problem::Free;
use crate::records::container_instance::HostResources;
use aws_api::ecs::{PlatformDevice, Resource};

/// What an agent registered.
#[must_use]
pub fn read(given: &[Resource]) -> HostResources {
    let number = |name: &str| {
        let of_name = given.iter().find(|r| r.name.as_deref() == Some(name));
        let value = of_name.and_then(|r| r.integer_value.map(i64::from).or(r.long_value));
        value
            .and_then(|value| u32::try_from(value).ok())
            .unwrap_or(0)
    };
    let texts = |name: &str| {
        let of_name = given.iter().find(|r| r.name.as_deref() == Some(name));
        of_name
            .and_then(|r| r.string_set_value.clone())
            .unwrap_or_default()
    };
    let ports = |name: &str| {
        let texts = texts(name);
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    };
    HostResources {
        cpu_units: number("CPU"),
        memory_mib: number("MEMORY"),
        tcp: ports("PORTS"),
        udp: ports("PORTS_UDP"),
        gpus: texts("GPU"),
        interfaces: None,
    }
}

/// The same with the GPUs that an agent lists as devices instead.
#[must_use]
pub fn with_devices(mut host: HostResources, devices: &[PlatformDevice]) -> HostResources {
    let gpus = devices
        .iter()
        .filter(|d| d.r#type.as_deref() == Some("GPU"));
    for id in gpus.filter_map(|device| device.id.clone()) {
        if !host.gpus.contains(&id) {
            host.gpus.push(id);
        }
    }
    host
}

/// `registeredResources`; `GPU` only of a host that has some.
#[must_use]
pub fn registered(host: &HostResources) -> Vec<Resource> {
    let ports = (host.tcp.iter(), host.udp.iter());
    let mut all = list(host.cpu_units, host.memory_mib, ports.0, ports.1);
    if !host.gpus.is_empty() {
        all.push(set("GPU", host.gpus.clone()));
    }
    all
}

/// `remainingResources` of what the host registered.
#[must_use]
pub fn remaining(host: &HostResources, free: &Free) -> Vec<Resource> {
    let ports = (free.tcp_used.iter(), free.udp_used.iter());
    let mut all = list(free.cpu_units, free.memory_mib, ports.0, ports.1);
    if !host.gpus.is_empty() {
        all.push(set("GPU", free.gpus.clone()));
    }
    all
}

fn list<'p>(
    cpu_units: u32,
    memory_mib: u32,
    tcp: impl Iterator<Item = &'p u16>,
    udp: impl Iterator<Item = &'p u16>,
) -> Vec<Resource> {
    vec![
        number("CPU", cpu_units),
        number("MEMORY", memory_mib),
        ports("PORTS", tcp),
        ports("PORTS_UDP", udp),
    ]
}

fn number(name: &str, value: u32) -> Resource {
    Resource {
        integer_value: Some(i32::try_from(value).unwrap_or(i32::MAX)),
        ..zeros(name, "INTEGER")
    }
}

fn ports<'p>(name: &str, ports: impl Iterator<Item = &'p u16>) -> Resource {
    set(name, ports.map(ToString::to_string).collect())
}

fn set(name: &str, texts: Vec<String>) -> Resource {
    Resource {
        string_set_value: Some(texts),
        ..zeros(name, "STRINGSET")
    }
}

fn zeros(name: &str, kind: &str) -> Resource {
    Resource {
        name: Some(name.into()),
        r#type: Some(kind.into()),
        double_value: Some(0.0),
        long_value: Some(0),
        integer_value: Some(0),
        string_set_value: None,
    }
}
