//! Every driver behind one [`LogSink`]: `awslogs` over the control plane's API, the rest local.

use super::awslogs::{self, AwslogsOptions, Delivery, Mode, StreamTarget};
use super::signed::SignedLogsApi;
use super::{LocalLogs, LogSink, LogStreamSpec, Pipes, not_initialized};
use crate::api::Api;
use crate::credentials::Credentials;
use async_trait::async_trait;
use runtime::record::{SPILL_STDERR_FILE, SPILL_STDOUT_FILE};
use runtime::spec::StreamMode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::warn;

const AWSLOGS: &str = "awslogs";

/// All drivers.
#[derive(Debug)]
pub struct AllLogs {
    api: Api,
    credentials: Arc<Credentials>,
    local: LocalLogs,
    /// `std` mutex: held for a look-up, never across an await.
    streams: Mutex<HashMap<String, Delivery>>,
}

impl AllLogs {
    /// Drivers that deliver over this API, by the roles of tasks where they have one.
    pub fn new(api: Api, credentials: Arc<Credentials>) -> Self {
        Self {
            api,
            credentials,
            local: LocalLogs::default(),
            streams: Mutex::default(),
        }
    }
}

impl AllLogs {
    fn api(&self, spec: &LogStreamSpec) -> SignedLogsApi {
        let signer = spec.signer.clone();
        SignedLogsApi::new(self.api.clone(), self.credentials.clone(), signer)
    }

    fn take(&self, runtime_id: &str) -> Option<Delivery> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.remove(runtime_id)
    }
}

impl LogStreamSpec {
    /// How the stream behaves while no agent reads it.
    pub fn stream_mode(&self) -> StreamMode {
        let options = (self.driver == AWSLOGS)
            .then(|| AwslogsOptions::parse(&self.options).ok())
            .flatten();
        match options.map(|options| options.mode) {
            Some(Mode::NonBlocking { buffer_bytes }) => StreamMode::NonBlocking {
                spill_bytes: buffer_bytes,
            },
            Some(Mode::Blocking) | None => StreamMode::Blocking,
        }
    }

    /// The stream's name; without one of the definition, the runtime id, as Docker does.
    fn stream_name(&self, options: &AwslogsOptions) -> String {
        options
            .stream
            .clone()
            .unwrap_or_else(|| self.runtime_id.clone())
    }
}

#[async_trait]
impl LogSink for AllLogs {
    fn check(&self, spec: &LogStreamSpec) -> Result<(), String> {
        if spec.driver == AWSLOGS {
            return AwslogsOptions::check(&spec.options);
        }
        self.local.check(spec)
    }

    async fn prepare(&self, spec: &LogStreamSpec) -> Result<(), String> {
        if spec.driver != AWSLOGS {
            return self.local.prepare(spec).await;
        }
        self.check(spec)?;
        let options = AwslogsOptions::parse(&spec.options).map_err(not_initialized)?;
        awslogs::prepare(&self.api(spec), &options, &spec.stream_name(&options)).await
    }

    fn attach(&self, spec: LogStreamSpec, pipes: Option<Pipes>) {
        if spec.driver != AWSLOGS {
            return self.local.attach(spec, pipes);
        }
        let options = match AwslogsOptions::parse(&spec.options) {
            Ok(options) => options,
            Err(error) => {
                warn!(
                    container = spec.container,
                    error, "a container's log options cannot be read"
                );
                return;
            }
        };
        let api = Arc::new(self.api(&spec));
        let target = StreamTarget {
            dir: spec.task_dir.join("logs").join(&spec.container),
            spills: [
                spec.container_dir.join(SPILL_STDOUT_FILE),
                spec.container_dir.join(SPILL_STDERR_FILE),
            ],
            stream: spec.stream_name(&options),
            options,
        };
        let delivery = awslogs::start(api, target, pipes);
        self.streams
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(spec.runtime_id, delivery);
    }

    async fn detach(&self, runtime_id: &str) {
        match self.take(runtime_id) {
            Some(delivery) => delivery.part().await,
            None => self.local.detach(runtime_id).await,
        }
    }

    async fn finish(&self, runtime_id: &str) {
        match self.take(runtime_id) {
            Some(delivery) => {
                delivery.finish().await;
            }
            None => self.local.finish(runtime_id).await,
        }
    }
}
