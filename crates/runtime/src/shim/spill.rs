//! Keeps what a non-blocking stream writes while no agent is connected, up to a bound; the rest is dropped in whole lines
//! and counted.

use crate::overflow::{Dropped, Overflow, Step};
use crate::record;
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};
use std::fs::{File, OpenOptions};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Moved in one call.
const CHUNK_BYTES: u64 = 64 * 1024;
/// How often an undecided line's pipe is looked at: its readiness says nothing of its end.
const LINE_CHECK_MS: i64 = 50;

/// The spill file of one stream.
#[derive(Debug)]
pub struct Spill {
    path: PathBuf,
    /// `None`: a blocking stream, which is left alone.
    bytes_max: Option<u64>,
    file: Option<File>,
    overflow: Overflow,
    /// Since the container's start: whoever reads it twice adds nothing twice.
    dropped: Dropped,
    is_ended: bool,
    /// The pipe holds the begin of a line that does not fit.
    is_waiting_for_line: bool,
}

impl Spill {
    /// Nothing is opened before there is something to keep.
    pub fn new(path: PathBuf, bytes_max: Option<u64>) -> Self {
        Self {
            path,
            bytes_max,
            file: None,
            overflow: Overflow::default(),
            dropped: Dropped::default(),
            is_ended: false,
            is_waiting_for_line: false,
        }
    }

    /// Whether the pipe should be watched.
    pub fn wants_data(&self) -> bool {
        self.bytes_max.is_some() && !self.is_ended && !self.is_waiting_for_line
    }

    /// After how many milliseconds the pipe is to be looked at although it is not watched.
    pub fn look_again_ms(&self) -> Option<i64> {
        self.is_waiting_for_line.then_some(LINE_CHECK_MS)
    }

    /// Moves what is in the pipe now.
    pub fn drain(&mut self, pipe: BorrowedFd<'_>) {
        let Some(bytes_max) = self.bytes_max else {
            return;
        };
        self.is_waiting_for_line = false;
        while !self.is_ended {
            match self.step(pipe, bytes_max) {
                Ok(0) => self.is_ended = true,
                Ok(_) => {}
                Err(Errno::INTR) => {}
                // AGAIN: empty. Anything else: try again at the next event rather than stop the container.
                Err(_) => return,
            }
        }
    }

    fn step(&mut self, pipe: BorrowedFd<'_>, bytes_max: u64) -> rustix::io::Result<usize> {
        if !is_readable(pipe)? {
            return Err(Errno::AGAIN);
        }
        let file = match &mut self.file {
            Some(file) => file,
            // Not opened for appending: splice refuses that.
            none => {
                let mut options = OpenOptions::new();
                let options = options.create(true).read(true).write(true).truncate(false);
                none.insert(options.open(&self.path).map_err(errno)?)
            }
        };
        let end = file.metadata().map_err(errno)?.len();
        let mut is_full_disk = false;
        let room = bytes_max.saturating_sub(end).min(CHUNK_BYTES);
        if room > 0 {
            match keep(pipe, file, end, room as usize) {
                // A full disk drops, as a full file does.
                Err(Errno::NOSPC) => is_full_disk = true,
                other => return other,
            }
        }
        let is_mid_line = !is_full_disk && ends_inside_line(file, end)?;
        match self.overflow.step(pipe, is_mid_line)? {
            Step::Ended => Ok(0),
            Step::Keep(count) => keep(pipe, file, end, count),
            Step::Dropped(dropped) => {
                self.dropped += dropped;
                Ok(dropped.bytes as usize)
            }
            Step::Wait(_) => {
                self.is_waiting_for_line = true;
                Err(Errno::AGAIN)
            }
        }
    }

    /// An agent comes: it reads the file first, then the pipe. The next absence starts a new file where it took this.
    pub fn finish(&mut self) {
        self.file = None;
        self.is_waiting_for_line = false;
        if self.dropped != Dropped::default() {
            // The count is a courtesy; the stream matters more.
            let _ = record::write_dropped(&self.path, &self.dropped);
        }
    }
}

fn keep(
    pipe: BorrowedFd<'_>,
    file: &File,
    mut end: u64,
    count: usize,
) -> rustix::io::Result<usize> {
    splice(
        pipe,
        None,
        file,
        Some(&mut end),
        count,
        SpliceFlags::NONBLOCK,
    )
}

fn ends_inside_line(file: &File, end: u64) -> rustix::io::Result<bool> {
    let mut last = [b'\n'];
    if end > 0 {
        file.read_exact_at(&mut last, end - 1).map_err(errno)?;
    }
    Ok(last != [b'\n'])
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
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
