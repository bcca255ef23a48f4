//! The newest events that were emitted, for whoever reads them: a ring beside the state.
//!
//! Told with the commits that made them, rendered when they are read; lost with the process. What rules
//! get does not come from here.

use crate::clock;
use events::history::{Dropped, Said};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Note, StateHandle, World};
use tracing::warn;

/// Events kept at most.
const EVENTS_MAX: usize = 10_000;
/// Events told in one answer.
const TOLD_MAX: usize = 1_000;

/// The ring, shared.
#[derive(Debug)]
pub struct History {
    /// Tells this history from the one of the process before.
    id: String,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Said>,
    /// Events that were kept before and had to make room: the number of the oldest, less one.
    fallen: u64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            id: clock::ids().uuid(),
            ring: Mutex::default(),
        }
    }
}

impl History {
    fn take(&self, note: &Note) {
        if let Some(said) = note.downcast_ref::<Said>() {
            self.push(said.clone());
        } else if let Some(Dropped(count)) = note.downcast_ref() {
            warn!(count, "events found no room on their way to targets");
        }
    }

    fn push(&self, said: Said) {
        let mut ring = self.lock();
        ring.events.push_back(said);
        if ring.events.len() > EVENTS_MAX {
            ring.events.pop_front();
            ring.fallen += 1;
        }
    }

    /// The events after the one of this number, the oldest first; all of them where the number is of
    /// another history, or none is given. `next` is what to ask for then.
    pub fn told(&self, world: &World, of: Option<&str>, after: Option<u64>) -> Value {
        let (events, first) = {
            let ring = self.lock();
            let after = after.filter(|_| of == Some(&self.id)).unwrap_or_default();
            let skipped = usize::try_from(after.saturating_sub(ring.fallen)).unwrap_or(usize::MAX);
            let left = ring.events.iter().skip(skipped).take(TOLD_MAX);
            let events: Vec<Said> = left.cloned().collect();
            (events, after.max(ring.fallen))
        };
        let next = first + u64::try_from(events.len()).unwrap_or_default();
        let shown = events.iter().map(|said| said.0.event(world).json());
        json!({
            "of": self.id,
            "next": next,
            "is_last": events.len() < TOLD_MAX,
            "events": shown.collect::<Vec<_>>(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ring> {
        // A push that panicked left the ring whole.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps what is told, until the store's writer ends.
pub async fn keep(state: StateHandle, history: Arc<History>) {
    let mut changes = state.subscribe();
    while let Some(batch) = changes.next().await {
        match batch {
            Ok(batch) => batch.notes.iter().for_each(|note| history.take(note)),
            Err(_) => warn!("the history of events has a gap"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations;
    use aws_types::{Scope, Timestamp};
    use events::event::Event;

    fn event(number: usize) -> Said {
        Said(Arc::new(Event {
            id: number.to_string(),
            scope: Scope::new("000000000000", "us-east-1"),
            source: "s".into(),
            detail_type: "t".into(),
            time: Timestamp::EPOCH,
            resources: Vec::new(),
            detail: json!({}),
        }))
    }

    fn ids(told: &Value) -> Vec<&str> {
        let events = told["events"].as_array().unwrap();
        events
            .iter()
            .map(|event| event["id"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn a_reader_gets_each_event_once_and_begins_anew_with_another_history() {
        let world = World::empty(&operations::schema());
        let history = History::default();
        for number in 1..=3 {
            history.push(event(number));
        }
        let all = history.told(&world, None, None);
        assert_eq!(ids(&all), ["1", "2", "3"]);
        let of = all["of"].as_str();
        let next = all["next"].as_u64();
        assert_eq!(ids(&history.told(&world, of, next)), Vec::<&str>::new());
        history.push(event(4));
        let more = history.told(&world, of, next);
        assert_eq!((ids(&more), &more["next"]), (vec!["4"], &json!(4)));
        assert_eq!(ids(&history.told(&world, Some("another"), next)).len(), 4);
    }

    #[test]
    fn the_oldest_make_room_and_numbers_go_on() {
        let world = World::empty(&operations::schema());
        let history = History::default();
        for number in 1..=EVENTS_MAX + 2 {
            history.push(event(number));
        }
        let all = history.told(&world, None, None);
        assert_eq!((ids(&all)[0], ids(&all).len()), ("3", TOLD_MAX));
        assert_eq!(
            (&all["next"], &all["is_last"]),
            (&json!(TOLD_MAX + 2), &json!(false))
        );
        let more = history.told(&world, all["of"].as_str(), all["next"].as_u64());
        assert_eq!(ids(&more)[0], (TOLD_MAX + 3).to_string());
    }
}
