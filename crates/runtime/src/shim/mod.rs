//! One process per container: makes it, waits for it, keeps its pipes, records how it ended.
//!
//! Forked from the zygote, single threaded, in a session and a control group of its own, so that it outlives the agent.
//! It never reads the container's output while an agent is connected.

mod exec;
mod serve;
mod spill;
mod start;
mod streams;
mod terminal;

use crate::failure::Failure;
use crate::sys::{self, Children};
use crate::wire::{self, Event, StartRequest};
use std::os::fd::{AsFd, OwnedFd};

/// The whole life of a shim.
pub fn run(request: StartRequest, control: OwnedFd, descriptors: Vec<OwnedFd>) {
    let _ = rustix::process::setsid();
    sys::ignore_signals(Children::WaitedFor);
    // Orphans of an exec's first fork come here; those of the container go to the first process of its pid namespace.
    let _ = sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
    let name: String = request.spec.id.chars().take(12).collect();
    if let Ok(name) = std::ffi::CString::new(format!("ls:{name}")) {
        let _ = rustix::thread::set_name(&name);
    }
    match start::start(request, descriptors, &control) {
        Ok(container) => serve::serve(container, control),
        Err(failure) => tell_failure(&control, failure),
    }
}

fn tell_failure(control: &OwnedFd, failure: Failure) {
    // An agent that has gone learns from what is missing.
    let _ = wire::send(control.as_fd(), &Event::Failed(failure), &[]);
}
