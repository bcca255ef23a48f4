//! The order of a keyed controller's activations.
//!
//! Each key waits once, at its earliest time, and is activated once at a time; what happens to it
//! meanwhile activates it again. Pure.

use aws_types::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Keys that wait for their activation.
#[derive(Debug)]
pub struct Queue<K> {
    due: BTreeMap<K, Timestamp>,
    order: BTreeSet<(Timestamp, K)>,
    /// Under way; with the moment from which on it is to be activated again.
    active: BTreeMap<K, Option<Timestamp>>,
}

impl<K: Ord + Clone> Default for Queue<K> {
    fn default() -> Self {
        Self {
            due: BTreeMap::new(),
            order: BTreeSet::new(),
            active: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone> Queue<K> {
    /// The key is to be activated at this time, or earlier if it already is.
    pub fn add(&mut self, key: K, at: Timestamp) {
        if let Some(again) = self.active.get_mut(&key) {
            *again = Some(again.map_or(at, |earlier| earlier.min(at)));
            return;
        }
        if let Some(before) = self.due.get(&key) {
            if *before <= at {
                return;
            }
            self.order.remove(&(*before, key.clone()));
        }
        self.order.insert((at, key.clone()));
        self.due.insert(key, at);
    }

    /// The next key that is due; it is under way from now on.
    pub fn take(&mut self, now: Timestamp) -> Option<K> {
        let (at, key) = self.order.first()?.clone();
        if at > now {
            return None;
        }
        self.order.remove(&(at, key.clone()));
        self.due.remove(&key);
        self.active.insert(key.clone(), None);
        Some(key)
    }

    /// An activation ended, and wants the next one at this time.
    pub fn done(&mut self, key: K, wake_at: Option<Timestamp>) {
        let again = self.active.remove(&key).flatten();
        let next = match (again, wake_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        };
        if let Some(at) = next {
            self.add(key, at);
        }
    }

    /// When the next key is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_key_waits_once_at_its_earliest_time() {
        let mut queue = Queue::default();
        queue.add("a", at(30));
        queue.add("a", at(10));
        queue.add("a", at(20));
        queue.add("b", at(15));
        assert_eq!(queue.next_due(), Some(at(10)));
        assert_eq!(queue.take(at(9)), None);
        assert_eq!(queue.take(at(20)), Some("a"));
        assert_eq!(queue.take(at(20)), Some("b"));
        assert_eq!(queue.take(at(99)), None);
    }

    #[test]
    fn what_happens_during_an_activation_activates_again() {
        let mut queue = Queue::default();
        queue.add("a", at(1));
        assert_eq!(queue.take(at(1)), Some("a"));
        queue.add("a", at(5));
        assert_eq!(queue.take(at(9)), None, "one activation at a time");
        queue.done("a", Some(at(50)));
        assert_eq!(queue.take(at(9)), Some("a"));
        queue.done("a", Some(at(50)));
        assert_eq!(queue.next_due(), Some(at(50)));
        assert_eq!(queue.take(at(50)), Some("a"));
        queue.done("a", None);
        assert_eq!(queue.next_due(), None);
    }
}
