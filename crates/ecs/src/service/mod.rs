//! Services: a desired count, kept.
//!
//! One pure decision, from what the state holds of a service ([`facts`]) to a [`plan`], which
//! [`apply`] writes in steps of at most 32 tasks. Operations change only what is wanted (the record's
//! desired count, a new deployment: [`deploy`]); everything that follows is the plan's.
//!
//! In reading order of a plan: [`judge`] says what ended tasks and [`alarms`] mean for their deployment,
//! [`stage`] how far it is ([`stage_hooks`]: what holds it up), [`progress`] what becomes of the
//! deployment, then [`replica`], [`side_by_side`], [`daemon`] or [`task_sets`] what to start and to stop
//! within [`limits`] ([`victims`]: which first), [`rebalance`] what the zones lack.
//! [`concerned`] says which services a change wakes.
//! What is told has its words in [`events`] and its names in [`action`]; [`standing`] tells a trouble once;
//! what becomes of the service deployment is written by [`history`]; [`explain`] says what a service waits
//! for, [`explain_zones`] why its zones stay uneven.
//!
//! Rule: semantics section 6; developer guide, "Amazon ECS services".

pub mod action;
pub mod alarms;
pub mod apply;
pub mod authorised;
pub mod circuit_breaker;
pub mod concerned;
pub mod daemon;
pub mod deploy;
pub mod deployment_shape;
pub mod early_success;
pub mod events;
pub mod explain;
pub mod explain_zones;
pub mod facts;
pub mod history;
pub mod hooks;
pub mod images;
pub mod judge;
pub mod launch;
pub mod limits;
pub mod observe;
pub mod plan;
pub mod progress;
pub mod providers;
pub mod rebalance;
pub mod reference;
pub mod replica;
pub mod retention;
pub mod shape;
pub mod side_by_side;
pub mod stage;
pub mod stage_hooks;
mod standing;
pub mod task_sets;
pub mod victims;
pub mod waits;
pub mod wanted;
