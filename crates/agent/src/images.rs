//! The images of tasks: pinned while a task needs them, removed by themselves when nothing does.

use crate::engine::Host;
use crate::task::state::TaskState;
use runtime::image::{CleanupPolicy, Ensured, ImageError, PullBehavior};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// An image may be removed between its pull and its pin; it is asked for again so many times.
const PIN_TRIES: u32 = 3;

/// The public agent's ECS_IMAGE_CLEANUP_INTERVAL and what one such cycle may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageCleanup {
    /// Between two cycles.
    pub interval: Duration,
    /// What goes in one.
    pub policy: CleanupPolicy,
}

/// Gets an image and pins it for a container.
///
/// # Errors
/// It cannot be had, or cannot be kept.
pub async fn ensure(
    host: &Host,
    reference: &str,
    runtime_id: &str,
    behavior: PullBehavior,
) -> Result<Ensured, ImageError> {
    let mut tries = 1;
    loop {
        let ensured = host.images.ensure(reference, None, behavior).await?;
        match host.images.pin(runtime_id, &ensured.image).await {
            Ok(()) => return Ok(ensured),
            Err(ImageError::NoSuchImage { .. }) if tries < PIN_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A task is over: its images may go.
pub async fn release(host: Arc<Host>, runtime_ids: Vec<String>) {
    for id in runtime_ids {
        if let Err(error) = host.images.unpin(&id).await {
            warn!(%error, "an image stays in use until the next start");
        }
    }
}

/// Unpins what no task of the records uses: an agent that was killed left it.
pub async fn release_orphans<'a>(host: &Host, tasks: impl Iterator<Item = &'a TaskState>) {
    let known: HashSet<&str> = tasks
        .flat_map(|task| &task.containers)
        .map(|container| container.runtime_id.as_str())
        .collect();
    let pinned = match host.images.pinned().await {
        Ok(pinned) => pinned,
        Err(error) => {
            warn!(%error, "users of images could not be read");
            return;
        }
    };
    for owner in pinned.iter().filter(|owner| !known.contains(&***owner)) {
        if let Err(error) = host.images.unpin(owner).await {
            warn!(%error, "an image stays in use until the next start");
        }
    }
}

/// Removes unused images for as long as the agent runs.
pub async fn clean_up(host: Arc<Host>) {
    let Some(cleanup) = host.config.image_cleanup else {
        return;
    };
    loop {
        tokio::time::sleep(cleanup.interval).await;
        match host.images.clean_up(cleanup.policy).await {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => info!(?removed, "unused images removed"),
            Err(error) => warn!(%error, "unused images could not be removed"),
        }
    }
}
