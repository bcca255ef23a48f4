//! All tables at one moment, on persistent maps: a snapshot is a pointer copy.
//!
//! What a table's rows and indexes are is in `rows`.

use crate::key::{Key, TableKey};
use crate::rows::{Rows, TypedRows};
use crate::table::{Index, Record, Table, TableDefinition, Tally};
use crate::txn::Txn;
use crate::view::{View, Views};
use crate::visits;
use aws_types::Ctx;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

/// What runs at the end of every transaction that succeeded, before anything of it is committed: it
/// sees what was changed, and may change and note more.
pub type Finish = fn(&mut Txn, &mut Ctx);

/// The list of tables that a store holds. Made once, at start, from every service's tables.
#[derive(Clone, Debug)]
pub struct Schema {
    tables: Arc<[&'static dyn TableDefinition]>,
    finish: Option<Finish>,
}

impl Schema {
    /// A schema of these tables.
    ///
    /// # Panics
    /// When two tables share a name: a mistake of the program, found by any test that starts.
    #[must_use]
    pub fn new(tables: &[&'static dyn TableDefinition]) -> Self {
        let mut sorted: Vec<_> = tables.to_vec();
        sorted.sort_by_key(|table| table.name());
        for pair in sorted.windows(2) {
            assert_ne!(pair[0].name(), pair[1].name(), "two tables of one name");
        }
        Self {
            tables: sorted.into(),
            finish: None,
        }
    }

    /// The same tables, with this at the end of every transaction.
    #[must_use]
    pub fn with_finish(self, finish: Finish) -> Self {
        Self {
            finish: Some(finish),
            ..self
        }
    }

    /// What runs at the end of a transaction that succeeded.
    pub(crate) fn finish(&self) -> Option<Finish> {
        self.finish
    }

    /// The tables in order of name.
    pub fn tables(&self) -> impl Iterator<Item = &'static dyn TableDefinition> + '_ {
        self.tables.iter().copied()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.tables
            .binary_search_by(|table| table.name().cmp(name))
            .ok()
    }
}

/// A stored row belongs to a table that this program does not have: a newer version wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTable(pub String);

impl fmt::Display for UnknownTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown table {}", self.0)
    }
}

impl std::error::Error for UnknownTable {}

/// All tables at one moment.
#[derive(Clone, Debug)]
pub struct World {
    schema: Schema,
    tables: Vec<Arc<dyn Rows>>,
    views: Views,
    revision: u64,
}

impl World {
    /// A World with no rows.
    #[must_use]
    pub fn empty(schema: &Schema) -> Self {
        Self {
            schema: schema.clone(),
            tables: schema
                .tables()
                .map(|table| Arc::from(table.empty()))
                .collect(),
            views: Views::empty(schema.tables().flat_map(TableDefinition::views)),
            revision: 0,
        }
    }

