//! How many rows a thread has looked at, by key, by index or in a scan.
//!
//! A count instead of a time: by it a test tells whether a call's cost grows with the table.

use std::cell::Cell;

thread_local! {
    static VISITED: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn count() {
    VISITED.set(VISITED.get() + 1);
}

/// Runs `with`; its answer, and how many rows it looked at on this thread. Iterators count as
/// they are consumed.
pub fn visited<T>(with: impl FnOnce() -> T) -> (T, u64) {
    let before = VISITED.get();
    let answer = with();
    (answer, VISITED.get() - before)
}
