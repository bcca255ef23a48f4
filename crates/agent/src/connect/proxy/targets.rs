//! The endpoints' targets, as the agent said them last.

use crate::connect::protocol;
use aws_api::agent::host_sync::EndpointTarget;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// By the endpoint's id.
type Known = BTreeMap<String, Arc<[EndpointTarget]>>;

/// What is known of all endpoints that tasks of this host reach.
#[derive(Debug, Default)]
pub struct Targets {
    /// `std` lock: held over map operations only.
    known: RwLock<Known>,
}

impl Targets {
    /// Takes a change in.
    pub fn change(&self, change: protocol::Targets) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if change.is_all {
            known.clear();
        }
        for id in &change.remove {
            known.remove(id);
        }
        for row in change.put {
            known.insert(row.id, row.targets.into());
        }
    }

    /// Of an endpoint, now; none where it is unknown.
    #[must_use]
    pub fn of(&self, endpoint: &str) -> Arc<[EndpointTarget]> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(endpoint).cloned().unwrap_or_default()
    }
}
