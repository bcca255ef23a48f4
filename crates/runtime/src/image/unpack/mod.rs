//! Turns the tar of one layer into a directory that overlayfs can stack.
//!
//! Nothing outside the directory is ever made, changed or followed into, whatever the archive says:
//! parents are opened with `openat2(RESOLVE_IN_ROOT)`, last components are never followed.
//! Whiteouts become overlayfs's own. Rule: OCI image specification, "layer".

mod entry;
mod place;
mod tar_stream;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use entry::Writer;
pub(super) use tar_stream::TarStream;

/// What one layer may hold at most; a layer beyond a limit is refused.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Uncompressed bytes of one layer.
    pub layer_bytes_max: u64,
    /// Entries of one layer.
    pub layer_entries_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            layer_bytes_max: 256 << 30,
            layer_entries_max: 8_000_000,
        }
    }
}

/// Why a layer was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("{action} {path}: {}", super::error::os_text(source))]
    Entry {
        action: &'static str,
        path: String,
        source: io::Error,
    },
    #[error("archive entry {path:?} leaves the layer")]
    LeavesRoot { path: String },
    #[error("archive entry {path:?}: {why}")]
    Refused { path: String, why: &'static str },
    #[error("archive is damaged: {why}")]
    Damaged { why: &'static str },
    #[error("reading the archive: {}", super::error::os_text(_0))]
    Read(#[from] io::Error),
    #[error("layer exceeds the limit of {limit} {what}")]
    TooLarge { what: &'static str, limit: u64 },
}

/// What was unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unpacked {
    /// Bytes of regular files.
    pub file_bytes: u64,
    pub entries: u64,
    /// Of its files' users and groups.
    pub highest_id: u32,
}

/// Unpacks the tar in `archive` into the empty directory `root`.
///
/// # Errors
/// On any error the directory holds part of the layer and must be thrown away.
pub(super) fn unpack(
    archive: &mut dyn Read,
    root: &File,
    limits: Limits,
) -> Result<Unpacked, UnpackError> {
    let mut tar = TarStream::new(archive);
    let mut writer = Writer::new(reopen(root)?);
    let mut done = Unpacked::default();
    while let Some(head) = tar.next_entry()? {
        done.entries += 1;
        done.file_bytes = done.file_bytes.saturating_add(head.size);
        done.highest_id = done.highest_id.max(head.uid).max(head.gid);
        if done.entries > limits.layer_entries_max {
            return Err(UnpackError::TooLarge {
                what: "entries",
                limit: limits.layer_entries_max,
            });
        }
        if done.file_bytes > limits.layer_bytes_max {
            return Err(UnpackError::TooLarge {
                what: "bytes",
                limit: limits.layer_bytes_max,
            });
        }
        writer.write(&head, &mut tar)?;
    }
    writer.finish()?;
    Ok(done)
}

fn reopen(root: &File) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(root, ".", flags, Mode::empty())?)
}

#[cfg(test)]
mod tests;
