//! What a proxy counts, by discovery name and by target.
//!
//! Rule: developer guide, "Service Connect metrics"; semantics 8.4.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is counted of an endpoint, or of one target of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// `NewConnectionCount`.
    pub new_connections: u64,
    /// `ActiveConnectionCount`: those that are open now.
    pub active_connections: u64,
    /// `ProcessedBytes`, both ways.
    pub bytes: u64,
    /// `RequestCount`.
    pub requests: u64,
    /// `HTTPCode_Target_2XX_Count` to `5XX`.
    pub answers: [u64; 4],
    /// `TargetResponseTime`, the sum; `answers` say of how many.
    pub response_time: Duration,
}

impl Counts {
    /// Together with another's.
    pub fn add(&mut self, other: &Self) {
        self.new_connections += other.new_connections;
        self.active_connections += other.active_connections;
        self.bytes += other.bytes;
        self.requests += other.requests;
        for (own, more) in self.answers.iter_mut().zip(other.answers) {
            *own += more;
        }
        self.response_time += other.response_time;
    }

    fn answered(&mut self, status: u16, took: Duration) {
        self.requests += 1;
        self.response_time += took;
        let class = usize::from(status / 100).checked_sub(2);
        if let Some(count) = class.and_then(|class| self.answers.get_mut(class)) {
            *count += 1;
        }
    }
}

/// Of one endpoint in one task.
#[derive(Debug, Default)]
pub struct Counters {
    /// `std` mutex: held over arithmetic only.
    counts: Mutex<(Counts, BTreeMap<String, Counts>)>,
}

impl Counters {
    /// All that was counted, and of each target by its id.
    #[must_use]
    pub fn now(&self) -> (Counts, BTreeMap<String, Counts>) {
        self.lock().clone()
    }

    /// A client's connection begins.
    pub fn opened(&self) {
        let counts = &mut self.lock().0;
        counts.new_connections += 1;
        counts.active_connections += 1;
    }

    /// A client's connection is over.
    pub fn closed(&self, bytes: u64) {
        let counts = &mut self.lock().0;
        counts.active_connections = counts.active_connections.saturating_sub(1);
        counts.bytes += bytes;
    }

    /// A connection to a target was made.
    pub fn connected(&self, target: &str) {
        let counts = &mut *self.lock();
        counts.1.entry(target.into()).or_default().new_connections += 1;
    }

    /// A request ended with this answer, of this target or of the proxy's own.
    pub fn answered(&self, target: Option<&str>, status: u16, took: Duration) {
        let (all, by_target) = &mut *self.lock();
        match target {
            Some(target) => {
                all.answered(status, took);
                let of = by_target.entry(target.into()).or_default();
                of.answered(status, took);
            }
            None => all.requests += 1,
        }
    }

    /// Nothing more is kept of targets that are gone.
    pub fn keep_only(&self, is_there: impl Fn(&str) -> bool) {
        self.lock().1.retain(|target, _| is_there(target));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Counts, BTreeMap<String, Counts>)> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_class_and_by_target() {
        let counters = Counters::default();
        counters.opened();
        counters.connected("a");
        let took = Duration::from_millis(2);
        counters.answered(Some("a"), 204, took);
        counters.answered(Some("a"), 404, took);
        counters.answered(Some("b"), 503, took);
        counters.answered(None, 503, took);
        counters.closed(70);
        let (all, targets) = counters.now();
        assert_eq!((all.requests, all.answers), (4, [1, 0, 1, 1]));
        assert_eq!(
            (all.new_connections, all.active_connections, all.bytes),
            (1, 0, 70)
        );
        assert_eq!(all.response_time, took * 3);
        assert_eq!(
            (targets["a"].requests, targets["a"].new_connections),
            (2, 1)
        );
        assert_eq!(targets["b"].answers, [0, 0, 0, 1]);
        counters.keep_only(|target| target == "a");
        assert_eq!(counters.now().1.len(), 1);
    }
}
