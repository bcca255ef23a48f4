//! What to start and to stop while blue is kept beside green.
//!
//! Each is kept by the rules of a service of its own: green at the desired count once it scales up,
//! blue until CLEAN_UP, when all goes on as in a rolling deployment. Blue replaces the tasks of any
//! other deployment, within the limits. Where it cannot, as its own fail to start, they stay until CLEAN_UP.
//! Rule: semantics 6.7.

use super::facts::{Facts, Member};
use super::judge::{self, IMPAIRED_ROUNDS};
use super::plan::{Stop, Why};
use super::replica::{self, Moves};
use crate::records::deployment_stage::{Stage, Staged};
use crate::records::service::{Deployment, Rollout};

/// What to do now for this desired count.
#[must_use]
pub fn moves(facts: &Facts<'_>, primary: &Deployment, desired: u32) -> Moves {
    let Some(staged) = kept_beside(primary) else {
        return replica::moves(facts, primary, desired);
    };
    let green = match staged.stage >= Stage::ScaleUp {
        true => desired,
        false => 0,
    };
    let (mut of_green, mut beside) = (facts.clone(), facts.clone());
    of_green
        .members
        .retain(|member| member.of == primary.number);
    beside.members.retain(|member| member.of != primary.number);
    let mut moves = replica::moves(&of_green, primary, green);
    if let Some(blue) = blue(facts, staged) {
        let blue = judged(facts, blue);
        let of_blue = replica::moves(&beside, &blue, desired);
        let (mut stop, is_blocked) = stops_beside(&beside, &blue, desired);
        // Where what is neither leaves no room for its replacement, one that fails its checks makes room.
        let makes_room = |one: &Stop| one.of == blue.number && one.why == Why::Unhealthy;
        if of_blue.start.is_empty() {
            let unhealthy = of_blue.stop.into_iter().filter(makes_room);
            let more: Vec<Stop> = unhealthy.filter(|one| !stop.contains(one)).collect();
            stop.extend(more);
        }
        moves.start.extend(of_blue.start);
        moves.stop.extend(stop);
        moves.is_blocked |= of_blue.is_blocked || is_blocked;
        moves.protected.extend(of_blue.protected);
    }
    moves
}

/// Of the tasks beside green, what to stop, and whether the limits keep blue from what it has to do. Blue has the
/// traffic: its own go by what blue has, also where others serve. The others go as soon as blue, drained or not, is
/// enough without them.
fn stops_beside(beside: &Facts<'_>, blue: &Deployment, desired: u32) -> (Vec<Stop>, bool) {
    let (mut own, mut kept) = (beside.clone(), beside.clone());
    own.members.retain(|member| member.of == blue.number);
    for member in &mut kept.members {
        member.is_draining &= member.of != blue.number;
    }
    let own = replica::moves(&own, blue, desired);
    let mut stop = own.stop;
    let others = replica::moves(&kept, blue, desired).stop.into_iter();
    stop.extend(others.filter(|stop| stop.of != blue.number));
    (stop, own.is_blocked)
}

/// The stage of a deployment that keeps blue whole now.
#[must_use]
pub fn kept_beside(primary: &Deployment) -> Option<&Staged> {
    let staged = primary.staged.as_ref()?;
    (primary.rollout == Rollout::InProgress && staged.keeps_blue()).then_some(staged)
}

/// Whether no task is left but blue's and green's, or none that blue would replace: one that failed starts
/// none, and one whose tasks fail again and again may never be whole. Green does not wait for that.
#[must_use]
pub fn is_reconciled(facts: &Facts<'_>, primary: &Deployment) -> bool {
    let Some(staged) = &primary.staged else {
        return true;
    };
    let is_given_up = |blue: &Deployment| {
        blue.rollout == Rollout::Failed || judged(facts, blue).throttle.rounds >= IMPAIRED_ROUNDS
    };
    if blue(facts, staged).is_none_or(is_given_up) {
        return true;
    }
    let mut members = facts.members.iter();
    !members.any(|member| is_other(staged, primary, member))
}

/// Whether green has all its tasks, healthy.
#[must_use]
pub fn is_scaled(facts: &Facts<'_>, primary: &Deployment, desired: u32) -> bool {
    healthy(facts, primary) >= desired as usize
}

/// How many tasks of the PRIMARY are kept and healthy.
#[must_use]
pub fn healthy(facts: &Facts<'_>, primary: &Deployment) -> usize {
    let current = facts.live().filter(|m| facts.is_current(m, primary));
    current.filter(|member| member.is_healthy()).count()
}

/// Blue as it is while it is kept: whole, and its starts held back as they fail.
#[must_use]
pub fn kept(facts: &Facts<'_>, primary: &Deployment, earlier: &Deployment) -> Option<Deployment> {
    let staged = kept_beside(primary)?;
    (staged.blue == Some(earlier.number)).then(|| Deployment {
        desired: facts.service.desired,
        ..judged(facts, earlier)
    })
}

fn blue<'f>(facts: &'f Facts<'_>, staged: &Staged) -> Option<&'f Deployment> {
    let earlier = facts.service.deployments.iter().skip(1);
    let mut blue = earlier.filter(|deployment| staged.blue == Some(deployment.number));
    blue.next()
}

/// Only its starts are judged: what the circuit breaker counts is green's.
fn judged(facts: &Facts<'_>, blue: &Deployment) -> Deployment {
    let throttle = judge::judged(facts, blue).throttle;
    Deployment {
        throttle,
        ..blue.clone()
    }
}

fn is_other(staged: &Staged, primary: &Deployment, member: &Member) -> bool {
    member.of != primary.number && staged.blue != Some(member.of)
}
