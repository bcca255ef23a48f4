//! What the metadata endpoint says of a task and its containers, in versions 4, 3 and 2.
//!
//! Pure. Rule: agent-protocol 6; the older versions say the same and leave out what was added since.

use super::shapes::{
    Container, ContainerLimits, EphemeralStorageMetrics, Health, InterfaceProperties, Network,
    Port, Task, TaskLimits, Volume,
};
use crate::task::definition::{ContainerDefinition, Desired, NetworkMode, TaskDefinition};
use crate::task::state::{Binding, ContainerState, Image, Run, TaskState};
use aws_types::{Timestamp, zone_id};
use netdev::vpc::{GATEWAY6, VpcAttachment};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Digits at the end of a container's Docker name.
const NAME_DIGITS: usize = 20;

/// Layers of images are those of overlayfs. Rule: developer guide, "Amazon ECS task metadata v4 JSON response
/// for tasks on Fargate".
const SNAPSHOTTER: &str = "overlayfs";
/// Of every subnet's range of IPv6. Rule: EC2 API reference, CreateSubnet.
const IPV6_PREFIX_LEN: u8 = 64;

/// What is known of a task.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Its cluster, as it is told.
    pub cluster: &'a str,
    /// Its Availability Zone.
    pub zone: &'a str,
    /// What it is.
    pub definition: &'a TaskDefinition,
    /// Where it stands.
    pub state: &'a TaskState,
    /// Its interface.
    pub interface: Option<&'a VpcAttachment>,
    /// Its disk, where it has one of its own.
    pub disk: Option<EphemeralStorageMetrics>,
    /// Of each container, in the definition's order.
    pub containers: Vec<ContainerFacts>,
}

/// What is known of a container besides.
#[derive(Clone, Debug, Default)]
pub struct ContainerFacts {
    /// `sha256:…`, once it is to start.
    pub image_id: Option<String>,
    /// Once it is to start.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// On the bridge.
    pub address: Option<Ipv4Addr>,
}

/// A task, as `version` (2, 3 or 4) shows it.
#[must_use]
pub fn task(facts: &Facts<'_>, version: u8) -> Task {
    let (definition, state) = (facts.definition, facts.state);
    let limits = TaskLimits {
        cpu: (definition.cpu > 0.0).then_some(definition.cpu),
        memory: (definition.memory > 0).then_some(definition.memory),
    };
    let latest = version == 4;
    let text = |given: &String| (latest && !given.is_empty()).then(|| given.clone());
    Task {
        cluster: facts.cluster.to_owned(),
        task_arn: definition.arn.clone(),
        family: definition.family.clone(),
        revision: definition.version.clone(),
        desired_status: desired(state),
        known_status: known_of_task(state),
        containers: (0..definition.containers.len())
            .map(|index| container(facts, index, version))
            .collect(),
        limits: (limits.cpu.is_some() || limits.memory.is_some()).then_some(limits),
        pull_started_at: state.pull_started_at.map(Timestamp::iso8601),
        pull_stopped_at: state.pull_stopped_at.map(Timestamp::iso8601),
        execution_stopped_at: state.execution_stopped_at.map(Timestamp::iso8601),
        availability_zone: Some(facts.zone.to_owned()),
        availability_zone_id: latest.then(|| zone_id(facts.zone)),
        task_tags: None,
        container_instance_tags: None,
        launch_type: text(&definition.launch_type),
        service_name: text(&definition.service_name),
        vpc_id: facts.interface.and_then(|interface| text(&interface.vpc)),
        fault_injection_enabled: latest.then_some(false),
        ephemeral_storage_metrics: facts.disk.filter(|_| latest),
        errors: Vec::new(),
    }
}

