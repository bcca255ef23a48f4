//! The declaration of a table: its name, its key, its secondary indexes and its tallies.
//!
//! A service declares its tables as statics (`ecs::records::TASKS`); the store holds their rows
//! type-erased and never learns what a record means.

use crate::key::{Key, TableKey};
use crate::view::{FeedDefinition, ViewDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

/// What a table can hold. Records are stored with field names, so that adding a field (with
/// `#[serde(default)]`) needs no migration.
pub trait Record:
    Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
}
impl<T: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static> Record for T {}

/// A secondary index: for each record, the index keys under which it is found.
pub struct Index<R: 'static> {
    /// Unique within the table.
    pub name: &'static str,
    /// The record's index keys; none leaves it out of the index.
    pub keys: fn(&R) -> Vec<Key>,
}

/// Sums over a table's records, kept up to date by every write, so that reading one visits no
/// record. Like an index it is derived: nothing of it is stored.
pub struct Tally<R: 'static> {
    /// Unique within the table.
    pub name: &'static str,
    /// What the record adds to the sum of each key; none leaves it out.
    pub of: fn(&R) -> Vec<(Key, i64)>,
}

/// A table of records `R` by typed key `K`, declared as a `static` by the service that owns it.
pub struct Table<K: 'static, R: 'static> {
    name: &'static str,
    key: fn(&R) -> K,
    indexes: &'static [&'static Index<R>],
    tallies: &'static [&'static Tally<R>],
    feeds: &'static [&'static dyn FeedDefinition<R>],
    marker: PhantomData<fn(K) -> R>,
}

impl<K: TableKey, R: Record> Table<K, R> {
    /// Declares a table. `name` is `SERVICE.NOUNS`, unique in the whole store and never changed.
    #[must_use]
    pub const fn new(
        name: &'static str,
        key: fn(&R) -> K,
        indexes: &'static [&'static Index<R>],
    ) -> Self {
        Self {
            name,
            key,
            indexes,
            tallies: &[],
            feeds: &[],
            marker: PhantomData,
        }
    }

    /// The same table with these tallies.
    #[must_use]
    pub const fn with_tallies(self, tallies: &'static [&'static Tally<R>]) -> Self {
        Self { tallies, ..self }
    }

    /// The same table, feeding these views.
    #[must_use]
    pub const fn with_feeds(self, feeds: &'static [&'static dyn FeedDefinition<R>]) -> Self {
        Self { feeds, ..self }
    }

    /// The table's name in the store.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The key under which a record lies.
    #[must_use]
    pub fn key_of(&self, record: &R) -> Key {
        (self.key)(record).encode()
    }

    /// The table's indexes.
    #[must_use]
    pub const fn indexes(&self) -> &'static [&'static Index<R>] {
        self.indexes
    }

    /// The table's tallies.
    #[must_use]
    pub const fn tallies(&self) -> &'static [&'static Tally<R>] {
        self.tallies
    }

    /// What the table's rows are fed to.
    #[must_use]
    pub const fn feeds(&self) -> &'static [&'static dyn FeedDefinition<R>] {
        self.feeds
    }
}

/// A table whose record type the store does not know.
pub trait TableDefinition: Sync + fmt::Debug {
    /// The table's name in the store.
    fn name(&self) -> &'static str;
    /// An empty set of rows of this table.
    fn empty(&'static self) -> Box<dyn crate::rows::Rows>;
    /// The views that its rows are fed to.
    fn views(&self) -> Vec<&'static dyn ViewDefinition>;
    /// For the checked way back to the typed rows.
    fn as_any(&self) -> &dyn Any;
}

impl<K: TableKey + 'static, R: Record> TableDefinition for Table<K, R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn empty(&'static self) -> Box<dyn crate::rows::Rows> {
        Box::new(crate::rows::TypedRows::new(self))
    }

    fn views(&self) -> Vec<&'static dyn ViewDefinition> {
        self.feeds.iter().map(|feed| feed.view()).collect()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<K, R> fmt::Debug for Table<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({})", self.name)
    }
}

impl<R> fmt::Debug for Tally<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tally({})", self.name)
    }
}

impl<R> fmt::Debug for Index<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({})", self.name)
    }
}
