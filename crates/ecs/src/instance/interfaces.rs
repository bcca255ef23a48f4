//! How many tasks with an interface of their own an instance takes.
//!
//! A machine has no limit unless its owner gives it one: an instance type by the attribute
//! `ecs.instance-type`, which may come of its launch template (`launch_template.rs`), or a number of
//! interfaces by `longshore.max-interfaces`. One interface is the host's own. Where `awsvpcTrunking` is
//! enabled for whoever registers it, a type that has a trunk takes as many tasks as AWS says; it keeps the
//! trunk whatever the setting is later, as on AWS.
//! Rule: EC2 user guide, "IP addresses per network interface"; ECS developer guide, "Supported instances for
//! increased Amazon ECS container network interfaces".

use crate::account_settings;
use crate::fargate;
use crate::records::container_instance::{AttributeRecord, ContainerInstanceRecord};
use crate::rules::account_settings::AWSVPC_TRUNKING;
use aws_types::Ctx;
use store::World;

/// The attribute that names an instance's type.
pub const INSTANCE_TYPE: &str = "ecs.instance-type";
/// The attribute of an instance that has a trunk: the id of the trunk's attachment.
pub const TRUNK_ID: &str = "ecs.awsvpc-trunk-id";
/// The attribute, ours, that says how many interfaces a machine may have, its own among them.
pub const MAX_INTERFACES: &str = "longshore.max-interfaces";
/// What an agent that can have a trunk registers.
const TRUNKING: &str = "ecs.capability.task-eni-trunking";

/// What a type of instance can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Interfaces, its own among them.
    pub interfaces: u32,
    /// Tasks with a trunk; `None` where it can have none.
    pub with_trunk: Option<u32>,
}

