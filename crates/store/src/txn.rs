//! A transaction: the newest World with staged writes.
//!
//! It reads its own writes, which stand in the World that it was given: who keeps none of them drops
//! that World with it.

use crate::key::{Key, TableKey};
use crate::rows::encode;
use crate::table::{Record, Table};
use crate::world::World;
use aws_types::Ctx;
use std::any::Any;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Deref;
use std::sync::Arc;

/// One staged row: encoded bytes, or `None` for a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The table's name.
    pub table: &'static str,
    /// The row's key.
    pub key: Key,
    /// The record's encoded bytes; `None` removes the row.
    pub value: Option<Vec<u8>>,
}

/// Something to tell once the transaction is durable; the store never learns what. Told to
/// whoever watches, and lost with the process: no part of the state.
pub type Note = Arc<dyn Any + Send + Sync>;

/// A row, by table and key.
pub(crate) type Row = (&'static str, Key);

/// A record of a table, its type erased.
type Erased = Arc<dyn Any + Send + Sync>;

/// A record as it was put.
#[derive(Debug)]
pub(crate) struct Written {
    /// Encoded.
    pub(crate) bytes: Vec<u8>,
    /// Itself: who writes it to another World decodes nothing, and that cannot fail.
    pub(crate) record: Erased,
}

/// A row that was written.
#[derive(Debug)]
struct Staged {
    /// As it is now; `None` where it was removed.
    value: Option<Written>,
    /// The record as it was before the transaction.
    before: Option<Erased>,
}

/// The newest World with staged writes. Reads through `Deref` to [`World`].
#[derive(Debug)]
pub struct Txn {
    world: World,
    staged: BTreeMap<Row, Staged>,
    /// A write has begun and not ended, as when it panicked.
    is_writing: bool,
    notes: Vec<Note>,
}

impl Txn {
    /// A transaction over this World.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self {
            world,
            staged: BTreeMap::new(),
            is_writing: false,
            notes: Vec::new(),
        }
    }

    /// Puts a record under its own key, replacing the one there.
    pub fn put<K: TableKey + 'static, R: Record>(
        &mut self,
        table: &'static Table<K, R>,
        record: R,
    ) {
        let bytes = encode(&record);
        self.is_writing = true;
        let record = Arc::new(record);
        let (key, before) = self.world.put(table, record.clone());
        let written = Written { bytes, record };
        self.stage((table.name(), key), Some(written), before);
    }

    fn stage<R: Record>(&mut self, row: Row, value: Option<Written>, before: Option<Arc<R>>) {
        match self.staged.entry(row) {
            Entry::Occupied(mut staged) => staged.get_mut().value = value,
            Entry::Vacant(unwritten) => {
                let before = before.map(|record| record as Erased);
                unwritten.insert(Staged { value, before });
            }
        }
        self.is_writing = false;
    }

    /// Removes a record; whether there was one.
    pub fn delete<K: TableKey + 'static, R: Record>(
        &mut self,
        table: &'static Table<K, R>,
        key: &K,
    ) -> bool {
        let key = key.encode();
        self.is_writing = true;
        let before = self.world.delete(table, &key);
        let existed = before.is_some();
        match existed {
            true => self.stage((table.name(), key), None, before),
            false => self.is_writing = false,
        }
        existed
    }

    /// Reads a record, lets `change` alter a copy, puts it. Whether there was one.
    pub fn update<K: TableKey + 'static, R: Record>(
        &mut self,
        table: &'static Table<K, R>,
        key: &K,
        change: impl FnOnce(&mut R),
    ) -> bool {
        let Some(record) = self.world.get(table, key) else {
            return false;
        };
        let mut record = R::clone(record);
        change(&mut record);
        self.put(table, record);
        true
    }

    /// The World with the staged writes applied, and the writes, in order of table and key.
    #[must_use]
    pub fn finish(self) -> (World, Vec<Change>) {
        let (world, writes) = self.into_writes();
        let changes = writes.into_iter().map(Change::from).collect();
        (world, changes)
    }

    /// As [`Self::finish`], with the records themselves.
    pub(crate) fn into_writes(self) -> (World, Vec<(Row, Option<Written>)>) {
        let staged = self.staged.into_iter();
        let writes = staged.map(|(row, staged)| (row, staged.value)).collect();
        (self.world, writes)
    }

    /// Has this told once the transaction is durable.
    pub fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Each row of the table that was written so far, as it was before and as it is now, in order of
    /// key; `None` where there was or is none.
    #[must_use]
    pub fn changed<K: TableKey + 'static, R: Record>(
        &self,
        table: &'static Table<K, R>,
    ) -> Vec<(Option<Arc<R>>, Option<Arc<R>>)> {
        let name = table.name();
        let written = self.staged.range((name, Key::empty())..);
        let rows = written.take_while(|((table, _), _)| *table == name);
        rows.map(|((_, key), staged)| {
            let before = staged.before.clone();
            let before = before.map(|record| record.downcast().expect("a table has one type"));
            (before, self.world.row(table, key).cloned())
        })
        .collect()
    }

    /// Runs what the schema has for the end of a transaction that succeeded. The writer does, and
    /// whoever stands in for it.
    pub fn end(&mut self, ctx: &mut Ctx) {
        if let Some(finish) = self.world.schema().finish() {
            finish(self, ctx);
        }
    }

    /// What is to be told.
    pub(crate) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The World as it was given, where nothing was written to it.
    pub(crate) fn untouched(self) -> Option<World> {
        (self.staged.is_empty() && !self.is_writing).then_some(self.world)
    }

    /// The number of rows staged so far.
    #[must_use]
    pub fn staged_rows(&self) -> usize {
        self.staged.len()
    }
}

