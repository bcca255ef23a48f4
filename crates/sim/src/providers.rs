//! Capacity providers as the scheduler meets them: each host's capacity is of one of two, and a service's strategy
//! says how its tasks are spread over them.
//!
//! CreateService takes strategies of FARGATE and FARGATE_SPOT alone: this service gets its own behind its back.

use crate::event::HostIndex;
use crate::plan::Load;
use crate::service_check::View;
use crate::simulation::Simulation;
use aws_api::Stored;
use aws_api::ecs::CapacityProviderStrategyItem;
use ecs::records::container_instance::InstanceKey;
use ecs::records::service::ServiceKey;
use ecs::records::service_revision::SERVICE_REVISIONS;
use ecs::records::{CONTAINER_INSTANCES, TaskRecord};
use ecs::task::status::DesiredStatus;
use store::Txn;

/// The service with a strategy.
const SERVICE: &str = "api";
/// Its strategy.
const STRATEGY: [Item; 2] = [
    Item {
        provider: "steady",
        base: 1,
        weight: 1,
    },
    Item {
        provider: "cheap",
        base: 0,
        weight: 2,
    },
];

struct Item {
    provider: &'static str,
    base: u32,
    weight: u32,
}

/// Gives the revisions of the service its strategy.
pub fn follow(txn: &mut Txn, service: &ServiceKey) {
    if service.name == SERVICE {
        set(txn, service, &STRATEGY);
    }
}

/// A planted bug: its strategy with the weights of the two exchanged, until [`follow`] puts it right.
pub fn exchange_weights(txn: &mut Txn, service: &ServiceKey) {
    if service.name == SERVICE {
        let [first, second] = &STRATEGY;
        let weighted = |item: &Item, weight| Item { weight, ..*item };
        let exchanged = [
            weighted(first, second.weight),
            weighted(second, first.weight),
        ];
        set(txn, service, &exchanged);
    }
}

fn set(txn: &mut Txn, service: &ServiceKey, strategy: &[Item]) {
    let all = txn.scan(&SERVICE_REVISIONS);
    let own = all.filter(|revision| revision.key.service == *service);
    let own: Vec<_> = own.map(|revision| revision.key.clone()).collect();
    let number = |of: u32| i32::try_from(of).ok();
    for revision in own {
        txn.update(&SERVICE_REVISIONS, &revision, |revision| {
            let items = strategy.iter().map(|item| CapacityProviderStrategyItem {
                capacity_provider: Some(item.provider.into()),
                base: number(item.base),
                weight: number(item.weight),
            });
            revision.workload.capacity_provider_strategy = items.map(Stored).collect();
        });
    }
}

/// An instance's capacity is its host's provider's.
pub fn lend(txn: &mut Txn, instance: &InstanceKey, host: HostIndex) {
    if instance.cluster == ecs::fargate::CLUSTER {
        return;
    }
    txn.update(&CONTAINER_INSTANCES, instance, |instance| {
        instance.capacity_provider = Some(of_host(host).into());
    });
}

fn of_host(host: HostIndex) -> &'static str {
    STRATEGY[host % STRATEGY.len()].provider
}

impl Simulation {
    /// After one step of the scheduler's: what it started is where its provider's capacity is, and the parts are
    /// those of the strategy.
    pub fn check_providers(&mut self, before: &View, after: &View) {
        if self.plan.load == Load::TwoServices {
            return;
        }
        let new = after.live.iter().map(|(task, _)| task);
        let new: Vec<_> = new.filter(|task| !before.has(&task.key)).collect();
        let found = match after.record.key.name.as_str() {
            SERVICE => new.iter().find_map(|task| {
                self.misplaced(task)
                    .or_else(|| unevenly(before, after, task))
            }),
            _ => new.iter().find_map(|task| {
                let provider = task.capacity_provider.as_ref()?;
                Some(format!("of no strategy, and by provider {provider}"))
            }),
        };
        if let Some(what) = found {
            self.violate(3, format!("service {}: {what}", after.record.key.name));
        }
    }

    fn misplaced(&self, task: &TaskRecord) -> Option<String> {
        let host = *self.check.owners.get(&task.instance)?;
        let (by, on) = (task.capacity_provider.as_deref(), of_host(host));
        (by != Some(on)).then(|| format!("a task by provider {by:?} is on an instance of {on}"))
    }
}

/// A provider got this task, and another has fewer for its weight, or lacks some of its base, though there was room.
fn unevenly(before: &View, after: &View, task: &TaskRecord) -> Option<String> {
    if after.record.lacks_room {
        return None;
    }
    let is_kept = |other: &&TaskRecord| {
        other.desired == DesiredStatus::Running && other.service == task.service
    };
    let count = |provider: &str, view: &View| {
        let live = view.live.iter().map(|(task, _)| task.as_ref());
        let of = live.filter(is_kept);
        of.filter(|other| other.capacity_provider.as_deref() == Some(provider))
            .filter(|other| after.keeps(&other.key))
            .count() as u32
    };
    let beyond = |item: &Item, has: u32| has.saturating_sub(item.base);
    let own = STRATEGY
        .iter()
        .find(|item| task.capacity_provider.as_deref() == Some(item.provider))?;
    let has = count(own.provider, after);
    if has <= own.base || count(own.provider, before) >= has {
        return None;
    }
    let others = STRATEGY.iter().filter(|it| it.provider != own.provider);
    for other in others {
        let its = count(other.provider, after);
        if its < other.base {
            return Some(format!(
                "{} got a task, and {} has {its} of its base",
                own.provider, other.provider
            ));
        }
        // The last one came when it had no more for its weight than the other.
        if (beyond(own, has) - 1) * other.weight > beyond(other, its) * own.weight {
            return Some(format!(
                "{} has {has} tasks and {} {its}: not by their weights",
                own.provider, other.provider
            ));
        }
    }
    None
}
