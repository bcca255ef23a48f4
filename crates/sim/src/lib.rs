//! The simulator: a whole Longshore in one thread on a virtual clock, from one seed.
//!
//! Real are the operations of `ecs::ops` and the functions that sessions and controllers call
//! (`ecs::task::delivery`, `ecs::instance::life`, `ecs::task::retention`), placement, payloads as
//! they are on the wire, and the agent's task machine with its takeover after a kill
//! (`agent::task`). Played are the edges: the writer's batch and disk ([`server`]), sessions and
//! loops in virtual time ([`session`], [`control`]), the agent's process ([`agent`], [`orders`], [`deeds`]) and
//! a host of programs, attachments and control groups that outlive it ([`host`]). Users call for tasks
//! ([`client`]) and for services ([`service_calls`]), which the real scheduler keeps ([`service_loop`]).
//! Their VPCs ([`vpc_calls`]) come to the hosts by host sync ([`host_sync`]): what a host is told is computed
//! by `ecs::host_rows`, what follows from it there by `netdev::vpc::desired`; its kernel is played ([`vpc_host`],
//! [`interfaces`]).
//!
//! Chance makes faults ([`trouble`]): requests lost and repeated, sessions cut, agents and server
//! killed in the middle of anything, power lost, clocks set, pulls and disks that take minutes,
//! deeds that fail, hosts that are full, deregistered and come back. After every step that could
//! break it, [`check`] looks at what must always hold (design, section 8: 1, 2, 4 and 9; 3 in [`service_check`], 5 in [`vpc_check`]); a quiet
//! end follows each run, after which nothing may be left.
//!
//! A run follows from its [`Plan`] alone: a failing seed replays to the same step, and
//! [`Outcome::trace`] of two equal runs is equal. [`Mutation`] plants known bugs, so that the tests
//! can show that each is found.

mod agent;
mod balancer;
mod check;
mod client;
mod control;
mod deeds;
mod event;
mod host;
mod host_sync;
mod interfaces;
mod names;
mod orders;
mod plan;
mod providers;
mod queue;
mod random;
mod repeats;
mod rollout_calls;
mod rollout_check;
mod server;
mod service_calls;
mod service_check;
mod service_end;
mod service_loop;
mod session;
mod simulation;
mod tamper;
mod task_set_calls;
mod task_set_check;
mod trouble;
mod vpc_calls;
mod vpc_check;
mod vpc_host;
mod workload;

pub use plan::{Load, Mutation, Outcome, Plan, Seen, Statistics, Violation, Wake};

/// Runs a plan to its end, or to the first violation.
///
/// # Errors
/// The store in memory failed, which it does only by a mistake of the program.
pub fn run(plan: Plan) -> Result<Outcome, store::StoreError> {
    simulation::Simulation::new(plan)?.run()
}
