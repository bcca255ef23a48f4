//! Everything as lines of JSON, and back: how state is moved between machines and stores.
//!
//! The first line names the format and the revision; each other one is a row: table, readable key,
//! record. An import checks every row before it writes the first, and writes into an empty store
//! only.

use crate::backend::{FORMAT, Store, StoreError};
use crate::key::Key;
use crate::txn::Change;
use crate::world::{LoadError, Schema, World};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Head {
    longshore_state: u64,
    revision: u64,
}

#[derive(Serialize, Deserialize)]
struct Row {
    table: String,
    key: String,
    record: serde_json::Value,
}

/// Rows of one commit of an import, where the store sets no lower limit.
const IMPORT_ROWS_MAX: usize = 10_000;

/// An import could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The text cannot be read.
    #[error("cannot read the export: {0}")]
    Read(#[from] std::io::Error),
    /// A line is not what an export writes.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The store has rows already.
    #[error("the store is not empty: import into a new one")]
    NotEmpty,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One record as JSON, by table and readable key; `None` where there is none.
#[must_use]
pub fn get(world: &World, table: &str, key: &str) -> Option<serde_json::Value> {
    world.json_row(table, &Key::from_readable(key)?)
}

/// Writes every row. It holds secrets: whoever makes the file keeps it private.
///
/// # Errors
/// `out` cannot be written.
pub fn export(world: &World, out: &mut dyn Write) -> std::io::Result<()> {
    let head = Head {
        longshore_state: FORMAT,
        revision: world.revision(),
    };
    serde_json::to_writer(&mut *out, &head)?;
    writeln!(out)?;
    for (table, key) in world.keys() {
        let Some(record) = world.json_row(table, key) else {
            continue;
        };
        let row = Row {
            table: table.into(),
            key: key.readable(),
            record,
        };
        serde_json::to_writer(&mut *out, &row)?;
        writeln!(out)?;
    }
    out.flush()
}

/// Fills an empty store with what [`export`] wrote; how many rows there were.
///
/// # Errors
/// Nothing is written where a line is wrong or the store has rows. Where the store fails, a part
/// may be written: throw that store away.
pub fn import(
    store: &mut dyn Store,
    schema: &Schema,
    input: &mut dyn BufRead,
) -> Result<usize, ImportError> {
    let fence = store.lead("writer", Duration::from_secs(10))?;
    if store.load(schema)?.encoded_rows().next().is_some() {
        return Err(ImportError::NotEmpty);
    }
    let (world, revision) = read_world(schema, input)?;
    let changes: Vec<Change> = world
        .encoded_rows()
        .map(|(table, key, bytes)| Change {
            table,
            key,
            value: Some(bytes),
        })
        .collect();
    let rows_max = store.limits().rows_per_commit.min(IMPORT_ROWS_MAX);
    for rows in changes.chunks(rows_max) {
        store.commit(rows, revision, fence)?;
    }
    Ok(changes.len())
}

fn read_world(schema: &Schema, input: &mut dyn BufRead) -> Result<(World, u64), ImportError> {
    let mut lines = input.lines().enumerate();
    let wrong = |at: usize, why: String| ImportError::Line { line: at + 1, why };
    let (_, first) = lines
        .next()
        .ok_or_else(|| wrong(0, "the export is empty".into()))?;
    let head: Head = serde_json::from_str(&first?).map_err(|e| wrong(0, e.to_string()))?;
    if head.longshore_state > FORMAT {
        return Err(ImportError::Store(StoreError::NewerFormat {
            found: head.longshore_state,
            known: FORMAT,
        }));
    }
    let mut world = World::empty(schema);
    for (at, line) in lines {
        let row: Row = serde_json::from_str(&line?).map_err(|e| wrong(at, e.to_string()))?;
        let key = Key::from_readable(&row.key)
            .ok_or_else(|| wrong(at, format!("no key: {}", row.key)))?;
        world
            .put_json(&row.table, &key, row.record)
            .map_err(|error: LoadError| wrong(at, error.to_string()))?;
    }
    Ok((world, head.revision))
}
