//! Has alarms look at their metrics: each minute, those of short periods each ten seconds.

use super::Controllers;
use crate::clock;
use aws_types::{AwsError, Fault, Timestamp, codes};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use store::{MetricStore, World};
use telemetry::alarms::change::{self, Verdict};
use telemetry::alarms::look;
use telemetry::alarms::records::{ALARMS, AlarmRecord};
use tracing::{debug, warn};

/// The shortest time between two looks of an alarm, milliseconds.
const TICK_MILLIS: i64 = 10_000;
/// Samples of a period that has just ended are on their way still; ECS's own are written a little earlier.
const GRACE: Duration = Duration::from_millis(500);
/// Alarms that change in one transaction.
const ALARMS_PER_STEP: usize = 32;

/// What is to become of an alarm that was as it is here.
type Change = (Arc<AlarmRecord>, Verdict);

/// Runs for ever.
pub async fn run(shared: Controllers) {
    let mut last = clock::now();
    loop {
        let tick = (last.millis() / TICK_MILLIS + 1) * TICK_MILLIS;
        let due = Timestamp::from_millis(tick).plus(GRACE);
        tokio::time::sleep(due.since(clock::now())).await;
        // Ticks that were slept through are one.
        let now = clock::now().max(due);
        if let Err(error) = tick_of(&shared, last, now).await {
            warn!(?error, "alarms were not looked after");
        }
        last = now;
    }
}

async fn tick_of(shared: &Controllers, last: Timestamp, now: Timestamp) -> Result<(), AwsError> {
    let (world, metrics) = (shared.state.snapshot(), shared.metrics.clone());
    let decided = tokio::task::spawn_blocking(move || decide(&world, &*metrics, last, now)).await;
    let mut decided = decided.map_err(|panic| {
        let error = codes::INTERNAL_FAILURE.with("An internal error occurred.");
        error.detail(panic)
    })?;
    while !decided.is_empty() {
        let some: Vec<_> = decided
            .drain(..decided.len().min(ALARMS_PER_STEP))
            .collect();
        let step = shared.step("alarms", move |txn, ctx| {
            for (alarm, verdict) in some {
                // What was decided is of this alarm: one that was changed meanwhile looks again.
                if txn.get(&ALARMS, &alarm.key) == Some(&alarm) {
                    change::set(txn, ctx, &alarm.key, verdict);
                }
            }
            Ok(())
        });
        step.await?;
    }
    Ok(())
}

/// The alarms that are to change, of those whose time to look came since the last tick.
fn decide(
    world: &World,
    metrics: &dyn MetricStore,
    last: Timestamp,
    now: Timestamp,
) -> VecDeque<Change> {
    let mut decided = VecDeque::new();
    for alarm in world.scan(&ALARMS) {
        // A composite alarm follows others in their own transaction.
        let Some(cadence) = look::cadence_millis(alarm) else {
            continue;
        };
        if last.millis() / cadence == now.millis() / cadence {
            continue;
        }
        match look::verdict(metrics, alarm, now) {
            Ok(Some(verdict)) => decided.push_back((alarm.clone(), verdict)),
            Ok(None) => {}
            // What is wrong with the server, not with the alarm, which says the same at each look.
            Err(error) if error.code().fault == Fault::Receiver => {
                warn!(alarm = alarm.key.name, ?error, "an alarm was not evaluated");
            }
            Err(error) => {
                debug!(alarm = alarm.key.name, ?error, "an alarm was not evaluated");
            }
        }
    }
    decided
}
