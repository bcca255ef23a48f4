//! `serviceConnectConfiguration` of a service, before the namespace is looked at.
//!
//! Rule: API reference, ServiceConnectConfiguration, ServiceConnectService, ServiceConnectClientAlias,
//! TimeoutConfiguration; developer guide, "Service Connect". AWS's texts are not known: these are ours.

use super::invalid_parameter;
use super::logging;
use crate::records::connect::{AppProtocol, Endpoint, Exposed};
use aws_api::ecs::{
    ContainerDefinition, PortMapping, ServiceConnectClientAlias, ServiceConnectConfiguration,
    ServiceConnectContainerConfiguration, ServiceConnectService, TaskDefinition,
};
use aws_types::AwsError;
use std::collections::BTreeSet;

/// API reference, `discoveryName`: characters.
const DISCOVERY_LEN_MAX: usize = 64;
/// API reference, `dnsName`: characters.
const DNS_NAME_LEN_MAX: usize = 127;
/// API reference, `containerConfigurations`.
const CONTAINER_CONFIGURATIONS_MAX: usize = 10;
/// API reference, TimeoutConfiguration, `idleTimeoutSeconds`: one hour, and five minutes.
const IDLE_SECONDS: [u32; 2] = [3600, 300];
/// Developer guide, "Service Connect configuration overview": a request's timeout in seconds.
const REQUEST_SECONDS: u32 = 15;

/// What a service exposes to the namespace of this name, against the definition of its tasks. The Cloud Map
/// services have no ids yet.
///
/// # Errors
/// `InvalidParameterException`, `ClientException`.
pub fn read(
    given: &ServiceConnectConfiguration,
    namespace: &str,
    definition: &TaskDefinition,
) -> Result<Vec<Exposed>, AwsError> {
    check_proxy(given)?;
    let mode = definition.network_mode.as_deref().unwrap_or("bridge");
    if !matches!(mode, "awsvpc" | "bridge") {
        return Err(invalid_parameter(format!(
            "Service Connect is not supported when networkMode={mode}."
        )));
    }
    let mut exposed: Vec<Exposed> = Vec::new();
    for service in given.services.iter().flatten() {
        let one = of_service(service, namespace, (definition, mode))?;
        check_unique(&exposed, &one)?;
        exposed.push(one);
    }
    Ok(exposed)
}

/// What is asked of the proxy itself.
fn check_proxy(given: &ServiceConnectConfiguration) -> Result<(), AwsError> {
    if let Some(log) = &given.log_configuration {
        logging::check_log(log)?;
    }
    check_access_log(given)?;
    let settings = given.container_configurations.as_deref();
    let settings = settings.unwrap_or_default();
    if settings.len() > CONTAINER_CONFIGURATIONS_MAX {
        return Err(invalid_parameter(format!(
            "containerConfigurations can have at most {CONTAINER_CONFIGURATIONS_MAX} items."
        )));
    }
    let level = |one: &ServiceConnectContainerConfiguration| one.log_level.clone();
    let levels: Vec<String> = settings.iter().filter_map(level).collect();
    if levels.len() != settings.len() || levels.len() > 1 {
        return Err(invalid_parameter(
            "Each of containerConfigurations must set exactly one setting, and each setting only once.",
        ));
    }
    match levels.first().map(String::as_str) {
        None | Some("debug" | "info") => Ok(()),
        Some(_) => Err(invalid_parameter("logLevel should be one of [debug,info]")),
    }
}

/// Rule: API reference, ServiceConnectAccessLogConfiguration.
fn check_access_log(given: &ServiceConnectConfiguration) -> Result<(), AwsError> {
    let Some(access) = &given.access_log_configuration else {
        return Ok(());
    };
    if given.log_configuration.is_none() {
        return Err(invalid_parameter(
            "accessLogConfiguration requires a logConfiguration in serviceConnectConfiguration.",
        ));
    }
    let one_of = |name: &str, given: Option<&str>, values: [&str; 2]| match given {
        Some(value) if !values.contains(&value) => Err(invalid_parameter(format!(
            "{name} should be one of [{}]",
            values.join(",")
        ))),
        _ => Ok(()),
    };
    let format = access.format.as_deref().or(Some(""));
    one_of("format", format, ["TEXT", "JSON"])?;
    let query = access.include_query_parameters.as_deref();
    one_of("includeQueryParameters", query, ["DISABLED", "ENABLED"])
}

