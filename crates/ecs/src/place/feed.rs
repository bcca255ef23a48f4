//! How the records of instances and tasks change the placement index.
//!
//! Rule: a reservation counts from placement until the task's host said STOPPED, or the instance is
//! gone.

use super::index::{Attributes, Hold, Index, Seat};
use super::problem::Standing;
use super::tree::Amounts;
use crate::records::ClusterKey;
use crate::records::container_instance::{ContainerInstanceRecord, InstanceKey, InstanceStatus};
use crate::records::task::TaskRecord;
use crate::task::status::DesiredStatus;
use store::{Feed, Key, TableKey, View};

/// The placement index of this World.
pub static PLACEMENT: View<Index> = View::new("ecs.placement", Index::default);

/// Instances, as they are registered.
pub static OF_INSTANCES: Feed<Index, ContainerInstanceRecord> = Feed {
    view: &PLACEMENT,
    changed: |index, before, now| {
        let (was, is) = (before.and_then(seat), now.and_then(seat));
        let Some(record) = now.or(before).filter(|_| was != is) else {
            return;
        };
        let key = of_instance(&record.key);
        index.change(key, |cluster| cluster.seat(&record.key.id.0, is));
    },
};

/// Tasks, as they hold what they reserved.
pub static OF_TASKS: Feed<Index, TaskRecord> = Feed {
    view: &PLACEMENT,
    changed: |index, before, now| {
        let (was, is) = (before.and_then(hold), now.and_then(hold));
        let Some(record) = now.or(before).filter(|_| was != is) else {
            return;
        };
        index.change(of_instance(&record.instance_key()), |cluster| {
            if let (Some(was), Some(before)) = (was, before) {
                cluster.release(&before.instance.0, &was);
            }
            if let (Some(is), Some(now)) = (is, now) {
                cluster.take(&now.instance.0, &is);
            }
        });
    },
};

fn of_instance(key: &InstanceKey) -> Key {
    ClusterKey::new(&key.scope, &key.cluster).encode()
}

fn seat(record: &ContainerInstanceRecord) -> Option<Seat> {
    let standing = match record.status {
        InstanceStatus::Inactive => return None,
        InstanceStatus::Draining => Standing::Draining,
        InstanceStatus::Active if record.is_connected() => Standing::Ready,
        InstanceStatus::Active => Standing::AgentAway,
    };
    let registered = &record.registered;
    Some(Seat {
        standing,
        attributes: attributes(record),
        size: Amounts {
            cpu_units: registered.cpu_units,
            memory_mib: registered.memory_mib,
            gpus: 0,
            interfaces: registered.interfaces.unwrap_or(u32::MAX),
        },
        gpus: registered.gpus.clone(),
        tcp: registered.tcp.clone(),
        udp: registered.udp.clone(),
    })
}

/// The capacity provider of an instance, as placement sees it. No attribute that users put has a colon.
pub const CAPACITY_PROVIDER: &str = "aws:capacity-provider";

/// An instance's attributes by name, its capacity provider among them.
#[must_use]
pub fn attributes(record: &ContainerInstanceRecord) -> Attributes {
    let attributes = record.attributes.iter();
    let attributes = attributes.map(|a| (a.name.clone(), a.value.clone()));
    let provider = record.capacity_provider.iter();
    let provider = provider.map(|name| (CAPACITY_PROVIDER.to_owned(), Some(name.clone())));
    attributes.chain(provider).collect()
}

fn hold(record: &TaskRecord) -> Option<Hold> {
    let reserved = &record.reserved;
    record.holds.then(|| Hold {
        group: record.group.as_str().into(),
        is_active: record.desired == DesiredStatus::Running,
        is_unconfirmed: record.is_unconfirmed(),
        size: Amounts {
            cpu_units: reserved.cpu_units,
            memory_mib: reserved.memory_mib,
            gpus: 0,
            interfaces: u32::from(record.attachment.is_some()),
        },
        gpus: reserved.gpus.clone(),
        tcp: reserved.tcp.clone(),
        udp: reserved.udp.clone(),
    })
}
