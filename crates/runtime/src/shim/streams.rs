//! The pipes between a container's first process and its shim.

use super::terminal::Terminal;
use crate::failure::{At, Failure, Stage};
use crate::init::streams::Streams;
use crate::spec::ContainerSpec;
use crate::wire;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

/// Capacity of an output pipe in bytes: 10,000 lines of 100.
const PIPE_BYTES: usize = 1024 * 1024;
/// The same for a small container, whose memory the pipe's pages are charged to.
const PIPE_BYTES_SMALL: usize = 256 * 1024;
/// Containers with less memory than this are small.
const SMALL_MEMORY_MIB: u64 = 64;

/// The shim's ends.
#[derive(Debug)]
pub struct Ours {
    pub errors: OwnedFd,
    pub gate: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    /// Never written: while it is open the container's standard input has no end.
    pub stdin: Option<OwnedFd>,
    terminal: Option<TerminalToBe>,
}

/// A terminal is made in the container, and its other end comes through the socket.
#[derive(Debug)]
struct TerminalToBe {
    socket: OwnedFd,
    output: OwnedFd,
}

impl Ours {
    /// The terminal, once the program runs.
    pub fn take_terminal(&mut self) -> Result<Option<Terminal>, Failure> {
        let Some(TerminalToBe { socket, output }) = self.terminal.take() else {
            return Ok(None);
        };
        let what = || "taking the terminal";
        let received = wire::receive::<()>(&socket).at(Stage::Device, what)?;
        let end = received.and_then(|((), descriptors)| descriptors.into_iter().next());
        let end = end.ok_or_else(|| Failure::text(Stage::Device, "the terminal did not come"))?;
        Terminal::new(end, output).at(Stage::Device, what).map(Some)
    }
}

/// What the error pipe says when it ends: why there is no program, or nothing.
pub fn failure(errors: &OwnedFd) -> Result<Option<Failure>, Failure> {
    let what = || "reading the error pipe";
    let errors = errors.try_clone().at(Stage::Process, what)?;
    let mut text = Vec::new();
    File::from(errors)
        .read_to_end(&mut text)
        .at(Stage::Process, what)?;
    Ok((!text.is_empty()).then(|| {
        serde_json::from_slice(&text)
            .unwrap_or_else(|_| Failure::text(Stage::Process, String::from_utf8_lossy(&text)))
    }))
}

/// All pipes of a container: the shim's ends and the container's.
pub fn make(spec: &ContainerSpec) -> Result<(Ours, Streams), Failure> {
    let pipe = |what: &'static str| pipe_with(PipeFlags::CLOEXEC).at(Stage::Process, || what);
    let (errors, errors_child) = pipe("making the error pipe")?;
    let (gate_child, gate) = pipe("making the gate")?;
    let (stdout, stdout_child) = output_pipe(spec)?;
    let (stderr, stderr_child) = output_pipe(spec)?;
    let (stdin_child, stdin) = match spec.linux.open_stdin && !spec.linux.terminal {
        true => pipe("making the input pipe").map(|(read, write)| (Some(read), Some(write)))?,
        false => (None, None),
    };
    let what = || "making the terminal's socket";
    let (terminal, terminal_child) = if spec.linux.terminal {
        let kind = SocketType::SEQPACKET;
        let (socket, theirs) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
            .at(Stage::Process, what)?;
        let output = stdout_child.try_clone().at(Stage::Process, what)?;
        (Some(TerminalToBe { socket, output }), Some(theirs))
    } else {
        (None, None)
    };
    let ours = Ours {
        errors,
        gate,
        stdout,
        stderr,
        stdin,
        terminal,
    };
    let streams = Streams {
        stdin: stdin_child,
        stdout: stdout_child,
        stderr: stderr_child,
        terminal: terminal_child,
        errors: errors_child,
        gate: Some(gate_child),
    };
    Ok((ours, streams))
}

/// A larger pipe is better but not needed, so a refusal is no error.
fn output_pipe(spec: &ContainerSpec) -> Result<(OwnedFd, OwnedFd), Failure> {
    let (read, write) =
        pipe_with(PipeFlags::CLOEXEC).at(Stage::Process, || "making an output pipe")?;
    let limit = spec.memory_limit_mib;
    let is_small = limit.is_some_and(|mib| mib < SMALL_MEMORY_MIB);
    let bytes = if is_small {
        PIPE_BYTES_SMALL
    } else {
        PIPE_BYTES
    };
    let _ = rustix::pipe::fcntl_setpipe_size(&read, bytes);
    Ok((read, write))
}
