//! The agent: one process per host, client of the control plane by ACS and TCS.
//!
//! A payload becomes a task with a pure machine ([`task::machine`]).

pub mod task;
