//! Amazon ECS: clusters, task definitions, tasks, container instances, and where tasks run.
//!
//! Pure: records, rules, decisions and synchronous operations over a `store::World` or
//! `store::Txn`. No clock, no random source, no I/O; they come in through `aws_types::Ctx`.
//!
//! * [`records`]: what is stored, table by table. Every key starts with account and region.
//! * [`ops`]: one file per API operation: check, decide, write, answer.
//! * [`rules`]: validation, one topic per file, each error raised beside the rule it states.
//! * [`task_definition`]: the stored normal form, what is computed from it, and how it is named.
//! * [`task`]: a task's life: states, reports, stop reasons, what its host is told.
//! * [`instance`]: a container instance's life: registered, connected, lost, deregistered.
//! * [`service`]: a service's life: what is desired, kept by one pure plan.
//! * [`place`]: where a task may run, as a pure question and answer.
//! * [`cluster`]: how a cluster is named, found and shown. [`cluster_retention`]: how long a deleted
//!   one is.
//! * [`tagged`]: what carries tags. [`account_settings`]: which setting holds for whom.
//! * [`connect`]: Service Connect: the endpoints of a namespace, what a task reaches of them.
//! * [`fargate`]: tasks on hosts that lend capacity.
//! * [`host_rights`]: what a host's agent may do. [`host_rows`]: what a host shall hold of the VPCs.
//! * [`usage`]: what tasks use, as CloudWatch shows it.
//! * [`emit`]: the events that go to EventBridge's rules.
//! * [`page`]: listings cut into pages, with tokens that survive inserts.
//!
//! Invariants: revisions of a family only grow and are never reused; a record that other records
//! name is not removed while they do; equal input gives equal output.

pub mod account_settings;
pub mod cluster;
pub mod cluster_retention;
pub mod connect;
pub mod decisions;
pub mod emit;
pub mod explain;
pub mod fargate;
pub mod finish;
pub mod held;
pub mod host_rights;
pub mod host_rows;
pub mod instance;
pub mod ops;
pub mod page;
pub mod place;
pub mod records;
pub mod rules;
pub mod service;
pub mod tagged;
pub mod targets;
pub mod task;
pub mod task_definition;
pub mod usage;
