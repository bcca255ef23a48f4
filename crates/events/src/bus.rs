//! Who listens, and what goes to them.
//!
//! Deliveries are staged in the transaction that made the event, so that an event of what was
//! committed is never lost, and none is delivered of what was not.

use crate::event::Event;
use crate::input;
use crate::pattern::Pattern;
use crate::records::{
    DELIVERIES, DeliveryKey, DeliveryRecord, RuleKey, RuleRecord, RuleState, TARGETS, WAITING,
};
use aws_types::Timestamp;
use imbl::OrdMap;
use serde_json::Value;
use std::sync::Arc;
use store::{Feed, TableKey, Txn, View, World};

/// Deliveries that may wait, of all targets together.
pub const DELIVERIES_LEN_MAX: usize = 10_000;
/// Deliveries that may wait for one target: one that is away leaves room for the others.
pub const PER_TARGET_MAX: i64 = 1_000;

/// A rule that listens.
#[derive(Debug)]
struct Listener {
    rule: RuleKey,
    pattern: Pattern,
}

/// Every rule that listens, its pattern parsed.
#[derive(Clone, Debug, Default)]
pub struct Listeners(OrdMap<RuleKey, Arc<Listener>>);

/// The rules that listen.
pub static LISTENING: View<Listeners> = View::new("events.listening", Listeners::default);

/// Rules feed it.
pub static LISTENERS: Feed<Listeners, RuleRecord> = Feed {
    view: &LISTENING,
    changed: |listeners, before, now| {
        if let Some(before) = before {
            listeners.0.remove(&before.key);
        }
        if let Some(listener) = now.and_then(listener) {
            listeners
                .0
                .insert(listener.rule.clone(), Arc::new(listener));
        }
    },
};

fn listener(rule: &RuleRecord) -> Option<Listener> {
    let pattern = match rule.state {
        RuleState::Enabled => rule.pattern.as_deref()?,
        RuleState::Disabled => return None,
    };
    // What was stored parsed when it was put.
    let pattern = Pattern::parse(pattern).ok()?;
    Some(Listener {
        rule: rule.key.clone(),
        pattern,
    })
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Deliveries that were staged.
    pub staged: usize,
    /// Deliveries for which there was no room.
    pub dropped: usize,
}

impl Published {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            staged: self.staged + other.staged,
            dropped: self.dropped + other.dropped,
        }
    }
}

/// Whether any rule listens. Visits no record: what asks does so with every transaction.
#[must_use]
pub fn has_listeners(world: &World) -> bool {
    !world.view(&LISTENING).0.is_empty()
}

/// Stages a delivery to each target of each rule of the event's scope that it matches.
pub fn publish(txn: &mut Txn, now: Timestamp, event: &Event) -> Published {
    let listeners = txn.view(&LISTENING).clone();
    let json = event.json();
    let matching = listeners
        .0
        .values()
        .filter(|listener| listener.rule.scope == event.scope && listener.pattern.matches(&json));
    let staged = matching.map(|listener| stage(txn, now, &listener.rule, &event.id, &json));
    staged.fold(Published::default(), Published::and)
}

/// Stages a delivery to each target of one rule.
pub fn stage(
    txn: &mut Txn,
    now: Timestamp,
    rule: &RuleKey,
    event_id: &str,
    json: &Value,
) -> Published {
    let targets: Vec<_> = txn
        .scan_prefix(&TARGETS, &rule.encode(), None)
        .map(|(_, target)| target.clone())
        .collect();
    let mut published = Published::default();
    for target in targets {
        let waiting = txn.sum(&DELIVERIES, &WAITING, &target.key.encode());
        if waiting >= PER_TARGET_MAX || txn.count(&DELIVERIES) >= DELIVERIES_LEN_MAX {
            published.dropped += 1;
            continue;
        }
        let delivery = DeliveryRecord {
            key: DeliveryKey {
                target: target.key.clone(),
                at: now,
                event: event_id.into(),
            },
            input: input::of(&target.target, rule, json, now),
            failures: 0,
            due: now,
        };
        txn.put(&DELIVERIES, delivery);
        published.staged += 1;
    }
    published
}
