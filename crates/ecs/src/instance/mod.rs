//! A container instance's life: registered, connected, away, lost, deregistered; what is left of it.

pub mod attributes;
pub mod endpoints;
pub mod interfaces;
pub mod launch_template;
pub mod life;
pub mod load;
pub mod register;
pub mod resources;
pub mod shape;
