//! Where a task runs: the question as data, and its pure answer.

pub mod choose;
pub mod constraint;
pub mod facts;
pub mod feed;
mod group;
pub mod index;
mod node;
pub mod problem;
pub mod query;
pub mod solve;
pub mod strategy;
pub mod tree;
mod zones;
