//! Keeps what a non-blocking stream writes while no agent is connected, up to a bound; the rest is dropped and counted.

use crate::record::DROPPED_SUFFIX;
use rustix::pipe::{SpliceFlags, splice};
use std::fs::{File, OpenOptions};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// Moved in one call.
const CHUNK_BYTES: u64 = 64 * 1024;

/// The spill file of one stream.
#[derive(Debug)]
pub struct Spill {
    path: PathBuf,
    /// `None`: a blocking stream, which is left alone.
    bytes_max: Option<u64>,
    file: Option<File>,
    null: Option<File>,
    dropped: u64,
    is_ended: bool,
}

impl Spill {
    /// Nothing is opened before there is something to keep.
    pub fn new(path: PathBuf, bytes_max: Option<u64>) -> Self {
        Self {
            path,
            bytes_max,
            file: None,
            null: None,
            dropped: 0,
            is_ended: false,
        }
    }

    /// Whether the pipe should be watched.
    pub fn wants_data(&self) -> bool {
        self.bytes_max.is_some() && !self.is_ended
    }

    /// Moves what is in the pipe now.
    pub fn drain(&mut self, pipe: BorrowedFd<'_>) {
        let Some(bytes_max) = self.bytes_max else {
            return;
        };
        while !self.is_ended {
            match self.step(pipe, bytes_max) {
                Ok(0) => self.is_ended = true,
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => {}
                // AGAIN: empty. Anything else: try again at the next event rather than stop the container.
                Err(_) => return,
            }
        }
    }

    fn step(&mut self, pipe: BorrowedFd<'_>, bytes_max: u64) -> rustix::io::Result<usize> {
        let io = |error: std::io::Error| {
            rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)
        };
        if !is_readable(pipe)? {
            return Err(rustix::io::Errno::AGAIN);
        }
        if self.file.is_none() {
            // Not opened for appending: splice refuses that.
            let file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(false)
                .open(&self.path)
                .map_err(io)?;
            self.file = Some(file);
        }
        let Some(file) = &self.file else {
            return Err(rustix::io::Errno::IO);
        };
        let mut end = file.metadata().map_err(io)?.len();
        let room = bytes_max.saturating_sub(end).min(CHUNK_BYTES);
        if room > 0 {
            match splice(
                pipe,
                None,
                file,
                Some(&mut end),
                room as usize,
                SpliceFlags::NONBLOCK,
            ) {
                // A full disk drops, as a full file does.
                Err(rustix::io::Errno::NOSPC) => {}
                other => return other,
            }
        }
        if self.null.is_none() {
            self.null = Some(
                OpenOptions::new()
                    .write(true)
                    .open("/dev/null")
                    .map_err(io)?,
            );
        }
        let Some(null) = &self.null else {
            return Err(rustix::io::Errno::IO);
        };
        let moved = splice(
            pipe,
            None,
            null,
            None,
            CHUNK_BYTES as usize,
            SpliceFlags::NONBLOCK,
        )?;
        self.dropped += moved as u64;
        Ok(moved)
    }

    /// An agent comes: it reads the file first, then the pipe. The next absence starts a new file where it removed this.
    pub fn finish(&mut self) {
        self.file = None;
        if self.dropped > 0 {
            let mut name = self.path.clone().into_os_string();
            name.push(DROPPED_SUFFIX);
            // The count is a courtesy; the stream matters more.
            let _ = std::fs::write(name, self.dropped.to_string());
            self.dropped = 0;
        }
    }
}

/// A pipe without data and without writers is readable too: then splice says 0.
fn is_readable(pipe: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut fds = [PollFd::from_borrowed_fd(pipe, PollFlags::IN)];
    poll(
        &mut fds,
        Some(&rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )?;
    Ok(!fds[0].revents().is_empty())
}
