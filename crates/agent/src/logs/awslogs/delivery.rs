//! A stream's delivery as its owner holds it: until the run ends, or the container.

use super::api::LogsApi;
use super::pump::{Finished, Pump, StreamTarget};
use crate::logs::Pipes;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

/// A stream being delivered.
#[derive(Debug)]
pub struct Delivery {
    stage: watch::Sender<Stage>,
    task: JoinHandle<Finished>,
}

/// What is wanted of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The container may write.
    Open,
    /// The run has ended, and another delivery of the stream follows: what the pipes hold is spooled.
    Parting,
    /// The container has ended: everything is delivered.
    Ended,
}

impl Stage {
    /// Nobody writes any more.
    pub fn is_over(self) -> bool {
        match self {
            Stage::Open => false,
            Stage::Parting | Stage::Ended => true,
        }
    }
}

impl Delivery {
    /// The container has ended: resolves when everything is delivered.
    pub async fn finish(self) -> Finished {
        let _ = self.stage.send(Stage::Ended);
        self.task.await.unwrap_or_default()
    }

    /// The run has ended: resolves when all that it wrote is spooled, for the next delivery of the
    /// stream. A batch under way is that one's to send again, the very same.
    pub async fn part(self) {
        let _ = self.stage.send(Stage::Parting);
        let _ = self.task.await;
    }
}

/// Starts the delivery. Without pipes only what is spooled is delivered.
pub fn start(api: Arc<dyn LogsApi>, target: StreamTarget, pipes: Option<Pipes>) -> Delivery {
    let (stage, wanted) = watch::channel(Stage::Open);
    let task = tokio::spawn(async move {
        match Pump::open(api, target.clone(), pipes) {
            Ok(mut pump) => pump.run(wanted).await,
            Err(error) => {
                warn!(stream = target.stream, %error, "a log stream cannot be spooled");
                Finished::default()
            }
        }
    });
    Delivery { stage, task }
}
