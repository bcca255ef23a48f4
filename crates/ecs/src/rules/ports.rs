//! Port mappings, by network mode.
//!
//! Rule: API reference, PortMapping; the texts are those users report.

use super::{check_one_of, client};
use aws_api::ecs::{ContainerDefinition, PortMapping, TaskDefinition, enums};
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
    let mode = definition.network_mode.as_deref().unwrap_or("bridge");
    let mut names = BTreeSet::new();
    let mut task = Used::default();
    for container in definition.container_definitions.iter().flatten() {
        let ports = container.port_mappings.as_deref().unwrap_or_default();
        if mode == "none" && !ports.is_empty() {
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
        let mut own = Used::default();
        for port in ports {
            check_port(container, port, mode)?;
            check_name(port, mode, &mut names)?;
            // With `awsvpc` a host port is its container port.
            if mode != "awsvpc" {
                task.take_host_port(port)?;
            }
            // One network namespace for the task, or, with a bridge, one for each container.
            let namespace = match mode {
                "bridge" => &mut own,
                _ => &mut task,
            };
            namespace.take_container_ports(port, mode)?;
        }
    }
    Ok(())
}

/// Ports taken so far, each with its protocol.
#[derive(Default)]
struct Used<'a> {
    host: BTreeSet<(&'a str, i32)>,
    /// First and last port of mappings of one network namespace.
    container: Vec<(&'a str, i32, i32)>,
}

impl<'a> Used<'a> {
    /// A host port that is named (0 is chosen later) is named once in a task.
    fn take_host_port(&mut self, port: &'a PortMapping) -> Result<(), AwsError> {
        let protocol = protocol(port);
        let host = port.host_port.unwrap_or(0);
        if host != 0 && !self.host.insert((protocol, host)) {
            return Err(client(format!(
                "{} host port '{host}' is mapped multiple times in task.",
                protocol.to_uppercase()
            )));
        }
        Ok(())
    }

    /// No container port is in two mappings, but that a bridge can map one port, alone, to
    /// several host ports.
    fn take_container_ports(&mut self, port: &'a PortMapping, mode: &str) -> Result<(), AwsError> {
        let Some((first, last)) = container_ports(port) else {
            return Ok(());
        };
        let protocol = protocol(port);
        let single = |first: i32, last: i32| mode == "bridge" && first == last;
        let overlap = self.container.iter().find(|(of, low, high)| {
            *of == protocol
                && *low <= last
                && first <= *high
                && !(single(*low, *high) && single(first, last))
        });
        if let Some((_, low, _)) = overlap {
            return Err(client(format!(
                "{} container port '{}' is used multiple times in task when networkMode={mode}.",
                protocol.to_uppercase(),
                first.max(*low)
            )));
        }
        self.container.push((protocol, first, last));
        Ok(())
    }
}

fn protocol(port: &PortMapping) -> &str {
    port.protocol.as_deref().unwrap_or("tcp")
}

/// The container's ports of a mapping: its range, or its one port as a range.
fn container_ports(port: &PortMapping) -> Option<(i32, i32)> {
    match &port.container_port_range {
        Some(range) => range_of(range).map(|(first, last)| (first.into(), last.into())),
        None => port.container_port.map(|one| (one, one)),
    }
}

fn check_port(
    container: &ContainerDefinition,
    port: &PortMapping,
    mode: &str,
) -> Result<(), AwsError> {
    let name = container.name.as_deref().unwrap_or_default();
    let invalid = |what: &str| client(format!("Invalid '{what}' setting for container '{name}'."));
    check_one_of(
        "Port mapping protocol",
        port.protocol.as_deref(),
        enums::TRANSPORT_PROTOCOL,
    )?;
    if let Some(range) = &port.container_port_range {
        if port.container_port.is_some() || port.host_port.is_some() {
            return Err(client(format!(
                "Invalid port mapping for container '{name}', cannot specify both single port and \
                 port range."
            )));
        }
        if range_of(range).is_none_or(|(first, last)| first >= last) {
            return Err(invalid("containerPortRange"));
        }
        return match mode {
            "bridge" | "awsvpc" => Ok(()),
            mode => Err(client(format!(
                "containerPortRange is not supported when networkMode={mode}."
            ))),
        };
    }
    let container_port = port.container_port.unwrap_or(0);
    if !(1..=65535).contains(&container_port) {
        return Err(invalid("containerPort"));
    }
    if !(0..=65535).contains(&port.host_port.unwrap_or(0)) {
        return Err(invalid("hostPort"));
    }
    match mode {
        "awsvpc" | "host" if port.host_port != port.container_port => Err(client(format!(
            "When networkMode={mode}, the host ports and container ports in port mappings must \
             match."
        ))),
        _ => Ok(()),
    }
}

fn range_of(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let port = |text: &str| text.parse().ok().filter(|port| *port > 0);
    Some((port(first)?, port(last)?))
}

fn check_name<'a>(
    port: &'a PortMapping,
    mode: &str,
    names: &mut BTreeSet<&'a str>,
) -> Result<(), AwsError> {
    check_one_of(
        "Port mapping appProtocol",
        port.app_protocol.as_deref(),
        enums::APPLICATION_PROTOCOL,
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
            "When networkMode={mode}, port mapping name is already used"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, one, task};
    use serde_json::{Value, json};

    fn ports(mode: Option<&str>, ports: Value) -> Value {
        let containers = json!([one(json!({"portMappings": ports}))]);
        task(json!({"networkMode": mode, "containerDefinitions": containers}))
    }

    fn two(mode: &str, first: Value, second: Value) -> Value {
        let app = one(json!({"portMappings": [first]}));
        let web = one(json!({"name": "y", "portMappings": [second]}));
        task(json!({"networkMode": mode, "containerDefinitions": [app, web]}))
    }

    fn port(container: i32) -> Value {
        json!({"containerPort": container})
    }

    fn range(text: &str) -> Value {
        json!({"containerPortRange": text})
    }

    #[test]
    fn one_port() {
        let long = "a".repeat(65);
        let named = |name: &str| json!([{"containerPort": 80, "name": name}]);
        answers(&[
            (ports(None, json!([port(80)])), FINE),
            (ports(None, json!([port(65_535)])), FINE),
            (
                ports(None, json!([port(0)])),
                "Invalid 'containerPort' setting for container 'x'.",
            ),
            (
                ports(None, json!([port(65_536)])),
                "Invalid 'containerPort' setting for container 'x'.",
            ),
            (
                ports(None, json!([{"hostPort": 80}])),
                "Invalid 'containerPort' setting for container 'x'.",
            ),
            (
                ports(None, json!([{"containerPort": 80, "hostPort": 70_000}])),
                "Invalid 'hostPort' setting for container 'x'.",
            ),
            (
                ports(None, json!([{"containerPort": 80, "hostPort": -1}])),
                "Invalid 'hostPort' setting for container 'x'.",
            ),
            (
                ports(None, json!([{"containerPort": 80, "protocol": "sctp"}])),
                "Port mapping protocol should be one of [tcp,udp]",
            ),
            (
                ports(Some("none"), json!([port(80)])),
                "Port mappings are not supported with networkMode none",
            ),
            (
                ports(
                    Some("awsvpc"),
                    json!([{"containerPort": 80, "hostPort": 81}]),
                ),
                "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
            ),
            (
                ports(Some("host"), json!([{"containerPort": 80, "hostPort": 81}])),
                "When networkMode=host, the host ports and container ports in port mappings must match.",
            ),
            (
                ports(
                    Some("awsvpc"),
                    json!([{"containerPort": 80, "hostPort": 0}]),
                ),
                FINE,
            ),
            (
                ports(None, json!([{"containerPort": 80, "appProtocol": "tcp"}])),
                "Port mapping appProtocol should be one of [http,http2,grpc]",
            ),
            (ports(None, named("web_1-a")), FINE),
            (
                ports(None, named("-web")),
                "Port mapping name '-web' is invalid.",
            ),
            (
                ports(None, named("Web")),
                "Port mapping name 'Web' is invalid.",
            ),
            (
                ports(None, named(&long)),
                format!("Port mapping name '{long}' is invalid.").leak(),
            ),
        ]);
    }

    #[test]
    fn ranges() {
        let many: Vec<Value> = (0..101)
            .map(|i| range(&format!("{}-{}", 2 * i + 1, 2 * i + 2)))
            .collect();
        answers(&[
            (ports(None, json!([range("8000-8010")])), FINE),
            (ports(Some("awsvpc"), json!([range("8000-8010")])), FINE),
            (ports(None, json!(many[..100])), FINE),
            (
                ports(None, json!(many)),
                "A container can have at most 100 port ranges.",
            ),
            (
                ports(None, json!([range("8010-8000")])),
                "Invalid 'containerPortRange' setting for container 'x'.",
            ),
            (
                ports(None, json!([range("8000-8000")])),
                "Invalid 'containerPortRange' setting for container 'x'.",
            ),
            (
                ports(None, json!([range("0-10")])),
                "Invalid 'containerPortRange' setting for container 'x'.",
            ),
            (
                ports(None, json!([range("80")])),
                "Invalid 'containerPortRange' setting for container 'x'.",
            ),
            (
                ports(
                    None,
                    json!([{"containerPortRange": "80-90", "containerPort": 80}]),
                ),
                "Invalid port mapping for container 'x', cannot specify both single port and port range.",
            ),
            (
                ports(
                    None,
                    json!([{"containerPortRange": "80-90", "hostPort": 80}]),
                ),
                "Invalid port mapping for container 'x', cannot specify both single port and port range.",
            ),
            (
                ports(Some("host"), json!([range("80-90")])),
                "containerPortRange is not supported when networkMode=host.",
            ),
            (
                ports(
                    Some("awsvpc"),
                    json!([range("8080-8090"), range("8085-8095")]),
                ),
                "TCP container port '8085' is used multiple times in task when networkMode=awsvpc.",
            ),
            (
                ports(None, json!([range("80-90"), port(85)])),
                "TCP container port '85' is used multiple times in task when networkMode=bridge.",
            ),
            (
                ports(
                    None,
                    json!([range("80-90"), {"containerPort": 85, "protocol": "udp"}]),
                ),
                FINE,
            ),
            (two("bridge", range("80-90"), range("85-95")), FINE),
        ]);
    }

    #[test]
    fn ports_of_several_containers() {
        let at = |container: i32, host: i32| json!({"containerPort": container, "hostPort": host});
        let named = |port: i32| json!({"containerPort": port, "name": "web"});
        answers(&[
            (
                two("awsvpc", port(80), port(80)),
                "TCP container port '80' is used multiple times in task when networkMode=awsvpc.",
            ),
            (
                two("host", port(80), port(80)),
                "TCP host port '80' is mapped multiple times in task.",
            ),
            (two("bridge", port(80), port(80)), FINE),
            (
                two("bridge", at(80, 8080), at(81, 8080)),
                "TCP host port '8080' is mapped multiple times in task.",
            ),
            (two("bridge", at(80, 0), at(80, 0)), FINE),
            (ports(None, json!([at(80, 8080), at(80, 8081)])), FINE),
            (
                two(
                    "awsvpc",
                    port(80),
                    json!({"containerPort": 80, "protocol": "udp"}),
                ),
                FINE,
            ),
            (
                two("awsvpc", named(80), named(81)),
                "When networkMode=awsvpc, port mapping name is already used",
            ),
        ]);
    }
}
