//! The operations of IAM and STS that are served.

mod get_caller_identity;

use crate::operations::Operation;

/// Every operation of this service.
#[must_use]
pub fn operations() -> Vec<Operation> {
    vec![get_caller_identity::operation()]
}
