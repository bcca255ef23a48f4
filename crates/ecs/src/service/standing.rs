//! Standing troubles of a service: each is told once, and again only when it is over and comes back, or
//! six hours have passed.
//!
//! Those of a deployment hold one at a time; those of task sets have the set in their name.
//! Rule: semantics 6.3 ("Duplicates suppressed until resolved or 6 h").

use super::events::Message;
use super::facts::Facts;
use super::judge::IMPAIRED_ROUNDS;
use super::plan::{Place, Plan, Start};
use crate::records::service::{Throttle, deployment_id};
use crate::records::task_set::TaskSet;
use crate::records::uneven::{Uneven, Zone};
use aws_types::Timestamp;

/// A task finds no place.
pub(super) const UNPLACED: &str = "unplaced";
/// What a task needs beside an instance is not there.
pub(super) const MISCONFIGURED: &str = "misconfigured";
/// Tasks that would have to go to even out the zones are protected.
pub(super) const UNEVENED: &str = "unevened";
/// A task that would even out the zones finds no place; before the zone's name.
pub(super) const UNPLACED_IN: &str = "unplaced-in ";

/// A task found its place.
pub(super) fn placed(plan: &mut Plan) {
    plan.next.lacks_room = false;
    let is_of_places = |kind: &String| {
        let what = kind.split([' ', ':']).next().unwrap_or(kind);
        [UNPLACED, MISCONFIGURED].contains(&what)
    };
    plan.next.told.retain(|kind, _| !is_of_places(kind));
}

/// Tasks of this deployment or task set fail again and again, which `message` tells.
pub(super) fn impaired(facts: &Facts<'_>, throttle: Throttle, message: Message, plan: &mut Plan) {
    match throttle.rounds {
        0 => {
            let kind = message.standing();
            kind.and_then(|kind| plan.next.told.remove(&kind));
        }
        rounds if rounds >= IMPAIRED_ROUNDS && !facts.ended.is_empty() => {
            plan.messages.push(message);
        }
        _ => {}
    }
}

/// Protected tasks of these deployments or task sets, as many of each, are in the way.
pub(super) fn protected(of: &[(u64, u32)], plan: &mut Plan) {
    let messages = of
        .iter()
        .map(|(number, tasks)| Message::Protected(*number, *tasks));
    let messages: Vec<Message> = messages.collect();
    let holds: Vec<String> = messages.iter().filter_map(Message::standing).collect();
    let told = &mut plan.next.told;
    told.retain(|kind, _| !kind.starts_with("protected") || holds.contains(kind));
    plan.messages.extend(messages);
}

/// Zones are even, or are not to be.
pub(super) fn even(plan: &mut Plan) {
    plan.next.unevened = None;
    lacking(&[], plan);
}

/// Zones lack tasks, for which others could go.
pub(super) fn uneven(zones: &Uneven, plan: &mut Plan) {
    lacking(&zones.poor, plan);
}

fn lacking(poor: &[Zone], plan: &mut Plan) {
    let told = &mut plan.next.told;
    told.remove(UNEVENED);
    told.retain(|kind, _| match kind.strip_prefix(UNPLACED_IN) {
        Some(zone) => poor.iter().any(|poor| poor.name == zone),
        None => true,
    });
}

/// Forgets what was told of task sets that are gone.
pub(super) fn forget_sets(plan: &mut Plan) {
    let left: Vec<String> = plan.next.task_sets.iter().map(TaskSet::id).collect();
    let told = &mut plan.next.told;
    told.retain(|kind, _| match kind.split_once(' ') {
        Some((_, set)) => left.iter().any(|left| left == set),
        None => true,
    });
}

/// Leaves out what was told, and not long ago.
pub(super) fn leave_out_told(facts: &Facts<'_>, plan: &mut Plan) {
    let told = &facts.service.told;
    let again = |at: Timestamp| at.plus(facts.waits.tell_again) <= facts.now;
    plan.messages.retain(|message| match message.standing() {
        Some(kind) => {
            let text = message.text(&facts.service.key.name);
            told.get(&kind)
                .is_none_or(|told| message.is_other(&text, told) || again(told.at))
        }
        None => true,
    });
}

/// The name of a trouble of what was to be started: two task sets, or two instances of a daemon, may be in
/// different trouble for hours, and under one name each would be news after the other, again and again.
pub(super) fn kind_of_start(kind: &str, start: &Start) -> String {
    match &start.place {
        Place::On(instance) => format!("{kind} {}", instance.0),
        Place::Anywhere | Place::In(_) => kind_of(kind, start.of),
    }
}

/// The name of a trouble of one deployment or task set.
pub(super) fn kind_of(kind: &str, number: u64) -> String {
    format!("{kind} {}", deployment_id(number))
}
