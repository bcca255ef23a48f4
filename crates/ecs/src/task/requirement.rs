//! What a task needs of its instance: from its definition, and from what was overridden.
//!
//! Rule: semantics 3.6: `requiresAttributes`, and `runtimePlatform` against the instance's
//! `ecs.cpu-architecture` and `ecs.os-type`.

use super::effective::{self, Effective};
use crate::place::problem::{ARCHITECTURE, OS_TYPE, Requirement};
use aws_api::ecs::{Attribute, TaskDefinition};

/// What each task of this definition needs; `has_interface` in network mode `awsvpc`.
#[must_use]
pub fn of(definition: &TaskDefinition, effective: &Effective, has_interface: bool) -> Requirement {
    let requires = definition.requires_attributes.iter().flatten();
    let attribute = |a: &Attribute| Some((a.name.clone()?, a.value.clone()));
    Requirement {
        reserved: effective::reserved(effective),
        attributes: requires.filter_map(attribute).collect(),
        platform: platform(definition),
        gpus: effective.containers.iter().map(effective::gpus).sum(),
        interfaces: u32::from(has_interface),
        zones: None,
    }
}

/// The attributes of instances that the members of `runtimePlatform` stand for; none for a member
/// that is absent.
fn platform(definition: &TaskDefinition) -> Vec<(String, String)> {
    let given = definition.runtime_platform.as_ref();
    let architecture = given.and_then(|platform| platform.cpu_architecture.as_deref());
    let system = given.and_then(|platform| platform.operating_system_family.as_deref());
    let architecture = architecture.map(str::to_lowercase);
    let system = system.map(|family| match family {
        "LINUX" => "linux".to_owned(),
        // Of Windows each release is a family.
        _ => "windows".to_owned(),
    });
    let named = [(ARCHITECTURE, architecture), (OS_TYPE, system)].into_iter();
    named
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::Stored;
    use serde_json::json;

    #[test]
    fn a_platform_is_asked_for_as_far_as_it_is_named() {
        for (given, expected) in [
            (json!({}), &[][..]),
            (json!({"runtimePlatform": {}}), &[]),
            (
                json!({"runtimePlatform": {"cpuArchitecture": "ARM64"}}),
                &[("ecs.cpu-architecture", "arm64")],
            ),
            (
                json!({"runtimePlatform": {
                    "cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"
                }}),
                &[("ecs.cpu-architecture", "x86_64"), ("ecs.os-type", "linux")],
            ),
            (
                json!({"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}),
                &[("ecs.os-type", "windows")],
            ),
        ] {
            let read: Stored<TaskDefinition> = serde_json::from_value(given.clone()).unwrap();
            let found = platform(&read.0);
            let found: Vec<_> = found
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            assert_eq!(found, expected, "{given}");
        }
    }
}
