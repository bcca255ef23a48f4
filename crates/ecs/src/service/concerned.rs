//! Which services a committed batch concerns: whose plan may be another after it.
//!
//! A change costs what it concerns, however many services there are: a task's own service; those with
//! a task on an instance, the DAEMON services of its cluster and, where a zone may have come or gone,
//! those that keep their zones even; those that wait for room, in a cluster or in a zone, where some may have
//! become free; and those whose deployment watches an alarm.
//! What a plan looks at and nothing here names (an expression of a DAEMON's constraints that asks for
//! other tasks) is found by the controller's slow tick.

use super::launch::ZONE;
use crate::instance::load;
use crate::place::feed::PLACEMENT;
use crate::records::container_instance::{
    CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceKey, InstanceStatus,
};
use crate::records::deployment_alarms::{WATCHING, watching_parts};
use crate::records::service::{
    DAEMONS, EVENS_ZONES, GROUP_PREFIX, LACKS_ROOM, SERVICES, Scheduling, ServiceKey,
    ServiceRecord, ServiceStatus, cluster_parts,
};
use crate::records::service_deployment::SERVICE_DEPLOYMENTS;
use crate::records::task::{TASKS, TaskRecord};
use crate::records::uneven::{LACKS_ROOM_IN, zone_parts};
use crate::task::status::DesiredStatus;
use aws_types::Scope;
use std::collections::{BTreeMap, BTreeSet};
use store::{Index, Key, World};
use telemetry::alarms::watched;

/// Every service that is looked after: what a controller looks at when it starts, and at each slow
/// tick.
#[must_use]
pub fn all(world: &World) -> BTreeSet<ServiceKey> {
    let services = world.scan(&SERVICES);
    let kept = services.filter(|service| service.status != ServiceStatus::Inactive);
    kept.map(|service| service.key.clone()).collect()
}

/// Whether a service's turn comes before that of those of its cluster which are no DAEMON. Rule:
/// semantics 6.8: a DAEMON's tasks are placed before those of others.
#[must_use]
pub fn goes_first(world: &World, key: &ServiceKey) -> bool {
    let service = world.get(&SERVICES, key);
    service.is_some_and(|service| service.scheduling == Scheduling::Daemon)
}

/// The services that these changes, table and key of each row, may concern; `world` holds them.
#[must_use]
pub fn concerned<'c>(
    world: &World,
    changes: impl IntoIterator<Item = (&'c str, &'c Key)>,
) -> BTreeSet<ServiceKey> {
    let mut wakes = Wakes {
        world,
        keys: BTreeSet::new(),
        roomier: BTreeSet::new(),
        zones: BTreeMap::new(),
    };
    for (table, key) in changes {
        wakes.changed(table, key);
    }
    wakes.finish()
}

struct Wakes<'w> {
    world: &'w World,
    keys: BTreeSet<ServiceKey>,
    /// Clusters in which a task may find room that found none before.
    roomier: BTreeSet<Key>,
    /// By cluster and zone: the instances that changed.
    zones: BTreeMap<(Key, String), BTreeSet<InstanceKey>>,
}

impl Wakes<'_> {
    fn changed(&mut self, table: &str, key: &Key) {
        let world = self.world;
        if table == SERVICES.name() {
            let found = world.scan_prefix(&SERVICES, key, None).next();
            self.keys.extend(found.map(|(_, of)| of.key.clone()));
        } else if table == SERVICE_DEPLOYMENTS.name() {
            let found = world.scan_prefix(&SERVICE_DEPLOYMENTS, key, None).next();
            self.keys
                .extend(found.map(|(_, of)| of.key.service.clone()));
        } else if table == TASKS.name() {
            if let Some((_, task)) = world.scan_prefix(&TASKS, key, None).next() {
                self.task(task);
            }
        } else if table == CONTAINER_INSTANCES.name()
            && let Some((_, instance)) = world.scan_prefix(&CONTAINER_INSTANCES, key, None).next()
        {
            self.instance(instance);
        } else if let Some(alarm) = watched::changed_row(table, key) {
            let scope = Scope::new(&alarm.account, &alarm.region);
            let parts = watching_parts(&scope, &alarm.name);
            let watching = world.find(&SERVICE_DEPLOYMENTS, &WATCHING, &parts);
            self.keys.extend(watching.map(|of| of.key.service.clone()));
        }
    }

    fn task(&mut self, task: &TaskRecord) {
        self.keys.extend(service_of(task));
        if !task.holds {
            let hosts = task.instance_key();
            self.roomier
                .insert(cluster_parts(&hosts.scope, &hosts.cluster));
        }
        let instance = self.world.get(&CONTAINER_INSTANCES, &task.instance_key());
        let Some(instance) = instance else {
            return;
        };
        if !task.holds {
            self.room_in_zone(instance);
        }
        if task.desired == DesiredStatus::Stopped {
            self.neighbour_left(instance);
        }
        // With the last such task a host that was lost takes tasks again.
        if task.host_was_lost && !task.holds {
            self.instance(instance);
        }
    }

    /// On an instance that is being drained a DAEMON's task stays until the others are gone.
    fn neighbour_left(&mut self, instance: &ContainerInstanceRecord) {
        let world = self.world;
        if instance.status != InstanceStatus::Draining {
            return;
        }
        let services = load::held(world, &instance.key).filter_map(|task| service_of(task));
        self.keys
            .extend(services.filter(|key| goes_first(world, key)));
    }

    fn instance(&mut self, instance: &ContainerInstanceRecord) {
        let key = &instance.key;
        let held = load::held(self.world, key);
        self.keys.extend(held.filter_map(|task| service_of(task)));
        let cluster = cluster_parts(&key.scope, &key.cluster);
        self.extend(&DAEMONS, &cluster);
        self.roomier.insert(cluster.clone());
        self.room_in_zone(instance);
        if let Some(zone) = instance.attribute(ZONE).flatten() {
            let changed = self.zones.entry((cluster, zone.into())).or_default();
            changed.insert(key.clone());
        }
    }

    /// A task may find room in this one's zone that found none there before.
    fn room_in_zone(&mut self, instance: &ContainerInstanceRecord) {
        let InstanceKey { scope, cluster, .. } = &instance.key;
        if let Some(zone) = instance.attribute(ZONE).flatten() {
            self.extend(&LACKS_ROOM_IN, &zone_parts(scope, cluster, zone));
        }
    }

    fn extend(&mut self, index: &'static Index<ServiceRecord>, cluster: &Key) {
        let found = self.world.find(&SERVICES, index, cluster);
        self.keys.extend(found.map(|service| service.key.clone()));
    }

    fn finish(mut self) -> BTreeSet<ServiceKey> {
        for ((cluster, zone), changed) in std::mem::take(&mut self.zones) {
            let Some(index) = self.world.view(&PLACEMENT).cluster(&cluster) else {
                continue;
            };
            let ready = changed.iter().filter(|key| index.is_ready(&key.id.0));
            // Some other instance of the zone takes tasks, now and before: nothing new.
            if index.ready_len(ZONE, &zone) as usize <= ready.count() {
                self.extend(&EVENS_ZONES, &cluster);
            }
        }
        for cluster in std::mem::take(&mut self.roomier) {
            self.extend(&LACKS_ROOM, &cluster);
        }
        self.keys
    }
}

fn service_of(task: &TaskRecord) -> Option<ServiceKey> {
    task.service?;
    let name = task.group.strip_prefix(GROUP_PREFIX)?;
    Some(ServiceKey::new(&task.key.scope, &task.key.cluster, name))
}