fn of_service(
    given: &ServiceConnectService,
    namespace: &str,
    (definition, mode): (&TaskDefinition, &str),
) -> Result<Exposed, AwsError> {
    let port_name = given.port_name.clone().unwrap_or_default();
    let (container, mapping) = named_port(definition, &port_name).ok_or_else(|| {
        invalid_parameter(format!(
            "The port name '{port_name}' is not the name of a port mapping in the task definition."
        ))
    })?;
    if mapping.protocol.as_deref() == Some("udp") {
        return Err(invalid_parameter(format!(
            "The port name '{port_name}' is of a udp port mapping, which Service Connect does not support."
        )));
    }
    let protocol = match mapping.app_protocol.as_deref() {
        Some("http") => AppProtocol::Http,
        Some("http2") => AppProtocol::Http2,
        Some("grpc") => AppProtocol::Grpc,
        _ => AppProtocol::Tcp,
    };
    let discovery = given.discovery_name.as_ref().unwrap_or(&port_name).clone();
    check_discovery(&discovery)?;
    let (name, port) = alias(given, &discovery, namespace)?;
    let [idle_seconds, request_seconds] = timeouts(given, protocol)?;
    let container_port = port_number("containerPort", mapping.container_port)?;
    let ingress = match given.ingress_port_override {
        Some(asked) => Some(ingress(asked, definition, mode)?),
        None => None,
    };
    Ok(Exposed {
        endpoint: Endpoint {
            discovery,
            service: String::new(),
            name,
            port,
            protocol,
            idle_seconds,
            request_seconds,
        },
        port_name,
        container: container.name.clone().unwrap_or_default(),
        container_port,
        ingress,
    })
}

fn named_port<'a>(
    definition: &'a TaskDefinition,
    name: &str,
) -> Option<(&'a ContainerDefinition, &'a PortMapping)> {
    let containers = definition.container_definitions.iter().flatten();
    let mut ports = containers.flat_map(|container| {
        let ports = container.port_mappings.iter().flatten();
        ports.map(move |port| (container, port))
    });
    ports.find(|(_, port)| port.name.as_deref() == Some(name))
}

fn check_discovery(name: &str) -> Result<(), AwsError> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    let is_name = (1..=DISCOVERY_LEN_MAX).contains(&name.len())
        && !name.starts_with('-')
        && name.bytes().all(fits);
    match is_name {
        true => Ok(()),
        false => Err(invalid_parameter(format!(
            "discoveryName '{name}' is invalid: it can have up to {DISCOVERY_LEN_MAX} lowercase \
             letters, numbers, underscores and hyphens, and can't start with a hyphen."
        ))),
    }
}

/// Name and port of the one alias.
fn alias(
    given: &ServiceConnectService,
    discovery: &str,
    namespace: &str,
) -> Result<(String, u16), AwsError> {
    let aliases = given.client_aliases.as_deref().unwrap_or_default();
    let [alias] = aliases else {
        return Err(invalid_parameter(
            "Each Service Connect service must have exactly one client alias.",
        ));
    };
    let ServiceConnectClientAlias { dns_name, port, .. } = alias;
    let default = || format!("{discovery}.{namespace}");
    let name = dns_name.clone().unwrap_or_else(default);
    let fits =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.');
    let is_name = (1..=DNS_NAME_LEN_MAX).contains(&name.len())
        && !name.starts_with('-')
        && name.bytes().all(fits)
        && name.split('.').all(|label| !label.is_empty());
    match is_name {
        // The default's namespace may be of another form: it is a name in a file all the same.
        false if dns_name.is_some() || name.contains(char::is_whitespace) => {
            Err(invalid_parameter(format!(
                "dnsName '{name}' is invalid: it can have up to {DNS_NAME_LEN_MAX} lowercase \
                 letters, numbers, underscores, hyphens and periods, and can't start with a hyphen."
            )))
        }
        _ => Ok((name, port_number("clientAliases.port", *port)?)),
    }
}

