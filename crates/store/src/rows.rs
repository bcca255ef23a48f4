//! The rows of one table with its indexes, and the face that the World sees without their type.
//!
//! Invariant: an index holds exactly the keys that its table's records name, and a tally their
//! sums; nothing but [`TypedRows`] changes any of them, and it changes all.

use crate::key::{Key, TableKey};
use crate::table::{Index, Record, Table, Tally};
use crate::view::Views;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// The rows of one table, type-erased.
pub trait Rows: Send + Sync + fmt::Debug {
    /// The table's name.
    fn table(&self) -> &'static str;
    /// A copy that shares structure.
    fn clone_rows(&self) -> Box<dyn Rows>;
    /// Every key, in order.
    fn keys(&self) -> Box<dyn Iterator<Item = &Key> + '_>;
    /// Every row, encoded.
    fn encoded(&self) -> Box<dyn Iterator<Item = (Key, Vec<u8>)> + '_>;
    /// One row, encoded.
    fn encoded_row(&self, key: &Key) -> Option<Vec<u8>>;
    /// One row as JSON.
    fn json_row(&self, key: &Key) -> Option<serde_json::Value>;
    /// Puts a row given as JSON.
    ///
    /// # Errors
    /// The JSON is no record of this table, or the record belongs under another key.
    fn put_json(
        &mut self,
        views: &mut Views,
        key: &Key,
        json: serde_json::Value,
    ) -> Result<(), String>;
    /// Decodes and puts a row.
    ///
    /// # Errors
    /// The bytes are no record of this table.
    fn put_encoded(
        &mut self,
        views: &mut Views,
        key: &Key,
        bytes: &[u8],
    ) -> Result<(), rmp_serde::decode::Error>;
    /// Puts a record that was put into rows of this table before.
    ///
    /// # Panics
    /// It is of another table's type.
    fn put_record(&mut self, views: &mut Views, key: &Key, record: Arc<dyn Any + Send + Sync>);
    /// Removes a row; whether there was one.
    fn delete(&mut self, views: &mut Views, key: &Key) -> bool;
    /// For the checked way back to the typed rows.
    fn as_any(&self) -> &dyn Any;
    /// For the checked way back to the typed rows.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

type IndexRows = imbl::OrdSet<(Key, Key)>;
/// A sum of zero has no entry.
type TallySums = imbl::OrdMap<Key, i64>;

/// The rows of one table with its indexes.
pub struct TypedRows<K: 'static, R: 'static> {
    table: &'static Table<K, R>,
    pub(crate) rows: imbl::OrdMap<Key, Arc<R>>,
    indexes: Vec<IndexRows>,
    tallies: Vec<TallySums>,
}

impl<K: TableKey + 'static, R: Record> TypedRows<K, R> {
    pub(crate) fn new(table: &'static Table<K, R>) -> Self {
        Self {
            table,
            rows: imbl::OrdMap::new(),
            indexes: vec![IndexRows::new(); table.indexes().len()],
            tallies: vec![TallySums::new(); table.tallies().len()],
        }
    }

    /// Gives the record that was there before.
    pub(crate) fn put(&mut self, views: &mut Views, key: Key, record: Arc<R>) -> Option<Arc<R>> {
        let previous = self.rows.insert(key.clone(), record.clone());
        for (index, rows) in self.table.indexes().iter().zip(&mut self.indexes) {
            let now = (index.keys)(&record);
            let before = previous
                .as_ref()
                .map(|record| (index.keys)(record))
                .unwrap_or_default();
            if now == before {
                continue;
            }
            for old in before {
                rows.remove(&(old, key.clone()));
            }
            for new in now {
                rows.insert((new, key.clone()));
            }
        }
        self.tally(previous.as_deref(), Some(&record));
        for feed in self.table.feeds() {
            feed.changed(views, previous.as_deref(), Some(&record));
        }
        previous
    }

    /// Gives the record that was there.
    pub(crate) fn remove(&mut self, views: &mut Views, key: &Key) -> Option<Arc<R>> {
        let previous = self.rows.remove(key)?;
        for (index, rows) in self.table.indexes().iter().zip(&mut self.indexes) {
            for old in (index.keys)(&previous) {
                rows.remove(&(old, key.clone()));
            }
        }
        self.tally(Some(&previous), None);
        for feed in self.table.feeds() {
            feed.changed(views, Some(&previous), None);
        }
        Some(previous)
    }