/// A container, as `version` (2, 3 or 4) shows it.
#[must_use]
pub fn container(facts: &Facts<'_>, index: usize, version: u8) -> Container {
    let definition = &facts.definition.containers[index];
    let state = &facts.state.containers[index];
    let more = &facts.containers[index];
    let log = definition.host_config().map(|host| host.log_config);
    let log = log.unwrap_or_default();
    let latest = version == 4;
    let (exit_code, finished_at) = match &state.run {
        Run::Ended(end) => (end.exit_code, Some(end.at)),
        Run::No | Run::Starting | Run::Running | Run::Restarting { .. } | Run::Stopping => {
            (None, None)
        }
    };
    Container {
        docker_id: state.runtime_id.clone(),
        name: definition.name.clone(),
        docker_name: docker_name(facts.definition, definition, &state.runtime_id),
        image: definition.image.clone(),
        image_id: more.image_id.clone().unwrap_or_default(),
        ports: ports(facts, definition, state, latest),
        labels: more.labels.clone(),
        desired_status: desired(facts.state),
        known_status: known(state).word(),
        exit_code,
        limits: ContainerLimits {
            cpu: f64::from(definition.cpu),
            memory: definition.memory,
        },
        created_at: more.created_at.map(Timestamp::iso8601),
        started_at: state.started_at.map(Timestamp::iso8601),
        finished_at: finished_at.map(Timestamp::iso8601),
        kind: "NORMAL",
        health: state.health.as_ref().map(|health| Health {
            status: health.status.as_str(),
            status_since: Some(health.since.iso8601()),
            exit_code: (health.exit_code != 0).then_some(health.exit_code),
            output: health.output.clone(),
        }),
        volumes: volumes(facts.definition, definition),
        log_driver: latest.then(|| match log.driver.as_str() {
            "" => "json-file".to_owned(),
            driver => driver.to_owned(),
        }),
        log_options: if latest { log.options } else { BTreeMap::new() },
        container_arn: definition.container_arn.clone().filter(|_| latest),
        snapshotter: (latest && facts.definition.is_fargate()).then_some(SNAPSHOTTER),
        restart_count: (latest && definition.restart_policy.enabled).then_some(state.restarts),
        networks: networks(facts, more, latest),
    }
}

/// Rule: the public agent's names; what tells two containers of one name apart follows from their ids.
fn docker_name(task: &TaskDefinition, container: &ContainerDefinition, id: &str) -> String {
    let digest = Sha256::digest(id.as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let (family, version, name) = (&task.family, &task.version, &container.name);
    format!("ecs-{family}-{version}-{name}-{}", &digits[..NAME_DIGITS])
}

/// What containers come to, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    None,
    Pulled,
    Created,
    Running,
    Stopped,
}

impl Known {
    fn word(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Pulled => "PULLED",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

fn known(container: &ContainerState) -> Known {
    match &container.run {
        Run::Running | Run::Restarting { .. } | Run::Stopping => Known::Running,
        Run::Ended(_) => Known::Stopped,
        Run::Starting => Known::Created,
        Run::No => match container.image {
            Image::Ready { .. } => Known::Pulled,
            Image::No | Image::Ensuring | Image::Gone => Known::None,
        },
    }
}

/// As far as the last of its containers; one that ended counts as running while others are not over.
fn known_of_task(state: &TaskState) -> &'static str {
    let all = state.containers.iter().map(known);
    all.min().unwrap_or(Known::None).word()
}

fn desired(state: &TaskState) -> &'static str {
    match state.desired {
        Desired::Running => "RUNNING",
        Desired::Stopped => "STOPPED",
    }
}

fn ports(
    facts: &Facts<'_>,
    definition: &ContainerDefinition,
    state: &ContainerState,
    latest: bool,
) -> Vec<Port> {
    if facts.definition.mode() == Ok(NetworkMode::Bridge) {
        let of = |binding: &Binding| {
            let (protocol, address) = (binding.protocol.clone(), binding.bind_ip.clone());
            let one = move |(container_port, host_port)| Port {
                container_port,
                protocol: protocol.clone(),
                host_port: Some(host_port),
                host_ip: latest.then(|| address.clone()),
            };
            binding.ports().map(one).collect::<Vec<_>>()
        };
        return state.bindings.iter().flat_map(of).collect();
    }
    let declared = definition.port_mappings.iter().filter_map(|mapping| {
        let (first, count) = mapping.row().ok()?;
        let udp = mapping.protocol == "udp";
        Some((first..first.saturating_add(count)).map(move |port| (port, udp)))
    });
    let one = |(container_port, udp): (u16, bool)| Port {
        container_port,
        protocol: if udp { "udp" } else { "tcp" }.into(),
        host_port: None,
        host_ip: None,
    };
    declared.flatten().map(one).collect()
}

