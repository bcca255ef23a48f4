//! Writes the metrics of `AWS/ECS` down, once a minute: what hosts published within it, and what clusters
//! have reserved at its end. A minute within which the server was started is told in part.

use super::Controllers;
use crate::clock;
use crate::usage::Usage;
use aws_types::{AwsError, Timestamp, codes};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

const MINUTE_MILLIS: i64 = 60_000;
/// Publications of the minute's last moment are on their way still. Alarms look a little later.
const GRACE: Duration = Duration::from_millis(200);

/// Runs for ever.
pub async fn run(shared: Controllers, usage: Arc<Usage>) {
    loop {
        let start = clock::now().millis() / MINUTE_MILLIS * MINUTE_MILLIS;
        let due = Timestamp::from_millis(start + MINUTE_MILLIS).plus(GRACE);
        tokio::time::sleep(due.since(clock::now())).await;
        if let Err(error) = write(&shared, &usage, Timestamp::from_millis(start)).await {
            warn!(?error, "the metrics of a minute are lost");
        }
    }
}

async fn write(shared: &Controllers, usage: &Usage, at: Timestamp) -> Result<(), AwsError> {
    let points = usage.take().points(&shared.state.snapshot(), at);
    if points.is_empty() {
        return Ok(());
    }
    let metrics = shared.metrics.clone();
    let done = tokio::task::spawn_blocking(move || metrics.append(&points, clock::now())).await;
    let failed = |why: String| codes::INTERNAL_FAILURE.with("metrics").detail(why);
    done.map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))
}
