//! What the users run: task definitions of every kind that meets the machine differently.

use crate::service_calls::BROKEN;
use aws_api::ecs::{
    Attribute, ContainerDefinition, ContainerDependency, ContainerRestartPolicy, HealthCheck,
    PlacementConstraint, PlacementStrategy, PlatformDevice, PortMapping,
    RegisterContainerInstanceRequest, RegisterTaskDefinitionRequest, Resource, ResourceRequirement,
};

/// A definition, and how its programs behave.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Mean milliseconds for which a program runs.
    pub runs_for: u64,
}

const MINUTE: u64 = 60_000;

/// Every family.
pub const FAMILIES: [Family; 12] = [
    family("small", 10 * MINUTE),
    family("large", 20 * MINUTE),
    family("batch", 5_000),
    family("web", 30 * MINUTE),
    family("dns", 30 * MINUTE),
    family("gpu", 8 * MINUTE),
    family("sidecar", 4 * MINUTE),
    family("restarting", 2 * MINUTE),
    family("vpc", 10 * MINUTE),
    family("vpc-batch", 5_000),
    family("lent", 8 * MINUTE),
    family("lent-batch", 10_000),
];

/// How a family's tasks are launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launch {
    /// On an instance, without an interface.
    Bridge,
    /// On an instance, each with its interface (`awsvpc`).
    Interface,
    /// FARGATE.
    Fargate,
}

/// The names say it.
pub fn launch_of(family: &str) -> Launch {
    if family.contains("lent") {
        Launch::Fargate
    } else if family.contains("vpc") {
        Launch::Interface
    } else {
        Launch::Bridge
    }
}

const fn family(name: &'static str, runs_for: u64) -> Family {
    Family { name, runs_for }
}

/// The container whose check always fails, and the one whose image cannot be pulled.
pub const SICK: &str = "sick";
/// The container whose check fails for a while now and then.
pub const MOODY: &str = "moody";
pub const UNPULLABLE: &str = "unpullable";

/// CPU units, MiB and GPUs of a host.
pub const HOST: (i32, i32, usize) = (1024, 2048, 2);

/// What definitions require, and what the agent registers.
const CAPABILITIES: [&str; 10] = [
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.24",
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "ecs.capability.container-ordering",
    "ecs.capability.container-health-check",
    "ecs.capability.container-restart-policy",
    "ecs.capability.task-eni",
];

/// The definition of a family.
pub fn definition(family: &Family) -> RegisterTaskDefinitionRequest {
    let containers = match family.name {
        "large" => vec![container("app", 400, 700)],
        "batch" => vec![container("app", 50, 100)],
        "web" => vec![
            with_port(container("app", 100, 200), 80, 8080, "tcp"),
            ContainerDefinition {
                essential: Some(false),
                ..with_port(container("metrics", 20, 50), 9000, 0, "tcp")
            },
        ],
        "dns" => vec![with_port(container("app", 50, 100), 53, 8080, "udp")],
        "gpu" => vec![ContainerDefinition {
            resource_requirements: Some(vec![ResourceRequirement {
                r#type: Some("GPU".into()),
                value: Some("1".into()),
                ..ResourceRequirement::default()
            }]),
            ..container("app", 50, 100)
        }],
        "sidecar" => sidecar(),
        "svc-port" => vec![with_port(container("app", 60, 100), 80, 8090, "tcp")],
        "svc-checked" => vec![checked(container("app", 60, 100))],
        "svc-moody" => vec![checked(container(MOODY, 60, 100))],
        "svc-sick" => vec![checked(container(SICK, 60, 100))],
        BROKEN | "svc-lent-broken" => vec![container(UNPULLABLE, 60, 100)],
        "restarting" => vec![ContainerDefinition {
            restart_policy: Some(ContainerRestartPolicy {
                enabled: Some(true),
                restart_attempt_period: Some(60),
                ..ContainerRestartPolicy::default()
            }),
            ..container("app", 50, 100)
        }],
        _ => vec![container("app", 60, 100)],
    };
    let launch = launch_of(family.name);
    let (has_interface, is_lent) = (launch != Launch::Bridge, launch == Launch::Fargate);
    RegisterTaskDefinitionRequest {
        family: Some(family.name.into()),
        container_definitions: Some(containers),
        network_mode: has_interface.then(|| "awsvpc".into()),
        requires_compatibilities: is_lent.then(|| vec!["FARGATE".into()]),
        cpu: is_lent.then(|| "256".into()),
        memory: is_lent.then(|| "512".into()),
        ..RegisterTaskDefinitionRequest::default()
    }
}

