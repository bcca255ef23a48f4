//! What must always hold of task sets (design, section 8, invariants 3 and 4): each step keeps every set
//! at its share of the desired count and no further, what is to be replaced goes after its replacement
//! counts, and a set is gone only with its last task.
//!
//! Counts for itself, over the records before and after each step.

use crate::service_check::View;
use crate::simulation::Simulation;
use crate::task_set_calls::SETS;
use aws_types::Timestamp;
use ecs::records::service::{SERVICES, ServiceKey};
use ecs::records::task_set::{TaskSet, TaskSetStatus};

/// API reference, Scale: a percentage of the desired count, rounded up; a deleted set wants nothing.
fn wanted(view: &View, set: &TaskSet) -> usize {
    let scaled = u64::from(view.record.desired) * u64::from(set.scale_hundredths);
    match set.status {
        TaskSetStatus::Draining => 0,
        TaskSetStatus::Primary | TaskSetStatus::Active => scaled.div_ceil(10_000) as usize,
    }
}

/// What one step did wrong with the sets of a service.
pub fn task_set_step(before: &View, after: &View, now: Timestamp) -> Option<(u8, String)> {
    let known = |number| before.record.task_sets.iter().any(|s| s.number == number);
    let mut new = after.live.iter().filter(|(task, _)| !before.has(&task.key));
    if new.any(|(task, _)| !task.service.is_some_and(|of| known(of.deployment))) {
        return Some((4, "a task was started for no task set".into()));
    }
    let sets = &after.record.task_sets;
    let primaries = sets.iter().filter(|s| s.status == TaskSetStatus::Primary);
    if primaries.count() > 1 {
        return Some((3, "two task sets are PRIMARY".into()));
    }
    let mut all = before.record.task_sets.iter();
    all.find_map(|set| one_set(before, after, set, now))
}

fn one_set(before: &View, after: &View, set: &TaskSet, now: Timestamp) -> Option<(u8, String)> {
    let (id, wanted) = (set.id(), wanted(before, set));
    let (was, is) = (before.part(set.number), after.part(set.number));
    let left = after
        .record
        .task_sets
        .iter()
        .find(|s| s.number == set.number);
    match left {
        None if set.status != TaskSetStatus::Draining || !is.live.is_empty() => {
            let living = is.live.len();
            return Some((4, format!("{id} is gone, with {living} tasks left")));
        }
        Some(left) if left.status != set.status => {
            return Some((3, format!("{id} became {:?} by itself", left.status)));
        }
        _ => {}
    }
    let started = is.live.iter().filter(|(task, _)| !was.has(&task.key));
    let (started, good) = (started.count(), was.good(now).count());
    if started > 0 && good + started > wanted {
        let what = format!("{id}: {started} started beside {good}, {wanted} are wanted");
        return Some((3, what));
    }
    let is_good = |task: &_, drains: bool| !drains && !before.is_sick(task, now);
    let (mut good_gone, mut bad_gone) = (false, false);
    for (task, drains) in was.kept().filter(|(task, _)| !is.keeps(&task.key)) {
        good_gone |= is_good(task, *drains);
        bad_gone |= !is_good(task, *drains);
    }
    let good = is.good(now).count();
    if good_gone && good < wanted {
        let what = format!("{id}: {good} are left after its own stops, {wanted} are wanted");
        return Some((3, what));
    }
    let counting = is.good(now).filter(|(task, _)| after.is_healthy(task, now));
    let counting = counting.count() + is.kept().count() - good;
    (bad_gone && counting < wanted).then(|| {
        let what = format!("{id}: {counting} count when others are replaced, {wanted} are wanted");
        (3, what)
    })
}

impl Simulation {
    /// A call that is repeated makes no second set.
    pub fn check_set_made(&mut self, token: Option<&str>, made: String) {
        let Some(token) = token else { return };
        let scope = self.server.ctx(self.now).scope.clone();
        let first = self.services.sets_made.insert(token.into(), made.clone());
        let Some(first) = first.filter(|first| *first != made) else {
            return;
        };
        let world = self.server.newest().world;
        let service = world.get(&SERVICES, &ServiceKey::new(&scope, "default", SETS));
        let is_there = |set: &TaskSet| set.id() == first && set.status != TaskSetStatus::Draining;
        if service.is_some_and(|service| service.task_sets.iter().any(is_there)) {
            self.violate(1, format!("{token} made {made} beside {first}"));
        }
    }
}
