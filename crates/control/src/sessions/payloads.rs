//! What was sent to a host and not yet acknowledged.

use ecs::records::task::TaskKey;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A payload that is not acknowledged for this long is sent again.
pub const RESEND_AFTER: Duration = Duration::from_secs(15);

/// Payloads on their way, by message id. Shared with the tasks that make acknowledgements durable:
/// an entry goes only when its acknowledgement is committed, or it would be sent twice.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<Mutex<BTreeMap<String, Sent>>>);

#[derive(Debug)]
struct Sent {
    tasks: Vec<(TaskKey, u32)>,
    at: Instant,
}

impl InFlight {
    /// Remembers a payload.
    pub fn sent(&self, message_id: String, tasks: Vec<(TaskKey, u32)>) {
        self.lock().insert(
            message_id,
            Sent {
                tasks,
                at: Instant::now(),
            },
        );
    }

    /// The tasks of a payload that was acknowledged; it stays until [`forget`](Self::forget).
    pub fn tasks_of(&self, message_id: &str) -> Option<Vec<(TaskKey, u32)>> {
        self.lock().get(message_id).map(|sent| sent.tasks.clone())
    }

    /// Removes a payload.
    pub fn forget(&self, message_id: &str) {
        self.lock().remove(message_id);
    }

    /// Removes payloads that were not acknowledged in time.
    pub fn forget_late(&self) {
        self.lock()
            .retain(|_, sent| sent.at.elapsed() < RESEND_AFTER);
    }

    /// Every task on its way.
    pub fn tasks(&self) -> Vec<(TaskKey, u32)> {
        self.lock()
            .values()
            .flat_map(|sent| sent.tasks.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Sent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
