//! The shim's end of a container's terminal: what the program writes goes into the pipe of standard output.
//!
//! The one stream that the shim copies, since a terminal cannot be handed on as a pipe. A full pipe makes the program
//! wait, as it does without a terminal.

use rustix::io::Errno;
use std::io::Result;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Held at most, and read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// A terminal and the pipe that it is copied to.
#[derive(Debug)]
pub struct Terminal {
    end: OwnedFd,
    output: OwnedFd,
    pending: Vec<u8>,
    is_over: bool,
}

impl Terminal {
    /// Neither descriptor blocks from now on; both are the shim's alone.
    pub fn new(end: OwnedFd, output: OwnedFd) -> Result<Self> {
        rustix::io::ioctl_fionbio(&end, true)?;
        rustix::io::ioctl_fionbio(&output, true)?;
        Ok(Self {
            end,
            output,
            pending: Vec::new(),
            is_over: false,
        })
    }

    /// To be watched for input.
    pub fn readable(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_over && self.pending.is_empty()).then(|| self.end.as_fd())
    }

    /// To be watched for room.
    pub fn writable(&self) -> Option<BorrowedFd<'_>> {
        (!self.pending.is_empty()).then(|| self.output.as_fd())
    }

    /// Copies what there is and what has room. False once all is copied and no more can come.
    pub fn copy(&mut self) -> bool {
        loop {
            match rustix::io::write(&self.output, &self.pending) {
                _ if self.pending.is_empty() => {}
                Ok(written) => {
                    self.pending.drain(..written);
                    continue;
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return true,
                // Nobody can read it any more.
                Err(_) => self.pending.clear(),
            }
            if self.is_over {
                return false;
            }
            let mut buffer = [0u8; CHUNK_BYTES];
            match rustix::io::read(&self.end, &mut buffer[..]) {
                Ok(read @ 1..) => self.pending.extend_from_slice(&buffer[..read]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return true,
                // EIO: the last process with the other end has closed it.
                Ok(_) | Err(_) => self.is_over = true,
            }
        }
    }
}
