//! Chores of the repository: `cargo xtask codegen|models|tidy`.
fn main() {}
