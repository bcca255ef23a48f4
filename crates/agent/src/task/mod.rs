//! One ECS task on this host: what it should be, where it stands, and what comes next.
//!
//! Everything here is pure: no clock, no disk, no socket. [`machine::step`] decides, the crate's
//! `actor` does.

mod association;
pub mod connect;
pub mod deadline;
pub mod definition;
pub mod docker;
pub mod event;
mod fargate;
mod finish;
pub mod health;
pub mod interface;
pub mod machine;
mod order;
mod pinned;
mod port;
pub mod relations;
pub mod report;
mod restart;
pub mod resume;
pub mod state;
mod volume;

#[cfg(test)]
mod properties;
