//! The events that ECS emits: made of what a transaction changed, inside of it.
//!
//! A task or an instance is told of when its `version` grew, which an instance's does with its resources
//! as well, a deployment when its rollout state changed, a service's action when it is stored with the
//! service's own events, with a deployment's change, and when a count that is computed changed. So each transition is told once, with the version that the API shows.
//! Rule: semantics 12; developer guide, "Amazon ECS events".

mod changed;
mod detail;
mod json;
mod said;

use aws_types::Ctx;
use events::bus;
use events::history::{self, Tell};
use said::Said;
use std::sync::Arc;
use store::Txn;

/// Publishes what is to be told of a transaction, at its end. Where no rule listens nothing is staged, and
/// no event is made before somebody reads the history.
pub fn emit(txn: &mut Txn, ctx: &mut Ctx) {
    let is_heard = bus::has_listeners(txn);
    let mut dropped = 0;
    let mut facts = changed::facts(txn);
    facts.extend(changed::loads(txn));
    for fact in facts {
        let said = Said {
            id: ctx.ids.uuid(),
            at: ctx.now,
            fact,
        };
        if is_heard {
            let event = said.event(txn);
            dropped += bus::publish(txn, ctx.now, &event).dropped;
        }
        history::note(txn, Arc::new(said));
    }
    history::note_dropped(txn, dropped);
}
