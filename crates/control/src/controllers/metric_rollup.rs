//! Lets old metric samples take less room, series by series.

use super::Controllers;
use crate::clock;
use std::time::Duration;
use store::{MetricStore, MetricStoreError};
use telemetry::metrics::rollup;
use tracing::warn;

/// How often all series are looked at: what is a quarter of an hour old is put together.
const EVERY: Duration = Duration::from_secs(600);
/// Series looked at before others that want the store get their turn.
const SERIES_PER_STEP: usize = 256;

/// Runs for ever.
pub async fn run(shared: Controllers) {
    loop {
        tokio::time::sleep(EVERY).await;
        let metrics = shared.metrics.clone();
        let done = tokio::task::spawn_blocking(move || all(&*metrics)).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "metrics were not rolled up"),
            Err(error) => warn!(%error, "metrics were not rolled up"),
        }
    }
}

fn all(metrics: &dyn MetricStore) -> Result<(), MetricStoreError> {
    let mut after = None;
    loop {
        let some = metrics.series(&[], after.as_ref(), SERIES_PER_STEP)?;
        for series in &some {
            rollup::roll(metrics, series, clock::now())?;
        }
        match some.last() {
            Some(last) => after = Some(last.name.clone()),
            None => return Ok(()),
        }
    }
}
