//! Which hosts are connected: at most one ACS session per container instance.
//!
//! A new connection takes the place of the old one, whose loop ends when it sees that. The
//! registry also wakes sessions when a committed batch may concern them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// The sessions of this server process.
#[derive(Debug, Default)]
pub struct Registry {
    /// `std` mutex: held for map operations only, never across an await.
    sessions: Mutex<HashMap<String, Arc<Session>>>,
}

/// One connected container instance.
#[derive(Debug)]
pub struct Session {
    /// The container instance's ARN.
    pub instance_arn: String,
    /// Wakes the session's loop: look for undelivered work again.
    pub wake: Notify,
    /// Ends the session's loop: another connection took its place, or the server stops.
    pub replaced: Notify,
}

impl Registry {
    /// Enters a session, ending an earlier one of the same instance.
    pub fn enter(&self, instance_arn: &str) -> Arc<Session> {
        let session = Arc::new(Session {
            instance_arn: instance_arn.into(),
            wake: Notify::new(),
            replaced: Notify::new(),
        });
        let earlier = self.lock().insert(instance_arn.into(), session.clone());
        if let Some(earlier) = earlier {
            earlier.replaced.notify_one();
        }
        session
    }

    /// Leaves; whether this session was still the instance's one.
    pub fn leave(&self, session: &Arc<Session>) -> bool {
        let mut sessions = self.lock();
        let current = sessions
            .get(&session.instance_arn)
            .is_some_and(|s| Arc::ptr_eq(s, session));
        if current {
            sessions.remove(&session.instance_arn);
        }
        current
    }

    /// Wakes every session. A wake without work costs one index look-up.
    pub fn wake_all(&self) {
        for session in self.lock().values() {
            session.wake.notify_one();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.sessions
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