/// A size, its interfaces, and its tasks with a trunk: 0 where it has none.
type Size = (&'static str, u32, u32);

const M5: &[Size] = &[
    ("large", 3, 10),
    ("xlarge", 4, 20),
    ("2xlarge", 4, 40),
    ("4xlarge", 8, 60),
    ("8xlarge", 8, 60),
    ("12xlarge", 8, 60),
    ("16xlarge", 15, 120),
    ("24xlarge", 15, 120),
];
const R5: &[Size] = &[
    ("large", 3, 10),
    ("xlarge", 4, 20),
    ("2xlarge", 4, 40),
    ("4xlarge", 8, 60),
    ("8xlarge", 8, 0),
    ("12xlarge", 8, 60),
    ("16xlarge", 15, 120),
    ("24xlarge", 15, 120),
];
const C5: &[Size] = &[
    ("large", 3, 10),
    ("xlarge", 4, 20),
    ("2xlarge", 4, 40),
    ("4xlarge", 8, 60),
    ("9xlarge", 8, 60),
    ("12xlarge", 8, 60),
    ("18xlarge", 15, 120),
    ("24xlarge", 15, 120),
];
const M6I: &[Size] = &[
    ("large", 3, 10),
    ("xlarge", 4, 20),
    ("2xlarge", 4, 40),
    ("4xlarge", 8, 60),
    ("8xlarge", 8, 90),
    ("12xlarge", 8, 120),
    ("16xlarge", 15, 120),
    ("24xlarge", 15, 120),
    ("32xlarge", 15, 120),
    ("metal", 15, 120),
];
const M6G: &[Size] = &[
    ("medium", 2, 4),
    ("large", 3, 10),
    ("xlarge", 4, 20),
    ("2xlarge", 4, 40),
    ("4xlarge", 8, 60),
    ("8xlarge", 8, 60),
    ("12xlarge", 8, 60),
    ("16xlarge", 15, 120),
    ("metal", 15, 120),
];
const A1: &[Size] = &[
    ("medium", 2, 10),
    ("large", 3, 10),
    ("xlarge", 4, 20),
    ("2xlarge", 4, 40),
    ("4xlarge", 8, 60),
    ("metal", 8, 0),
];
const T2: &[Size] = &[
    ("nano", 2, 0),
    ("micro", 2, 0),
    ("small", 3, 0),
    ("medium", 3, 0),
    ("large", 3, 0),
    ("xlarge", 3, 0),
    ("2xlarge", 3, 0),
];
const T3: &[Size] = &[
    ("nano", 2, 0),
    ("micro", 2, 0),
    ("small", 3, 0),
    ("medium", 3, 0),
    ("large", 3, 0),
    ("xlarge", 4, 0),
    ("2xlarge", 4, 0),
];
const T3A: &[Size] = &[
    ("nano", 2, 0),
    ("micro", 2, 0),
    ("small", 2, 0),
    ("medium", 3, 0),
    ("large", 3, 0),
    ("xlarge", 4, 0),
    ("2xlarge", 4, 0),
];
const G5: &[Size] = &[
    ("xlarge", 4, 6),
    ("2xlarge", 4, 19),
    ("4xlarge", 8, 40),
    ("8xlarge", 8, 90),
    ("12xlarge", 15, 120),
    ("16xlarge", 8, 120),
    ("24xlarge", 15, 120),
    ("48xlarge", 7, 120),
];
const P3: &[Size] = &[("2xlarge", 4, 40), ("8xlarge", 8, 60), ("16xlarge", 8, 120)];

/// Families of one table each. A type that is not here is taken with a number of interfaces.
const FAMILIES: &[(&[&str], &[Size])] = &[
    (&["m5", "m5a", "m5ad", "m5d", "r5a", "r5ad", "r5d"], M5),
    (&["r5", "c5a", "c5ad"], R5),
    (&["c5", "c5d"], C5),
    (
        &[
            "m6a", "m6i", "m6id", "c6a", "c6i", "c6id", "r6a", "r6i", "r6id",
        ],
        M6I,
    ),
    (
        &["m6g", "m6gd", "c6g", "c6gd", "c6gn", "c7g", "r6g", "r6gd"],
        M6G,
    ),
    (&["a1"], A1),
    (&["t2"], T2),
    (&["t3", "t4g"], T3),
    (&["t3a"], T3A),
    (&["g5"], G5),
    (&["p3"], P3),
];

/// What this type of instance can have; `None` for one that is not known here.
#[must_use]
pub fn limits(instance_type: &str) -> Option<Limits> {
    let (family, size) = instance_type.split_once('.')?;
    let (_, sizes) = FAMILIES
        .iter()
        .find(|(families, _)| families.contains(&family))?;
    let (_, interfaces, tasks) = sizes.iter().find(|(name, _, _)| *name == size)?;
    Some(Limits {
        interfaces: *interfaces,
        with_trunk: (*tasks > 0).then_some(*tasks),
    })
}

/// How many tasks with an interface an instance of these attributes takes: `None` without a limit. Adds
/// the trunk that it gets.
pub fn quota(
    world: &World,
    ctx: &mut Ctx,
    cluster: &str,
    earlier: Option<&ContainerInstanceRecord>,
    attributes: &mut Vec<AttributeRecord>,
) -> Option<u32> {
    // Nobody takes it from the agent's word, nor from a user's.
    attributes.retain(|attribute| attribute.name != TRUNK_ID);
    if cluster == fargate::CLUSTER {
        return None;
    }
    let value = |name: &str| {
        let found = attributes.iter().find(|attribute| attribute.name == name);
        found.and_then(|attribute| attribute.value.as_deref())
    };
    let of_type = value(INSTANCE_TYPE).and_then(limits);
    let given = value(MAX_INTERFACES).and_then(|text| text.parse::<u32>().ok());
    let whole = given.or(of_type.map(|limits| limits.interfaces));
    let plain = whole.map(|interfaces| interfaces.saturating_sub(1));
    let Some(tasks) = of_type.and_then(|limits| limits.with_trunk) else {
        return plain;
    };
    let had = earlier.and_then(|earlier| earlier.attribute(TRUNK_ID).flatten());
    let is_able = attributes
        .iter()
        .any(|attribute| attribute.name == TRUNKING);
    let is_asked = || {
        let principal = ctx.caller.arn.as_str();
        account_settings::value(world, &ctx.scope, principal, AWSVPC_TRUNKING) == "enabled"
    };
    let trunk = match had {
        Some(id) => id.to_owned(),
        None if is_able && is_asked() => ctx.ids.uuid(),
        None => return plain,
    };
    attributes.push(AttributeRecord {
        name: TRUNK_ID.into(),
        value: Some(trunk),
    });
    Some(tasks)
}

/// Whether an instance has a trunk, of which the interfaces of its tasks are branches.
#[must_use]
pub fn has_trunk(instance: &ContainerInstanceRecord) -> bool {
    instance.attribute(TRUNK_ID).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn types_have_the_limits_that_aws_publishes() {
        for (name, interfaces, tasks) in [
            ("c5.large", 3, Some(10)),
            ("c5.18xlarge", 15, Some(120)),
            ("m5.4xlarge", 8, Some(60)),
            ("r5.8xlarge", 8, None),
            ("m6g.medium", 2, Some(4)),
            ("c6i.8xlarge", 8, Some(90)),
            ("t3.small", 3, None),
            ("t3a.small", 2, None),
        ] {
            let expected = Limits {
                interfaces,
                with_trunk: tasks,
            };
            assert_eq!(limits(name), Some(expected), "{name}");
        }
        for unknown in ["c5", "c5.", "c5.nano", "x9.large", ""] {
            assert_eq!(limits(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn no_family_stands_in_two_tables_and_a_trunk_takes_more_than_none() {
        let mut seen = BTreeSet::new();
        for (families, sizes) in FAMILIES {
            assert!(families.iter().all(|family| seen.insert(*family)));
            for (size, interfaces, tasks) in *sizes {
                assert!(
                    *interfaces > 1 && (*tasks == 0 || *tasks >= *interfaces),
                    "{size}"
                );
            }
        }
    }
}
