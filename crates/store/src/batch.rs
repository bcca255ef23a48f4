//! Transactions run back to back and not yet durable: one commit will hold them all.
//!
//! Pure. Its World is what the next transaction sees; nobody else sees it before the commit. All of a
//! batch's transactions write to that one World: what one has copied of the published World the next
//! need not copy again. A transaction that comes to nothing is taken back by doing the others' writes
//! once more from the last World that is kept, which then moves on: however many are taken back, a
//! write is done again once in a batch (and once more where its transaction had to move to the next).

use crate::backend::Limits;
use crate::state::{Answer, Transaction};
use crate::txn::{Change, Note, Row, Txn, Written};
use crate::world::World;
use aws_types::{AwsError, codes};
use std::collections::BTreeMap;

/// A transaction that has run, and whose writes stand in the World of a batch that it does not belong
/// to yet.
pub(crate) struct Ran {
    answer: Box<dyn Answer>,
    writes: Vec<(Row, Option<Written>)>,
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
    /// The World before `since`.
    kept: World,
    /// Rows that the batch's transactions have written since then.
    since: Vec<Row>,
    writes: BTreeMap<Row, Option<Written>>,
    bytes: usize,
    answers: Vec<Box<dyn Answer>>,
    notes: Vec<Note>,
}

impl Batch {
    /// An empty batch over the published World.
    pub(crate) fn over(world: World) -> Self {
        Self {
            kept: world.clone(),
            world,
            since: Vec::new(),
            writes: BTreeMap::new(),
            bytes: 0,
            answers: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The number of transactions in it.
    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    /// Runs a transaction over the newest World; [`Self::add`] or [`Self::take_back`] is next. One that
    /// no commit could hold fails alone.
    pub(crate) fn run(&mut self, transaction: Box<dyn Transaction>, limits: Limits) -> Option<Ran> {
        // Nobody sees what stands there meanwhile. The transaction's copy must be the only one of what
        // the batch has written, or each write would copy again.
        let meanwhile = self.kept.clone();
        let mut txn = Txn::new(std::mem::replace(&mut self.world, meanwhile));
        let answer = transaction.run(&mut txn);
        if !answer.keeps_writes() {
            match txn.untouched() {
                Some(world) => self.world = world,
                None => self.take_back(),
            }
            return Some(Ran {
                answer,
                writes: Vec::new(),
                notes: Vec::new(),
            });
        }
        let notes = txn.take_notes();
        let (world, writes) = txn.into_writes();
        if writes.len() > limits.rows_per_commit || size(&writes) > limits.bytes_per_commit {
            self.take_back();
            answer.fail(
                codes::INTERNAL_FAILURE
                    .with("An internal error occurred.")
                    .detail(format_args!(
                        "transaction of {} rows, {} bytes exceeds the store's limits",
                        writes.len(),
                        size(&writes)
                    )),
            );
            return None;
        }
        self.world = world;
        Some(Ran {
            answer,
            writes,
            notes,
        })
    }

    /// Whether one commit can hold the batch and this transaction too.
    pub(crate) fn has_room_for(&self, ran: &Ran, limits: Limits) -> bool {
        self.writes.len() + ran.writes.len() <= limits.rows_per_commit
            && self.bytes + size(&ran.writes) <= limits.bytes_per_commit
    }

    /// Takes the transaction in that has run last; the next one sees what it wrote.
    pub(crate) fn add(&mut self, ran: Ran) {
        self.answers.push(ran.answer);
        self.notes.extend(ran.notes);
        self.bytes += size(&ran.writes);
        for (row, written) in ran.writes {
            self.since.push(row.clone());
            self.writes.insert(row, written);
        }
    }

    /// Takes a transaction in that has run last in another batch, and was taken back there.
    pub(crate) fn add_again(&mut self, ran: Ran) {
        for (row, written) in &ran.writes {
            write(&mut self.world, row, written.as_ref());
        }
        self.add(ran);
    }

    /// The World is as it was before the transaction that has run last.
    pub(crate) fn take_back(&mut self) {
        let mut world = self.kept.clone();
        for row in std::mem::take(&mut self.since) {
            let written = self.writes.get(&row).and_then(Option::as_ref);
            write(&mut world, &row, written);
        }
        self.kept = world.clone();
        self.world = world;
    }

    /// What to commit, the World to publish then, who is to be answered, and what is to be told.
    pub(crate) fn finish(self) -> (Vec<Change>, World, Vec<Box<dyn Answer>>, Vec<Note>) {
        let changes = self.writes.into_iter().map(Change::from).collect();
        (changes, self.world, self.answers, self.notes)
    }
}

/// Does once more what was done to another World: nothing is read anew, and so nothing can be unreadable.
fn write(world: &mut World, (table, key): &Row, written: Option<&Written>) {
    let (rows, views) = world
        .rows_of_mut(table)
        .expect("all Worlds of a store have the tables of its schema");
    match written {
        Some(written) => rows.put_record(views, key, written.record.clone()),
        None => drop(rows.delete(views, key)),
    }
}

fn size(writes: &[(Row, Option<Written>)]) -> usize {
    let of = |((table, key), written): &(Row, Option<Written>)| {
        let bytes = written.as_ref().map_or(0, |written| written.bytes.len());
        table.len() + key.as_bytes().len() + bytes
    };
    writes.iter().map(of).sum()
}
