//! The bytes that were taken out of a pipe and not yet delivered: segment files, named by the offset
//! of their first byte.
//!
//! `splice` moves bytes from the pipe to the file inside the kernel, so that a killed agent leaves
//! each byte in one of the two. A segment is removed when all of it is acknowledged.

use super::at;
use rustix::pipe::{SpliceFlags, splice};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A segment that has grown so far is followed by a new one.
const SEGMENT_BYTES: u64 = 1024 * 1024;
/// Moved in one call.
const CHUNK_BYTES: usize = 256 * 1024;

/// The spool of one source.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    prefix: &'static str,
    /// Offset of each segment's first byte; the last one is written to.
    starts: Vec<u64>,
    last: File,
    end: u64,
}

impl Spool {
    /// Opens what an earlier agent left, or an empty spool that begins at `offset`.
    pub fn open(dir: &Path, prefix: &'static str, offset: u64) -> io::Result<Self> {
        let mut starts: Vec<u64> = std::fs::read_dir(dir)?
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                u64::from_str_radix(name.strip_prefix(prefix)?.strip_prefix('.')?, 16).ok()
            })
            .collect();
        starts.sort_unstable();
        if starts.is_empty() {
            starts.push(offset);
        }
        let start = starts[starts.len() - 1];
        let last = open(&segment(dir, prefix, start))?;
        let end = start + last.metadata()?.len();
        Ok(Self {
            dir: dir.to_owned(),
            prefix,
            starts,
            last,
            end,
        })
    }

    /// Offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether the last byte ends no line.
    pub fn is_mid_line(&self) -> io::Result<bool> {
        let mut last = [b'\n'];
        if self.end > self.starts[0] {
            self.read(self.end - 1, &mut last)?;
        }
        Ok(last != [b'\n'])
    }

    /// Ends the line that was begun.
    pub fn end_line(&mut self) -> io::Result<()> {
        if self.is_mid_line()? {
            let start = self.starts[self.starts.len() - 1];
            self.last.write_all_at(b"\n", self.end - start)?;
            self.end += 1;
        }
        Ok(())
    }

    /// Moves what the pipe holds now, at most `bytes_max`; `Ok(0)` at its end, `WouldBlock` when it
    /// is empty.
    pub fn take_from(&mut self, pipe: BorrowedFd<'_>, bytes_max: u64) -> io::Result<usize> {
        let start = self.starts[self.starts.len() - 1];
        if self.end - start >= SEGMENT_BYTES {
            self.last = open(&segment(&self.dir, self.prefix, self.end))?;
            self.starts.push(self.end);
        }
        let mut offset = self.end - self.starts[self.starts.len() - 1];
        let moved = splice(
            pipe,
            None,
            &self.last,
            Some(&mut offset),
            CHUNK_BYTES.min(usize::try_from(bytes_max).unwrap_or(CHUNK_BYTES)),
            SpliceFlags::NONBLOCK,
        )?;
        self.end += moved as u64;
        Ok(moved)
    }

    /// Appends a file that the shim filled, which is older than the pipe's content. It becomes a
    /// segment by its name, so that a killed agent leaves it either here or there.
    pub fn append_file(&mut self, path: &Path) -> io::Result<()> {
        let len = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(at(path, error)),
        };
        if len == 0 {
            return std::fs::remove_file(path).map_err(|error| at(path, error));
        }
        // In the place of the last segment where that is empty.
        let segment = segment(&self.dir, self.prefix, self.end);
        std::fs::rename(path, &segment).map_err(|error| at(path, error))?;
        self.last = open(&segment)?;
        if self.starts.last() != Some(&self.end) {
            self.starts.push(self.end);
        }
        self.end += len;
        Ok(())
    }

    /// Reads from `offset`; fewer bytes than asked for only at a segment's end.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= self.end {
            return Ok(0);
        }
        let Some(at_segment) = self.starts.iter().rposition(|start| *start <= offset) else {
            return Ok(0);
        };
        let start = self.starts[at_segment];
        let limit = self.starts.get(at_segment + 1).copied().unwrap_or(self.end) - offset;
        let wanted = buffer
            .len()
            .min(usize::try_from(limit).unwrap_or(usize::MAX));
        let path = segment(&self.dir, self.prefix, start);
        let file = File::open(&path).map_err(|error| at(&path, error))?;
        file.read_at(&mut buffer[..wanted], offset - start)
    }

    /// Removes segments that end at or before `offset`; the last one stays, emptied by nobody.
    pub fn forget_before(&mut self, offset: u64) {
        while self.starts.len() > 1 && self.starts[1] <= offset {
            let start = self.starts.remove(0);
            let _ = std::fs::remove_file(segment(&self.dir, self.prefix, start));
        }
    }
}

fn segment(dir: &Path, prefix: &str, start: u64) -> PathBuf {
    dir.join(format!("{prefix}.{start:016x}"))
}

fn open(path: &Path) -> io::Result<File> {
    // Not for appending: splice refuses that.
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| at(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    fn content(spool: &Spool) -> String {
        let (mut text, mut buffer) = (Vec::new(), [0; 4]);
        while let count @ 1.. = spool.read(text.len() as u64, &mut buffer).unwrap() {
            text.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn what_the_shim_kept_comes_between_what_was_read_and_the_pipe_and_comes_once() {
        let dir = tempfile::tempdir().unwrap();
        let spill = dir.path().join("kept");
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut spool = Spool::open(dir.path(), "stdout", 0).unwrap();
        writer.write_all(b"first,").unwrap();
        assert_eq!(spool.take_from(reader.as_fd(), u64::MAX).unwrap(), 6);
        std::fs::write(&spill, "second,").unwrap();
        spool.append_file(&spill).unwrap();
        spool.append_file(&spill).unwrap();
        writer.write_all(b"third\nnot yet").unwrap();
        assert_eq!(spool.take_from(reader.as_fd(), 6).unwrap(), 6);
        assert!(!spool.is_mid_line().unwrap());
        let again = Spool::open(dir.path(), "stdout", 0).unwrap();
        for spool in [&spool, &again] {
            assert_eq!(content(spool), "first,second,third\n");
            assert_eq!(spool.end(), 19);
        }
    }

    #[test]
    fn an_empty_segment_gives_its_place_to_what_the_shim_kept() {
        let dir = tempfile::tempdir().unwrap();
        let spill = dir.path().join("kept");
        let mut spool = Spool::open(dir.path(), "stdout", 7).unwrap();
        assert!(!spool.is_mid_line().unwrap());
        std::fs::write(&spill, "line").unwrap();
        spool.append_file(&spill).unwrap();
        assert!(spool.is_mid_line().unwrap());
        for _ in 0..2 {
            spool.end_line().unwrap();
            assert_eq!(spool.end(), 12);
        }
        let mut buffer = [0; 9];
        assert_eq!(spool.read(7, &mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"line\n");
        spool.forget_before(12);
        assert_eq!(Spool::open(dir.path(), "stdout", 12).unwrap().end(), 12);
    }
}
