//! A small idle process that forks shims, so that a start costs no exec; and makes what takes a process to make.
//!
//! Descriptor 0 is its agent's sequenced-packet socket. It ends when that closes; its shims live on.

use crate::failure::Failure;
use crate::shim;
use crate::sys::{self, Children, Side};
use crate::user_namespace::{self, IdRange};
use crate::wire::{self, Order};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use std::io::Result;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

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
    while let Some((order, descriptors)) = wire::receive::<Order>(&socket)? {
        serve(order, descriptors);
    }
    Ok(())
}

/// An order that cannot be carried out is dropped with its control socket, which tells the agent.
fn serve(order: Order, descriptors: Vec<OwnedFd>) {
    let mut descriptors = descriptors.into_iter();
    let Some(control) = descriptors.next() else {
        return;
    };
    let others: Vec<OwnedFd> = descriptors.collect();
    // An agent that died meanwhile wants nothing started: its successor would not know of it.
    if is_closed(&control) {
        return;
    }
    match sys::fork() {
        Ok(Side::Child) => {
            let kept = [&control].into_iter().chain(&others);
            sys::close_all_but(&kept.map(AsRawFd::as_raw_fd).collect::<Vec<_>>());
            match order {
                Order::Start(request) => shim::run(*request, control, others),
                Order::Namespaces(range) => make_namespaces(range, &control),
            }
            sys::exit_now(0);
        }
        Ok(Side::Parent { .. }) | Err(_) => {}
    }
}

fn make_namespaces(range: IdRange, control: &OwnedFd) {
    // An agent that has gone asks again.
    let _ = match user_namespace::make(range) {
        Ok(network) => wire::send(control, &Ok::<(), Failure>(()), &[network.as_fd()]),
        Err(failure) => wire::send(control, &Err::<(), Failure>(failure), &[]),
    };
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
