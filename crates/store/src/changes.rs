//! What was committed, told to whoever watches.
//!
//! A subscriber that falls behind, or that was there when the store had to be reloaded, is told so
//! and reads everything again: a change may come late or coalesced, and is never lost in silence.

use crate::key::Key;
use crate::txn::Note;
use std::fmt;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Batches kept for slow subscribers; one that is further behind gets [`Lagged`].
pub(crate) const CHANGES_LEN_MAX: usize = 1024;

/// The rows that one commit changed, and what its transactions noted.
#[derive(Debug)]
pub struct CommittedBatch {
    /// The revision of the World that holds these changes.
    pub revision: u64,
    /// Table and key of each changed row, in order. The rows are read from a snapshot.
    pub changes: Vec<(&'static str, Key)>,
    /// What the transactions noted, in their order.
    pub notes: Vec<Note>,
}

/// The subscriber missed changes and must read everything again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged;

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("changes were missed")
    }
}

impl std::error::Error for Lagged {}

#[derive(Clone, Debug)]
pub(crate) enum Notice {
    Committed(Arc<CommittedBatch>),
    Reloaded,
}

/// Committed batches in order, from the moment of subscription on. A batch that it yields is
/// already in the snapshot.
#[derive(Debug)]
pub struct ChangeStream(pub(crate) broadcast::Receiver<Notice>);

impl ChangeStream {
    /// The next batch; `None` when the writer has ended.
    pub async fn next(&mut self) -> Option<Result<Arc<CommittedBatch>, Lagged>> {
        match self.0.recv().await {
            Ok(Notice::Committed(batch)) => Some(Ok(batch)),
            Ok(Notice::Reloaded) | Err(broadcast::error::RecvError::Lagged(_)) => Some(Err(Lagged)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
