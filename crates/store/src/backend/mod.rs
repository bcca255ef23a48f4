//! Where rows lie when the server does not run: the `Store` behind the one writer.
//!
//! A commit is all or nothing, and durable when it returns `Ok`. After an `Err` its outcome is
//! unknown: the writer drops what it had, calls `reopen` and loads again. A commit of a deposed
//! leader never takes effect.

mod log_fjall;
mod log_memory;
mod memory;
mod metric_fjall;
mod metric_memory;
mod metric_names;
mod redb;

pub use log_fjall::FjallLogStore;
pub use log_memory::MemoryLogStore;
pub use memory::MemoryStore;
pub use metric_fjall::FjallMetricStore;
pub use metric_memory::MemoryMetricStore;
pub use redb::RedbStore;

use crate::txn::Change;
use crate::world::{LoadError, Schema, World};
use std::time::Duration;

/// The format of the stored rows that this program writes. A store of a newer one is refused.
pub const FORMAT: u64 = 1;

/// How large one commit may be. Batches are split only between transactions, so no transaction may
/// exceed it either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows put or removed by one commit.
    pub rows_per_commit: usize,
    /// Bytes of tables' names, keys and values in one commit.
    pub bytes_per_commit: usize,
}

impl Limits {
    /// No limit but memory.
    pub const NONE: Self = Self {
        rows_per_commit: usize::MAX,
        bytes_per_commit: usize::MAX,
    };
}

/// Durable rows behind a [`World`].
pub trait Store: Send {
    /// Every committed row, and the revision of the last commit.
    ///
    /// # Errors
    /// The rows cannot be read, or are of a newer format.
    fn load(&mut self, schema: &Schema) -> Result<World, StoreError>;

    /// Makes the batch durable as `revision`, all of it or nothing.
    ///
    /// # Errors
    /// The outcome is then unknown, except for [`StoreError::Deposed`]: nothing was written.
    fn commit(&mut self, batch: &[Change], revision: u64, fence: u64) -> Result<(), StoreError>;

    /// Becomes the leader of `name` and gets a fence higher than every earlier one. `ttl` is for
    /// stores shared by several servers; where only one process can open the store, leadership is
    /// always granted and never runs out.
    ///
    /// # Errors
    /// The fence cannot be made durable, or another leader's lease has not run out.
    fn lead(&mut self, name: &str, ttl: Duration) -> Result<u64, StoreError>;

    /// How large one commit may be.
    fn limits(&self) -> Limits;

    /// Opens the store anew after a failure.
    ///
    /// # Errors
    /// It cannot be opened yet; the writer tries again later.
    fn reopen(&mut self) -> Result<(), StoreError>;
}

/// A store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or the engine failed; a commit's outcome is unknown.
    #[error("store: cannot {doing}: {why}")]
    Failed {
        /// What was being done, e.g. `commit`.
        doing: &'static str,
        /// What the engine said.
        why: String,
    },
    /// Another process has the store open.
    #[error("store: {path} is open in another process; stop it, or ask it instead")]
    InUse {
        /// The store's file.
        path: String,
    },
    /// A newer version of this program wrote the store.
    #[error(
        "store: written in format {found}, this version reads formats up to {known}; use the newer version"
    )]
    NewerFormat {
        /// The format that the store says it has.
        found: u64,
        /// The newest format that this program knows.
        known: u64,
    },
    /// A later leader has taken over.
    #[error("store: leader of fence {ours} was deposed by {current}")]
    Deposed {
        /// The fence of the commit.
        ours: u64,
        /// The newest leader's.
        current: u64,
    },
    /// After a failure the store came back without commits that had been acknowledged.
    #[error("store: reopened at revision {found}, but revision {acknowledged} was acknowledged")]
    WentBack {
        /// The last acknowledged revision.
        acknowledged: u64,
        /// The revision that the store has now.
        found: u64,
    },
    /// A stored row cannot become part of a World.
    #[error("store: {0}")]
    Load(#[from] LoadError),
}
