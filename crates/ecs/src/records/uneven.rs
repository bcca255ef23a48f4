//! Zones of a service that are to be evened out, and what is kept of a try that found no place.
//!
//! What is kept holds for as long as things are as they were seen: any change that may let a task in
//! makes the service try at once, and wait anew where that fails too.

use super::service::{ServiceRecord, ServiceStatus};
use crate::place::tree::Amounts;
use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Index, Key};

/// Zones that are to be evened out, as they are at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uneven {
    /// The number of the PRIMARY deployment.
    pub deployment: u64,
    /// Tasks in each zone.
    pub tasks: Vec<(String, u32)>,
    /// Those that lack tasks, the poorest first: a task goes to the first that takes one.
    pub poor: Vec<Zone>,
}

/// A zone, and what its instances have for a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// Container instances that take tasks; 0 for launch type FARGATE.
    pub instances: u32,
    /// Of each resource the most that one of them has free.
    pub free: Amounts,
}

impl Uneven {
    /// Whether nothing is other than it `was` that may let a task in. Less room than there was lets none in.
    #[must_use]
    pub fn is_as(&self, was: &Self) -> bool {
        let is_zone_as = |(is, was): (&Zone, &Zone)| {
            is.name == was.name && is.instances == was.instances && was.free.covers(is.free)
        };
        self.deployment == was.deployment
            && self.tasks == was.tasks
            && self.poor.len() == was.poor.len()
            && self.poor.iter().zip(&was.poor).all(is_zone_as)
    }
}

/// Tries to even out zones that found no place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unevened {
    /// How many, one after another, with everything as it was seen.
    pub tries: u32,
    /// None before this moment, while everything is so.
    pub after: Timestamp,
    /// What was seen at the last one.
    pub seen: Uneven,
}

/// ACTIVE services whose zones could not be evened out, by cluster and each zone that took no task.
pub static LACKS_ROOM_IN: Index<ServiceRecord> = Index {
    name: "lacks_room_in",
    keys: |service| {
        let waits = service.unevened.as_ref();
        let Some(waits) = waits.filter(|_| service.status == ServiceStatus::Active) else {
            return Vec::new();
        };
        let (scope, cluster) = (&service.key.scope, service.key.cluster.as_str());
        let zones = waits.seen.poor.iter();
        zones
            .map(|zone| zone_parts(scope, cluster, &zone.name))
            .collect()
    },
};

/// The index key of a cluster's zone.
#[must_use]
pub fn zone_parts(scope: &Scope, cluster: &str, zone: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, cluster, zone])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uneven(instances: u32, cpu_units: u32) -> Uneven {
        let free = Amounts {
            cpu_units,
            ..Amounts::default()
        };
        let name = "b".to_owned();
        let poor = Zone {
            name,
            instances,
            free,
        };
        Uneven {
            deployment: 1,
            tasks: vec![("a".into(), 2), ("b".into(), 0)],
            poor: vec![poor],
        }
    }

    #[test]
    fn what_may_let_a_task_in_makes_it_another_and_what_takes_room_does_not() {
        let was = uneven(2, 100);
        let more_tasks = Uneven {
            tasks: vec![("a".into(), 3), ("b".into(), 0)],
            ..was.clone()
        };
        let deployed = Uneven {
            deployment: 2,
            ..was.clone()
        };
        let elsewhere = Uneven {
            poor: Vec::new(),
            ..was.clone()
        };
        for (is, expected) in [
            (was.clone(), true),
            (uneven(2, 99), true),
            (uneven(2, 101), false),
            (uneven(3, 100), false),
            (uneven(1, 100), false),
            (more_tasks, false),
            (deployed, false),
            (elsewhere, false),
        ] {
            assert_eq!(is.is_as(&was), expected, "{is:?}");
        }
    }
}
