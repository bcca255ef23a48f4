//! The control plane's state: one writer, immutable snapshots, a durable log behind.
//!
//! * A [`Table`] is declared by the service that owns it and keeps its own secondary indexes.
//! * A [`World`] is all tables at one moment. Cloning it is a few pointer copies, so a reader holds
//!   one consistent moment for as long as it likes.
//! * A [`Txn`] is the newest World with staged writes; it reads its own writes.
//! * The writer ([`start`], [`StateHandle`]) runs transactions one after the other and answers
//!   them once the [`Store`] has made them durable.
//!
//! Invariants: a reader never sees what could still be lost; an `Err` leaves nothing behind; equal
//! histories give equal Worlds. Only `backend/` and `writer` touch disks and threads.

pub mod backend;
mod batch;
mod changes;
mod export;
mod key;
mod key_text;
mod log_store;
mod metric_store;
mod rows;
mod state;
mod table;
mod txn;
mod view;
mod visits;
mod world;
mod writer;

pub use backend::{Limits, MemoryStore, RedbStore, Store, StoreError};
pub use changes::{ChangeStream, CommittedBatch, Lagged};
pub use export::{ImportError, export, get, import};
pub use key::{Key, KeyReader, KeyWriter, TableKey};
pub use log_store::{
    Appended, ENTRY_OVERHEAD, LogEntry, LogRange, LogStore, LogStoreError, LogStreamId,
    LogStreamState, Position, StoredEntry,
};
pub use metric_store::{
    Held, LAST_ARRIVED_SLACK_SECONDS, MetricStore, MetricStoreError, NAME_BYTES_MAX, NewPoint,
    PointPlace, PointRange, Resolution, SeriesName, SeriesState, SeriesView, StoredPoint,
};
pub use rows::Rows;
pub use state::StateHandle;
pub use table::{Index, Record, Table, TableDefinition, Tally};
pub use txn::{Change, Note, Txn};
pub use view::{Derived, Feed, FeedDefinition, View, ViewDefinition, Views};
pub use visits::visited;
pub use world::{Finish, LoadError, Schema, UnknownTable, World};
pub use writer::{WriterGuard, start};
