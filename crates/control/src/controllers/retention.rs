//! What is kept for a while only: stopped tasks, inactive instances, remembered client tokens, log
//! events past their group's retention or without a stream.

use super::{Controller, Controllers};
use crate::clock;
use aws_types::{AwsError, Timestamp, codes};
use ecs::instance::life;
use ecs::task::{retention, tokens};
use store::{LogStoreError, LogStreamId};
use telemetry::retention::Removal;

/// Log entries removed in one step.
const ENTRIES_PER_STEP: usize = 1_000;

pub struct Retention(pub Controllers);

#[async_trait::async_trait]
impl Controller for Retention {
    fn name(&self) -> &'static str {
        "retention"
    }

    fn wakes_on(&self) -> &'static [&'static str] {
        // Nothing here is urgent: the slow tick does.
        &[]
    }

    async fn activate(&self) -> Result<Option<Timestamp>, AwsError> {
        self.tasks().await?;
        self.tokens().await?;
        self.instances().await?;
        self.logs().await?;
        Ok(None)
    }
}

impl Retention {
    async fn tasks(&self) -> Result<(), AwsError> {
        let keep = self.0.timing.stopped_task_visible;
        loop {
            let keys = retention::expired(&self.0.state.snapshot(), clock::now(), keep);
            if keys.is_empty() {
                return Ok(());
            }
            let removal = self.0.state.submit(self.0.ctx(), move |txn, _| {
                retention::remove(txn, &keys);
                Ok(())
            });
            removal.await?;
        }
    }

    async fn tokens(&self) -> Result<(), AwsError> {
        loop {
            let keys = tokens::expired(&self.0.state.snapshot(), clock::now());
            if keys.is_empty() {
                return Ok(());
            }
            let removal = self.0.state.submit(self.0.ctx(), move |txn, _| {
                tokens::remove(txn, &keys);
                Ok(())
            });
            removal.await?;
        }
    }

    async fn instances(&self) -> Result<(), AwsError> {
        let keep = self.0.timing.inactive_visible;
        loop {
            let keys = life::expired(&self.0.state.snapshot(), clock::now(), keep);
            if keys.is_empty() {
                return Ok(());
            }
            let removal = self.0.state.submit(self.0.ctx(), move |txn, _| {
                life::remove(txn, &keys);
                Ok(())
            });
            removal.await?;
        }
    }

    /// On a thread that may wait for a disk.
    async fn logs(&self) -> Result<(), AwsError> {
        let (logs, state) = (self.0.logs.clone(), self.0.state.clone());
        let done = tokio::task::spawn_blocking(move || {
            // The streams first: one that is made meanwhile is then in the World, and stays.
            let stored = logs.streams()?;
            for removal in telemetry::retention::plan(&state.snapshot(), &stored, clock::now()) {
                match removal {
                    Removal::Before(stream, moment) => {
                        while logs.delete_before(stream, moment, ENTRIES_PER_STEP)?
                            == ENTRIES_PER_STEP
                        {}
                    }
                    Removal::Stream(stream) => delete(&*logs, stream)?,
                }
            }
            Ok::<(), LogStoreError>(())
        });
        let failed = |why: String| codes::INTERNAL_FAILURE.with("log retention").detail(why);
        done.await
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))
    }
}

fn delete(logs: &dyn store::LogStore, stream: LogStreamId) -> Result<(), LogStoreError> {
    while logs.delete(stream, ENTRIES_PER_STEP)? {}
    Ok(())
}
