//! Files of keys: written whole or not at all, readable by their owner alone unless said otherwise.

use anyhow::Context;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Writes a file by temporary file, fsync and rename; nothing where it has this text already.
///
/// # Errors
/// It cannot be written.
pub fn write_private(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    let failed = || format!("cannot write {}", path.display());
    let dir = path.parent().with_context(failed)?;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(failed)?;
    let name = path.file_name().with_context(failed)?;
    let temporary = dir.join(format!(".{}", name.to_string_lossy()));
    let _ = std::fs::remove_file(&temporary);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)
        .with_context(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(failed)?;
    std::fs::rename(&temporary, path).with_context(failed)
}

/// The text of a file that is made, for its owner alone, if it is not there.
///
/// # Errors
/// It cannot be read, made or written.
pub fn read_or_make(
    path: &Path,
    make: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = make()?;
            write_private(path, &text, 0o600)?;
            Ok(text)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