fn volumes(task: &TaskDefinition, container: &ContainerDefinition) -> Vec<Volume> {
    let one = |mount: &crate::task::definition::MountPoint| {
        let volume = task
            .volumes
            .iter()
            .find(|v| v.name == mount.source_volume)?;
        let source = volume.host.as_ref().map(|host| host.source_path.clone());
        let source = source.filter(|path| !path.is_empty());
        Some(Volume {
            docker_name: source.is_none().then(|| volume.name.clone()),
            source,
            destination: mount.container_path.clone(),
        })
    };
    container.mount_points.iter().filter_map(one).collect()
}

fn networks(facts: &Facts<'_>, container: &ContainerFacts, latest: bool) -> Vec<Network> {
    let plain = |mode: &str, addresses: Vec<String>| {
        vec![Network {
            network_mode: mode.into(),
            ipv4_addresses: addresses,
            ..Network::default()
        }]
    };
    match (facts.definition.mode(), facts.interface) {
        (Ok(NetworkMode::Bridge), _) => {
            let address = container.address.iter();
            plain("bridge", address.map(Ipv4Addr::to_string).collect())
        }
        (Ok(NetworkMode::Host), _) => plain("host", vec![String::new()]),
        (Ok(NetworkMode::None), _) => plain("none", vec![String::new()]),
        (Ok(NetworkMode::Awsvpc), Some(interface)) => vec![Network {
            network_mode: "awsvpc".into(),
            ipv4_addresses: interface
                .addresses
                .iter()
                .map(Ipv4Addr::to_string)
                .collect(),
            ipv6_addresses: interface.ipv6_addresses.clone(),
            interface: latest.then(|| properties(facts.definition, interface)),
        }],
        (Ok(NetworkMode::Awsvpc) | Err(_), _) => Vec::new(),
    }
}

