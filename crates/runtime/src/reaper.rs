//! A container's first process where that is ours: reaps whoever is orphaned, and hands signals to the program.
//!
//! Runs as the container's user, under the container's filter and capabilities, from the sealed image of the shim.
//! Rule: Docker's `--init`, which `initProcessEnabled` of the ECS API asks for.

use crate::sys;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

/// By this name the shim's executable is the reaper; its one argument is the program's process id, absent where the
/// reaper only holds namespaces.
pub const NAME: &str = "longshore-init";

/// Until the program ends, with its exit code; a holder until SIGTERM.
pub fn run(mut arguments: impl Iterator<Item = String>) -> ! {
    let program = arguments
        .next()
        .and_then(|id| id.parse().ok())
        .and_then(Pid::from_raw);
    // In a pid namespace that it shares it is not the first: orphans come to it only so.
    let _ = sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
    sys::block_signals();
    loop {
        // Before the first wait, too: a child may have ended earlier than this process began.
        if let Some(code) = reap(program) {
            sys::exit_now(code);
        }
        match (sys::wait_for_signal(), program) {
            (libc::SIGCHLD, _) => {}
            (libc::SIGTERM, None) => sys::exit_now(0),
            (signal, Some(program)) => {
                if let Some(signal) = Signal::from_named_raw(signal) {
                    // One that has just ended is reaped next.
                    let _ = kill_process(program, signal);
                }
            }
            (_, None) => {}
        }
    }
}

/// Collects all that have ended; the program's exit code if it is among them.
fn reap(program: Option<Pid>) -> Option<i32> {
    let mut code = None;
    while let Ok(Some((ended, status))) = wait(WaitOptions::NOHANG) {
        if Some(ended) == program {
            let signal = status.terminating_signal();
            code = status.exit_status().or(signal.map(|signal| 128 + signal));
        }
    }
    code
}
