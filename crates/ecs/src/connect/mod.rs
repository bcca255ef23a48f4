//! Service Connect: services of a namespace reach each other by name, through a proxy at each task.
//!
//! * [`namespace`]: which namespace is meant, and the default one of a cluster.
//! * [`claim`]: what a service exposes gets its Cloud Map services.
//! * [`settle`]: what ends a transaction: the endpoints of a namespace are those of its services.
//! * [`task`]: what a task is given. [`rows`]: what its host is told of the endpoints' targets.
//! * [`shape`]: as answers show it. [`explain`]: what `longshore why` tells.
//!
//! The endpoints that a task reaches are fixed by its service's revision; the targets behind each follow
//! the tasks that run and are well. Rule: semantics 6.12; developer guide, "Service Connect".

pub mod claim;
pub mod explain;
pub mod namespace;
pub mod rows;
pub mod settle;
pub mod shape;
pub mod task;
