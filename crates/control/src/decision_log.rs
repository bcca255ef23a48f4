//! What was decided, by whom it was asked and why: a ring beside the state, never in a commit.
//!
//! Ordered by commit as far as callers were answered; bounded in entries and in bytes; lost with
//! the process. It says how far back it reaches, so that nobody takes its silence for an answer.
//! Kept are refused calls of a known caller, writes of users, and whatever carries a decision; not
//! kept are reads that succeeded, the agents' routine reports, and calls of nobody known, who could
//! otherwise wash everything out.

use aws_types::{AwsError, Ctx, Decision, Timestamp};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Entries kept at most.
const ENTRIES_MAX: usize = 20_000;
/// Bytes kept at most, as estimated.
const BYTES_MAX: usize = 16 << 20;

/// One call, or one turn of a controller.
#[derive(Debug)]
pub struct Entry {
    /// Who asked, and when.
    pub asked: Asked,
    /// Our name of the service, e.g. `ecs`.
    pub service: &'static str,
    /// As the model names it; a controller's name where no call was made.
    pub operation: &'static str,
    /// Why it was refused.
    pub refusal: Option<AwsError>,
    /// What it decided.
    pub decisions: Vec<Box<dyn Decision>>,
}

/// Who asked, and when.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The moment of the request.
    pub at: Timestamp,
    /// `x-amzn-RequestId`.
    pub request_id: String,
    /// The caller's ARN.
    pub caller: String,
}

impl Asked {
    /// The one whose request this is.
    pub fn of(ctx: &Ctx) -> Self {
        Self {
            at: ctx.now,
            request_id: ctx.request_id.clone(),
            caller: ctx.caller.arn.clone(),
        }
    }
}

impl Entry {
    /// Whether a decision in it is about the thing of this id.
    pub fn concerns(&self, id: &str) -> bool {
        self.decisions.iter().any(|decision| decision.concerns(id))
    }

    fn bytes(&self) -> usize {
        let Asked {
            request_id, caller, ..
        } = &self.asked;
        let refusal = self.refusal.as_ref();
        let decisions: usize = self.decisions.iter().map(|decision| decision.bytes()).sum();
        size_of::<Self>()
            + request_id.len()
            + caller.len()
            + refusal.map_or(0, |error| size_of::<AwsError>() + error.message().len())
            + decisions
    }

    /// The entry with those of its decisions that `which` lets pass.
    pub fn facts(&self, which: impl Fn(&dyn Decision) -> bool) -> Value {
        let decisions = self.decisions.iter().filter(|decision| which(&***decision));
        json!({
            "at": self.asked.at.iso8601(),
            "request_id": self.asked.request_id,
            "caller": self.asked.caller,
            "service": self.service,
            "operation": self.operation,
            "refusal": self.refusal.as_ref().map(|error| {
                json!({ "code": error.code().name, "message": error.message() })
            }),
            "decisions": decisions.map(|decision| decision.facts()).collect::<Vec<_>>(),
        })
    }
}

/// The ring, shared.
#[derive(Debug)]
pub struct DecisionLog(Mutex<Ring>);

