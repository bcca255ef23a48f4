//! Port mappings, by network mode.
//!
//! Rule: API reference, PortMapping; the texts are those users report.

use super::{check_one_of, client};
use aws_api::ecs::{ContainerDefinition, PortMapping, TaskDefinition};
use aws_types::AwsError;
use std::collections::BTreeSet;

/// Ranges in one container.
const RANGES_MAX: usize = 100;
/// Characters of a port's name.
const NAME_LEN_MAX: usize = 64;

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    let mode = definition.network_mode.as_deref();
    let (mut used, mut names) = (BTreeSet::new(), BTreeSet::new());
    for container in definition.container_definitions.iter().flatten() {
        let ports = container.port_mappings.as_deref().unwrap_or_default();
        if mode == Some("none") && !ports.is_empty() {
            return Err(client(
                "Port mappings are not supported with networkMode none",
            ));
        }
        let ranges = ports.iter().filter(|p| p.container_port_range.is_some());
        if ranges.count() > RANGES_MAX {
            return Err(client(format!(
                "A container can have at most {RANGES_MAX} port ranges."
            )));
        }
        for port in ports {
            check_port(container, port, mode)?;
            check_name(port, &mut names)?;
            let one = (port.container_port, port.protocol.as_deref());
            let shared = matches!(mode, Some("awsvpc" | "host"));
            if shared && port.container_port.is_some() && !used.insert(one) {
                return Err(client(format!(
                    "Container port {} is used by multiple containers.",
                    port.container_port.unwrap_or(0)
                )));
            }
        }
    }
    Ok(())
}

fn check_port(
    container: &ContainerDefinition,
    port: &PortMapping,
    mode: Option<&str>,
) -> Result<(), AwsError> {
    let invalid = |what: &str| {
        let name = container.name.as_deref().unwrap_or_default();
        client(format!("Invalid '{what}' setting for container '{name}'."))
    };
    check_one_of(
        "Port mapping protocol",
        port.protocol.as_deref(),
        &["tcp", "udp"],
    )?;
    if let Some(range) = &port.container_port_range {
        let in_order = range_of(range).is_some_and(|(first, last)| first < last);
        if !in_order || port.container_port.is_some() || port.host_port.is_some() {
            return Err(invalid("containerPortRange"));
        }
        return match mode {
            None | Some("bridge" | "awsvpc") => Ok(()),
            Some(mode) => Err(client(format!(
                "containerPortRange is not supported when networkMode={mode}."
            ))),
        };
    }
    if !port
        .container_port
        .is_some_and(|p| (1..=65535).contains(&p))
    {
        return Err(invalid("containerPort"));
    }
    if !(0..=65535).contains(&port.host_port.unwrap_or(0)) {
        return Err(invalid("hostPort"));
    }
    match mode {
        Some(mode @ ("awsvpc" | "host")) if port.host_port != port.container_port => {
            Err(client(format!(
                "When networkMode={mode}, the host ports and container ports in port mappings \
                 must match."
            )))
        }
        _ => Ok(()),
    }
}

fn range_of(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let port = |text: &str| text.parse().ok().filter(|port| *port > 0);
    Some((port(first)?, port(last)?))
}

fn check_name<'a>(port: &'a PortMapping, names: &mut BTreeSet<&'a str>) -> Result<(), AwsError> {
    check_one_of(
        "Port mapping appProtocol",
        port.app_protocol.as_deref(),
        &["http", "http2", "grpc"],
    )?;
    let Some(name) = port.name.as_deref() else {
        return Ok(());
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if name.is_empty()
        || name.len() > NAME_LEN_MAX
        || name.starts_with('-')
        || !name.bytes().all(plain)
    {
        return Err(client(format!("Port mapping name '{name}' is invalid.")));
    }
    if !names.insert(name) {
        return Err(client(format!(
            "Port mapping name '{name}' is used more than once in the task definition."
        )));
    }
    Ok(())
}
