//! What the state knows of an instance, for expressions of the cluster query language.

use super::feed::PLACEMENT;
use super::query::{Expression, Facts};
use crate::records::ClusterKey;
use crate::records::container_instance::{
    CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceKey,
};
use crate::records::task_table::{Count, OF_INSTANCE, TASKS, measure};
use aws_types::{Scope, Timestamp};
use store::{TableKey, World};

/// Whether this instance is what the expression asks for.
#[must_use]
pub fn holds(world: &World, record: &ContainerInstanceRecord, expression: &Expression) -> bool {
    expression.holds(&OfInstance { world, record })
}

/// Whether the instance of this id is; an unknown one is not.
#[must_use]
pub fn holds_by_id(
    world: &World,
    scope: &Scope,
    cluster: &str,
    id: &str,
    asked: &Expression,
) -> bool {
    let key = InstanceKey::new(scope, cluster, id);
    let record = world.get(&CONTAINER_INSTANCES, &key);
    record.is_some_and(|record| holds(world, record, asked))
}

struct OfInstance<'a> {
    world: &'a World,
    record: &'a ContainerInstanceRecord,
}

impl Facts for OfInstance<'_> {
    fn agent_connected(&self) -> bool {
        self.record.is_connected()
    }

    fn agent_version(&self) -> Option<&str> {
        self.record.versions.agent_version.as_deref()
    }

    fn ec2_instance_id(&self) -> &str {
        &self.record.ec2_instance_id
    }

    fn registered_at(&self) -> Timestamp {
        self.record.registered_at
    }

    fn running_tasks(&self) -> u32 {
        let key = measure(&self.record.key, Count::Running.name());
        let sum = self.world.sum(&TASKS, &OF_INSTANCE, &key);
        u32::try_from(sum).unwrap_or(u32::MAX)
    }

    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        self.record.attribute(name)
    }

    fn hosts_group(&self, passes: &dyn Fn(&str) -> bool) -> bool {
        let InstanceKey { scope, cluster, id } = &self.record.key;
        let key = ClusterKey::new(scope, cluster).encode();
        let cluster = self.world.view(&PLACEMENT).cluster(&key);
        cluster.is_some_and(|cluster| cluster.groups_on(&id.0).any(passes))
    }
}