    /// The number of batches committed before this moment.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The same rows, seen as of `revision`. Only the writer and `load` count revisions.
    pub fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }

    /// The schema of this World.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The record of this key.
    #[must_use]
    pub fn get<K: TableKey + 'static, R: Record>(
        &self,
        table: &'static Table<K, R>,
        key: &K,
    ) -> Option<&Arc<R>> {
        visits::count();
        self.rows(table).rows.get(&key.encode())
    }

    /// The record of this encoded key.
    pub(crate) fn row<K: TableKey + 'static, R: Record>(
        &self,
        table: &'static Table<K, R>,
        key: &Key,
    ) -> Option<&Arc<R>> {
        visits::count();
        self.rows(table).rows.get(key)
    }

    /// All records in order of key.
    pub fn scan<K: TableKey + 'static, R: Record>(
        &self,
        table: &'static Table<K, R>,
    ) -> impl Iterator<Item = &Arc<R>> {
        self.rows(table).rows.values().inspect(|_| visits::count())
    }

    /// Records whose key starts with `prefix`, in order of key, after `after` where it is given
    /// (itself left out): how listings page.
    pub fn scan_prefix<K: TableKey + 'static, R: Record>(
        &self,
        table: &'static Table<K, R>,
        prefix: &Key,
        after: Option<&Key>,
    ) -> impl Iterator<Item = (&Key, &Arc<R>)> {
        let start = after.filter(|after| *after >= prefix).map_or_else(
            || Bound::Included(prefix.clone()),
            |after| Bound::Excluded(after.clone()),
        );
        let prefix = prefix.clone();
        self.rows(table)
            .rows
            .range((start, Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .inspect(|_| visits::count())
    }

    /// Records that the index holds under keys starting with `index_key`, in order of index key,
    /// then of key.
    pub fn find<K: TableKey + 'static, R: Record>(
        &self,
        table: &'static Table<K, R>,
        index: &'static Index<R>,
        index_key: &Key,
    ) -> impl Iterator<Item = &Arc<R>> {
        let rows = self.rows(table);
        let prefix = index_key.clone();
        rows.index(index)
            .range((
                Bound::Included((prefix.clone(), Key::empty())),
                Bound::Unbounded,
            ))
            .take_while(move |(found, _)| found.starts_with(&prefix))
            .filter_map(|(_, key)| rows.rows.get(key))
            .inspect(|_| visits::count())
    }

    /// Records that the index holds under exactly `index_key`, in order of key, after `after` where
    /// it is given (itself left out): how filtered listings page.
    pub fn find_after<'w, K: TableKey + 'static, R: Record>(
        &'w self,
        table: &'static Table<K, R>,
        index: &'static Index<R>,
        index_key: &Key,
        after: Option<&Key>,
    ) -> impl Iterator<Item = &'w Arc<R>> + use<'w, K, R> {
        let rows = self.rows(table);
        let exact = index_key.clone();
        let start = match after {
            Some(after) => Bound::Excluded((exact.clone(), after.clone())),
            None => Bound::Included((exact.clone(), Key::empty())),
        };
        rows.index(index)
            .range((start, Bound::Unbounded))
            .take_while(move |(found, _)| *found == exact)
            .filter_map(|(_, key)| rows.rows.get(key))
            .inspect(|_| visits::count())
    }

    /// What the tally holds for this key; 0 where no record adds to it. Visits no record.
    #[must_use]
    pub fn sum<K: TableKey + 'static, R: Record>(
        &self,
        table: &'static Table<K, R>,
        tally: &'static Tally<R>,
        key: &Key,
    ) -> i64 {
        self.rows(table).sum(tally, key)
    }

    /// What a view is now. Visits no record.
    #[must_use]
    pub fn view<V: 'static>(&self, view: &'static View<V>) -> &V {
        self.views.get(view)
    }

    /// The number of records in a table.
    #[must_use]
    pub fn count<K: TableKey + 'static, R: Record>(&self, table: &'static Table<K, R>) -> usize {
        self.rows(table).rows.len()
    }

    /// The key of every row of every table, in order of table and key.
    pub fn keys(&self) -> impl Iterator<Item = (&'static str, &Key)> {
        self.tables.iter().flat_map(|rows| {
            let name = rows.table();
            rows.keys().map(move |key| (name, key))
        })
    }

    /// Every row of every table, encoded: what an import commits.
    pub fn encoded_rows(&self) -> impl Iterator<Item = (&'static str, Key, Vec<u8>)> + '_ {
        self.tables.iter().flat_map(|rows| {
            let name = rows.table();
            rows.encoded().map(move |(key, bytes)| (name, key, bytes))
        })
    }

    /// Whether every row is the same. A table that both share is not looked at.
    #[must_use]
    pub fn has_rows_of(&self, other: &Self) -> bool {
        let mut tables = self.tables.iter().zip(&other.tables);
        tables.all(|(own, its)| Arc::ptr_eq(own, its) || own.encoded().eq(its.encoded()))
    }

    /// One row encoded (MessagePack with field names), by table name and key.
    #[must_use]
    pub fn encoded_row(&self, table: &str, key: &Key) -> Option<Vec<u8>> {
        self.tables[self.schema.position(table)?].encoded_row(key)
    }

    /// One row as JSON, by table name and key.
    #[must_use]
    pub fn json_row(&self, table: &str, key: &Key) -> Option<serde_json::Value> {
        self.tables[self.schema.position(table)?].json_row(key)
    }

    /// Puts a row that [`json_row`](Self::json_row) gave, as an import does.
    ///
    /// # Errors
    /// The table is unknown, the JSON is no record of it, or the record belongs under another key.
    pub fn put_json(
        &mut self,
        table: &str,
        key: &Key,
        json: serde_json::Value,
    ) -> Result<(), LoadError> {
        let (rows, views) = self.rows_of_mut(table)?;
        rows.put_json(views, key, json)
            .map_err(|why| LoadError::Undecodable {
                table: table.into(),
                key: key.clone(),
                why,
            })
    }

    /// Puts an encoded row, as `load` does.
    ///
    /// # Errors
    /// The table is unknown, or the bytes are no record of it.
    pub fn put_encoded(&mut self, table: &str, key: &Key, bytes: &[u8]) -> Result<(), LoadError> {
        let (rows, views) = self.rows_of_mut(table)?;
        rows.put_encoded(views, key, bytes)
            .map_err(|source| LoadError::Undecodable {
                table: table.into(),
                key: key.clone(),
                why: source.to_string(),
            })
    }

    /// Removes a row by table name, as a follower's `tail` does.
    ///
    /// # Errors
    /// The table is unknown.
    pub fn delete_encoded(&mut self, table: &str, key: &Key) -> Result<(), LoadError> {
        let (rows, views) = self.rows_of_mut(table)?;
        rows.delete(views, key);
        Ok(())
    }

    pub(crate) fn put<K: TableKey + 'static, R: Record>(
        &mut self,
        table: &'static Table<K, R>,
        record: Arc<R>,
    ) -> (Key, Option<Arc<R>>) {
        let key = table.key_of(&record);
        let (rows, views) = self.rows_mut(table);
        let before = rows.put(views, key.clone(), record);
        (key, before)
    }

    pub(crate) fn delete<K: TableKey + 'static, R: Record>(
        &mut self,
        table: &'static Table<K, R>,
        key: &Key,
    ) -> Option<Arc<R>> {
        let (rows, views) = self.rows_mut(table);
        rows.remove(views, key)
    }

    fn rows<K: TableKey + 'static, R: Record>(
        &self,
        table: &'static Table<K, R>,
    ) -> &TypedRows<K, R> {
        self.schema
            .position(table.name())
            .and_then(|at| self.tables[at].as_any().downcast_ref())
            .expect("Schema::new is given every service's tables, each name with one type")
    }

    fn rows_mut<K: TableKey + 'static, R: Record>(
        &mut self,
        table: &'static Table<K, R>,
    ) -> (&mut TypedRows<K, R>, &mut Views) {
        self.rows_of_mut(table.name())
            .ok()
            .and_then(|(rows, views)| Some((rows.as_any_mut().downcast_mut()?, views)))
            .expect("Schema::new is given every service's tables, each name with one type")
    }

    pub(crate) fn rows_of_mut(
        &mut self,
        table: &str,
    ) -> Result<(&mut dyn Rows, &mut Views), LoadError> {
        let at = self
            .schema
            .position(table)
            .ok_or_else(|| LoadError::UnknownTable(UnknownTable(table.into())))?;
        let shared = &mut self.tables[at];
        if Arc::get_mut(shared).is_none() {
            *shared = Arc::from(shared.clone_rows());
        }
        let rows = Arc::get_mut(shared).expect("replaced by a copy of our own just above");
        Ok((rows, &mut self.views))
    }
}

/// A stored row could not become part of a World.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Its table is not in the schema.
    UnknownTable(UnknownTable),
    /// Its bytes are no record of its table.
    Undecodable {
        /// The table.
        table: String,
        /// The row's key.
        key: Key,
        /// What the decoder said.
        why: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTable(unknown) => unknown.fmt(f),
            Self::Undecodable { table, key, why } => {
                write!(f, "table {table}: row {key:?} cannot be read: {why}")
            }
        }
    }
}

impl std::error::Error for LoadError {}
