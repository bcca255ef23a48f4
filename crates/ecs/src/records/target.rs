//! What the operator declared that may be called from here: configuration of the edge, kept as rows
//! so that what may be asked for is a function of the state.

use serde::{Deserialize, Serialize};
use store::{Key, Table};

/// A `[[target]]` of longshore.toml.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// Its name, the last part of the ARN that asks for it.
    pub name: String,
    /// What calling it does.
    pub does: TargetKind,
}

/// What calling a target does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetKind {
    /// A POST to this URL, whose answer decides.
    Url(String),
    /// A task, whose exit code decides.
    Task {
        /// The name of the cluster that it runs in.
        cluster: String,
        /// `FAMILY` or `FAMILY:REVISION`.
        definition: String,
    },
}

/// All targets. Written at every start of the server.
pub static TARGETS: Table<Key, TargetRecord> =
    Table::new("ecs.targets", |target| Key::of(&[&target.name]), &[]);
