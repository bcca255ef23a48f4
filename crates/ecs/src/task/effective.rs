//! A task definition as one task runs it: with the caller's overrides merged, and what that reserves.
//!
//! The agent understands no override, so the merge happens here, once, for placement, payload and
//! answers alike. Rule: API reference, TaskOverride and ContainerOverride; developer guide, "Task
//! placement": task-level sizes, else the sums of the containers' (reservation before limit).

use crate::records::overrides::{ContainerOverrides, TaskOverrides};
use crate::records::task::Reserved;
use crate::task_definition::units;
use aws_api::Stored;
use aws_api::ecs::{ContainerDefinition, KeyValuePair, TaskDefinition};
use std::ops::RangeInclusive;

/// A definition with overrides merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// Task-level CPU in units, where it is set.
    pub cpu_units: Option<u32>,
    /// Task-level memory in MiB, where it is set.
    pub memory_mib: Option<u32>,
    /// `taskRoleArn`.
    pub task_role_arn: Option<String>,
    /// `executionRoleArn`.
    pub execution_role_arn: Option<String>,
    /// Whether the containers' ports are the host's.
    pub is_on_host_network: bool,
    /// Whether it has an interface of its own, whose ports are nobody else's.
    pub has_interface: bool,
    /// The containers, in the definition's order.
    pub containers: Vec<ContainerDefinition>,
}

/// Merges overrides into a definition.
#[must_use]
pub fn merge(definition: &TaskDefinition, overrides: &TaskOverrides) -> Effective {
    let containers = definition.container_definitions.iter().flatten();
    let merged = containers.map(|container| {
        let name = container.name.as_deref().unwrap_or_default();
        let with = overrides.containers.iter().find(|o| o.name == name);
        with.map_or_else(
            || container.clone(),
            |with| merge_container(container, with),
        )
    });
    let stronger =
        |over: &Option<String>, own: &Option<String>| over.clone().or_else(|| own.clone());
    Effective {
        cpu_units: stronger(&overrides.cpu, &definition.cpu)
            .as_deref()
            .and_then(units::cpu_units),
        memory_mib: stronger(&overrides.memory, &definition.memory)
            .as_deref()
            .and_then(units::memory_mib),
        task_role_arn: stronger(&overrides.task_role_arn, &definition.task_role_arn),
        execution_role_arn: stronger(
            &overrides.execution_role_arn,
            &definition.execution_role_arn,
        ),
        is_on_host_network: definition.network_mode.as_deref() == Some("host"),
        has_interface: definition.network_mode.as_deref() == Some("awsvpc"),
        containers: merged.collect(),
    }
}

/// The definition that would run such a task without overrides.
#[must_use]
pub fn as_definition(definition: &TaskDefinition, task: &Effective) -> TaskDefinition {
    TaskDefinition {
        cpu: task.cpu_units.map(|units| units.to_string()),
        memory: task.memory_mib.map(|mib| mib.to_string()),
        task_role_arn: task.task_role_arn.clone(),
        execution_role_arn: task.execution_role_arn.clone(),
        container_definitions: Some(task.containers.clone()),
        ..definition.clone()
    }
}

/// What one such task reserves on its instance.
#[must_use]
pub fn reserved(task: &Effective) -> Reserved {
    let sum = |of: fn(&ContainerDefinition) -> Option<i32>| {
        let sizes = task.containers.iter().filter_map(of);
        sizes.fold(0u32, |sum, size| {
            sum.saturating_add(u32::try_from(size).unwrap_or(0))
        })
    };
    Reserved {
        cpu_units: task.cpu_units.unwrap_or_else(|| sum(|c| c.cpu)),
        memory_mib: task
            .memory_mib
            .unwrap_or_else(|| sum(|c| c.memory_reservation.or(c.memory))),
        tcp: static_ports(task, false),
        udp: static_ports(task, true),
        // Which ones is known only with the instance.
        gpus: Vec::new(),
    }
}

