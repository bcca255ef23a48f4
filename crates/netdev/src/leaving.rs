//! Devices that the kernel is removing: their addresses are free only when they are gone.
//!
//! Deleting a device by request waits for the kernel's grace periods, one device at a time: some 30
//! ms each. A namespace that nobody holds any more takes its devices with it, all that wait in one
//! go, but later. So a detach answers when the host ports are free, and one thread, which lives
//! only while something is leaving, watches until the device has gone.

use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::error::NetworkError;
use crate::host::{Inner, route_socket};
use crate::veth;

/// How often the devices are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Something holds the namespace, a process that left its container, say: the device is deleted.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is watched.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    waiting: Vec<(String, Instant)>,
    /// A thread looks after them.
    watched: bool,
}

/// Watches a closed attachment until its device has gone.
pub(crate) fn watch(inner: &Arc<Inner>, id: &str) -> Result<(), NetworkError> {
    let mut leaving = lock(inner);
    leaving.waiting.push((id.to_owned(), Instant::now()));
    if leaving.watched {
        return Ok(());
    }
    let watcher = Arc::clone(inner);
    thread::Builder::new()
        .name("net-leaving".into())
        .spawn(move || while look(&watcher) {})
        .map_err(|e| NetworkError::kernel("thread for leaving devices", e))?;
    leaving.watched = true;
    Ok(())
}

/// Looks once at everything; whether something is left.
fn look(inner: &Inner) -> bool {
    thread::sleep(LOOK_EVERY);
    let waiting = std::mem::take(&mut lock(inner).waiting);
    let left: Vec<_> = waiting
        .into_iter()
        .filter(|(id, since)| !has_left(inner, id, *since))
        .collect();
    let mut leaving = lock(inner);
    leaving.waiting.extend(left);
    leaving.watched = !leaving.waiting.is_empty();
    leaving.watched
}

fn has_left(inner: &Inner, id: &str, since: Instant) -> bool {
    let Some(entry) = inner.books().entries.get(id).cloned() else {
        return true;
    };
    let Some(device) = inner.device(&entry) else {
        // Bridge and all were destroyed meanwhile.
        inner.strike_out(id, &entry, &Ok(()));
        return true;
    };
    let gone = route_socket().and_then(|mut host| {
        if since.elapsed() > PATIENCE {
            return veth::unplug(&mut host, &device).map(|()| true);
        }
        let link = host.link(&device);
        link.map(|link| link.is_none())
            .map_err(|e| NetworkError::kernel(format!("device {device}"), e))
    });
    match gone {
        Ok(true) => {
            inner.strike_out(id, &entry, &Ok(()));
            true
        }
        Ok(false) => false,
        Err(error) => {
            warn!(id, %error, "a leaving device could not be looked at");
            false
        }
    }
}

fn lock(inner: &Inner) -> std::sync::MutexGuard<'_, Leaving> {
    inner.leaving.lock().unwrap_or_else(PoisonError::into_inner)
}
