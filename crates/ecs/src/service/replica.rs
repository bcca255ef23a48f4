//! How many tasks of a REPLICA service to start, and which to stop, now.
//!
//! Rule: semantics 6.1. What is too many goes at once; a task that is to be replaced (of an earlier
//! deployment, or on an instance that is drained) goes as soon as enough others count; one that fails
//! its health checks goes once it is replaced, or to make room where there is none.

use super::facts::{Facts, Health, Member};
use super::judge::held_until;
use super::limits::Limits;
use super::plan::{Start, Stop, Why};
use super::rebalance;
use super::victims::{self, Allowance};
use crate::records::service::{Deployment, Rollout};
use crate::task::status::TaskStatus;
use std::collections::BTreeMap;

/// What to do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Tasks to start.
    pub start: Vec<Start>,
    /// Tasks to stop.
    pub stop: Vec<Stop>,
    /// Whether the limits allow neither a start nor a stop, though something is to be done.
    pub is_blocked: bool,
    /// The deployments of which only protected tasks are too many; how many of each are protected.
    pub protected: Vec<(u64, u32)>,
    /// The deployment that has one task too many since zones are evened out, where only protected tasks could go;
    /// how many are protected.
    pub unevened: Option<(u64, u32)>,
}

/// The tasks of a service, sorted by what is to become of them.
struct Sorted<'f> {
    /// To be kept.
    current: Vec<&'f Member>,
    /// To be replaced, and good for as long.
    old: Vec<&'f Member>,
    /// Failed their health checks.
    unhealthy: Vec<&'f Member>,
    /// To be replaced, and not yet RUNNING: nothing is lost with them.
    idle: Vec<&'f Member>,
}

impl<'f> Sorted<'f> {
    fn new(facts: &'f Facts<'_>, primary: &Deployment) -> Self {
        let mut sorted = Self {
            current: Vec::new(),
            old: Vec::new(),
            unhealthy: Vec::new(),
            idle: Vec::new(),
        };
        for member in facts.live() {
            let pile = if facts.is_current(member, primary) {
                &mut sorted.current
            } else if member.health == Health::Unhealthy {
                &mut sorted.unhealthy
            } else if member.status == TaskStatus::Running {
                &mut sorted.old
            } else {
                &mut sorted.idle
            };
            pile.push(member);
        }
        sorted
    }

    fn len(&self) -> u32 {
        let all = [&self.current, &self.old, &self.unhealthy, &self.idle];
        count(all.into_iter().map(Vec::len).sum())
    }

    /// Tasks that count: those kept and healthy, and those replaced that are still good.
    fn serving(&self) -> u32 {
        let healthy = self.current.iter().filter(|member| member.is_healthy());
        count(healthy.count() + self.old.len())
    }
}

/// What to do now for this desired count.
#[must_use]
pub fn moves(facts: &Facts<'_>, primary: &Deployment, desired: u32) -> Moves {
    let sorted = Sorted::new(facts, primary);
    let limits = Limits::of(facts.service, desired);
    let mut moves = Moves::default();
    let gone = stop_surplus(facts, &sorted, desired, limits, &mut moves);
    if primary.rollout == Rollout::Failed {
        return moves;
    }
    let missing = desired.saturating_sub(count(sorted.current.len()));
    let room = limits.upper.max(desired).saturating_sub(sorted.len());
    let wanted = missing.min(room);
    let is_held = held_until(primary.throttle, facts.now).is_some();
    if wanted > 0 && !is_held {
        moves.start.push(Start {
            of: primary.number,
            count: wanted,
            place: super::plan::Place::Anywhere,
        });
    }
    stop_idle(&sorted, &mut moves);
    stop_old(&sorted, limits, gone, &mut moves);
    moves.protected.extend(in_the_way(&sorted, desired));
    stop_unhealthy(
        facts,
        &sorted,
        desired,
        wanted == 0 && missing > 0,
        &mut moves,
    );
    let is_still = moves.start.is_empty() && moves.stop.is_empty() && is_settled(facts);
    moves.is_blocked = is_still && !is_held && missing > 0 && room == 0;
    moves
}

/// Nothing is on its way that would allow another move.
pub(super) fn is_settled(facts: &Facts<'_>) -> bool {
    let arrives = |member: &Member| match member.health {
        Health::Waiting(_) => true,
        Health::Healthy | Health::Unhealthy => false,
    };
    !facts
        .members
        .iter()
        .any(|member| member.is_stopping || arrives(member))
}

