//! Who may do what: access keys, principals, the evaluation of what a request asks for, and the
//! type in which every service hands over its operations.
//!
//! * [`Operation`]: one API call, its types erased: how to decode it, what it asks for, how to run
//!   it. What is decoded ([`Request`]) can be run only after [`Request::authorise`].
//! * [`Ask`]: an action on a resource, in IAM's words.
//! * [`evaluate`]: whether a caller may have what is asked.
//! * [`caller`]: the identity behind an access key. [`keys`]: making such keys. [`session`]: keys of
//!   roles, which are derived and not stored. [`join`]: one-time tokens with which a new host gets its key.
//!
//! Invariants: an operation that asks for nothing is refused to everyone; what no rule allows is
//! denied.

pub mod caller;
pub mod evaluate;
pub mod join;
pub mod keys;
pub mod operations;
pub mod ops;
pub mod records;
pub mod session;

pub use evaluate::{Ask, Holder, HostRights};
pub use operations::{Answer, Authorised, Kind, Operation, Request};
