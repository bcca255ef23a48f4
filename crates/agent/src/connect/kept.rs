//! What an agent writes down for the next one.

use serde::Serialize;
use std::io;
use std::path::Path;

/// Puts this value in place of what the file held: it holds the one or the other, whoever is killed.
///
/// # Errors
/// As the kernel says; then the file is as it was.
pub async fn write<T: Serialize + Send + 'static>(file: &Path, value: T) -> io::Result<()> {
    let (file, next) = (file.to_owned(), file.with_extension("next"));
    let written = tokio::task::spawn_blocking(move || {
        std::fs::write(&next, serde_json::to_vec(&value)?)?;
        std::fs::rename(&next, &file)
    });
    written.await.map_err(io::Error::other)?
}
