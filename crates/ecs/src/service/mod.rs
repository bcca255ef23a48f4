//! Services: a desired count, kept.
//!
//! One pure decision, from what the state holds of a service ([`facts`]) to a [`plan`], which
//! [`apply`] writes in steps of at most 32 tasks. Operations change only what is wanted (the record's
//! desired count, a new [`deploy`]ment); everything that follows is the plan's.
//!
//! In reading order of a plan: [`judge`] what ended tasks say of their deployments, [`progress`] of
//! the deployments themselves, then what to start and to stop ([`replica`], [`daemon`],
//! [`task_sets`], each within [`limits`]), then what is [`steady`] and what is told ([`events`]).
//!
//! Rule: semantics section 6; developer guide, "Amazon ECS services".

pub mod authorised;
pub mod circuit_breaker;
pub mod deploy;
pub mod deployment_shape;
pub mod events;
pub mod launch;
pub mod reference;
pub mod retention;
pub mod shape;
pub mod wanted;
