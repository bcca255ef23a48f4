//! How far a stream's output is delivered, on disk: what is acknowledged, and the batch on its way.

use super::at;
use runtime::overflow::Dropped;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Offsets in the two sources, standard output and standard error.
pub type Offsets = [u64; 2];

/// A batch that was written down before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Where it ends in each source.
    pub ends: Offsets,
    /// The time of its events.
    pub timestamp_ms: i64,
}

/// The file's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Delivered up to here.
    pub acknowledged: Offsets,
    /// Sent, perhaps; to be sent again as it is.
    pub pending: Option<Pending>,
    /// What of a `non-blocking` stream did not fit while an agent read it.
    pub dropped: Dropped,
    /// The same while none did, as the shim counted it in each source.
    pub dropped_by_shim: [Dropped; 2],
}

impl Progress {
    /// All that was lost.
    pub fn lost(&self) -> Dropped {
        let mut lost = self.dropped;
        for dropped in self.dropped_by_shim {
            lost += dropped;
        }
        lost
    }
}

/// The progress file of one stream.
#[derive(Debug)]
pub struct ProgressFile {
    path: PathBuf,
}

impl ProgressFile {
    /// The file in a stream's directory, and what it says.
    pub fn open(dir: &Path) -> (Self, Progress) {
        let path = dir.join("progress.json");
        let found = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        (Self { path }, found.unwrap_or_default())
    }

    /// Replaces the file. A killed process must find it; after power loss the container is gone too.
    pub fn write(&self, progress: &Progress) -> io::Result<()> {
        let temporary = self.path.with_extension("new");
        std::fs::write(&temporary, serde_json::to_vec(progress)?)
            .map_err(|error| at(&temporary, error))?;
        std::fs::rename(&temporary, &self.path).map_err(|error| at(&self.path, error))
    }
}
