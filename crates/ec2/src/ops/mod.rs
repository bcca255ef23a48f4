//! The table operation → function, and nothing else.

use iam::Operation;

/// The operations of this crate.
#[must_use]
pub fn operations() -> Vec<Operation> {
    Vec::new()
}
