//! What a transaction changed that is to be told.

use super::said::Fact;
use crate::fargate;
use crate::instance::load;
use crate::records::container_instance::{
    CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceKey,
};
use crate::records::service::{SERVICES, Scheduling, ServiceRecord, ServiceStatus};
use crate::records::service_event::SERVICE_EVENTS;
use crate::records::task::TASKS;
use crate::service::action::Action;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{Txn, World};

/// Everything, in the order of tasks, instances, services, and what services did.
pub(super) fn facts(txn: &Txn) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (before, now) in txn.changed(&TASKS) {
        if let Some(now) = now
            && before.is_none_or(|before| before.version != now.version)
        {
            facts.push(Fact::Task(now));
        }
    }
    for (before, now) in txn.changed(&CONTAINER_INSTANCES) {
        if let Some(now) = now.filter(|now| is_shown(&now.key))
            && before.is_none_or(|before| before.version != now.version)
        {
            facts.push(instance(txn, &now));
        }
    }
    for (before, now) in txn.changed(&SERVICES) {
        if let Some(now) = now {
            of_service(before.as_deref(), &now, &mut facts);
        }
    }
    for (before, now) in txn.changed(&SERVICE_EVENTS) {
        if let (None, Some(now)) = (before, now)
            && let Some(action) = now.action.clone()
        {
            facts.push(Fact::Action {
                service: now.key.service.clone(),
                action,
            });
        }
    }
    facts
}

/// The instances on which tasks took or freed resources, their own record being as it was; counts their
/// versions up.
pub(super) fn loads(txn: &mut Txn) -> Vec<Fact> {
    let mut keys: BTreeSet<InstanceKey> = BTreeSet::new();
    for (before, now) in txn.changed(&TASKS) {
        let holds =
            |task: Option<&_>| task.is_some_and(|task: &crate::records::TaskRecord| task.holds);
        if holds(before.as_deref()) != holds(now.as_deref()) {
            keys.extend(now.or(before).map(|task| task.instance_key()));
        }
    }
    for (before, now) in txn.changed(&CONTAINER_INSTANCES) {
        if let Some(now) = now
            && before.is_none_or(|before| before.version != now.version)
        {
            keys.remove(&now.key);
        }
    }
    let mut facts = Vec::new();
    for key in keys.iter().filter(|key| is_shown(key)) {
        if let Some(record) = txn.get(&CONTAINER_INSTANCES, key).cloned() {
            load::changed(txn, key);
            facts.push(instance(txn, &record));
        }
    }
    facts
}

/// A host that only lends FARGATE capacity is no container instance of anybody's.
fn is_shown(instance: &InstanceKey) -> bool {
    instance.cluster != fargate::CLUSTER
}

fn instance(world: &World, record: &Arc<ContainerInstanceRecord>) -> Fact {
    // Made now: what is left of an instance is another thing later.
    Fact::Instance {
        record: record.clone(),
        load: Box::new(load::of(world, record)),
        version: load::version(world, record),
    }
}

fn of_service(before: Option<&ServiceRecord>, now: &ServiceRecord, facts: &mut Vec<Fact>) {
    for deployment in now.deployments.iter().rev() {
        let earlier = before.and_then(|before| {
            let mut all = before.deployments.iter();
            all.find(|earlier| earlier.number == deployment.number)
        });
        if earlier.is_none_or(|earlier| earlier.rollout != deployment.rollout) {
            facts.push(Fact::Deployment {
                service: now.key.clone(),
                deployment: Box::new(deployment.clone()),
            });
            let action = Action::of_rollout(deployment.rollout);
            let service = now.key.clone();
            facts.push(Fact::Action { service, action });
        }
    }
    for action in computed(before, now) {
        let service = now.key.clone();
        facts.push(Fact::Action { service, action });
    }
}

/// Counts of tasks that are computed and not asked for: a DAEMON's, and those of task sets. What a user asks for is
/// not told. Rule: developer guide, "Amazon ECS service action events", `SERVICE_DESIRED_COUNT_UPDATED`.
fn computed(before: Option<&ServiceRecord>, now: &ServiceRecord) -> Vec<Action> {
    if now.status != ServiceStatus::Active {
        return Vec::new();
    }
    let mut actions = Vec::new();
    let was = before.map_or(0, |before| before.desired);
    if now.scheduling == Scheduling::Daemon && was != now.desired {
        actions.push(Action::desired_count_updated(None, now.desired));
    }
    for set in &now.task_sets {
        let earlier = before.and_then(|before| {
            let mut sets = before.task_sets.iter();
            let found = sets.find(|earlier| earlier.number == set.number)?;
            Some(found.computed_desired(before.desired))
        });
        let desired = set.computed_desired(now.desired);
        if earlier.unwrap_or(0) != desired {
            actions.push(Action::desired_count_updated(Some(set.number), desired));
        }
    }
    actions
}
