//! Network modes, and the members that only some of them have.
//!
//! Rule: API reference, TaskDefinition `networkMode`; ContainerDefinition `links`, `hostname`,
//! `extraHosts`.

use super::{any, check_one_of, client, proxy};
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
    if definition.enable_fault_injection == Some(true) && !matches!(mode, Some("awsvpc" | "host")) {
        return Err(client(
            "enableFaultInjection is only supported when networkMode=awsvpc or networkMode=host.",
        ));
    }
    check_links(definition)?;
    proxy::check(definition)
}

fn check_container(c: &ContainerDefinition, mode: &str) -> Result<(), AwsError> {
    if any(c.links.as_ref()) && mode != "bridge" {
        return Err(client(format!(
            "Links are not supported when networkMode={mode}."
        )));
    }
    if mode == "awsvpc" {
        return check_in_task_namespace(c);
    }
    Ok(())
}

/// With `awsvpc` the namespace is the task's, so a container cannot have its own of these.
fn check_in_task_namespace(c: &ContainerDefinition) -> Result<(), AwsError> {
    for (given, what) in [
        (c.hostname.is_some(), "hostname is"),
        (any(c.extra_hosts.as_ref()), "Extra hosts are"),
        (any(c.dns_servers.as_ref()), "DNS servers are"),
        (any(c.dns_search_domains.as_ref()), "DNS search domains are"),
        (c.disable_networking == Some(true), "Disable Networking is"),
    ] {
        if given {
            return Err(client(format!(
                "{what} not supported on container when networkMode=awsvpc."
            )));
        }
    }
    Ok(())
}

/// A link is `NAME` or `NAME:ALIAS`, of another container of the task.
fn check_links(definition: &TaskDefinition) -> Result<(), AwsError> {
    let containers = definition
        .container_definitions
        .as_deref()
        .unwrap_or_default();
    for container in containers {
        for link in container.links.iter().flatten() {
            let target = linked(link);
            if !containers.iter().any(|c| c.name.as_deref() == Some(target)) {
                return Err(client(format!(
                    "Invalid 'links' setting. Unknown container: '{target}'."
                )));
            }
        }
    }
    Ok(())
}

/// The container that a link names.
pub(super) fn linked(link: &str) -> &str {
    link.split_once(':').map_or(link, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container, one, task};
    use serde_json::{Value, json};

    fn in_mode(mode: &str, patch: Value) -> Value {
        task(json!({"networkMode": mode, "containerDefinitions": [one(patch)]}))
    }

    #[test]
    fn network_modes() {
        let linked = |link: &str| {
            let app = one(json!({"links": [link]}));
            task(json!({"containerDefinitions": [app, one(json!({"name": "db"}))]}))
        };
        let hosts = json!({"extraHosts": [{"hostname": "a", "ipAddress": "10.0.0.1"}]});
        answers(&[
            (
                task(json!({"networkMode": "nat"})),
                "Network mode should be one of [bridge,host,awsvpc,none]",
            ),
            (task(json!({"networkMode": "none"})), FINE),
            (linked("db"), FINE),
            (linked("db:database"), FINE),
            (
                linked("cache:db"),
                "Invalid 'links' setting. Unknown container: 'cache'.",
            ),
            (
                in_mode("awsvpc", json!({"links": ["x"]})),
                "Links are not supported when networkMode=awsvpc.",
            ),
            (
                in_mode("host", json!({"links": ["x"]})),
                "Links are not supported when networkMode=host.",
            ),
            (in_mode("awsvpc", json!({"links": []})), FINE),
            (
                in_mode("awsvpc", json!({"hostname": "h"})),
                "hostname is not supported on container when networkMode=awsvpc.",
            ),
            (
                in_mode("awsvpc", hosts.clone()),
                "Extra hosts are not supported on container when networkMode=awsvpc.",
            ),
            (
                in_mode("awsvpc", json!({"dnsServers": ["10.0.0.2"]})),
                "DNS servers are not supported on container when networkMode=awsvpc.",
            ),
            (
                in_mode("awsvpc", json!({"dnsSearchDomains": ["a.b"]})),
                "DNS search domains are not supported on container when networkMode=awsvpc.",
            ),
            (
                in_mode("awsvpc", json!({"disableNetworking": true})),
                "Disable Networking is not supported on container when networkMode=awsvpc.",
            ),
            (
                in_mode(
                    "awsvpc",
                    json!({"disableNetworking": false, "dnsServers": []}),
                ),
                FINE,
            ),
            (container(hosts), FINE),
            (
                container(
                    json!({"hostname": "h", "dnsServers": ["10.0.0.2"], "disableNetworking": true}),
                ),
                FINE,
            ),
            (
                task(json!({"enableFaultInjection": true})),
                "enableFaultInjection is only supported when networkMode=awsvpc or networkMode=host.",
            ),
            (
                task(json!({"enableFaultInjection": true, "networkMode": "host"})),
                FINE,
            ),
        ]);
    }
}