/// An application that waits for a proxy that must be healthy, and for an init container's success.
fn sidecar() -> Vec<ContainerDefinition> {
    let depends = |on: &str, condition: &str| ContainerDependency {
        container_name: Some(on.into()),
        condition: Some(condition.into()),
    };
    vec![
        ContainerDefinition {
            stop_timeout: Some(10),
            ..checked(container("proxy", 50, 100))
        },
        ContainerDefinition {
            essential: Some(false),
            ..container("init", 20, 50)
        },
        ContainerDefinition {
            depends_on: Some(vec![
                depends("proxy", "HEALTHY"),
                depends("init", "COMPLETE"),
            ]),
            ..container("app", 50, 100)
        },
    ]
}

fn container(name: &str, cpu: i32, memory: i32) -> ContainerDefinition {
    ContainerDefinition {
        name: Some(name.into()),
        image: Some(format!("registry.test/{name}:1")),
        cpu: Some(cpu),
        memory: Some(memory),
        ..ContainerDefinition::default()
    }
}

fn checked(container: ContainerDefinition) -> ContainerDefinition {
    ContainerDefinition {
        health_check: Some(HealthCheck {
            command: Some(vec!["CMD".into(), "true".into()]),
            interval: Some(10),
            ..HealthCheck::default()
        }),
        ..container
    }
}

fn with_port(
    container: ContainerDefinition,
    port: i32,
    host: i32,
    protocol: &str,
) -> ContainerDefinition {
    ContainerDefinition {
        port_mappings: Some(vec![PortMapping {
            container_port: Some(port),
            host_port: Some(host),
            protocol: Some(protocol.into()),
            ..PortMapping::default()
        }]),
        ..container
    }
}

/// Strategies that calls ask for: (type, field).
pub const STRATEGIES: [&[(&str, &str)]; 4] = [
    &[],
    &[("binpack", "memory")],
    &[
        ("spread", "attribute:ecs.availability-zone"),
        ("binpack", "cpu"),
    ],
    &[("random", "")],
];

/// A strategy as a call has it.
pub fn strategy(parts: &[(&str, &str)]) -> Vec<PlacementStrategy> {
    let one = |(kind, field): &(&str, &str)| PlacementStrategy {
        r#type: Some((*kind).into()),
        field: (!field.is_empty()).then(|| (*field).into()),
    };
    parts.iter().map(one).collect()
}

/// One task of a group for each instance.
pub fn distinct() -> Vec<PlacementConstraint> {
    vec![PlacementConstraint {
        r#type: Some("distinctInstance".into()),
        expression: None,
    }]
}

/// What an agent says of its host, the `at`th.
pub fn registration(
    at: usize,
    lends: bool,
    instance: Option<String>,
) -> RegisterContainerInstanceRequest {
    let number = |name: &str, value: i32| Resource {
        name: Some(name.into()),
        r#type: Some("INTEGER".into()),
        integer_value: Some(value),
        ..Resource::default()
    };
    let ports = |name: &str, ports: &[&str]| Resource {
        name: Some(name.into()),
        r#type: Some("STRINGSET".into()),
        string_set_value: Some(ports.iter().map(ToString::to_string).collect()),
        ..Resource::default()
    };
    let attribute = |name: &str, value: Option<&str>| Attribute {
        name: Some(name.into()),
        value: value.map(Into::into),
        ..Attribute::default()
    };
    let zone = ["us-east-1a", "us-east-1b"][at % 2];
    let underlay = format!("192.0.2.{}", at + 1);
    let mut attributes = vec![
        attribute("ecs.os-type", Some("linux")),
        attribute("ecs.availability-zone", Some(zone)),
        attribute("longshore.address", Some(&underlay)),
    ];
    attributes.extend(CAPABILITIES.iter().map(|name| attribute(name, None)));
    let device = |gpu| PlatformDevice {
        id: Some(format!("GPU-{at}-{gpu}")),
        r#type: Some("GPU".into()),
    };
    RegisterContainerInstanceRequest {
        cluster: lends.then(|| ecs::fargate::CLUSTER.into()),
        container_instance_arn: instance,
        total_resources: Some(vec![
            number("CPU", HOST.0),
            number("MEMORY", HOST.1),
            ports("PORTS", &["22", "2375", "2376", "51678", "51679"]),
            ports("PORTS_UDP", &[]),
        ]),
        platform_devices: Some((0..HOST.2).map(device).collect()),
        attributes: Some(attributes),
        ..RegisterContainerInstanceRequest::default()
    }
}
