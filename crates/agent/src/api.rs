//! Calls of the control plane, signed with the host's key, over kept connections.

use crate::config::AgentConfig;
use crate::server::{Connector, Server};
use aws_api::Operation;
use aws_types::Timestamp;
use aws_wire::client::{self, CallError};
use aws_wire::sigv4::Credentials;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A call without an answer by then has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The control plane as this host reaches it.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client<Connector, Full<Bytes>>,
    server: Server,
    credentials: Credentials,
    region: String,
}

/// The present moment.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl Api {
    /// A client for this configuration's server.
    pub fn new(config: &AgentConfig) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build(config.server.connector()),
            server: config.server.clone(),
            credentials: config.credentials.clone(),
            region: config.region.clone(),
        }
    }

    /// The same control plane, asked in another's name.
    pub fn signing_with(&self, credentials: Credentials) -> Self {
        Self {
            credentials,
            ..self.clone()
        }
    }

    /// Calls an operation once, in the host's region.
    pub async fn call<O: Operation>(&self, input: &O::Input) -> Result<O::Output, CallError> {
        self.call_in::<O>(&self.region, input).await
    }

    /// Calls an operation once.
    pub async fn call_in<O: Operation>(
        &self,
        region: &str,
        input: &O::Input,
    ) -> Result<O::Output, CallError> {
        let failed = |error: String| CallError {
            status: 0,
            code: String::new(),
            message: error,
        };
        let authority = self.server.authority();
        let signed = client::request::<O>(input, authority, &self.credentials, region, now());
        let mut request = hyper::Request::builder().method(signed.method).uri(format!(
            "{}{}",
            self.server.url(),
            signed.target
        ));
        for (name, value) in &signed.headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(signed.body)))
            .map_err(|error| failed(error.to_string()))?;
        let answered = tokio::time::timeout(PATIENCE, async {
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|error| failed(error.to_string()))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| failed(error.to_string()))?;
            Ok((status, body.to_bytes()))
        });
        let (status, body) = answered
            .await
            .map_err(|_| failed("no answer in time".into()))??;
        client::answer::<O>(status, &body)
    }
}
