//! Evening out the Availability Zones of a service that is otherwise as desired.
//!
//! Rule: semantics 6.10: where two zones differ by more than one task, one is started in the poorest,
//! and when it is healthy one is stopped in the richest. No task is started for which none could go:
//! it would go again itself. Developer guide, "Amazon ECS Availability Zone service rebalancing
//! service event messages". A try that finds no place is repeated later and later: AWS names no time.

use super::events::Message;
use super::facts::{Facts, Member};
use super::judge::held_until;
use super::limits::Limits;
use super::plan::{Place, Plan, Start};
use super::standing;
use super::waits::Waits;
use crate::records::service::{Deployment, Scheduling};
use crate::records::uneven::{Uneven, Unevened, Zone};
use aws_types::Timestamp;
use std::collections::BTreeMap;

/// What is to be done for the zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evenness {
    /// Nothing: they are even, or there is no telling.
    Even,
    /// They are not, but no more tasks may be there at once than these, which are desired.
    Maximum(u32),
    /// They are not, but what would have to go is protected; how many tasks are.
    Protected(u32),
    /// They are not, and tasks fail: none is started before.
    Held(Timestamp),
    /// They are not, and none that lacks tasks took one, as things still are.
    NoPlace(Unevened),
    /// A task is to be started.
    Lacks(Uneven),
}

/// Plans what is to be done for the zones of a service with this PRIMARY and desired count. `is_steady`: it is
/// otherwise as desired.
pub(super) fn even_out(
    facts: &Facts<'_>,
    primary: &Deployment,
    (desired, is_steady): (u32, bool),
    plan: &mut Plan,
) {
    if !facts.service.rebalances_zones || facts.service.scheduling != Scheduling::Replica {
        stop(plan);
        return standing::even(plan);
    }
    if !is_steady || !plan.start.is_empty() || !plan.stop.is_empty() {
        return;
    }
    match evenness(facts, primary, desired) {
        Evenness::Lacks(uneven) => {
            standing::uneven(&uneven, plan);
            plan.start.push(Start {
                of: primary.number,
                count: 1,
                place: Place::In(uneven),
            });
        }
        Evenness::Protected(tasks) => {
            stop(plan);
            let held = Message::Unevened(primary.number, tasks);
            plan.messages.push(held);
        }
        Evenness::Even => {
            if plan.next.is_rebalancing {
                let even = Message::Rebalanced(by_zone(facts));
                plan.messages.push(even);
                plan.next.is_rebalancing = false;
            }
            standing::even(plan);
        }
        Evenness::Maximum(_) => {
            stop(plan);
            standing::even(plan);
        }
        Evenness::Held(_) | Evenness::NoPlace(_) => {}
    }
}

/// Zones are not evened out any more, though they may not be even.
fn stop(plan: &mut Plan) {
    if std::mem::take(&mut plan.next.is_rebalancing) {
        plan.messages.push(Message::RebalancingStopped);
    }
}

/// Tasks in each zone, those without one included, in order of name.
#[must_use]
pub fn by_zone(facts: &Facts<'_>) -> Vec<(String, u32)> {
    let zones = facts.zones.iter().map(|zone| (zone.name.clone(), 0));
    let mut tasks: BTreeMap<String, u32> = zones.collect();
    for zone in facts.live().filter_map(|member| member.zone.clone()) {
        *tasks.entry(zone).or_default() += 1;
    }
    tasks.into_iter().collect()
}

/// What is to be done now, of a service whose tasks are all healthy and as many as desired.
#[must_use]
pub fn evenness(facts: &Facts<'_>, primary: &Deployment, desired: u32) -> Evenness {
    if facts.zones.len() < 2 {
        return Evenness::Even;
    }
    let tasks = by_zone(facts);
    let richest = |may_go: &dyn Fn(&str) -> bool| {
        let of = tasks.iter().filter(|(zone, _)| may_go(zone));
        of.map(|(_, count)| *count).max().unwrap_or(0)
    };
    let has_free = |zone: &str| {
        let mut free = facts.live().filter(|member| !member.is_protected());
        free.any(|member| member.zone.as_deref() == Some(zone))
    };
    let poor = poor(facts, &tasks, richest(&|_| true));
    if poor.is_empty() {
        return Evenness::Even;
    }
    if Limits::of(facts.service, desired).upper <= desired {
        return Evenness::Maximum(desired);
    }
    let poor = poorer(poor, richest(&has_free));
    if poor.is_empty() {
        let protected = facts.live().filter(|member| member.is_protected());
        return Evenness::Protected(u32::try_from(protected.count()).unwrap_or(u32::MAX));
    }
    if let Some(until) = held_until(primary.throttle, facts.now) {
        return Evenness::Held(until);
    }
    let poor = poor.into_iter().map(|(zone, _)| zone.clone()).collect();
    let uneven = Uneven {
        deployment: primary.number,
        tasks,
        poor,
    };
    match &facts.service.unevened {
        Some(last) if last.after > facts.now && uneven.is_as(&last.seen) => {
            Evenness::NoPlace(last.clone())
        }
        Some(_) | None => Evenness::Lacks(uneven),
    }
}

/// What is kept of a try that found no place, after what was kept of the one before.
#[must_use]
pub fn unevened(
    before: Option<&Unevened>,
    seen: &Uneven,
    now: Timestamp,
    waits: Waits,
) -> Unevened {
    let same = before.filter(|before| seen.is_as(&before.seen));
    let tries = same.map_or(0, |same| same.tries).saturating_add(1);
    Unevened {
        tries,
        after: now.plus(waits.even_out(tries)),
        seen: seen.clone(),
    }
}

/// The zones with an instance that takes tasks which have too few beside so many, the poorest first.
fn poor<'f>(facts: &'f Facts<'_>, tasks: &[(String, u32)], richest: u32) -> Vec<(&'f Zone, u32)> {
    let count = |zone: &Zone| {
        let mut tasks = tasks.iter();
        let found = tasks.find(|(name, _)| *name == zone.name);
        found.map_or(0, |(_, count)| *count)
    };
    let usable = facts.zones.iter().map(|zone| (zone, count(zone)));
    let mut poor = poorer(usable.collect(), richest);
    poor.sort_by_key(|(_, count)| *count);
    poor
}

/// Those that so many are too many for.
fn poorer(mut zones: Vec<(&Zone, u32)>, richest: u32) -> Vec<(&Zone, u32)> {
    zones.retain(|(_, count)| richest.saturating_sub(*count) > 1);
    zones
}

/// Of tasks of which one is too many while zones are evened out, those that may go: none of a zone that has the
/// fewest, or what was started there would go again.
#[must_use]
pub fn may_go<'f>(facts: &Facts<'_>, tasks: &[&'f Member]) -> Vec<&'f Member> {
    let by_zone: BTreeMap<String, u32> = by_zone(facts).into_iter().collect();
    let poorest = by_zone.values().min().copied().unwrap_or(0);
    let is_rich = |zone: &String| by_zone.get(zone).is_some_and(|count| *count > poorest);
    let rich = tasks
        .iter()
        .filter(|member| member.zone.as_ref().is_some_and(is_rich));
    rich.copied().collect()
}
