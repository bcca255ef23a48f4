//! Where a task runs: the question as data, and its pure answer.

pub mod problem;
pub mod solve;
