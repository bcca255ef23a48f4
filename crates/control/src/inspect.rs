//! The state as a person asks for it: one record, a table, or everything.

use crate::operations;
use std::fmt;
use store::World;

/// What was asked for is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No service has such a table.
    Table(String),
    /// The table has no such record.
    Record {
        /// The table.
        table: String,
        /// The readable key.
        key: String,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "there is no table {table}"),
            Self::Record { table, key } => write!(f, "{table} has no record {key}"),
        }
    }
}

impl std::error::Error for Missing {}

/// One record as JSON; without a key, the rows of a table as JSON lines; without a table, an export
/// of everything. It holds secrets.
///
/// # Errors
/// There is no such table or record.
pub fn inspect(world: &World, table: Option<&str>, key: Option<&str>) -> Result<String, Missing> {
    let Some(table) = table else {
        return Ok(rows(world, None));
    };
    let known = operations::tables();
    if !known.iter().any(|known| known.name() == table) {
        return Err(Missing::Table(table.to_owned()));
    }
    let Some(key) = key else {
        return Ok(rows(world, Some(table)));
    };
    match store::get(world, table, key) {
        Some(record) => Ok(format!("{record:#}\n")),
        None => Err(Missing::Record {
            table: table.to_owned(),
            key: key.to_owned(),
        }),
    }
}

fn rows(world: &World, table: Option<&str>) -> String {
    let mut lines = Vec::new();
    store::export(world, &mut lines).expect("a Vec takes every byte");
    let text = String::from_utf8_lossy(&lines);
    let Some(table) = table else {
        return text.into_owned();
    };
    let of_table = |line: &&str| {
        serde_json::from_str::<serde_json::Value>(line).is_ok_and(|row| row["table"] == table)
    };
    text.lines()
        .filter(of_table)
        .flat_map(|line| [line, "\n"])
        .collect()
}
