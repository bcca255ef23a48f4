//! Prints what a process may do. Run by tests under our init, our exec and runc, which must print the same.

fn main() {}
