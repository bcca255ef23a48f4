//! Transactions of every fate, many to a batch: each sees exactly what those before it kept, and so
//! does the disk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use aws_types::{AwsError, codes};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Change, Feed, Index, Key, Limits, MemoryStore, Schema, Store, StoreError};
use store::{StateHandle, Table, Tally, View, World};
use support::{Note, ctx, key, note};

/// As many rows fit one commit.
const ROWS_PER_COMMIT: usize = 8;

static BY_TEXT: Index<Note> = Index {
    name: "by_text",
    keys: |note| vec![key(&note.text)],
};
static TEXTS: Tally<Note> = Tally {
    name: "texts",
    of: |note| vec![(key(&note.text), 1)],
};
type Names = BTreeMap<String, String>;
static NAMES: View<Names> = View::new("test.names", Names::new);
static NAMES_OF: Feed<Names, Note> = Feed {
    view: &NAMES,
    changed: |names, before, now| {
        if let Some(before) = before {
            assert_eq!(names.remove(&before.name).as_ref(), Some(&before.text));
        }
        if let Some(now) = now {
            // In the middle of a write: the row is in its table already.
            assert!(now.text != "bad", "ordered by the test");
            names.insert(now.name.clone(), now.text.clone());
        }
    },
};
static NOTED: Table<Key, Note> = Table::new("test.noted", |n| Key::of(&[&n.name]), &[&BY_TEXT])
    .with_tallies(&[&TEXTS])
    .with_feeds(&[&NAMES_OF]);

/// A store whose commits hold few rows.
struct Small(MemoryStore);

impl Store for Small {
    fn load(&mut self, schema: &Schema) -> Result<World, StoreError> {
        self.0.load(schema)
    }
    fn commit(&mut self, batch: &[Change], revision: u64, fence: u64) -> Result<(), StoreError> {
        assert!(batch.len() <= ROWS_PER_COMMIT);
        self.0.commit(batch, revision, fence)
    }
    fn lead(&mut self, name: &str, ttl: Duration) -> Result<u64, StoreError> {
        self.0.lead(name, ttl)
    }
    fn limits(&self) -> Limits {
        Limits {
            rows_per_commit: ROWS_PER_COMMIT,
            ..Limits::NONE
        }
    }
    fn reopen(&mut self) -> Result<(), StoreError> {
        self.0.reopen()
    }
}

/// What no one can read again.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
struct Sealed(String);

impl<'de> serde::Deserialize<'de> for Sealed {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("ordered by the test"))
    }
}

static SEALED: Table<Key, Sealed> = Table::new("test.sealed", |sealed| key(&sealed.0), &[]);

#[tokio::test]
async fn what_a_batch_keeps_is_kept_without_being_read_again() {
    let schema = Schema::new(&[&SEALED]);
    let (state, guard) = store::start(Box::new(MemoryStore::default()), schema).unwrap();
    // The writer is held up until all wait, so that they come in one batch.
    let (go, held) = std::sync::mpsc::channel();
    let calls: Vec<_> = ["first", "kept", "refused", "last"]
        .into_iter()
        .zip(std::iter::once(held).map(Some).chain([None, None, None]))
        .map(|(name, held)| {
            let state = state.clone();
            tokio::spawn(async move {
                let call = state.submit(ctx(), move |txn, _| {
                    if let Some(held) = held {
                        held.recv().unwrap();
                    }
                    txn.put(&SEALED, Sealed(name.into()));
                    match name {
                        "refused" => Err(codes::ACCESS_DENIED.with("no")),
                        _ => Ok(()),
                    }
                });
                call.await.map_err(|error| error.code())
            })
        })
        .collect();
    // On one thread, spawned tasks run when the test yields.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    let refused = Err(codes::ACCESS_DENIED);
    assert_eq!(answers, [Ok(()), Ok(()), refused, Ok(())]);
    assert_eq!(state.snapshot().count(&SEALED), 3);
    drop(guard);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Kept,
    Refused,
    Panics,
    /// Panics in the middle of a write.
    Torn,
}

type Writes = Vec<(&'static str, Option<&'static str>)>;

