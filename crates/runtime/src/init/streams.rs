//! Standard streams of a program: pipes of its own for output, and for input nothing, an open pipe, or a terminal.

use crate::failure::{At, Failure, Stage};
use crate::wire;
use rustix::fs::{Mode, OFlags, Uid, fchown};
use rustix::mount::{MountFlags, mount};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Where a container finds its terminal. Rule: Docker.
const CONSOLE: &str = "/dev/console";

/// Standard streams of the program, and what must stay open until the program runs.
#[derive(Debug)]
pub struct Streams {
    /// Becomes descriptor 0; without it that is the container's null device.
    pub stdin: Option<OwnedFd>,
    /// Becomes descriptor 1.
    pub stdout: OwnedFd,
    /// Becomes descriptor 2.
    pub stderr: OwnedFd,
    /// A terminal is made, becomes all three, and its other end goes through this socket.
    pub terminal: Option<OwnedFd>,
    /// The error pipe; close-on-exec.
    pub errors: OwnedFd,
    /// Closed or written by the shim when the program may start.
    pub gate: Option<OwnedFd>,
}

impl Streams {
    /// Of a further process: it starts at once, and nothing is its input.
    pub fn of_exec(stdout: OwnedFd, stderr: OwnedFd, errors: OwnedFd) -> Self {
        Self {
            stdin: None,
            stdout,
            stderr,
            terminal: None,
            errors,
            gate: None,
        }
    }
}

/// Connects 0, 1 and 2. They belong to the user, so that `/dev/stdout` can be opened.
pub fn connect(streams: &Streams, uid: u32) -> Result<(), Failure> {
    let (stdin, stdout, stderr);
    if let Some(socket) = &streams.terminal {
        let own = terminal(socket)?;
        let copy = || own.try_clone().at(Stage::Device, || "copying the terminal");
        (stdin, stdout, stderr) = (copy()?, copy()?, own);
    } else {
        let copy = |fd: &OwnedFd| fd.try_clone().at(Stage::Process, || "copying a stream");
        stdin = match &streams.stdin {
            Some(pipe) => copy(pipe)?,
            None => null()?,
        };
        (stdout, stderr) = (copy(&streams.stdout)?, copy(&streams.stderr)?);
    }
    let is_given = streams.stdin.is_some() || streams.terminal.is_some();
    for stream in [
        Some(&stdin).filter(|_| is_given),
        Some(&stdout),
        Some(&stderr),
    ] {
        let Some(stream) = stream else { continue };
        fchown(stream, Some(Uid::from_raw(uid)), None)
            .at(Stage::Process, || "giving the user its standard streams")?;
    }
    rustix::stdio::dup2_stdin(&stdin).at(Stage::Process, || "connecting standard input")?;
    rustix::stdio::dup2_stdout(&stdout).at(Stage::Process, || "connecting standard output")?;
    rustix::stdio::dup2_stderr(&stderr).at(Stage::Process, || "connecting standard error")
}

fn null() -> Result<OwnedFd, Failure> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .at(Stage::Device, || "opening /dev/null")
}

/// The program's end of a new terminal of the container's own; the other goes to the shim.
fn terminal(socket: &OwnedFd) -> Result<OwnedFd, Failure> {
    let what = || "making a terminal";
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags).at(Stage::Device, what)?;
    unlockpt(&ours).at(Stage::Device, what)?;
    let own = ioctl_tiocgptpeer(&ours, flags).at(Stage::Device, what)?;
    let name = rustix::termios::ttyname(&own, Vec::new()).at(Stage::Device, what)?;
    if !Path::new(CONSOLE).exists() {
        std::fs::File::create(CONSOLE).at(Stage::Device, what)?;
    }
    mount(name.as_c_str(), CONSOLE, "", MountFlags::BIND, None).at(Stage::Device, what)?;
    wire::send(socket, &(), &[ours.as_fd()]).at(Stage::Device, || "handing over the terminal")?;
    Ok(own)
}
