//! The deliveries of one target: which are due, and what becomes of them once they were tried.
//!
//! A target gets its deliveries in the order in which they were staged. One that failed holds back those
//! behind it until it is tried again: a target that is away is not asked for each of them.

use crate::delivery::{self, Next};
use crate::records::{DELIVERIES, DeliveryKey, DeliveryRecord, TARGETS, TargetKey};
use aws_types::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{TableKey, Txn, World};

/// What is known of one target's deliveries.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// Those that are due, in order, at most as many as asked for.
    pub due: Vec<Arc<DeliveryRecord>>,
    /// When the one behind them is due.
    pub next: Option<Timestamp>,
}

/// Every target that something waits for.
#[must_use]
pub fn targets(world: &World) -> BTreeSet<TargetKey> {
    let all = world.scan(&DELIVERIES);
    all.map(|delivery| delivery.key.target.clone()).collect()
}

/// The deliveries of a target.
#[must_use]
pub fn waiting(world: &World, target: &TargetKey, now: Timestamp, limit: usize) -> Waiting {
    let of_target = target.encode();
    let mut all = world.scan_prefix(&DELIVERIES, &of_target, None).peekable();
    let mut waiting = Waiting::default();
    while waiting.due.len() < limit
        && let Some((_, delivery)) = all.next_if(|(_, delivery)| delivery.due <= now)
    {
        waiting.due.push(delivery.clone());
    }
    waiting.next = all.peek().map(|(_, delivery)| delivery.due);
    waiting
}

/// How a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may go better later.
    ForNow,
    /// It never will.
    ForGood,
}

/// What became of a delivery that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is tried again then.
    Again(Timestamp),
    /// It was given up.
    GivenUp,
}

/// The target took these.
pub fn taken(txn: &mut Txn, keys: &[DeliveryKey]) {
    for key in keys {
        txn.delete(&DELIVERIES, key);
    }
}

/// The target did not take this one.
pub fn failed(
    txn: &mut Txn,
    now: Timestamp,
    key: &DeliveryKey,
    failure: Failure,
    random: u64,
) -> Fate {
    let Some(record) = txn.get(&DELIVERIES, key).cloned() else {
        return Fate::GivenUp;
    };
    let target = txn.get(&TARGETS, &key.target).cloned();
    let policy = target
        .as_ref()
        .and_then(|target| target.target.retry_policy.as_ref());
    let next = match failure {
        Failure::ForNow => delivery::after_failure(&record, policy, now, random),
        Failure::ForGood => Next::TooOften,
    };
    let Next::At(at) = next else {
        txn.delete(&DELIVERIES, key);
        return Fate::GivenUp;
    };
    txn.update(&DELIVERIES, key, |record| {
        record.failures += 1;
        record.due = at;
    });
    Fate::Again(at)
}