fn transactions() -> impl Strategy<Value = Vec<(Fate, Writes)>> {
    let names = vec!["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let write = (
        prop::sample::select(names),
        prop::option::weighted(0.8, prop::sample::select(vec!["x", "y", "z"])),
    );
    let fate = prop_oneof![
        4 => Just(Fate::Kept),
        1 => Just(Fate::Refused),
        1 => Just(Fate::Panics),
        1 => Just(Fate::Torn),
    ];
    // Some write more rows than a commit holds.
    prop::collection::vec((fate, prop::collection::vec(write, 0..12)), 1..40)
}

/// The rows, as the table, the index, the tally and the view have them.
fn seen(world: &World) -> Names {
    let rows: Names = world
        .scan(&NOTED)
        .map(|note| (note.name.clone(), note.text.clone()))
        .collect();
    assert_eq!(world.view(&NAMES), &rows);
    for text in ["x", "y", "z", "bad"] {
        let of = rows.values().filter(|found| *found == text).count();
        assert_eq!(world.find(&NOTED, &BY_TEXT, &key(text)).count(), of);
        assert_eq!(world.sum(&NOTED, &TEXTS, &key(text)), of as i64);
    }
    rows
}

/// What the transaction saw before it wrote, and whether `changed` told it all that it wrote.
async fn submit(state: StateHandle, fate: Fate, writes: Writes) -> Result<Names, AwsError> {
    let call = state.submit(ctx(), move |txn, _| {
        let before = seen(txn);
        for (name, text) in &writes {
            match text {
                Some(text) => txn.put(&NOTED, note(name, text)),
                None => drop(txn.delete(&NOTED, &key(name))),
            }
        }
        for (was, is) in txn.changed(&NOTED) {
            let name = was.as_ref().or(is.as_ref()).map(|note| note.name.clone());
            let Some(name) = name else {
                // Put and deleted again.
                continue;
            };
            assert_eq!(
                was.map(|note| note.text.clone()),
                before.get(&name).cloned()
            );
            assert_eq!(is.as_ref(), txn.get(&NOTED, &key(&name)));
        }
        match fate {
            Fate::Kept => Ok(before),
            Fate::Refused => Err(codes::ACCESS_DENIED.with("no")),
            Fate::Panics => panic!("ordered by the test"),
            Fate::Torn => {
                txn.put(&NOTED, note("torn", "bad"));
                Ok(before)
            }
        }
    });
    call.await
}

/// What the rows are after it, where it is kept.
fn after(rows: &Names, writes: &Writes) -> Option<Names> {
    let (mut now, mut touched) = (rows.clone(), std::collections::BTreeSet::new());
    for (name, text) in writes {
        let was = match text {
            Some(text) => now.insert((*name).into(), (*text).into()),
            None => now.remove(*name),
        };
        if was.is_some() || text.is_some() {
            touched.insert(*name);
        }
    }
    (touched.len() <= ROWS_PER_COMMIT).then_some(now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn each_sees_what_those_before_it_kept(transactions in transactions()) {
        let disk = MemoryStore::default();
        let schema = Schema::new(&[&NOTED]);
        let store = Box::new(Small(disk.clone()));
        let (state, guard) = store::start(store, schema.clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answers = runtime.block_on(async {
            // The writer is held up until all wait, so that they come in one batch, or few.
            let (go, held) = std::sync::mpsc::channel();
            let holder = state.clone();
            let holder = tokio::spawn(async move {
                holder.submit(ctx(), move |_, _| { held.recv().unwrap(); Ok(()) }).await
            });
            let calls = transactions.iter().cloned();
            let calls: Vec<_> = calls
                .map(|(fate, writes)| tokio::spawn(submit(state.clone(), fate, writes)))
                .collect();
            // On one thread, spawned tasks run when the test yields.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            go.send(()).unwrap();
            holder.await.unwrap().unwrap();
            let mut answers = Vec::new();
            for call in calls {
                answers.push(call.await.unwrap());
            }
            answers
        });
        let mut rows = Names::new();
        for ((fate, writes), answer) in transactions.iter().zip(answers) {
            let kept = after(&rows, writes).filter(|_| *fate == Fate::Kept);
            match (kept, answer) {
                (Some(now), Ok(before)) => {
                    prop_assert_eq!(before, rows, "it sees what is kept so far");
                    rows = now;
                }
                (None, Err(_)) => {}
                (kept, answer) => prop_assert!(false, "{:?} {:?}", kept, answer),
            }
        }
        prop_assert_eq!(seen(&state.snapshot()), rows.clone());
        drop((state, guard));
        prop_assert_eq!(seen(&disk.clone().load(&schema).unwrap()), rows);
    }
}
