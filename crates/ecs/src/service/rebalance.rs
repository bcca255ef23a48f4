//! Evening out the Availability Zones of a service that is otherwise as desired.
//!
//! Rule: semantics 6.10: where two zones differ by more than one task, one is started in the poorest,
//! and when it is healthy one is stopped in the richest.

use super::facts::Facts;
use super::limits::Limits;
use std::collections::BTreeMap;

/// What is to be done for the zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evenness {
    /// Nothing: they are even, or there is no telling.
    Even,
    /// A task is to be started in this zone.
    Lacks(String),
}

/// Tasks in each zone, those without one included, in order of name.
#[must_use]
pub fn by_zone(facts: &Facts<'_>) -> Vec<(String, u32)> {
    let zones = facts.zones.iter().map(|zone| (zone.clone(), 0));
    let mut tasks: BTreeMap<String, u32> = zones.collect();
    for zone in facts.live().filter_map(|member| member.zone.clone()) {
        *tasks.entry(zone).or_default() += 1;
    }
    tasks.into_iter().collect()
}

/// What is to be done now, of a service whose tasks are all healthy and as many as desired.
#[must_use]
pub fn evenness(facts: &Facts<'_>, desired: u32) -> Evenness {
    let waits = facts
        .service
        .rebalance_after
        .is_some_and(|after| after > facts.now);
    if waits || facts.zones.len() < 2 || Limits::of(facts.service, desired).upper <= desired {
        return Evenness::Even;
    }
    let tasks = by_zone(facts);
    let richest = tasks.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let usable = tasks.iter().filter(|(zone, _)| facts.zones.contains(zone));
    let Some((zone, poorest)) = usable.min_by_key(|(_, count)| *count) else {
        return Evenness::Even;
    };
    match richest.saturating_sub(*poorest) > 1 {
        true => Evenness::Lacks(zone.clone()),
        false => Evenness::Even,
    }
}
