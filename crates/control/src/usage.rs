//! What agents publish of their tasks' use, kept until the minute is over.

use aws_api::agent::PublishMetricsRequest;
use ecs::records::container_instance::InstanceKey;
use ecs::usage::Minute;
use std::sync::{Mutex, PoisonError};
use store::World;

/// The running minute. `std` mutex: held for one publication, never across a wait.
#[derive(Debug, Default)]
pub struct Usage(Mutex<Minute>);

impl Usage {
    /// Takes a publication.
    pub fn note(&self, world: &World, host: &InstanceKey, published: &PublishMetricsRequest) {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minute.note(world, host, published);
    }

    /// What came since it was asked last.
    pub fn take(&self) -> Minute {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *minute)
    }
}