impl DecisionLog {
    /// An empty log that begins now.
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Ring::new(now, ENTRIES_MAX, BYTES_MAX)))
    }

    /// Keeps an entry.
    pub fn record(&self, entry: Entry) {
        self.lock().push(Arc::new(entry));
    }

    /// What is kept.
    pub fn kept(&self) -> Kept {
        self.lock().kept()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ring> {
        // A push that panicked left the ring whole, or one entry short.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log at one moment.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The oldest first.
    pub entries: Vec<Arc<Entry>>,
    /// Everything that is ever kept is kept from this moment on.
    pub since: Timestamp,
    /// Entries that had to make room.
    pub fallen: u64,
}

#[derive(Debug)]
struct Ring {
    entries: VecDeque<(usize, Arc<Entry>)>,
    bytes: usize,
    fallen: u64,
    since: Timestamp,
    entries_max: usize,
    bytes_max: usize,
}

impl Ring {
    fn new(now: Timestamp, entries_max: usize, bytes_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            fallen: 0,
            since: now,
            entries_max,
            bytes_max,
        }
    }

    /// Takes an entry in and lets the oldest fall until both limits hold; an entry that is too
    /// large for the ring falls too.
    fn push(&mut self, entry: Arc<Entry>) {
        let bytes = entry.bytes();
        self.bytes += bytes;
        self.entries.push_back((bytes, entry));
        while self.entries.len() > self.entries_max || self.bytes > self.bytes_max {
            let Some((bytes, fallen)) = self.entries.pop_front() else {
                return;
            };
            self.bytes -= bytes;
            self.fallen += 1;
            // Another call of the same millisecond may be gone as well.
            let after = Timestamp::from_millis(fallen.asked.at.millis() + 1);
            self.since = self.since.max(after);
        }
    }

    fn kept(&self) -> Kept {
        Kept {
            entries: self
                .entries
                .iter()
                .map(|(_, entry)| entry.clone())
                .collect(),
            since: self.since,
            fallen: self.fallen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct About(&'static str, usize);

    impl Decision for About {
        fn concerns(&self, id: &str) -> bool {
            self.0 == id
        }
        fn bytes(&self) -> usize {
            self.1
        }
        fn facts(&self) -> Value {
            json!({ "about": self.0 })
        }
    }

    fn entry(at: i64, decisions: Vec<Box<dyn Decision>>) -> Arc<Entry> {
        Arc::new(Entry {
            asked: Asked {
                at: Timestamp::from_millis(at),
                request_id: format!("r{at}"),
                caller: "arn".into(),
            },
            service: "ecs",
            operation: "RunTask",
            refusal: None,
            decisions,
        })
    }

    fn ids(ring: &Ring) -> Vec<String> {
        let kept = ring.kept();
        let ids = kept.entries.iter().map(|e| e.asked.request_id.clone());
        ids.collect()
    }

    #[test]
    fn the_oldest_entries_make_room_and_it_is_said_how_far_back_the_log_reaches() {
        let mut ring = Ring::new(Timestamp::from_millis(5), 3, 1 << 20);
        for at in [10, 20, 30] {
            ring.push(entry(at, vec![]));
        }
        assert_eq!((ring.fallen, ring.since.millis()), (0, 5));
        ring.push(entry(40, vec![]));
        assert_eq!(ids(&ring), ["r20", "r30", "r40"]);
        assert_eq!((ring.fallen, ring.since.millis()), (1, 11));
    }

    #[test]
    fn bytes_are_bounded_too_and_given_back() {
        let mut ring = Ring::new(Timestamp::EPOCH, 100, 10_000);
        for at in 1..=5 {
            ring.push(entry(at, vec![Box::new(About("t", 4_000))]));
        }
        assert_eq!(ids(&ring), ["r4", "r5"]);
        assert!(ring.bytes <= 10_000);
        ring.push(entry(6, vec![Box::new(About("t", 20_000))]));
        assert_eq!((ids(&ring), ring.bytes), (vec![], 0));
        assert_eq!((ring.fallen, ring.since.millis()), (6, 7));
        ring.push(entry(7, vec![]));
        assert_eq!(ids(&ring), ["r7"]);
    }

    #[test]
    fn an_entry_tells_the_decisions_that_are_asked_for() {
        let of = entry(1, vec![Box::new(About("a", 1)), Box::new(About("b", 1))]);
        assert!(of.concerns("a") && of.concerns("b") && !of.concerns("c"));
        let facts = of.facts(|decision| decision.concerns("b"));
        assert_eq!(facts["decisions"], json!([{ "about": "b" }]));
        assert_eq!(facts["refusal"], Value::Null);
        assert_eq!(facts["at"], "1970-01-01T00:00:00.001Z");
    }
}
