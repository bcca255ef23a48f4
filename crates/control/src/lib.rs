//! The control plane's edge: it listens, authenticates, dispatches, keeps agents' sessions, and
//! runs the loops. It decides nothing: every rule is a pure function of a service crate.
//!
//! * [`server`]: opens the stores, makes first keys, starts everything, in that order.
//! * [`gateway`]: HTTP in, one operation, HTTP out; the same path for every operation.
//! * [`sessions`]: one ACS and one TCS websocket per host.
//! * [`controllers`]: level-triggered loops over keys.
//! * [`usage`]: what agents publish of their tasks' use, until the minute is over.
//! * [`tls`]: the listener's certificate, of our own authority or named by the operator.
//! * [`inspect`]: the state as a person asks for it. [`compatibility()`]: what of AWS is served.
//!
//! Invariants: no operation runs without authentication and authorisation; a websocket carries only
//! what a transaction has made durable; a loop takes no input beyond a key.

mod clock;
mod compatibility;
mod controllers;
mod decision_log;
mod gateway;
mod history;
mod inspect;
mod key_files;
mod operations;
mod server;
mod sessions;
mod timing;
mod tls;
mod usage;
mod why;

pub use compatibility::document as compatibility;
pub use ecs::records::target::{TargetKind, TargetRecord};
pub use ecs::task::retention::KEPT_AT_LEAST as STOPPED_TASKS_VISIBLE_MIN;
pub use inspect::{Missing, inspect};
pub use key_files::write_private;
pub use operations::{operations, tables};
pub use server::{Endpoint, ServerConfig, run};
pub use timing::Timing;
pub use tls::TlsMode;
