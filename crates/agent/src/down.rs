//! The end of everything of this data directory on this host, server or not.
//!
//! Containers are stopped as the control plane would have them stopped; their results stay in the
//! records, as changes that were not acknowledged, and reach the server with the next agent.

use crate::config::AgentConfig;
use crate::engine::{self, Host};
use crate::isolation;
use netdev::vpc::Between;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Beyond the longest stop timeout of any container: the runtime's own waits.
const GRACE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Stops all tasks and removes what carries this tag. The agent must not run.
///
/// # Errors
/// Something could not be removed.
pub async fn down(config: AgentConfig) -> io::Result<()> {
    // Tasks go on while they are asked to stop: what they say to other hosts goes as it went before.
    let host = engine::open(config, Between::AsItStands).await?;
    host.take_over().await?;
    for arn in host.task_arns() {
        host.stop_known(&arn);
    }
    let deadline = Instant::now() + longest_stop(&host) + GRACE;
    while !all_ended(&host)? && Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    for dir in host.records.container_dirs()? {
        let _ = host.runtime.remove(&dir).await;
    }
    host.connect.end().await;
    // Nothing is known any more: whatever carries the tag goes.
    let failed = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
    host.runtime
        .sweep(&[], &[])
        .await
        .map_err(|error| failed(&error))?;
    host.network
        .destroy()
        .await
        .map_err(|error| failed(&error))?;
    host.vpcs.destroy().await.map_err(|error| failed(&error))?;
    for id in host.records.task_ids()? {
        isolation::remove_disk(&host.records.task_dir(&id));
    }
    host.isolation.destroy()?;
    host.driver
        .shut_down(true)
        .await
        .map_err(|error| failed(&error))
}

fn longest_stop(host: &Arc<Host>) -> Duration {
    let tasks = host.records.tasks().unwrap_or_default();
    let states = tasks.iter().filter_map(|task| task.state.as_ref());
    let longest = states
        .flat_map(|state| &state.containers)
        .map(|container| container.stop_timeout_ms)
        .max();
    Duration::from_millis(longest.unwrap_or(0))
}

/// Every task's end is written down.
fn all_ended(host: &Arc<Host>) -> io::Result<bool> {
    let tasks = host.records.tasks()?;
    Ok(tasks
        .iter()
        .all(|task| task.state.as_ref().is_some_and(|state| state.stop_reported)))
}
