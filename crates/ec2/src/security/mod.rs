//! Security groups.

mod boxes;
pub mod compile;
pub mod groups;
