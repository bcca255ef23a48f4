//! What a task definition means: its stored normal form, what is computed from it, its names.

pub mod attributes;
pub mod compatibility;
pub mod deletion;
pub mod name;
pub mod normal;
pub mod revisions;
pub mod units;

pub use name::resolve;
