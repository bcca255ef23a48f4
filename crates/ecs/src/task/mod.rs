//! A task's life: its states, what its host reports, why it stops, what its host is told.

pub mod report;
pub mod status;
pub mod stop_reason;