impl From<(Row, Option<Written>)> for Change {
    fn from(((table, key), written): (Row, Option<Written>)) -> Self {
        let value = written.map(|written| written.bytes);
        Self { table, key, value }
    }
}

impl Deref for Txn {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Feed, Index, Schema, Tally, View};
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Pet {
        name: String,
        owners: Vec<String>,
    }

    static BY_OWNER: Index<Pet> = Index {
        name: "by_owner",
        keys: |pet| pet.owners.iter().map(|o| Key::of(&[o])).collect(),
    };
    static OWNED: Tally<Pet> = Tally {
        name: "owned",
        of: |pet| pet.owners.iter().map(|o| (Key::of(&[o]), 1)).collect(),
    };
    static PETS: Table<Key, Pet> =
        Table::new("test.pets", |pet| Key::of(&[&pet.name]), &[&BY_OWNER])
            .with_tallies(&[&OWNED])
            .with_feeds(&[&NAMES_OF]);
    type Names = BTreeMap<String, Vec<String>>;
    static NAMES: View<Names> = View::new("test.names", Names::new);
    static NAMES_OF: Feed<Names, Pet> = Feed {
        view: &NAMES,
        changed: |names, before, now| {
            if let Some(before) = before {
                let was = names.remove(&before.name);
                assert_eq!(was.as_ref(), Some(&before.owners), "fed what it was");
            }
            if let Some(now) = now {
                names.insert(now.name.clone(), now.owners.clone());
            }
        },
    };

    proptest! {
        #[test]
        fn tables_and_indexes_agree_with_a_plain_model(
            steps in prop::collection::vec(("[a-d]", prop::option::of(prop::collection::vec("[x-z]", 0..3))), 0..60)
        ) {
            let schema = Schema::new(&[&PETS]);
            let mut model: BTreeMap<String, Vec<String>> = BTreeMap::new();
            let mut world = World::empty(&schema);
            let before = world.clone();
            for (name, owners) in steps {
                let mut txn = Txn::new(world.clone());
                if let Some(mut owners) = owners {
                    owners.sort();
                    owners.dedup();
                    txn.put(&PETS, Pet { name: name.clone(), owners: owners.clone() });
                    model.insert(name, owners);
                } else {
                    let existed = txn.delete(&PETS, &Key::of(&[&name]));
                    prop_assert_eq!(existed, model.remove(&name).is_some());
                }
                world = txn.finish().0;
            }
            let rows: Vec<_> = world.scan(&PETS).map(|p| (p.name.clone(), p.owners.clone())).collect();
            prop_assert_eq!(rows, model.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(world.view(&NAMES), &model);
            prop_assert!(before.view(&NAMES).is_empty(), "a snapshot's view never changes");
            for owner in ["x", "y", "z"] {
                let found: Vec<_> = world.find(&PETS, &BY_OWNER, &Key::of(&[owner])).map(|p| p.name.clone()).collect();
                let expected: Vec<_> = model.iter().filter(|(_, o)| o.iter().any(|o| o == owner)).map(|(n, _)| n.clone()).collect();
                prop_assert_eq!(world.sum(&PETS, &OWNED, &Key::of(&[owner])), i64::try_from(expected.len()).unwrap());
                for after in ["a", "b", "c", "d"] {
                    let rest = world.find_after(&PETS, &BY_OWNER, &Key::of(&[owner]), Some(&Key::of(&[after])));
                    let rest: Vec<_> = rest.map(|p| p.name.clone()).collect();
                    prop_assert_eq!(rest, expected.iter().filter(|name| name.as_str() > after).cloned().collect::<Vec<_>>());
                }
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(before.count(&PETS), 0, "a snapshot never changes");

            let mut loaded = World::empty(&schema);
            for (table, key, bytes) in world.encoded_rows() {
                loaded.put_encoded(table, &key, &bytes).unwrap();
            }
            prop_assert_eq!(loaded.view(&NAMES), &model);
            for owner in ["x", "y", "z"] {
                let sum = |world: &World| world.sum(&PETS, &OWNED, &Key::of(&[owner]));
                prop_assert_eq!(sum(&loaded), sum(&world));
            }
            prop_assert_eq!(loaded.encoded_rows().collect::<Vec<_>>(), world.encoded_rows().collect::<Vec<_>>());
        }
    }

    #[test]
    fn pages_continue_after_a_key_even_when_its_record_is_gone() {
        let mut txn = Txn::new(World::empty(&Schema::new(&[&PETS])));
        for name in ["a", "b", "c"] {
            txn.put(
                &PETS,
                Pet {
                    name: name.into(),
                    owners: vec![],
                },
            );
        }
        txn.delete(&PETS, &Key::of(&["b"]));
        let rest: Vec<_> = txn
            .scan_prefix(&PETS, &Key::empty(), Some(&Key::of(&["b"])))
            .map(|(_, pet)| pet.name.clone())
            .collect();
        assert_eq!(rest, ["c"]);
    }
}
