//! Which capacity provider a service's next tasks go to.
//!
//! The strategy's provider with a base is filled up to it; beyond their bases each next task goes where the tasks
//! are fewest for the weight. Counted are the tasks of the same deployment or task set: those of the deployment
//! before go, and would leave the base empty. A provider without room keeps its tasks waiting; no other takes them.
//! Rule: semantics 7, API reference, CapacityProviderStrategyItem.

use crate::records::service::{ServiceKey, ServiceRecord, Workload};
use crate::records::task::{TASKS, TaskKey};
use crate::records::task_table::{BY_SERVICE, LIVE, service_parts};
use crate::task::status::DesiredStatus;
use aws_api::ecs::CapacityProviderStrategyItem;
use std::cmp::Ordering;
use store::World;

/// A provider in a strategy, and what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// `base`: so many tasks first.
    pub base: u32,
    /// `weight`: of the tasks beyond the bases, so many parts.
    pub weight: u32,
    /// Tasks that it has.
    pub tasks: u32,
}

impl Share {
    /// As a strategy's item gives it. Rule: `base` and `weight` are 0 where they are not given.
    fn of(item: &CapacityProviderStrategyItem, tasks: u32) -> Self {
        let given = |value: Option<i32>| u32::try_from(value.unwrap_or(0)).unwrap_or(0);
        Self {
            base: given(item.base),
            weight: given(item.weight),
            tasks,
        }
    }

    /// Which of two has fewer tasks beyond its base for its weight.
    fn order(&self, other: &Self) -> Ordering {
        let beyond = |share: &Self| u64::from(share.tasks.saturating_sub(share.base));
        let (own, its) = (beyond(self), beyond(other));
        (own * u64::from(other.weight)).cmp(&(its * u64::from(self.weight)))
    }
}

/// Where the next task goes: a place in `shares`; `None` where no base is open and no weight is given.
#[must_use]
pub fn next(shares: &[Share]) -> Option<usize> {
    let is_open = |share: &Share| share.tasks < share.base;
    if let Some(at) = shares.iter().position(is_open) {
        return Some(at);
    }
    let weighted = shares.iter().enumerate().filter(|(_, one)| one.weight > 0);
    let first = weighted.min_by(|(_, a), (_, b)| a.order(b));
    first.map(|(at, _)| at)
}

/// How many of the next `count` tasks go to each of `shares`.
#[must_use]
pub fn split(shares: &[Share], count: u32) -> Vec<u32> {
    let mut now = shares.to_vec();
    for _ in 0..count {
        let Some(share) = next(&now).and_then(|at| now.get_mut(at)) else {
            break;
        };
        share.tasks += 1;
    }
    let before = shares.iter().map(|share| share.tasks);
    now.iter()
        .zip(before)
        .map(|(is, was)| is.tasks - was)
        .collect()
}

/// The providers of `count` tasks that one call starts, with how many of them each starts; without a strategy all of
/// them by no provider. What other calls started does not count.
#[must_use]
pub fn of_call(
    strategy: &[CapacityProviderStrategyItem],
    count: u32,
) -> Vec<(Option<String>, u32)> {
    if strategy.is_empty() {
        return vec![(None, count)];
    }
    let shares: Vec<Share> = strategy.iter().map(|item| Share::of(item, 0)).collect();
    let each = strategy.iter().zip(split(&shares, count));
    each.filter(|(_, count)| *count > 0)
        .map(|(item, count)| (item.capacity_provider.clone(), count))
        .collect()
}

/// The providers of the next `count` tasks of a deployment or task set, with how many of them each starts; without a
/// strategy all of them by no provider.
#[must_use]
pub fn turns(
    world: &World,
    service: &ServiceRecord,
    (number, workload): (u64, &Workload),
    count: u32,
) -> Vec<(Option<String>, u32)> {
    let strategy = &workload.capacity_provider_strategy;
    if strategy.is_empty() {
        return vec![(None, count)];
    }
    let names: Vec<&str> = strategy
        .iter()
        .map(|item| item.capacity_provider.as_deref().unwrap_or_default())
        .collect();
    let has = tasks(world, &service.key, number, &names);
    let items = strategy.iter().zip(has);
    let shares: Vec<Share> = items.map(|(item, has)| Share::of(item, has)).collect();
    let each = names.iter().zip(split(&shares, count));
    each.filter(|(_, count)| *count > 0)
        .map(|(name, count)| (Some((*name).to_owned()), count))
        .collect()
}

