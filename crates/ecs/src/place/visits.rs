//! How many instances, and parts of orders, a thread's decisions have looked at.
//!
//! A count instead of a time: by it a test tells whether a decision's cost grows with the cluster.

use std::cell::Cell;

thread_local! {
    static VISITED: Cell<u64> = const { Cell::new(0) };
}

pub(super) fn count() {
    VISITED.set(VISITED.get() + 1);
}

/// Runs `with`; its answer, and how many nodes of the index it looked at on this thread.
pub fn visited<T>(with: impl FnOnce() -> T) -> (T, u64) {
    let before = VISITED.get();
    let answer = with();
    (answer, VISITED.get() - before)
}
