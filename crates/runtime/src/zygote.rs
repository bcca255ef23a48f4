//! A small idle process that forks shims, so that a start costs no exec.
//!
//! Descriptor 0 is its agent's sequenced-packet socket. It ends when that closes; its shims live on.

use crate::shim;
use crate::sys::{self, Children, Side};
use crate::wire::{self, StartRequest};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use std::io::Result;
use std::os::fd::{AsFd, OwnedFd};

/// Serves until the agent closes its socket.
pub fn run() -> Result<()> {
    // First of all: a Ctrl-C for the agent's terminal must not end what outlives the agent.
    let _ = rustix::process::setsid();
    sys::ignore_signals(Children::ReapedByKernel);
    rustix::process::chdir("/")?;
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    drop(null);
    while let Some((request, descriptors)) = wire::receive::<StartRequest>(&socket)? {
        serve(&socket, request, descriptors);
    }
    Ok(())
}

/// A request that cannot be served is dropped with its control socket, which tells the agent.
fn serve(socket: &OwnedFd, request: StartRequest, descriptors: Vec<OwnedFd>) {
    let mut descriptors = descriptors.into_iter();
    let Some(control) = descriptors.next() else {
        return;
    };
    let filter = descriptors.next();
    // An agent that died meanwhile wants nothing started: its successor would not know of it.
    if is_closed(&control) {
        return;
    }
    match sys::fork() {
        Ok(Side::Child) => {
            sys::close_all_but(
                &[Some(control.as_fd()), filter.as_ref().map(AsFd::as_fd)]
                    .iter()
                    .flatten()
                    .map(std::os::fd::AsRawFd::as_raw_fd)
                    .collect::<Vec<_>>(),
            );
            let _ = socket;
            shim::run(request, control, filter);
            sys::exit_now(0);
        }
        Ok(Side::Parent { .. }) | Err(_) => {}
    }
}

/// The peer has closed.
pub fn is_closed(socket: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::empty())];
    let now = rustix::time::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)).is_ok()
        && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}
