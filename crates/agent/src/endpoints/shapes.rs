//! The answers of the metadata endpoint, member by member.
//!
//! Rule: agent-protocol 6; developer guide, "Task metadata version 4". What is absent is left out.

use serde::Serialize;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Container {
    /// 64 hexadecimal digits.
    pub docker_id: String,
    /// As the definition names it.
    pub name: String,
    /// `ecs-FAMILY-REVISION-NAME-` and 20 hexadecimal digits.
    pub docker_name: String,
    /// As the definition names it.
    pub image: String,
    /// `sha256:…`; empty before its start.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// Its ports and the host's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Of image, definition and agent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: &'static str,
    /// From `NONE` to `STOPPED`.
    pub known_status: &'static str,
    /// Of its last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What it may use.
    pub limits: ContainerLimits,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it last started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// `NORMAL`.
    #[serde(rename = "Type")]
    pub kind: &'static str,
    /// Its health, where it is checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// What of the host is shown in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Version 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_driver: Option<String>,
    /// Version 4.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub log_options: BTreeMap<String, String>,
    /// Version 4.
    #[serde(rename = "ContainerARN", skip_serializing_if = "Option::is_none")]
    pub container_arn: Option<String>,
    /// Version 4, of FARGATE: who keeps the layers of its image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshotter: Option<&'static str>,
    /// Version 4, where it is started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_count: Option<u32>,
    /// Its networks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Port {
    /// In the container.
    pub container_port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// On the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_port: Option<u16>,
    /// Version 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<String>,
}

/// What a container may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ContainerLimits {
    /// Shares.
    #[serde(rename = "CPU")]
    pub cpu: f64,
    /// MiB; 0 without a limit.
    #[serde(rename = "Memory")]
    pub memory: u64,
}

/// A container's health.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `HEALTHY`, `UNHEALTHY` or `UNKNOWN`.
    pub status: &'static str,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_since: Option<String>,
    /// Of the check that made the status; left out where it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What the check wrote.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// A volume as the container has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Volume {
    /// Docker's name of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_name: Option<String>,
    /// The host's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where it is shown.
    pub destination: String,
}

/// A network of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Network {
    /// `bridge`, `host`, `awsvpc` or `none`.
    pub network_mode: String,
    /// Addresses; one empty text for a container without one of its own.
    #[serde(rename = "IPv4Addresses", skip_serializing_if = "Vec::is_empty")]
    pub ipv4_addresses: Vec<String>,
    /// Addresses.
    #[serde(rename = "IPv6Addresses", skip_serializing_if = "Vec::is_empty")]
    pub ipv6_addresses: Vec<Ipv6Addr>,
    /// What only an interface of a VPC has; version 4.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub interface: Option<InterfaceProperties>,
}

/// What is told of an interface of a VPC.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InterfaceProperties {
    /// 0.
    pub attachment_index: u32,
    /// Of `eth0`.
    #[serde(rename = "MACAddress")]
    pub mac_address: String,
    /// Of its subnet.
    #[serde(rename = "IPv4SubnetCIDRBlock")]
    pub ipv4_subnet_cidr_block: String,
    /// Of its subnet, where it has an address of it.
    #[serde(
        rename = "IPv6SubnetCIDRBlock",
        skip_serializing_if = "Option::is_none"
    )]
    pub ipv6_subnet_cidr_block: Option<String>,
    /// Resolvers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domain_name_servers: Vec<String>,
    /// Domains in which names are looked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domain_name_search_list: Vec<String>,
    /// Its name.
    #[serde(rename = "PrivateDNSName", skip_serializing_if = "Option::is_none")]
    pub private_dns_name: Option<String>,
    /// With the subnet's prefix length.
    pub subnet_gateway_ipv4_address: String,
    /// With its prefix length: of the link, as every gateway of IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_gateway_ipv6_address: Option<String>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Task {
    /// By name; by ARN in a task of launch type FARGATE.
    pub cluster: String,
    /// Its ARN.
    #[serde(rename = "TaskARN")]
    pub task_arn: String,
    /// Of its definition.
    pub family: String,
    /// Of its definition.
    pub revision: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: &'static str,
    /// From `NONE` to `STOPPED`.
    pub known_status: &'static str,
    /// All of them.
    pub containers: Vec<Container>,
    /// What all may use together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<TaskLimits>,
    /// When the first pull began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_started_at: Option<String>,
    /// When the last pull ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_stopped_at: Option<String>,
    /// When an essential container ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_stopped_at: Option<String>,
    /// The task's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// Version 4.
    #[serde(rename = "AvailabilityZoneID", skip_serializing_if = "Option::is_none")]
    pub availability_zone_id: Option<String>,
    /// With tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_tags: Option<BTreeMap<String, String>>,
    /// With tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_instance_tags: Option<BTreeMap<String, String>>,
    /// Version 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_type: Option<String>,
    /// Version 4, of a service's task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Version 4, of a task with an interface.
    #[serde(rename = "VPCID", skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// Version 4: no task has it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_injection_enabled: Option<bool>,
    /// Version 4, of a task with a disk of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage_metrics: Option<EphemeralStorageMetrics>,
    /// Version 4: what could not be learned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Failure>,
}

/// A task's disk, in MiB. Rule: developer guide, "Amazon ECS task metadata endpoint version 4 for tasks on Fargate".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EphemeralStorageMetrics {
    /// What is taken of it.
    pub utilized: u64,
    /// All of it.
    pub reserved: u64,
}

/// What a task may use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskLimits {
    /// vCPUs.
    #[serde(rename = "CPU", skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// MiB.
    #[serde(rename = "Memory", skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

/// What could not be learned.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Failure {
    /// The member that is absent.
    pub error_field: &'static str,
    /// The API's code.
    pub error_code: String,
    /// Its text.
    pub error_message: String,
    /// Of HTTP.
    pub status_code: u16,
    /// Whose.
    #[serde(rename = "ResourceARN")]
    pub resource_arn: String,
}
