//! What was said, for whoever reads the history: told beside the commit, rendered when it is read.
//!
//! So that an event costs next to nothing where nobody listens, what is kept is what it was made of.

use crate::event::Event;
use std::fmt;
use std::sync::Arc;
use store::{Txn, World};

/// An event, or what it can be made of.
pub trait Tell: fmt::Debug + Send + Sync {
    /// The event. `world` is a later moment than the event's: of it only what does not change
    /// meanwhile is taken.
    fn event(&self, world: &World) -> Event;
}

impl Tell for Event {
    fn event(&self, _: &World) -> Event {
        self.clone()
    }
}

/// A note of a transaction: it made this event.
#[derive(Clone, Debug)]
pub struct Said(pub Arc<dyn Tell>);

/// A note of a transaction: so many deliveries found no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped(pub usize);

/// Notes that the transaction made this event.
pub fn note(txn: &mut Txn, said: Arc<dyn Tell>) {
    txn.note(Arc::new(Said(said)));
}

/// Notes deliveries that found no room.
pub fn note_dropped(txn: &mut Txn, count: usize) {
    if count > 0 {
        txn.note(Arc::new(Dropped(count)));
    }
}