    /// Moves the sums from what the record was to what it is.
    fn tally(&mut self, before: Option<&R>, now: Option<&R>) {
        for (tally, sums) in self.table.tallies().iter().zip(&mut self.tallies) {
            let of = |record: Option<&R>| record.map(tally.of).unwrap_or_default();
            let (before, now) = (of(before), of(now));
            if before == now {
                continue;
            }
            let taken = before.into_iter().map(|(key, value)| (key, -value));
            for (key, change) in taken.chain(now) {
                match sums.get(&key).copied().unwrap_or(0) + change {
                    0 => sums.remove(&key),
                    sum => sums.insert(key, sum),
                };
            }
        }
    }

    pub(crate) fn sum(&self, tally: &'static Tally<R>, key: &Key) -> i64 {
        let declared = self.table.tallies().iter();
        let mut declared = declared.zip(&self.tallies);
        let (_, sums) = declared
            .find(|(candidate, _)| candidate.name == tally.name)
            .expect("a tally is looked up in the table that declares it");
        sums.get(key).copied().unwrap_or(0)
    }

    pub(crate) fn index(&self, index: &'static Index<R>) -> &IndexRows {
        self.table
            .indexes()
            .iter()
            .position(|candidate| candidate.name == index.name)
            .map(|at| &self.indexes[at])
            .expect("an index is looked up in the table that declares it")
    }
}

impl<K: TableKey + 'static, R: Record> Rows for TypedRows<K, R> {
    fn table(&self) -> &'static str {
        self.table.name()
    }

    fn clone_rows(&self) -> Box<dyn Rows> {
        Box::new(Self {
            table: self.table,
            rows: self.rows.clone(),
            indexes: self.indexes.clone(),
            tallies: self.tallies.clone(),
        })
    }

    fn keys(&self) -> Box<dyn Iterator<Item = &Key> + '_> {
        Box::new(self.rows.keys())
    }

    fn encoded(&self) -> Box<dyn Iterator<Item = (Key, Vec<u8>)> + '_> {
        Box::new(
            self.rows
                .iter()
                .map(|(key, record)| (key.clone(), encode(record.as_ref()))),
        )
    }

    fn encoded_row(&self, key: &Key) -> Option<Vec<u8>> {
        self.rows.get(key).map(|record| encode(record.as_ref()))
    }

    fn json_row(&self, key: &Key) -> Option<serde_json::Value> {
        let record = self.rows.get(key)?;
        Some(
            serde_json::to_value(record.as_ref())
                .expect("records are plain data with text keys: their Serialize cannot fail"),
        )
    }

    fn put_json(
        &mut self,
        views: &mut Views,
        key: &Key,
        json: serde_json::Value,
    ) -> Result<(), String> {
        let record: R = serde_json::from_value(json).map_err(|error| error.to_string())?;
        if self.table.key_of(&record) != *key {
            return Err("the record belongs under another key".into());
        }
        self.put(views, key.clone(), Arc::new(record));
        Ok(())
    }

    fn put_encoded(
        &mut self,
        views: &mut Views,
        key: &Key,
        bytes: &[u8],
    ) -> Result<(), rmp_serde::decode::Error> {
        let record = rmp_serde::from_slice(bytes)?;
        self.put(views, key.clone(), Arc::new(record));
        Ok(())
    }

    fn put_record(&mut self, views: &mut Views, key: &Key, record: Arc<dyn Any + Send + Sync>) {
        let record = record.downcast().expect("a table has one type");
        self.put(views, key.clone(), record);
    }

    fn delete(&mut self, views: &mut Views, key: &Key) -> bool {
        self.remove(views, key).is_some()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl<K, R> fmt::Debug for TypedRows<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({:?}, {} records)", self.table, self.rows.len())
    }
}

/// A record's stored bytes: MessagePack with field names.
pub(crate) fn encode<R: serde::Serialize>(record: &R) -> Vec<u8> {
    rmp_serde::to_vec_named(record)
        .expect("records are plain data: their Serialize cannot fail, and a Vec takes every byte")
}
