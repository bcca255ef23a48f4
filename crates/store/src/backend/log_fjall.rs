//! Log entries in an LSM store on disk (fjall): compressed, one keyspace for all streams' entries
//! and one for what is known of each stream.
//!
//! An entry's key is (stream, timestamp, sequence), so that a stream's entries lie side by side in
//! order of time. A batch and the stream's new state are one atomic, synced write.

use crate::log_store::{
    Appended, LogEntry, LogRange, LogStore, LogStoreError, LogStreamId, LogStreamState, Position,
    StoredEntry,
};
use aws_types::Timestamp;
use fjall::{Database, Guard, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Memory of the block cache.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// Memory of one keyspace's write buffer before it goes to disk.
const WRITE_BUFFER_BYTES: u64 = 4 * 1024 * 1024;
/// Journal on disk before old parts of it must be flushed away.
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
/// Appends to streams of one stripe wait for each other; the state of a stream is read and written
/// within one append.
const STRIPES: usize = 64;
const KEY_LEN: usize = 16 + 8 + 8;

/// The log store of a server.
pub struct FjallLogStore {
    database: Database,
    entries: Keyspace,
    states: Keyspace,
    /// `std` mutexes: held for one append, on a thread that may wait.
    stripes: Vec<Mutex<()>>,
}

impl FjallLogStore {
    /// Opens or makes the store in a directory.
    ///
    /// # Errors
    /// The directory cannot be opened, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, LogStoreError> {
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .open()
            .map_err(failed)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(WRITE_BUFFER_BYTES);
        let entries = database.keyspace("entries", options).map_err(failed)?;
        let states = database.keyspace("streams", options).map_err(failed)?;
        let stripes = (0..STRIPES).map(|_| Mutex::new(())).collect();
        Ok(Self {
            database,
            entries,
            states,
            stripes,
        })
    }

    fn remove(&self, keys: &[fjall::UserKey]) -> Result<(), LogStoreError> {
        let mut batch = self.database.batch();
        for key in keys {
            batch.remove(&self.entries, key.clone());
        }
        batch.commit().map_err(failed)
    }
}

impl LogStore for FjallLogStore {
    fn append(
        &self,
        stream: LogStreamId,
        entries: &[LogEntry],
        ingested: Timestamp,
        cursor: Option<u64>,
    ) -> Result<Appended, LogStoreError> {
        let stripe = &self.stripes[usize::from(stream.0[0]) % STRIPES];
        let _guard = stripe.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state(stream)?;
        if state.has_seen(cursor) {
            return Ok(Appended::Repeat);
        }
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for (sequence, entry) in (state.sequence + 1..).zip(entries) {
            let key = entry_key(
                stream,
                Position {
                    timestamp: entry.timestamp,
                    sequence,
                },
            );
            let mut value = Vec::with_capacity(8 + entry.message.len());
            value.extend_from_slice(&ingested.millis().to_be_bytes());
            value.extend_from_slice(entry.message.as_bytes());
            batch.insert(&self.entries, key, value);
        }
        let state = encode_state(&state.after(entries, ingested, cursor));
        batch.insert(&self.states, stream.0, state);
        batch.commit().map_err(failed)?;
        Ok(Appended::Stored)
    }

    fn read(
        &self,
        stream: LogStreamId,
        range: LogRange,
    ) -> Result<Vec<StoredEntry>, LogStoreError> {
        if range.from >= range.until {
            return Ok(Vec::new());
        }
        let found = self
            .entries
            .range(entry_key(stream, range.from)..entry_key(stream, range.until));
        let (mut read, mut bytes) = (Vec::new(), 0);
        let mut take = |guard: Guard| -> Result<bool, LogStoreError> {
            let entry = decode_entry(guard)?;
            bytes += entry.message.len();
            let fits = bytes <= range.bytes_max || read.is_empty();
            if fits {
                read.push(entry);
            }
            Ok(fits && read.len() < range.entries_max)
        };
        if range.backward {
            for guard in found.rev() {
                if !take(guard)? {
                    break;
                }
            }
            read.reverse();
        } else {
            for guard in found {
                if !take(guard)? {
                    break;
                }
            }
        }
        Ok(read)
    }