/// Tasks that each provider has of this deployment or task set, but those that are asked to stop.
fn tasks(world: &World, key: &ServiceKey, number: u64, names: &[&str]) -> Vec<u32> {
    let of_cluster = TaskKey::new(&key.scope, &key.cluster, "");
    let parts = service_parts(&of_cluster, &key.group(), LIVE);
    let mut counts = vec![0; names.len()];
    for task in world.find(&TASKS, &BY_SERVICE, &parts) {
        let is_own = task.service.is_some_and(|of| of.deployment == number);
        if !is_own || task.desired != DesiredStatus::Running {
            continue;
        }
        let provider = task.capacity_provider.as_deref();
        let at = names.iter().position(|name| Some(*name) == provider);
        if let Some(count) = at.and_then(|at| counts.get_mut(at)) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share((base, weight, tasks): (u32, u32, u32)) -> Share {
        Share {
            base,
            weight,
            tasks,
        }
    }

    #[test]
    fn the_base_is_filled_first_then_the_weights_decide() {
        let table: &[(&[(u32, u32, u32)], u32, &[u32])] = &[
            // AWS's example: base 1, weights 1 and 4.
            (&[(1, 1, 0), (0, 4, 0)], 1, &[1, 0]),
            (&[(1, 1, 0), (0, 4, 0)], 6, &[2, 4]),
            (&[(0, 1, 0), (0, 1, 0)], 10, &[5, 5]),
            (&[(0, 1, 0), (0, 4, 0)], 10, &[2, 8]),
            // A base of the second comes first, and of a weight of 0 no more follows.
            (&[(0, 1, 0), (3, 0, 0)], 5, &[2, 3]),
            // What is there counts: the first lost some.
            (&[(0, 1, 0), (0, 1, 5)], 6, &[6, 0]),
            (&[(2, 1, 1), (0, 1, 3)], 2, &[2, 0]),
            // Nobody takes a task: weights of 0, the base full.
            (&[(0, 0, 0)], 3, &[0]),
            (&[(2, 0, 2), (0, 0, 0)], 3, &[0, 0]),
            (&[(2, 0, 0), (0, 0, 0)], 3, &[2, 0]),
            (&[], 3, &[]),
        ];
        for (given, count, expected) in table {
            let shares: Vec<Share> = given.iter().copied().map(share).collect();
            assert_eq!(split(&shares, *count), *expected, "{given:?}, {count} more");
        }
    }

    proptest! {
        /// Started at once or one after another is the same, and the outcome is within one task of the exact parts.
        #[test]
        fn the_parts_are_those_of_the_weights(
            given in prop::collection::vec((0_u32..20, 0_u32..5), 1..6),
            count in 0_u32..200,
        ) {
            // Only one provider of a strategy has a base.
            let shares: Vec<Share> = given
                .iter()
                .enumerate()
                .map(|(at, (base, weight))| share((if at == 0 { *base } else { 0 }, *weight, 0)))
                .collect();
            let each = split(&shares, count);
            let first = split(&shares, count / 3);
            let then: Vec<Share> = shares.iter().zip(&first).map(|(one, tasks)| Share { tasks: *tasks, ..*one }).collect();
            let rest = split(&then, count - count / 3);
            prop_assert_eq!(&each, &first.iter().zip(&rest).map(|(a, b)| a + b).collect::<Vec<u32>>());
            let weights: u32 = shares.iter().map(|one| one.weight).sum();
            let based = shares[0].base.min(count);
            prop_assert!(each[0] >= based);
            let beyond = count - based;
            if weights == 0 {
                prop_assert_eq!(each.iter().sum::<u32>(), based);
                return Ok(());
            }
            prop_assert_eq!(each.iter().sum::<u32>(), count);
            for (at, one) in shares.iter().enumerate() {
                let own = each[at] - if at == 0 { based } else { 0 };
                let exact = f64::from(beyond) * f64::from(one.weight) / f64::from(weights);
                let off = (f64::from(own) - exact).abs();
                prop_assert!(off < given.len() as f64, "{own} beside {exact} of {at} in {each:?}");
                prop_assert!(one.weight > 0 || own == 0);
            }
        }
    }
}
