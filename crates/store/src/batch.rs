//! Transactions run back to back and not yet durable: one commit will hold them all.
//!
//! Pure. Its World is what the next transaction sees; nobody else sees it before the commit.

use crate::backend::Limits;
use crate::key::Key;
use crate::state::{Answer, Transaction};
use crate::txn::{Change, Note, Txn};
use crate::world::World;
use aws_types::{AwsError, codes};
use std::collections::BTreeMap;

/// A transaction that has run over the newest World and belongs to no batch yet.
pub(crate) struct Ran {
    answer: Box<dyn Answer>,
    /// The World after it, and its changes; `None` when it changed nothing.
    written: Option<(World, Vec<Change>)>,
    notes: Vec<Note>,
}

impl Ran {
    /// Answers that what it wrote or saw may be lost.
    pub(crate) fn fail(self, error: AwsError) {
        self.answer.fail(error);
    }
}

/// Transactions whose changes go into one commit.
pub(crate) struct Batch {
    world: World,
    changes: BTreeMap<(&'static str, Key), Option<Vec<u8>>>,
    bytes: usize,
    answers: Vec<Box<dyn Answer>>,
    notes: Vec<Note>,
}

impl Batch {
    /// An empty batch over the published World.
    pub(crate) fn over(world: World) -> Self {
        Self {
            world,
            changes: BTreeMap::new(),
            bytes: 0,
            answers: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The number of transactions in it.
    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    /// Runs a transaction over the newest World. One that no commit could hold fails alone.
    pub(crate) fn run(&self, transaction: Box<dyn Transaction>, limits: Limits) -> Option<Ran> {
        let mut txn = Txn::new(self.world.clone());
        let answer = transaction.run(&mut txn);
        if !answer.keeps_writes() {
            return Some(Ran {
                answer,
                written: None,
                notes: Vec::new(),
            });
        }
        let notes = txn.take_notes();
        if txn.staged_rows() == 0 {
            return Some(Ran {
                answer,
                written: None,
                notes,
            });
        }
        let (world, changes) = txn.finish();
        if changes.len() > limits.rows_per_commit || size(&changes) > limits.bytes_per_commit {
            answer.fail(
                codes::INTERNAL_FAILURE
                    .with("An internal error occurred.")
                    .detail(format_args!(
                        "transaction of {} rows, {} bytes exceeds the store's limits",
                        changes.len(),
                        size(&changes)
                    )),
            );
            return None;
        }
        Some(Ran {
            answer,
            written: Some((world, changes)),
            notes,
        })
    }

    /// Whether one commit can hold the batch and this transaction too.
    pub(crate) fn has_room_for(&self, ran: &Ran, limits: Limits) -> bool {
        ran.written.as_ref().is_none_or(|(_, changes)| {
            self.changes.len() + changes.len() <= limits.rows_per_commit
                && self.bytes + size(changes) <= limits.bytes_per_commit
        })
    }

    /// Takes the transaction in; the next one sees what it wrote.
    pub(crate) fn add(&mut self, ran: Ran) {
        self.answers.push(ran.answer);
        self.notes.extend(ran.notes);
        let Some((world, changes)) = ran.written else {
            return;
        };
        self.world = world;
        self.bytes += size(&changes);
        for change in changes {
            self.changes
                .insert((change.table, change.key), change.value);
        }
    }

    /// What to commit, the World to publish then, who is to be answered, and what is to be told.
    pub(crate) fn finish(self) -> (Vec<Change>, World, Vec<Box<dyn Answer>>, Vec<Note>) {
        let changes = self
            .changes
            .into_iter()
            .map(|((table, key), value)| Change { table, key, value })
            .collect();
        (changes, self.world, self.answers, self.notes)
    }
}

fn size(changes: &[Change]) -> usize {
    changes
        .iter()
        .map(|change| {
            change.table.len()
                + change.key.as_bytes().len()
                + change.value.as_ref().map_or(0, Vec::len)
        })
        .sum()
}
