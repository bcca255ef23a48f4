//! The static shim.

fn main() {}
