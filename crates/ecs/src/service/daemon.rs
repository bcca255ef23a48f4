//! Which instances a DAEMON service is missing on, and which of its tasks are to go.
//!
//! Rule: semantics 6.8: one task per ACTIVE instance that matches; on an instance the old task goes
//! before the new one starts; on one that is drained it goes last; on one that no longer matches it
//! goes at once.

use super::facts::{Facts, Health, Member, Seat};
use super::judge::held_until;
use super::limits::Limits;
use super::plan::{Place, Start, Stop, Why};
use super::replica::{Moves, is_settled};
use crate::records::container_instance::InstanceId;
use crate::records::service::{Deployment, Rollout};
use crate::task::status::TaskStatus;
use std::collections::{BTreeMap, BTreeSet};

/// How many tasks the service is to have: one on each instance that it is to be on and that takes one
/// or has one.
#[must_use]
pub fn desired(facts: &Facts<'_>) -> u32 {
    let has = |seat: &Seat| facts.live().any(|member| member.instance == seat.instance);
    let counts = facts.seats.iter().filter(|seat| seat.is_ready || has(seat));
    u32::try_from(counts.count()).unwrap_or(u32::MAX)
}

/// What to do now.
#[must_use]
pub fn moves(facts: &Facts<'_>, primary: &Deployment) -> Moves {
    let mut moves = Moves::default();
    let limits = Limits::of(facts.service, desired(facts));
    let seats: BTreeSet<&InstanceId> = facts.seats.iter().map(|seat| &seat.instance).collect();
    let mut on: BTreeMap<&InstanceId, Vec<&Member>> = BTreeMap::new();
    for member in &facts.members {
        on.entry(&member.instance).or_default().push(member);
    }
    let away = on
        .iter()
        .filter(|(instance, _)| !seats.contains(**instance));
    for member in away.flat_map(|(_, members)| members) {
        leave(member, &mut moves);
    }
    if primary.rollout == Rollout::Failed {
        return moves;
    }
    // What is on an instance that it leaves goes in any case: it must not pay for what is replaced.
    // Of what is new only what is healthy counts; what it replaces need not have become so.
    let counts = |member: &Member| match facts.is_current(member, primary) {
        true => member.is_healthy(),
        false => member.is_serving(),
    };
    let stays = |member: &&Member| counts(member) && seats.contains(&member.instance);
    let serving = facts.live().filter(stays).count();
    let mut budget = serving.saturating_sub(limits.lower as usize);
    let is_held = held_until(primary.throttle, facts.now).is_some();
    for Seat { instance, is_ready } in &facts.seats {
        let members = on.get(instance).map(Vec::as_slice).unwrap_or_default();
        let (current, others): (Vec<&Member>, Vec<&Member>) = members
            .iter()
            .filter(|member| !member.is_stopping)
            .partition(|member| facts.is_current(member, primary));
        replace(&others, &mut budget, &mut moves);
        for extra in current.iter().skip(1) {
            moves.stop.push(stop(extra, Why::Scaling));
        }
        if members.is_empty() && *is_ready && !is_held {
            moves.start.push(Start {
                of: primary.number,
                count: 1,
                place: Place::On(instance.clone()),
            });
        }
        moves.is_blocked |= !others.is_empty();
    }
    let is_still = moves.start.is_empty() && moves.stop.is_empty() && is_settled(facts);
    moves.is_blocked &= is_still && !is_held;
    moves
}

/// A task on an instance that the service is not to be on.
fn leave(member: &Member, moves: &mut Moves) {
    if member.is_stopping || (member.is_draining && member.has_neighbours) {
        return;
    }
    let why = match member.is_draining {
        true => Why::Scaling,
        false => Why::Violated,
    };
    moves.stop.push(stop(member, why));
}

/// Tasks of earlier deployments, and those that failed their health checks, as far as the minimum
/// allows.
fn replace(others: &[&Member], budget: &mut usize, moves: &mut Moves) {
    for member in others {
        if member.is_serving() {
            if *budget == 0 {
                continue;
            }
            *budget -= 1;
        }
        let why = match member.health {
            Health::Unhealthy => Why::Unhealthy,
            Health::Healthy | Health::Waiting(_) => Why::Scaling,
        };
        moves.stop.push(stop(member, why));
    }
}

fn stop(member: &Member, why: Why) -> Stop {
    Stop {
        task: member.task.clone(),
        of: member.of,
        was_running: member.status == TaskStatus::Running,
        why,
    }
}