/// How many GPUs a container asks for.
#[must_use]
pub fn gpus(container: &ContainerDefinition) -> u32 {
    let requirements = container.resource_requirements.iter().flatten();
    let gpus = requirements.filter(|r| r.r#type.as_deref() == Some("GPU"));
    gpus.filter_map(|r| r.value.as_deref()?.parse::<u32>().ok())
        .fold(0, u32::saturating_add)
}

/// The host ports that the containers name, or that a range is on the host's own network; 0 means
/// that the agent chooses.
fn static_ports(task: &Effective, udp: bool) -> Vec<u16> {
    if task.has_interface {
        return Vec::new();
    }
    let mappings = task
        .containers
        .iter()
        .flat_map(|c| c.port_mappings.iter().flatten());
    let of_protocol = mappings.filter(|m| (m.protocol.as_deref() == Some("udp")) == udp);
    let ports = of_protocol.flat_map(|m| {
        let named = m.host_port.and_then(|port| u16::try_from(port).ok());
        let range = m.container_port_range.as_deref().and_then(range);
        let range = range.filter(|_| task.is_on_host_network);
        named.into_iter().chain(range.into_iter().flatten())
    });
    let mut ports: Vec<u16> = ports.filter(|port| *port != 0).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    Some(first.parse().ok()?..=last.parse().ok()?)
}

fn merge_container(own: &ContainerDefinition, with: &ContainerOverrides) -> ContainerDefinition {
    ContainerDefinition {
        command: with.command.clone().or_else(|| own.command.clone()),
        environment: merge_environment(own.environment.as_deref(), with.environment.as_deref()),
        cpu: with.cpu_units.or(own.cpu),
        memory: with.memory_mib.or(own.memory),
        memory_reservation: with.memory_reservation_mib.or(own.memory_reservation),
        environment_files: instead(&with.environment_files, &own.environment_files),
        resource_requirements: instead(&with.resource_requirements, &own.resource_requirements),
        ..own.clone()
    }
}

/// The list of an override, where there is one, takes the place of the definition's.
fn instead<T: Clone>(over: &Option<Vec<Stored<T>>>, own: &Option<Vec<T>>) -> Option<Vec<T>> {
    match over {
        Some(over) => Some(over.iter().map(|one| one.0.clone()).collect()),
        None => own.clone(),
    }
}

/// The definition's variables in their order, overridden ones in place, new ones at the end.
fn merge_environment(
    own: Option<&[KeyValuePair]>,
    with: Option<&[(String, String)]>,
) -> Option<Vec<KeyValuePair>> {
    let Some(with) = with else {
        return own.map(<[_]>::to_vec);
    };
    let mut merged = own.unwrap_or_default().to_vec();
    for (name, value) in with {
        merged.retain(|pair| pair.name.as_ref() != Some(name));
        merged.push(KeyValuePair {
            name: Some(name.clone()),
            value: Some(value.clone()),
        });
    }
    Some(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::ecs::{PortMapping, ResourceRequirement};

    fn container(
        name: &str,
        cpu: i32,
        memory: Option<i32>,
        soft: Option<i32>,
    ) -> ContainerDefinition {
        ContainerDefinition {
            name: Some(name.into()),
            cpu: Some(cpu),
            memory,
            memory_reservation: soft,
            ..ContainerDefinition::default()
        }
    }

    fn definition(cpu: Option<&str>, memory: Option<&str>) -> TaskDefinition {
        TaskDefinition {
            cpu: cpu.map(Into::into),
            memory: memory.map(Into::into),
            container_definitions: Some(vec![
                container("app", 100, Some(300), Some(200)),
                container("log", 0, Some(64), None),
            ]),
            ..TaskDefinition::default()
        }
    }

    fn sizes(definition: &TaskDefinition, overrides: &TaskOverrides) -> (u32, u32) {
        let reserved = reserved(&merge(definition, overrides));
        (reserved.cpu_units, reserved.memory_mib)
    }

    #[test]
    fn a_task_reserves_its_own_size_or_the_sum_of_its_containers() {
        let none = TaskOverrides::default();
        let task = TaskOverrides {
            cpu: Some("1 vCPU".into()),
            ..none.clone()
        };
        let app = TaskOverrides {
            containers: vec![ContainerOverrides {
                name: "app".into(),
                cpu_units: Some(7),
                memory_reservation_mib: Some(8),
                ..ContainerOverrides::default()
            }],
            ..none.clone()
        };
        for (cpu, memory, overrides, expected) in [
            (None, None, &none, (100, 264)),
            (Some("256"), Some("512"), &none, (256, 512)),
            (Some("256"), None, &task, (1024, 264)),
            (None, None, &app, (7, 72)),
            (Some("256"), Some("512"), &app, (256, 512)),
        ] {
            assert_eq!(
                sizes(&definition(cpu, memory), overrides),
                expected,
                "{cpu:?} {memory:?}"
            );
        }
    }

    #[test]
    fn only_static_host_ports_are_reserved_each_once() {
        let port = |host: Option<i32>, protocol: Option<&str>| PortMapping {
            container_port: Some(80),
            host_port: host,
            protocol: protocol.map(Into::into),
            ..PortMapping::default()
        };
        let mut definition = definition(None, None);
        definition.container_definitions.as_mut().unwrap()[0].port_mappings = Some(vec![
            port(Some(8080), Some("tcp")),
            port(Some(8080), None),
            port(Some(0), Some("tcp")),
            port(None, Some("tcp")),
            port(Some(53), Some("udp")),
            PortMapping {
                container_port: None,
                container_port_range: Some("9000-9002".into()),
                ..port(None, Some("udp"))
            },
        ]);
        let of = |definition: &TaskDefinition| {
            let reserved = reserved(&merge(definition, &TaskOverrides::default()));
            (reserved.tcp, reserved.udp)
        };
        assert_eq!(of(&definition), (vec![8080], vec![53]));
        definition.network_mode = Some("host".into());
        assert_eq!(of(&definition), (vec![8080], vec![53, 9000, 9001, 9002]));
    }

    #[test]
    fn an_overriding_list_takes_the_place_of_the_definitions() {
        let need = |count: &str| ResourceRequirement {
            r#type: Some("GPU".into()),
            value: Some(count.into()),
            ..ResourceRequirement::default()
        };
        let own = ContainerDefinition {
            resource_requirements: Some(vec![need("1"), need("2")]),
            ..container("app", 0, None, None)
        };
        let with = |list: Option<Vec<ResourceRequirement>>| ContainerOverrides {
            resource_requirements: list.map(|all| all.into_iter().map(Stored).collect()),
            ..ContainerOverrides::default()
        };
        for (given, expected) in [
            (None, vec![need("1"), need("2")]),
            (Some(vec![need("4")]), vec![need("4")]),
            (Some(vec![]), vec![]),
        ] {
            let merged = merge_container(&own, &with(given));
            assert_eq!(merged.resource_requirements, Some(expected));
        }
    }

    #[test]
    fn an_overriding_variable_wins_and_the_rest_stays() {
        let pair = |name: &str, value: &str| KeyValuePair {
            name: Some(name.into()),
            value: Some(value.into()),
        };
        let own = [pair("A", "1"), pair("B", "2")];
        let with = [
            ("B".to_owned(), "3".to_owned()),
            ("C".to_owned(), "4".to_owned()),
        ];
        assert_eq!(
            merge_environment(Some(&own), Some(&with)).unwrap(),
            [pair("A", "1"), pair("B", "3"), pair("C", "4")]
        );
        assert_eq!(merge_environment(None, None), None);
    }
}
