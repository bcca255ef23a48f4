//! What does not fit is dropped in whole lines, and counted: for a `non-blocking` stream whose buffer is full.
//!
//! The pipe is looked into (`tee`) before anything is taken, so that a line is either kept whole or dropped whole,
//! whoever of shim and agent reads its beginning: what is not decided yet stays in the pipe.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result, read};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, pipe_with, splice, tee};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};

/// Looked at in one step; an ordinary pipe holds as much.
const LOOK_BYTES: usize = 64 * 1024;
/// A longer line may lose a part of itself: a pipe must not fill up with a line whose end nobody sees.
/// Docker cuts lines here.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// What was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Bytes.
    pub bytes: u64,
    /// Ends of lines among them.
    pub lines: u64,
}

impl std::ops::AddAssign for Dropped {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.lines += other.lines;
    }
}

/// What to do with the bytes at a pipe's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The pipe is at its end.
    Ended,
    /// So many bytes end a line whose beginning is kept: the caller takes them.
    Keep(usize),
    /// These were dropped.
    Dropped(Dropped),
    /// A line whose end is not there yet, of so many bytes.
    Wait(usize),
}

/// Decides; `is_mid_line` says that the last byte kept ends no line, `line_max` how long an undecided line may get.
fn decide(head: &[u8], is_mid_line: bool, line_max: usize) -> Step {
    let newlines = || head.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let dropped = |bytes: usize, lines: usize| {
        Step::Dropped(Dropped {
            bytes: bytes as u64,
            lines: lines as u64,
        })
    };
    let place = if is_mid_line {
        newlines().next()
    } else {
        newlines().next_back()
    };
    match place {
        // The newline itself is kept in the next step: the part that is kept is a line then.
        Some((at, _)) if is_mid_line && at >= line_max => dropped(at, 0),
        Some((at, _)) if is_mid_line => Step::Keep(at + 1),
        Some((at, _)) => dropped(at + 1, newlines().count()),
        None if head.len() >= line_max => dropped(head.len(), 0),
        None => Step::Wait(head.len()),
    }
}

/// Makes room in one pipe; costs nothing before it has to.
#[derive(Debug, Default)]
pub struct Overflow {
    tools: Option<Tools>,
}

#[derive(Debug)]
struct Tools {
    look: (OwnedFd, OwnedFd),
    null: File,
    head: Vec<u8>,
}

impl Overflow {
    /// Drops whole lines at the pipe's head.
    ///
    /// # Errors
    /// `AGAIN`: the pipe is empty.
    pub fn step(&mut self, pipe: BorrowedFd<'_>, is_mid_line: bool) -> Result<Step> {
        let tools = match &mut self.tools {
            Some(tools) => tools,
            none => none.insert(Tools::new()?),
        };
        let seen = tee(pipe, &tools.look.1, LOOK_BYTES, SpliceFlags::NONBLOCK)?;
        if seen == 0 {
            return Ok(Step::Ended);
        }
        let mut filled = 0;
        while filled < seen {
            filled += read(&tools.look.0, &mut tools.head[filled..seen])?;
        }
        // A kernel short of pipe pages makes small pipes; a quarter, since their pages may be half empty.
        let line_max = LINE_BYTES_MAX.min(fcntl_getpipe_size(pipe)? / 4);
        let step = decide(&tools.head[..seen], is_mid_line, line_max);
        if let Step::Dropped(dropped) = step {
            let mut rest = dropped.bytes as usize;
            while rest > 0 {
                let null = tools.null.as_fd();
                rest -= splice(pipe, None, null, None, rest, SpliceFlags::NONBLOCK)?;
            }
        }
        Ok(step)
    }
}

impl Tools {
    fn new() -> Result<Self> {
        let null = OpenOptions::new().write(true).open("/dev/null");
        Ok(Self {
            look: pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?,
            null: null.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?,
            head: vec![0; LOOK_BYTES],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Read, Write};

    const fn dropped(bytes: u64, lines: u64) -> Step {
        Step::Dropped(Dropped { bytes, lines })
    }

    #[test]
    fn a_line_is_kept_or_dropped_whole() {
        for (head, is_mid_line, expected) in [
            ("one\ntwo\nthr", false, dropped(8, 2)),
            ("thr", false, Step::Wait(3)),
            ("ee\nfour\n", true, Step::Keep(3)),
            ("e", true, Step::Wait(1)),
            ("\n", true, Step::Keep(1)),
        ] {
            assert_eq!(
                decide(head.as_bytes(), is_mid_line, LINE_BYTES_MAX),
                expected,
                "{head:?}"
            );
        }
    }

    #[test]
    fn a_line_too_long_loses_its_middle() {
        let long = "x".repeat(LINE_BYTES_MAX);
        assert_eq!(
            decide(long.as_bytes(), true, LINE_BYTES_MAX),
            dropped(long.len() as u64, 0)
        );
        let ended = format!("{long}\nnext\n");
        assert_eq!(
            decide(ended.as_bytes(), true, LINE_BYTES_MAX),
            dropped(long.len() as u64, 0)
        );
        assert_eq!(
            decide(&ended.as_bytes()[long.len()..], true, LINE_BYTES_MAX),
            Step::Keep(1)
        );
    }

    #[test]
    fn nothing_undecided_is_taken_out_of_the_pipe() {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let mut overflow = Overflow::default();
        writer.write_all(b"one\ntw").unwrap();
        let mut step = || overflow.step(reader.as_fd(), false);
        assert_eq!(step(), Ok(dropped(4, 1)));
        assert_eq!(step(), Ok(Step::Wait(2)));
        drop(writer);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "tw");
        assert_eq!(overflow.step(reader.as_fd(), false), Ok(Step::Ended));
    }

    #[test]
    fn a_small_pipe_does_not_fill_up_with_one_line() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let size = rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut overflow = Overflow::default();
        for _ in 0..3 {
            while writer.write(&[b'x'; 512]).is_ok() {}
            let step = overflow.step(reader.as_fd(), false).unwrap();
            assert_eq!(step, dropped(size as u64, 0));
        }
    }

    proptest! {
        #[test]
        fn kept_and_dropped_are_lines_of_what_was_written(
            lines in prop::collection::vec("[a-z]{0,12}", 0..30), room in 0usize..60, chunk in 1usize..40,
        ) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let (mut kept, mut lost, mut at) = (Vec::new(), 0, 0);
            // The pipe's content grows by chunks; what fits is kept as it comes.
            for end in (0..text.len()).step_by(chunk).skip(1).chain([text.len()]) {
                loop {
                    let head = &text.as_bytes()[at..end];
                    if head.is_empty() {
                        break;
                    }
                    let fits = room.saturating_sub(kept.len()).min(head.len());
                    let taken = if fits > 0 {
                        fits
                    } else {
                        match decide(head, kept.last().is_some_and(|byte| *byte != b'\n'), LINE_BYTES_MAX) {
                            Step::Keep(count) => count,
                            Step::Dropped(dropped) => {
                                lost += dropped.lines;
                                at += dropped.bytes as usize;
                                continue;
                            }
                            Step::Wait(_) | Step::Ended => break,
                        }
                    };
                    kept.extend_from_slice(&head[..taken]);
                    at += taken;
                }
            }
            let kept = String::from_utf8(kept).unwrap();
            prop_assert!(text.starts_with(&kept));
            prop_assert_eq!(kept.lines().count() as u64 + lost, lines.len() as u64);
        }
    }
}
