//! Log entries in memory, for tests and the simulator.

use crate::log_store::{
    Appended, LogEntry, LogRange, LogStore, LogStoreError, LogStreamId, LogStreamState, Position,
    StoredEntry,
};
use aws_types::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Entries = BTreeMap<Position, (Timestamp, String)>;

/// Streams in a map. `std` mutex: held for one call, never across a wait.
#[derive(Debug, Default)]
pub struct MemoryLogStore(Mutex<BTreeMap<LogStreamId, (LogStreamState, Entries)>>);

impl MemoryLogStore {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<LogStreamId, (LogStreamState, Entries)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogStore for MemoryLogStore {
    fn append(
        &self,
        stream: LogStreamId,
        entries: &[LogEntry],
        ingested: Timestamp,
        cursor: Option<u64>,
    ) -> Result<Appended, LogStoreError> {
        let mut streams = self.lock();
        let (state, stored) = streams.entry(stream).or_default();
        if state.has_seen(cursor) {
            return Ok(Appended::Repeat);
        }
        for (sequence, entry) in (state.sequence + 1..).zip(entries) {
            let position = Position {
                timestamp: entry.timestamp,
                sequence,
            };
            stored.insert(position, (ingested, entry.message.clone()));
        }
        *state = state.after(entries, ingested, cursor);
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
        let streams = self.lock();
        let Some((_, entries)) = streams.get(&stream) else {
            return Ok(Vec::new());
        };
        let (mut bytes, mut first) = (0, true);
        let mut take = |(position, (ingested, message)): (&Position, &(Timestamp, String))| {
            bytes += message.len();
            let fits = bytes <= range.bytes_max || first;
            first = false;
            fits.then(|| StoredEntry {
                position: *position,
                ingested: *ingested,
                message: message.clone(),
            })
        };
        let found = entries.range(range.from..range.until);
        let mut read: Vec<_> = if range.backward {
            found
                .rev()
                .take(range.entries_max)
                .map_while(&mut take)
                .collect()
        } else {
            found.take(range.entries_max).map_while(&mut take).collect()
        };
        if range.backward {
            read.reverse();
        }
        Ok(read)
    }

    fn state(&self, stream: LogStreamId) -> Result<LogStreamState, LogStoreError> {
        Ok(self
            .lock()
            .get(&stream)
            .map(|(state, _)| *state)
            .unwrap_or_default())
    }

    fn delete_before(
        &self,
        stream: LogStreamId,
        moment: Timestamp,
        limit: usize,
    ) -> Result<usize, LogStoreError> {
        let mut streams = self.lock();
        let Some((_, entries)) = streams.get_mut(&stream) else {
            return Ok(0);
        };
        let old: Vec<_> = entries
            .range(..Position::before(moment))
            .map(|(at, _)| *at)
            .take(limit)
            .collect();
        for position in &old {
            entries.remove(position);
        }
        Ok(old.len())
    }

    fn delete(&self, stream: LogStreamId, limit: usize) -> Result<bool, LogStoreError> {
        let mut streams = self.lock();
        let Some((_, entries)) = streams.get_mut(&stream) else {
            return Ok(false);
        };
        let some: Vec<_> = entries.keys().copied().take(limit).collect();
        for position in some {
            entries.remove(&position);
        }
        let more = !entries.is_empty();
        if !more {
            streams.remove(&stream);
        }
        Ok(more)
    }

    fn streams(&self) -> Result<Vec<LogStreamId>, LogStoreError> {
        Ok(self.lock().keys().copied().collect())
    }
}
