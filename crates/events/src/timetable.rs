//! Rules that fire by schedule: which are due, and what firing one does.
//!
//! The next time is stored with the firing of the last, in one transaction: a restart neither loses
//! one nor does it twice. What came due while nobody was there fires once, however often it was missed.

use crate::bus::{self, Published};
use crate::event::Event;
use crate::history;
use crate::records::{RULES, RuleKey, RuleRecord, RuleState, SCHEDULES, ScheduleRecord};
use crate::schedule::Schedule;
use aws_types::{Ctx, Timestamp};
use serde_json::json;
use std::sync::Arc;
use store::{Txn, World};

/// Rules whose time has come, and when the next one's comes.
#[must_use]
pub fn due(world: &World, now: Timestamp) -> (Vec<RuleKey>, Option<Timestamp>) {
    let (mut due, mut next) = (Vec::new(), None);
    for schedule in world.scan(&SCHEDULES) {
        match schedule.next {
            Some(at) if at <= now => due.push(schedule.key.clone()),
            Some(at) => next = Some(next.map_or(at, |before: Timestamp| before.min(at))),
            None => {}
        }
    }
    (due, next)
}

/// Fires a rule if it is due: its targets get a `Scheduled Event`.
pub fn fire(txn: &mut Txn, ctx: &mut Ctx, key: &RuleKey) -> Published {
    let Some(mut record) = txn.get(&SCHEDULES, key).map(|found| found.as_ref().clone()) else {
        return Published::default();
    };
    let schedule = txn
        .get(&RULES, key)
        .and_then(|rule| Schedule::parse(rule.schedule.as_deref()?));
    let (Some(at), Some(schedule)) = (record.next.filter(|at| *at <= ctx.now), schedule) else {
        return Published::default();
    };
    record.next = schedule.next(ctx.now, record.anchor);
    txn.put(&SCHEDULES, record);
    let event = Event {
        id: ctx.ids.uuid(),
        scope: key.scope.clone(),
        source: "aws.events".into(),
        detail_type: "Scheduled Event".into(),
        time: at,
        resources: vec![key.arn()],
        detail: json!({}),
    };
    let published = bus::stage(txn, ctx.now, key, &event.id, &event.json());
    history::note(txn, Arc::new(event));
    history::note_dropped(txn, published.dropped);
    published
}

/// Stores when a rule that was just put, enabled or disabled fires next. A rule that is put again with
/// the schedule that it has keeps its time: one that has come is not lost.
pub fn plan(txn: &mut Txn, now: Timestamp, rule: &RuleRecord) {
    let is_same = txn
        .get(&RULES, &rule.key)
        .is_some_and(|before| (before.state, &before.schedule) == (rule.state, &rule.schedule));
    if is_same {
        return;
    }
    let schedule = match rule.state {
        RuleState::Enabled => rule.schedule.as_deref().and_then(Schedule::parse),
        RuleState::Disabled => None,
    };
    match schedule {
        Some(schedule) => {
            let record = ScheduleRecord {
                key: rule.key.clone(),
                anchor: now,
                next: schedule.next(now, now),
            };
            txn.put(&SCHEDULES, record);
        }
        None => {
            txn.delete(&SCHEDULES, &rule.key);
        }
    }
}
