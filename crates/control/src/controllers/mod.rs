//! Level-triggered loops.
//!
//! A controller takes no input beyond the World: woken by a committed batch that touched one of its
//! tables, by its own alarm or by the slow tick, it looks at everything that could need it, commits
//! steps of at most 32 tasks, and says when it wants to look again. It never retries by itself: a
//! failed step leaves the World as it was, and the next activation plans it anew.

mod alarms;
mod ecs_metrics;
mod event_targets;
mod hooks;
mod hosts;
mod http_client;
mod metric_rollup;
mod queue;
mod retention;
mod schedules;
mod services;
mod turns;

use crate::clock;
use crate::decision_log::{Asked, DecisionLog, Entry};
use crate::timing::Timing;
use crate::usage::Usage;
use aws_types::{AwsError, Ctx, Scope, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use store::{LogStore, MetricStore, StateHandle, Txn};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

/// A failed activation is planned again after this time.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What every controller works with.
#[derive(Clone, Debug)]
pub struct Controllers {
    /// The control plane's state.
    pub state: StateHandle,
    /// The log store.
    pub logs: Arc<dyn LogStore>,
    /// The metric store.
    pub metrics: Arc<dyn MetricStore>,
    /// The waits in force.
    pub timing: Timing,
    /// An agent that is away this long is lost.
    pub host_lost_after: Duration,
    /// The default region's scope; controllers act in every region.
    pub scope: Scope,
    /// Where decisions are told.
    pub decisions: Arc<DecisionLog>,
}

impl Controllers {
    fn ctx(&self) -> Ctx {
        clock::own_ctx(&self.scope)
    }

    /// Commits a step of the controller `name` and tells what it decided.
    async fn step<T: Send + 'static>(
        &self,
        name: &'static str,
        step: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError> + Send + 'static,
    ) -> Result<T, AwsError> {
        let ctx = self.ctx();
        let asked = Asked::of(&ctx);
        let submitted = self.state.submit(ctx, move |txn, ctx| {
            let done = step(txn, ctx)?;
            Ok((done, std::mem::take(&mut ctx.decisions)))
        });
        let (done, decisions) = submitted.await?;
        if !decisions.is_empty() {
            self.decisions.record(Entry {
                asked,
                service: "longshore",
                operation: name,
                refusal: None,
                decisions,
            });
        }
        Ok(done)
    }
}

/// One loop.
#[async_trait::async_trait]
trait Controller: Send + Sync {
    /// Its name in the log.
    fn name(&self) -> &'static str;
    /// Tables whose changes wake it.
    fn wakes_on(&self) -> &'static [&'static str];
    /// Looks at everything and does what is due; when to look again, if before the slow tick.
    async fn activate(&self) -> Result<Option<Timestamp>, AwsError>;
}

/// Starts every controller.
pub fn start(shared: &Controllers, usage: &Arc<Usage>) {
    let controllers: [Box<dyn Controller>; 4] = [
        Box::new(hooks::Hooks::new(shared.clone())),
        Box::new(hosts::Hosts(shared.clone())),
        Box::new(retention::Retention(shared.clone())),
        Box::new(schedules::Schedules(shared.clone())),
    ];
    for controller in controllers {
        tokio::spawn(run(controller, shared.clone()));
    }
    tokio::spawn(services::run(shared.clone()));
    tokio::spawn(event_targets::run(shared.clone()));
    tokio::spawn(ecs_metrics::run(shared.clone(), usage.clone()));
    tokio::spawn(alarms::run(shared.clone()));
    tokio::spawn(metric_rollup::run(shared.clone()));
}

async fn run(controller: Box<dyn Controller>, shared: Controllers) {
    let mut changes = shared.state.subscribe();
    loop {
        let wake_at = match controller.activate().await {
            Ok(wake_at) => wake_at.map(|moment| moment.since(clock::now())),
            Err(error) => {
                warn!(
                    controller = controller.name(),
                    ?error,
                    "a controller's activation failed"
                );
                Some(AFTER_FAILURE)
            }
        };
        let alarm = Instant::now()
            + wake_at
                .unwrap_or(shared.timing.slow_tick)
                .min(shared.timing.slow_tick);
        loop {
            tokio::select! {
                batch = changes.next() => match batch {
                    None => return,
                    // Fell behind: look at everything.
                    Some(Err(_)) => break,
                    Some(Ok(batch)) => {
                        let wakes = controller.wakes_on();
                        if batch.changes.iter().any(|(table, _)| wakes.contains(table)) {
                            break;
                        }
                    }
                },
                () = sleep_until(alarm) => break,
            }
        }
    }
}
