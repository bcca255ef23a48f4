//! Where log events lie: never in the World, but in a store of their own.
//!
//! The trait knows timestamps and bytes only; what an event means is `telemetry`'s. All calls are
//! synchronous and may wait for a disk: they run on a thread that may wait, never in a transaction.
//!
//! Invariants: what `append` has acknowledged is durable; a stream's entries are ordered by
//! timestamp, then by the order in which they were appended; a batch whose cursor is not above the
//! stream's last one is dropped whole, so that a repeat doubles nothing.

use aws_types::Timestamp;
use std::fmt;

/// Names a stream for as long as it exists; a stream made again under the same name has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogStreamId(pub [u8; 16]);

/// The place of an entry in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The entry's own time.
    pub timestamp: Timestamp,
    /// Counts the stream's entries in the order of their arrival.
    pub sequence: u64,
}

impl Position {
    /// Before every entry of this moment.
    #[must_use]
    pub const fn before(timestamp: Timestamp) -> Self {
        Self {
            timestamp,
            sequence: 0,
        }
    }
}

/// An entry to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The entry's own time.
    pub timestamp: Timestamp,
    /// Its text.
    pub message: String,
}

/// An entry as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Where it lies.
    pub position: Position,
    /// When it arrived.
    pub ingested: Timestamp,
    /// Its text.
    pub message: String,
}

/// What a store knows of a stream without reading its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStreamState {
    /// Time of the earliest entry ever appended.
    pub first: Option<Timestamp>,
    /// Time of the latest entry.
    pub last: Option<Timestamp>,
    /// When the last batch arrived.
    pub last_ingested: Option<Timestamp>,
    /// Bytes of all messages, plus 26 an entry, as AWS counts them.
    pub bytes: u64,
    /// Cursor of the last batch that carried one.
    pub cursor: Option<u64>,
    /// Entries appended so far; the next one's sequence is one higher.
    pub sequence: u64,
}

/// Which entries to read, and how many.
#[derive(Clone, Copy, Debug)]
pub struct LogRange {
    /// At this position or after it.
    pub from: Position,
    /// Before this position.
    pub until: Position,
    /// The latest entries of the range instead of the earliest; they still come in ascending order.
    pub backward: bool,
    /// At most so many entries.
    pub entries_max: usize,
    /// Stops before the sum of the messages' bytes exceeds this; one entry always fits.
    pub bytes_max: usize,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is durable.
    Stored,
    /// Its cursor was not new: it had been stored before, and was dropped.
    Repeat,
}

/// The store failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStoreError(pub String);

impl fmt::Display for LogStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log store: {}", self.0)
    }
}

impl std::error::Error for LogStoreError {}

/// A store of log entries.
pub trait LogStore: Send + Sync + fmt::Debug {
    /// Appends a batch; durable on return. `cursor` makes it idempotent.
    ///
    /// # Errors
    /// Nothing of the batch was stored, as far as any later call can tell.
    fn append(
        &self,
        stream: LogStreamId,
        entries: &[LogEntry],
        ingested: Timestamp,
        cursor: Option<u64>,
    ) -> Result<Appended, LogStoreError>;

    /// Entries in ascending order.
    ///
    /// # Errors
    /// The store cannot be read.
    fn read(&self, stream: LogStreamId, range: LogRange)
    -> Result<Vec<StoredEntry>, LogStoreError>;

    /// What is known of a stream; an unknown one is empty.
    ///
    /// # Errors
    /// The store cannot be read.
    fn state(&self, stream: LogStreamId) -> Result<LogStreamState, LogStoreError>;

    /// Removes a stream's entries before this moment, at most `limit`; how many were removed.
    ///
    /// # Errors
    /// The store cannot be written.
    fn delete_before(
        &self,
        stream: LogStreamId,
        moment: Timestamp,
        limit: usize,
    ) -> Result<usize, LogStoreError>;

    /// Removes at most `limit` of a stream's entries, and its state when none is left. Whether more
    /// remains.
    ///
    /// # Errors
    /// The store cannot be written.
    fn delete(&self, stream: LogStreamId, limit: usize) -> Result<bool, LogStoreError>;

    /// Every stream that the store knows.
    ///
    /// # Errors
    /// The store cannot be read.
    fn streams(&self) -> Result<Vec<LogStreamId>, LogStoreError>;
}

impl LogStreamState {
    /// The state after a batch; `entries` is not empty.
    #[must_use]
    pub fn after(self, entries: &[LogEntry], ingested: Timestamp, cursor: Option<u64>) -> Self {
        let earliest = entries.iter().map(|entry| entry.timestamp).min();
        let latest = entries.iter().map(|entry| entry.timestamp).max();
        let bytes: usize = entries
            .iter()
            .map(|entry| entry.message.len() + ENTRY_OVERHEAD)
            .sum();
        Self {
            first: self.first.into_iter().chain(earliest).min(),
            last: self.last.max(latest),
            last_ingested: Some(ingested),
            bytes: self.bytes + bytes as u64,
            cursor: cursor.or(self.cursor),
            sequence: self.sequence + entries.len() as u64,
        }
    }

    /// Whether a batch of this cursor has been stored before.
    #[must_use]
    pub fn has_seen(self, cursor: Option<u64>) -> bool {
        matches!((cursor, self.cursor), (Some(new), Some(seen)) if new <= seen)
    }
}

/// AWS counts 26 bytes for each event besides its message (PutLogEvents, API reference).
pub const ENTRY_OVERHEAD: usize = 26;
