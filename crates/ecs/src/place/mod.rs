//! Where a task runs: the question as data, and its pure answer.

mod bits;
pub mod choose;
pub mod constraint;
pub mod facts;
pub mod feed;
mod group;
pub mod index;
mod kinds;
mod node;
mod numbers;
mod ports;
pub mod problem;
pub mod query;
mod rooms;
mod search;
pub mod solve;
pub mod strategy;
pub mod tree;
mod visits;
mod zones;

pub use visits::visited;