fn properties(task: &TaskDefinition, interface: &VpcAttachment) -> InterfaceProperties {
    let length = u32::from(interface.prefix_len.min(32));
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    let first = Ipv4Addr::from(u32::from(interface.gateway) & mask);
    let six = interface.ipv6_addresses.first();
    let mac = interface.mac.iter().map(|byte| format!("{byte:02x}"));
    InterfaceProperties {
        attachment_index: 0,
        mac_address: mac.collect::<Vec<_>>().join(":"),
        ipv4_subnet_cidr_block: format!("{first}/{length}"),
        ipv6_subnet_cidr_block: six.map(|address| {
            let first = u128::from(*address) & (u128::MAX << (128 - IPV6_PREFIX_LEN));
            format!("{}/{IPV6_PREFIX_LEN}", Ipv6Addr::from(first))
        }),
        domain_name_servers: interface
            .name_servers
            .iter()
            .map(IpAddr::to_string)
            .collect(),
        domain_name_search_list: interface.search.clone(),
        private_dns_name: task.interface_name(),
        subnet_gateway_ipv4_address: format!("{}/{length}", interface.gateway),
        subnet_gateway_ipv6_address: six.map(|_| format!("{GATEWAY6}/{IPV6_PREFIX_LEN}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::state::End;
    use serde_json::{Value, json};

    const ARN: &str = "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef";

    fn definition(mode: &str) -> TaskDefinition {
        let interface = json!({"ec2Id": "eni-1", "attachmentArn": "a",
            "privateDnsName": "ip-172-31-16-5.ec2.internal"});
        let host = json!({"LogConfig": {"Type": "awslogs", "Config": {"awslogs-group": "g"}}});
        TaskDefinition::parse(&json!({
            "arn": ARN, "desiredStatus": "RUNNING", "family": "web", "version": "3",
            "networkMode": mode, "launchType": "EC2", "serviceName": "front", "cpu": 0.25, "memory": 512,
            "elasticNetworkInterfaces": if mode == "awsvpc" { json!([interface]) } else { json!([]) },
            "volumes": [{"name": "v", "host": {"sourcePath": "/srv"}}, {"name": "scratch"}],
            "containers": [{
                "name": "app", "image": "nginx:1", "cpu": 10, "memory": 128, "essential": true,
                "containerArn": "arn:c", "restartPolicy": {"enabled": true},
                "portMappings": [{"containerPort": 80, "hostPort": 8080}],
                "mountPoints": [{"sourceVolume": "v", "containerPath": "/data"},
                                {"sourceVolume": "scratch", "containerPath": "/tmp"}],
                "dockerConfig": {"hostConfig": host.to_string()},
            }],
        }))
        .expect("it is valid")
    }

    fn shown(mode: &str, version: u8) -> Value {
        let definition = definition(mode);
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let mut state = TaskState::new(&definition, vec!["ab".repeat(32)], 0, at(0));
        state.pull_started_at = Some(at(1));
        state.pull_stopped_at = Some(at(2));
        let container = &mut state.containers[0];
        container.run = Run::Running;
        container.started_at = Some(at(4));
        container.bindings = vec![Binding {
            bind_ip: "0.0.0.0".into(),
            container_port: 80,
            host_port: 8080,
            protocol: "tcp".into(),
            range_len: None,
        }];
        let interface = VpcAttachment {
            netns: "/x".into(),
            interface: "eni-1".into(),
            vpc: "vpc-1".into(),
            mac: [2, 0xaa, 0, 0, 0, 5],
            addresses: vec![Ipv4Addr::new(172, 31, 16, 5)],
            ipv6_addresses: vec!["fd10:0:0:7::5".parse().expect("an address")],
            prefix_len: 20,
            gateway: Ipv4Addr::new(172, 31, 16, 1),
            name_servers: vec![Ipv4Addr::new(172, 31, 0, 2).into()],
            search: vec!["ec2.internal".into()],
            mtu: 1500,
        };
        let facts = Facts {
            cluster: "default",
            zone: "us-east-1a",
            definition: &definition,
            state: &state,
            interface: (mode == "awsvpc").then_some(&interface),
            disk: (mode == "awsvpc").then_some(EphemeralStorageMetrics {
                utilized: 2,
                reserved: 20480,
            }),
            containers: vec![ContainerFacts {
                image_id: Some("sha256:1".into()),
                labels: [("l".to_owned(), "x".to_owned())].into(),
                created_at: Some(at(3)),
                address: (mode == "bridge").then_some(Ipv4Addr::new(10, 0, 0, 2)),
            }],
        };
        serde_json::to_value(task(&facts, version)).expect("it is JSON")
    }

    fn container_of_version_4() -> Value {
        json!({
            "DockerId": "ab".repeat(32), "Name": "app",
            "DockerName": docker_name(&definition("host"), &definition("host").containers[0], &"ab".repeat(32)),
            "Image": "nginx:1", "ImageID": "sha256:1", "Labels": {"l": "x"},
            "Ports": [{"ContainerPort": 80, "Protocol": "tcp", "HostPort": 8080, "HostIp": "0.0.0.0"}],
            "DesiredStatus": "RUNNING", "KnownStatus": "RUNNING", "Type": "NORMAL",
            "Limits": {"CPU": 10.0, "Memory": 128},
            "CreatedAt": "1970-01-01T00:00:03.000Z", "StartedAt": "1970-01-01T00:00:04.000Z",
            "Volumes": [{"Source": "/srv", "Destination": "/data"},
                        {"DockerName": "scratch", "Destination": "/tmp"}],
            "LogDriver": "awslogs", "LogOptions": {"awslogs-group": "g"},
            "ContainerARN": "arn:c", "RestartCount": 0,
            "Networks": [{"NetworkMode": "bridge", "IPv4Addresses": ["10.0.0.2"]}],
        })
    }

    #[test]
    fn version_4_shows_a_task_with_all_its_members() {
        let mut container = container_of_version_4();
        let expected = |container: &Value| {
            json!({
                "Cluster": "default", "TaskARN": ARN, "Family": "web", "Revision": "3",
                "DesiredStatus": "RUNNING", "KnownStatus": "RUNNING",
                "Limits": {"CPU": 0.25, "Memory": 512},
                "PullStartedAt": "1970-01-01T00:00:01.000Z", "PullStoppedAt": "1970-01-01T00:00:02.000Z",
                "AvailabilityZone": "us-east-1a", "AvailabilityZoneID": "use1-az1", "LaunchType": "EC2", "ServiceName": "front",
                "FaultInjectionEnabled": false, "Containers": [container],
            })
        };
        assert_eq!(shown("bridge", 4), expected(&container));
        container["Ports"] = json!([{"ContainerPort": 80, "Protocol": "tcp"}]);
        container["Networks"] = json!([{"NetworkMode": "host", "IPv4Addresses": [""]}]);
        assert_eq!(shown("host", 4), expected(&container));
        container["Networks"] = json!([{
            "NetworkMode": "awsvpc", "IPv4Addresses": ["172.31.16.5"], "IPv6Addresses": ["fd10:0:0:7::5"],
            "AttachmentIndex": 0, "MACAddress": "02:aa:00:00:00:05",
            "IPv4SubnetCIDRBlock": "172.31.16.0/20", "IPv6SubnetCIDRBlock": "fd10:0:0:7::/64",
            "DomainNameServers": ["172.31.0.2"], "DomainNameSearchList": ["ec2.internal"],
            "PrivateDNSName": "ip-172-31-16-5.ec2.internal",
            "SubnetGatewayIpv4Address": "172.31.16.1/20", "SubnetGatewayIpv6Address": "fe80::1/64",
        }]);
        let mut of_vpc = expected(&container);
        of_vpc["VPCID"] = json!("vpc-1");
        of_vpc["EphemeralStorageMetrics"] = json!({"Utilized": 2, "Reserved": 20480});
        assert_eq!(shown("awsvpc", 4), of_vpc);
    }

    #[test]
    fn versions_3_and_2_leave_out_what_came_later() {
        let later = [
            "AvailabilityZoneID",
            "LaunchType",
            "ServiceName",
            "VPCID",
            "FaultInjectionEnabled",
            "EphemeralStorageMetrics",
        ];
        let later_of_container = ["LogDriver", "LogOptions", "ContainerARN", "RestartCount"];
        for version in [2, 3] {
            let mut expected = shown("awsvpc", 4);
            let members = expected.as_object_mut().expect("an object");
            later.iter().for_each(|name| drop(members.remove(*name)));
            let container = members["Containers"][0].as_object_mut().expect("an object");
            later_of_container
                .iter()
                .for_each(|name| drop(container.remove(*name)));
            container["Networks"] = json!([{"NetworkMode": "awsvpc", "IPv4Addresses": ["172.31.16.5"], "IPv6Addresses": ["fd10:0:0:7::5"]}]);
            assert_eq!(shown("awsvpc", version), expected);
            let port = &shown("bridge", version)["Containers"][0]["Ports"][0];
            assert_eq!(port.get("HostIp"), None);
        }
    }

    #[test]
    fn a_container_is_as_far_as_its_process_and_a_task_as_its_slowest_container() {
        let definition = definition("host");
        let mut state = TaskState::new(&definition, vec!["0".into()], 0, Timestamp::EPOCH);
        let ended = Run::Ended(End {
            exit_code: Some(3),
            reason: None,
            at: Timestamp::EPOCH,
        });
        for (image, run, word) in [
            (Image::Ensuring, Run::No, "NONE"),
            (Image::Ready { digest: None }, Run::No, "PULLED"),
            (Image::Ready { digest: None }, Run::Starting, "CREATED"),
            (Image::Ready { digest: None }, Run::Stopping, "RUNNING"),
            (Image::Gone, ended, "STOPPED"),
        ] {
            state.containers[0].image = image;
            state.containers[0].run = run;
            assert_eq!(known(&state.containers[0]).word(), word);
            assert_eq!(known_of_task(&state), word);
        }
        let mut second = state.containers[0].clone();
        second.run = Run::Running;
        state.containers.push(second);
        assert_eq!(known_of_task(&state), "RUNNING");
    }
}
