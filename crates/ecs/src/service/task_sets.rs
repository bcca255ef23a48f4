//! The tasks of task sets: each keeps its share of the service's desired count.
//!
//! Rule: semantics 6.11.

use super::facts::{Facts, Health, Member};
use super::judge::{held_until, throttled};
use super::plan::{Place, Start, Stop, Why};
use super::victims::{self, Allowance};
use crate::records::service::Throttle;
use crate::records::task_set::{TaskSet, TaskSetStatus};
use crate::task::status::TaskStatus;

/// What to do now, and the task sets as they are then.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Tasks to start.
    pub start: Vec<Start>,
    /// Tasks to stop.
    pub stop: Vec<Stop>,
    /// The task sets that are left.
    pub sets: Vec<TaskSet>,
    /// Numbers of those that became steady.
    pub steadied: Vec<u64>,
    /// Numbers of those of which only protected tasks are too many; how many of each are protected.
    pub protected: Vec<(u64, u32)>,
}

/// What to do now for each task set of the service.
#[must_use]
pub fn progress(facts: &Facts<'_>) -> Progress {
    let mut progress = Progress::default();
    for set in &facts.service.task_sets {
        let mut next = set.clone();
        next.throttle = throttle(facts, set);
        let members: Vec<&Member> = facts
            .members
            .iter()
            .filter(|m| m.of == set.number)
            .collect();
        if set.status == TaskSetStatus::Draining && members.is_empty() {
            continue;
        }
        keep(facts, &next, &members, &mut progress);
        steady(facts, &mut next, &members, &mut progress.steadied);
        progress.sets.push(next);
    }
    progress
}

fn throttle(facts: &Facts<'_>, set: &TaskSet) -> Throttle {
    let throttle = throttled(facts, set.number, set.throttle);
    let healthy = facts
        .members
        .iter()
        // One that was asked to stop lifts nothing by growing older.
        .filter(|m| m.of == set.number && m.is_healthy() && !m.is_stopping);
    let mut started = healthy.filter_map(|member| member.started);
    match started.any(|started| throttle.last.is_none_or(|last| started > last)) {
        true => Throttle::default(),
        false => throttle,
    }
}

fn desired(facts: &Facts<'_>, set: &TaskSet) -> u32 {
    match set.status {
        TaskSetStatus::Primary | TaskSetStatus::Active => {
            set.computed_desired(facts.service.desired)
        }
        TaskSetStatus::Draining => 0,
    }
}

fn keep(facts: &Facts<'_>, set: &TaskSet, members: &[&Member], progress: &mut Progress) {
    let desired = desired(facts, set);
    let live: Vec<&Member> = members.iter().copied().filter(|m| !m.is_stopping).collect();
    let is_good = |m: &&&Member| !m.is_draining && m.health != Health::Unhealthy;
    let good: Vec<&Member> = live.iter().filter(is_good).copied().collect();
    let missing = desired.saturating_sub(count(good.len()));
    if missing > 0 && held_until(set.throttle, facts.now).is_none() {
        progress.start.push(Start {
            of: set.number,
            count: missing,
            place: Place::Anywhere,
        });
    }
    let surplus = count(good.len()).saturating_sub(desired);
    let allowed = Allowance {
        tasks: surplus,
        serving: surplus,
        healthy: surplus,
    };
    let mut leaving: Vec<&Member> = victims::choose(&good, allowed);
    let protected = count(good.iter().filter(|m| m.is_protected()).count());
    if protected > desired {
        progress.protected.push((set.number, protected));
    }
    // Of those that stay: what goes as one too many replaces nothing.
    let stays = |m: &&&Member| !leaving.iter().any(|gone| gone.task == m.task);
    let healthy = good.iter().filter(stays).filter(|m| m.is_healthy());
    let healthy = count(healthy.count());
    let bad = live
        .iter()
        .filter(|m| !good.iter().any(|g| g.task == m.task));
    // Replaced first, then stopped.
    let replaced = (healthy + count(live.len() - good.len())).saturating_sub(desired);
    leaving.extend(bad.take(replaced as usize));
    let stops = leaving.into_iter().map(|member| Stop {
        task: member.task.clone(),
        of: member.of,
        was_running: member.status == TaskStatus::Running,
        why: match member.health {
            Health::Unhealthy => Why::Unhealthy,
            Health::Healthy | Health::Waiting(_) => Why::Scaling,
        },
    });
    progress.stop.extend(stops);
}

fn steady(facts: &Facts<'_>, set: &mut TaskSet, members: &[&Member], steadied: &mut Vec<u64>) {
    let is_good = |m: &&Member| m.is_healthy() && !m.is_draining && !m.is_stopping;
    let is_steady = set.status != TaskSetStatus::Draining
        && count(members.len()) == desired(facts, set)
        && members.iter().all(is_good);
    match (is_steady, set.steady) {
        (true, None) => {
            set.steady = Some(facts.now);
            set.stability_at = facts.now;
            steadied.push(set.number);
        }
        (false, Some(_)) => {
            set.steady = None;
            set.stability_at = facts.now;
        }
        (true, Some(_)) | (false, None) => {}
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