/// Idle and for a request.
fn timeouts(given: &ServiceConnectService, protocol: AppProtocol) -> Result<[u32; 2], AwsError> {
    let [of_tcp, of_http] = IDLE_SECONDS;
    let (idle, request) = match protocol {
        AppProtocol::Tcp => (of_tcp, 0),
        AppProtocol::Http | AppProtocol::Http2 | AppProtocol::Grpc => (of_http, REQUEST_SECONDS),
    };
    let Some(asked) = &given.timeout else {
        return Ok([idle, request]);
    };
    let seconds = |what: &str, asked: Option<i32>, default: u32| match asked.map(u32::try_from) {
        None => Ok(default),
        Some(Ok(seconds)) => Ok(seconds),
        Some(Err(_)) => Err(invalid_parameter(format!("{what} cannot be negative."))),
    };
    if protocol == AppProtocol::Tcp && asked.per_request_timeout_seconds.is_some() {
        return Err(invalid_parameter(
            "perRequestTimeoutSeconds can only be set if the appProtocol of the port mapping isn't TCP.",
        ));
    }
    Ok([
        seconds("idleTimeoutSeconds", asked.idle_timeout_seconds, idle)?,
        seconds(
            "perRequestTimeoutSeconds",
            asked.per_request_timeout_seconds,
            request,
        )?,
    ])
}

/// A port that the proxy takes in the task's own namespace: no container has it.
fn ingress(asked: i32, definition: &TaskDefinition, mode: &str) -> Result<u16, AwsError> {
    let port = port_number("ingressPortOverride", Some(asked))?;
    if mode != "awsvpc" {
        return Err(super::run_task::not_yet(
            "serviceConnectConfiguration.services.ingressPortOverride with networkMode=bridge",
        ));
    }
    let containers = definition.container_definitions.iter().flatten();
    let mut ports = containers.flat_map(|c| c.port_mappings.iter().flatten());
    match ports.any(|mapping| mapping.container_port == Some(asked)) {
        true => Err(invalid_parameter(format!(
            "ingressPortOverride {asked} is a container port of the task definition."
        ))),
        false => Ok(port),
    }
}

fn port_number(what: &str, given: Option<i32>) -> Result<u16, AwsError> {
    let port = given.and_then(|port| u16::try_from(port).ok());
    let port = port.filter(|port| *port > 0);
    port.ok_or_else(|| invalid_parameter(format!("{what} must be between 1 and 65535.")))
}

fn check_unique(earlier: &[Exposed], one: &Exposed) -> Result<(), AwsError> {
    let names: BTreeSet<&str> = earlier
        .iter()
        .map(|e| e.endpoint.discovery.as_str())
        .collect();
    if names.contains(one.endpoint.discovery.as_str()) {
        return Err(discovery_taken(&one.endpoint.discovery));
    }
    let mut ingress = earlier.iter().filter_map(|e| e.ingress);
    if one
        .ingress
        .is_some_and(|port| ingress.any(|other| other == port))
    {
        return Err(invalid_parameter(
            "Two Service Connect services have one ingressPortOverride.",
        ));
    }
    let same = |e: &&Exposed| {
        (&e.endpoint.name, e.endpoint.port) == (&one.endpoint.name, one.endpoint.port)
    };
    match earlier.iter().find(same) {
        Some(_) => Err(alias_taken(&one.endpoint)),
        None => Ok(()),
    }
}

/// Another has this discovery name.
pub fn discovery_taken(name: &str) -> AwsError {
    invalid_parameter(format!(
        "The discoveryName '{name}' is already used in the namespace."
    ))
}

/// Another has this name and port.
pub fn alias_taken(endpoint: &Endpoint) -> AwsError {
    let Endpoint { name, port, .. } = endpoint;
    invalid_parameter(format!(
        "The client alias {name}:{port} is already used in the namespace."
    ))
}