/// Stops tasks past the desired count; how many of them counted as healthy.
fn stop_surplus(
    facts: &Facts<'_>,
    sorted: &Sorted<'_>,
    desired: u32,
    limits: Limits,
    moves: &mut Moves,
) -> u32 {
    let surplus = count(sorted.current.len()).saturating_sub(desired);
    // The one that was started to even out the zones; more than that is a lower desired count.
    let evens = facts.service.is_rebalancing && surplus == 1;
    if surplus == 0 || (evens && !all_healthy(&sorted.current)) {
        return 0;
    }
    let serving = sorted.current.iter().filter(|m| m.is_serving()).count() + sorted.old.len();
    let allowed = Allowance {
        tasks: surplus,
        serving: count(serving).saturating_sub(limits.lower),
        healthy: sorted.serving().saturating_sub(limits.lower),
    };
    let rich = evens.then(|| rebalance::may_go(facts, &sorted.current));
    let chosen = victims::choose(rich.as_deref().unwrap_or(&sorted.current), allowed);
    let protected = sorted.current.iter().filter(|m| m.is_protected());
    let protected = count(protected.count());
    let of = sorted.current.first().map(|member| member.of);
    let held = of.map(|of| (of, protected));
    if protected > desired {
        moves.protected.extend(held);
    }
    if evens && chosen.is_empty() && protected > 0 {
        moves.unevened = held;
    }
    let healthy = chosen.iter().filter(|member| member.is_healthy()).count();
    let why = |member: &Member| match &member.zone {
        Some(zone) if evens => Why::Uneven(zone.clone()),
        Some(_) | None => Why::Scaling,
    };
    let stops = chosen.into_iter().map(|member| stop(member, why(member)));
    moves.stop.extend(stops);
    count(healthy)
}

fn all_healthy(members: &[&Member]) -> bool {
    members.iter().all(|member| member.is_healthy())
}

fn stop_idle(sorted: &Sorted<'_>, moves: &mut Moves) {
    let idle = sorted.idle.iter();
    let free = idle.filter(|member| member.is_draining || !member.is_protected());
    moves
        .stop
        .extend(free.map(|member| stop(member, Why::Scaling)));
}

/// Draining instances first, then the oldest. `gone`: healthy tasks that are being stopped already.
fn stop_old(sorted: &Sorted<'_>, limits: Limits, gone: u32, moves: &mut Moves) {
    let budget = sorted.serving().saturating_sub(gone + limits.lower);
    let mut old: Vec<&Member> = sorted
        .old
        .iter()
        .copied()
        .filter(|member| member.is_draining || !member.is_protected())
        .collect();
    old.sort_by_key(|member| (!member.is_draining, member.created, member.task.clone()));
    let chosen = old.into_iter().take(budget as usize);
    moves
        .stop
        .extend(chosen.map(|member| stop(member, Why::Scaling)));
}

/// The deployments whose protected tasks are all that is left to replace, with as many of each.
fn in_the_way(sorted: &Sorted<'_>, desired: u32) -> BTreeMap<u64, u32> {
    let healthy = sorted.current.iter().filter(|member| member.is_healthy());
    let mut of: BTreeMap<u64, u32> = BTreeMap::new();
    if count(healthy.count()) >= desired && sorted.unhealthy.is_empty() {
        let old = sorted.old.iter().chain(&sorted.idle);
        for member in old.filter(|m| m.is_protected() && !m.is_draining) {
            *of.entry(member.of).or_default() += 1;
        }
    }
    of
}

fn stop_unhealthy(
    facts: &Facts<'_>,
    sorted: &Sorted<'_>,
    desired: u32,
    lacks_room: bool,
    moves: &mut Moves,
) {
    let mut unhealthy = sorted.unhealthy.clone();
    unhealthy.sort_by_key(|member| (member.created, member.task.clone()));
    let replaced = (sorted.serving() + count(unhealthy.len())).saturating_sub(desired);
    let is_quiet = !facts.members.iter().any(|member| member.is_stopping);
    // One by one: room for the replacement of one is enough to go on.
    let forced = u32::from(lacks_room && is_quiet && moves.stop.is_empty());
    let chosen = unhealthy.into_iter().take(replaced.max(forced) as usize);
    moves
        .stop
        .extend(chosen.map(|member| stop(member, Why::Unhealthy)));
}

fn stop(member: &Member, why: Why) -> Stop {
    Stop {
        task: member.task.clone(),
        of: member.of,
        was_running: member.status == TaskStatus::Running,
        why,
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
