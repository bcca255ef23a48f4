//! The tasks of a proxy, all of which end with it: a socket that outlived it would keep the namespace.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// What runs for one namespace. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scope {
    /// `None` once it is closed. `std` mutex: held over set operations only.
    running: Arc<Mutex<Option<JoinSet<()>>>>,
}

impl Scope {
    /// An open one with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self {
            running: Arc::new(Mutex::new(Some(JoinSet::new()))),
        }
    }

    /// Runs this until it ends or the scope is closed; not at all in a closed one.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = running.as_mut() {
            while set.try_join_next().is_some() {}
            set.spawn(work);
        }
    }

    /// Ends everything. When it returns nothing runs any more.
    pub async fn close(&self) {
        let running = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.take()
        };
        if let Some(mut set) = running {
            set.shutdown().await;
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Scope {
    fn execute(&self, work: F) {
        self.spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_it_runs_ends_with_it_and_nothing_begins_afterwards() {
        let scope = Scope::new();
        let (held, ended) = oneshot::channel::<()>();
        scope.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        scope.close().await;
        assert!(ended.await.is_err(), "its future was dropped");
        let (late, never) = oneshot::channel();
        scope.spawn(async move {
            let _ = late.send(());
        });
        assert!(never.await.is_err());
    }
}
