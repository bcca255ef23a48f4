//! AWS Cloud Map: namespaces, services, their instances, and the names that follow from them.
//!
//! Vocabulary: a *namespace* is a domain of one VPC, or a name for API calls alone (HTTP); a *service*
//! is a name in it; an *instance* is where the service is, a set of attributes; a *custom health* status
//! is what somebody said of an instance, here mostly ECS.
//!
//! * [`records`]: what is stored. [`ops`]: the API. [`errors`]: AWS's words. [`filter`], [`page`]: listings.
//! * [`resource`]: what an id or ARN names, and how it is shown. [`dns`]: what a service's records may be.
//! * [`instances`]: how an instance comes and goes, for the API and for `ecs` in a task's transaction.
//! * [`managed`]: what `ecs` makes here for Service Connect.
//! * [`discover`]: which instances an answer has. [`names`]: what a VPC's resolver answers.
//!
//! Invariants: every instance is of a service that exists, every service of a namespace that exists; a
//! namespace's VPC existed when it was made.
//! Rules: AWS Cloud Map API reference and developer guide.

pub mod discover;
pub mod dns;
pub mod errors;
pub mod filter;
pub mod instances;
pub mod managed;
mod names;
pub mod operation;
pub mod ops;
pub mod page;
pub mod records;
pub mod resource;

pub use names::names;
