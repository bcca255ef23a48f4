//! A task's life: its states, what its host reports, why it stops, what its host is told.

pub mod asked;
pub mod authorised;
pub mod by_rule;
pub mod credentials;
pub mod delivery;
pub mod docker_config;
pub mod effective;
pub mod fargate;
pub mod health;
pub mod launch;
pub mod log_mode;
pub mod log_streams;
pub mod network;
pub mod payload;
pub mod protection;
pub mod reference;
pub mod registration;
pub mod report;
pub mod requirement;
pub mod retention;
pub mod shape;
pub mod status;
pub mod stop_reason;
pub mod tokens;
pub mod traffic;
