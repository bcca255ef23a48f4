//! The driver `json-file`: one JSON object a line in the container's directory, in Docker's form.
//!
//! Bounded: at `max-size` the file becomes `log.json.1` (and so on, up to `max-file` files in all).
//! A line longer than [`LINE_BYTES_MAX`] is written in pieces, of which only the last ends in a
//! newline, as Docker does.

mod options;

use super::{Chunk, LogStreamSpec};
use aws_types::Timestamp;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Name of the newest file.
pub const FILE_NAME: &str = "log.json";
/// Docker's own bound of a line.
const LINE_BYTES_MAX: usize = 16 * 1024;
const MAX_SIZE_BYTES_DEFAULT: u64 = 10 * 1024 * 1024;
const MAX_FILES_DEFAULT: u32 = 2;

/// The file of one container, shared by its two streams.
#[derive(Debug, Clone)]
pub struct JsonFile(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: Option<File>,
    size_bytes: u64,
    size_bytes_max: u64,
    files_max: u32,
    /// Begun lines by stream.
    begun: BTreeMap<&'static str, Vec<u8>>,
}

impl JsonFile {
    /// Refuses options that Docker refuses when it creates a container.
    pub fn check(options: &BTreeMap<String, String>) -> Result<(), String> {
        options::check(options)
    }

    /// Refuses values that Docker refuses when it starts a container.
    pub fn check_values(options: &BTreeMap<String, String>) -> Result<(), String> {
        options::read(options).map(drop)
    }

    /// The file of a container; made when the first line is written.
    #[must_use]
    pub fn new(spec: &LogStreamSpec) -> Self {
        // What is wrong was refused before the container started.
        let options = options::read(&spec.options).unwrap_or_default();
        let path = spec.container_dir.join(FILE_NAME);
        Self(Arc::new(Mutex::new(Inner {
            size_bytes: std::fs::metadata(&path).map_or(0, |meta| meta.len()),
            path,
            file: None,
            size_bytes_max: options.size_bytes_max.unwrap_or(MAX_SIZE_BYTES_DEFAULT),
            files_max: options.files_max.unwrap_or(MAX_FILES_DEFAULT),
            begun: BTreeMap::new(),
        })))
    }

    /// Appends the lines of a chunk of `stream`.
    pub fn write(&self, stream: &'static str, chunk: Chunk<'_>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut begun = inner.begun.remove(stream).unwrap_or_default();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            for part in piece.chunks(LINE_BYTES_MAX) {
                begun.extend_from_slice(part);
                if begun.ends_with(b"\n") || begun.len() >= LINE_BYTES_MAX {
                    inner.line(stream, &begun);
                    begun.clear();
                }
            }
        }
        inner.begun.insert(stream, begun);
    }
}

impl Inner {
    /// A full disk loses lines, and says so; it does not stop the container.
    fn line(&mut self, stream: &str, line: &[u8]) {
        let millis = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let at = Timestamp::from_millis(i64::try_from(millis.as_millis()).unwrap_or(i64::MAX));
        let text = String::from_utf8_lossy(line);
        let record = serde_json::json!({"log": text, "stream": stream, "time": at.iso8601()});
        let written = format!("{record}\n");
        if let Err(error) = self.append(written.as_bytes()) {
            tracing::warn!(path = %self.path.display(), %error, "log line lost");
        }
    }

    fn append(&mut self, record: &[u8]) -> std::io::Result<()> {
        let len = record.len() as u64;
        if self.size_bytes > 0 && self.size_bytes + len > self.size_bytes_max {
            self.rotate()?;
        }
        if self.file.is_none() {
            self.file = Some(
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(&self.path)?,
            );
        }
        if let Some(file) = &mut self.file {
            file.write_all(record)?;
            self.size_bytes += len;
        }
        Ok(())
    }

    fn rotate(&mut self) -> std::io::Result<()> {
        self.file = None;
        self.size_bytes = 0;
        let numbered = |n: u32| self.path.with_file_name(format!("{FILE_NAME}.{n}"));
        for n in (1..self.files_max.saturating_sub(1)).rev() {
            let _ = std::fs::rename(numbered(n), numbered(n + 1));
        }
        if self.files_max > 1 {
            std::fs::rename(&self.path, numbered(1))
        } else {
            std::fs::remove_file(&self.path)
        }
    }
}

impl Drop for Inner {
    /// What the container wrote last had no newline.
    fn drop(&mut self) {
        for (stream, begun) in std::mem::take(&mut self.begun) {
            if !begun.is_empty() {
                self.line(stream, &begun);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_bounded_and_the_newest_lines_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let spec = LogStreamSpec {
            runtime_id: String::new(),
            task_dir: dir.path().into(),
            container_dir: dir.path().into(),
            container: String::new(),
            driver: String::new(),
            options: BTreeMap::from([("max-size".into(), "1k".into())]),
            signer: None,
        };
        let file = JsonFile::new(&spec);
        for n in 0..1000 {
            file.write("stdout", format!("line {n}\n").as_bytes());
        }
        drop(file);
        let size = |name: &str| std::fs::metadata(dir.path().join(name)).map_or(0, |m| m.len());
        assert!(size("log.json") <= 1000 && size("log.json.1") <= 1000);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        let newest = std::fs::read_to_string(dir.path().join("log.json")).unwrap();
        assert!(newest.contains("line 999"));
    }
}
