//! One of a container's two outputs: its pipe, its spool, and the cutter of its events.

use super::events::{CutEvent, Cutter};
use super::options::Mode;
use super::spool::Spool;
use regex::Regex;
use runtime::overflow::{Dropped, Overflow, Step};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use tokio::io::unix::AsyncFd;

const READ_BYTES: usize = 64 * 1024;

/// One output.
#[derive(Debug)]
pub struct Source {
    /// Gone at its end.
    pub pipe: Option<AsyncFd<OwnedFd>>,
    spool: Spool,
    overflow: Overflow,
    cutter: Cutter,
    /// Offset of the next byte for the cutter.
    cut: u64,
    /// The pipe may hold what the spool has no room for.
    is_held_up: bool,
}

impl Source {
    /// Opens the spool and goes on behind what is acknowledged.
    pub fn open(
        dir: &Path,
        prefix: &'static str,
        acknowledged: u64,
        event_start: Option<Regex>,
        pipe: Option<OwnedFd>,
    ) -> io::Result<Self> {
        let pipe = pipe
            .map(|pipe| {
                rustix::io::ioctl_fionbio(&pipe, true)?;
                #[allow(deprecated, reason = "the descriptor is owned by what is returned; its replacement is unsafe to call")]
                let watched = AsyncFd::new(pipe);
                watched
            })
            .transpose()?;
        Ok(Self {
            pipe,
            spool: Spool::open(dir, prefix, acknowledged)?,
            overflow: Overflow::default(),
            cutter: Cutter::new(event_start, acknowledged),
            cut: acknowledged,
            is_held_up: false,
        })
    }

    /// Takes what the shim kept while no agent was there.
    pub fn take_spill(&mut self, path: &Path) -> io::Result<()> {
        self.spool.append_file(path)
    }

    /// Moves what the pipe holds into the spool, up to the mode's bound, and gives what a
    /// `non-blocking` stream lost beyond it. After the container's end nothing undecided stays.
    pub fn take(&mut self, acknowledged: u64, mode: Mode, ended: bool) -> io::Result<Dropped> {
        let mut dropped = Dropped::default();
        self.is_held_up = false;
        while let Some(pipe) = &self.pipe {
            let pipe = pipe.get_ref().as_fd();
            let kept = self.spool.end() - acknowledged;
            let room = mode.spool_bytes().saturating_sub(kept);
            let taken = match (room, mode) {
                (0, Mode::Blocking) => {
                    self.is_held_up = true;
                    break;
                }
                (0, Mode::NonBlocking { .. }) => {
                    let is_mid_line = self.spool.is_mid_line()?;
                    match self.overflow.step(pipe, is_mid_line) {
                        Ok(Step::Ended) => Ok(0),
                        Ok(Step::Keep(count)) => self.spool.take_from(pipe, count as u64),
                        Ok(Step::Wait(count)) if ended => self.spool.take_from(pipe, count as u64),
                        // Its end comes with an event of the pipe.
                        Ok(Step::Wait(_)) => break,
                        Ok(Step::Dropped(lost)) => {
                            dropped += lost;
                            continue;
                        }
                        Err(error) => Err(error.into()),
                    }
                }
                (room, _) => self.spool.take_from(pipe, room),
            };
            match taken {
                Ok(0) => self.pipe = None,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(dropped)
    }

    /// The last [`Self::take`] left something in the pipe.
    pub fn is_held_up(&self) -> bool {
        self.is_held_up
    }

    /// What is spooled ends in a whole line.
    pub fn end_line(&mut self) -> io::Result<()> {
        self.spool.end_line()
    }

    /// Events that the spool's next bytes complete, at most about `bytes_max` of them and none that
    /// ends beyond `until`.
    pub fn events(&mut self, bytes_max: usize, until: u64) -> io::Result<Vec<CutEvent>> {
        let mut events = Vec::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut read = 0;
        while read < bytes_max && self.cut < until {
            let wanted = READ_BYTES.min(usize::try_from(until - self.cut).unwrap_or(READ_BYTES));
            let count = self.spool.read(self.cut, &mut buffer[..wanted])?;
            if count == 0 {
                break;
            }
            self.cut += count as u64;
            read += count;
            events.extend(self.cutter.push(&buffer[..count]));
        }
        Ok(events)
    }

    /// Everything that is spooled has been cut.
    pub fn is_drained(&self) -> bool {
        self.cut >= self.spool.end()
    }

    /// The event that waits for the next one's begin.
    pub fn close_event(&mut self) -> Option<CutEvent> {
        self.cutter.close_event()
    }

    /// Whether an event waits for the next one's begin.
    pub fn has_open_event(&self) -> bool {
        self.cutter.has_open_event()
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> Vec<CutEvent> {
        self.cutter.finish()
    }

    /// Delivered up to here.
    pub fn forget_before(&mut self, offset: u64) {
        self.spool.forget_before(offset);
    }
}