    fn state(&self, stream: LogStreamId) -> Result<LogStreamState, LogStoreError> {
        let stored = self.states.get(stream.0).map_err(failed)?;
        stored.map_or_else(
            || Ok(LogStreamState::default()),
            |bytes| decode_state(&bytes),
        )
    }

    fn delete_before(
        &self,
        stream: LogStreamId,
        moment: Timestamp,
        limit: usize,
    ) -> Result<usize, LogStoreError> {
        let first = entry_key(stream, Position::before(Timestamp::from_millis(i64::MIN)));
        let keys = self
            .entries
            .range(first..entry_key(stream, Position::before(moment)))
            .take(limit)
            .map(Guard::key)
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        self.remove(&keys)?;
        Ok(keys.len())
    }

    fn delete(&self, stream: LogStreamId, limit: usize) -> Result<bool, LogStoreError> {
        let keys = self
            .entries
            .prefix(stream.0)
            .take(limit)
            .map(Guard::key)
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        self.remove(&keys)?;
        let more = keys.len() == limit;
        if !more {
            self.states.remove(stream.0).map_err(failed)?;
        }
        Ok(more)
    }

    fn streams(&self) -> Result<Vec<LogStreamId>, LogStoreError> {
        self.states
            .iter()
            .map(|guard| {
                let key = guard.key().map_err(failed)?;
                <[u8; 16]>::try_from(&key[..])
                    .map(LogStreamId)
                    .map_err(|_| damaged("stream key"))
            })
            .collect()
    }
}

impl fmt::Debug for FjallLogStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallLogStore").finish_non_exhaustive()
    }
}

fn failed(error: impl fmt::Display) -> LogStoreError {
    LogStoreError(error.to_string())
}

fn damaged(what: &str) -> LogStoreError {
    LogStoreError(format!("damaged {what}"))
}

fn entry_key(stream: LogStreamId, position: Position) -> [u8; KEY_LEN] {
    let mut key = [0; KEY_LEN];
    key[..16].copy_from_slice(&stream.0);
    key[16..24].copy_from_slice(&sortable(position.timestamp).to_be_bytes());
    key[24..].copy_from_slice(&position.sequence.to_be_bytes());
    key
}

/// Negative times sort before positive ones.
fn sortable(moment: Timestamp) -> u64 {
    (moment.millis() as u64) ^ (1 << 63)
}

fn decode_entry(guard: Guard) -> Result<StoredEntry, LogStoreError> {
    let (key, value) = guard.into_inner().map_err(failed)?;
    let number = |bytes: &[u8], at: usize| -> Option<u64> {
        Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
    };
    let parts = || {
        let timestamp = Timestamp::from_millis((number(&key, 16)? ^ (1 << 63)) as i64);
        let position = Position {
            timestamp,
            sequence: number(&key, 24)?,
        };
        let ingested = Timestamp::from_millis(number(&value, 0)? as i64);
        let message = String::from_utf8(value.get(8..)?.to_vec()).ok()?;
        Some(StoredEntry {
            position,
            ingested,
            message,
        })
    };
    parts().ok_or_else(|| damaged("entry"))
}

/// Version, then the six fields; an absent one is `i64::MIN` or `u64::MAX`.
fn encode_state(state: &LogStreamState) -> Vec<u8> {
    let moment = |moment: Option<Timestamp>| moment.map_or(i64::MIN, Timestamp::millis) as u64;
    let mut bytes = vec![1];
    for number in [
        moment(state.first),
        moment(state.last),
        moment(state.last_ingested),
        state.bytes,
        state.cursor.unwrap_or(u64::MAX),
        state.sequence,
    ] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes
}

fn decode_state(bytes: &[u8]) -> Result<LogStreamState, LogStoreError> {
    let number = |at: usize| -> Result<u64, LogStoreError> {
        let start = 1 + at * 8;
        let bytes = bytes
            .get(start..start + 8)
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(u64::from_be_bytes)
            .ok_or_else(|| damaged("stream state"))
    };
    let moment =
        |number: u64| (number as i64 != i64::MIN).then(|| Timestamp::from_millis(number as i64));
    Ok(LogStreamState {
        first: moment(number(0)?),
        last: moment(number(1)?),
        last_ingested: moment(number(2)?),
        bytes: number(3)?,
        cursor: Some(number(4)?).filter(|cursor| *cursor != u64::MAX),
        sequence: number(5)?,
    })
}
