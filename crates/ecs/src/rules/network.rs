//! Network modes, and the members that only some of them have.
//!
//! Rule: API reference, TaskDefinition `networkMode`; ContainerDefinition `links`, `hostname`,
//! `extraHosts`.

use super::{check_one_of, client};
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use aws_types::AwsError;

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    let mode = definition.network_mode.as_deref();
    check_one_of("Network mode", mode, &["bridge", "host", "awsvpc", "none"])?;
    for container in definition.container_definitions.iter().flatten() {
        check_container(container, mode.unwrap_or("bridge"))?;
    }
    if let Some(proxy) = &definition.proxy_configuration {
        if mode != Some("awsvpc") {
            return Err(client(
                "proxyConfiguration is only supported when networkMode=awsvpc.",
            ));
        }
        let name = proxy.container_name.as_deref();
        let mut containers = definition.container_definitions.iter().flatten();
        if !containers.any(|c| c.name.as_deref() == name) {
            return Err(client(format!(
                "Unknown container '{}'.",
                name.unwrap_or_default()
            )));
        }
    }
    Ok(())
}

fn check_container(c: &ContainerDefinition, mode: &str) -> Result<(), AwsError> {
    let has_links = c.links.as_ref().is_some_and(|links| !links.is_empty());
    if has_links && mode != "bridge" {
        return Err(client(format!(
            "Links are not supported when networkMode={mode}."
        )));
    }
    let has_hosts = c
        .extra_hosts
        .as_ref()
        .is_some_and(|hosts| !hosts.is_empty());
    if has_hosts && mode == "awsvpc" {
        return Err(client(
            "Extra hosts are not supported when networkMode=awsvpc.",
        ));
    }
    if c.hostname.is_some() && mode == "awsvpc" {
        return Err(client("hostname is not supported when networkMode=awsvpc."));
    }
    Ok(())
}
