//! CloudWatch Logs for one stream, in the name of the task's execution role; of a task without one, of the host.
//!
//! Rule: developer guide, "Amazon ECS task execution IAM role": the agent sends container logs by it. An agent that has
//! just started is told the role's credentials soon: until then nobody is there to be asked. A role ends with its task,
//! whose last lines may come later: those are sent by the host, which may write them as long as the task is its own.

use super::awslogs::{ApiFailure, LogsApi, OutgoingEvent};
use crate::api::Api;
use crate::credentials::Credentials;
use async_trait::async_trait;
use aws_api::Operation;
use aws_api::agent::LOG_CURSOR_PREFIX;
use aws_api::logs::{
    CreateLogGroupRequest, CreateLogStreamRequest, InputLogEvent, PutLogEventsRequest, operations,
};
use aws_wire::client::CallError;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A role whose credentials have not come by then is no more.
const CREDENTIALS_PATIENCE: Duration = Duration::from_secs(60);
/// What a server says of credentials that are no more.
const OVER: [&str; 3] = [
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
];

/// The calls of one stream.
#[derive(Debug)]
pub struct SignedLogsApi {
    /// In the host's name.
    api: Api,
    credentials: Arc<Credentials>,
    /// The task's ARN.
    signer: Option<String>,
    began: Instant,
}

/// In whose name a call is made.
#[derive(Debug, PartialEq, Eq)]
enum Signer<C> {
    Host,
    Role(C),
    /// The role's credentials are on their way.
    Awaited,
}

/// `known`: the credentials of the task's role, where it has one.
fn signer<C>(known: Option<Option<C>>, waited: Duration) -> Signer<C> {
    match known {
        None => Signer::Host,
        Some(Some(credentials)) => Signer::Role(credentials),
        Some(None) if waited < CREDENTIALS_PATIENCE => Signer::Awaited,
        Some(None) => Signer::Host,
    }
}

impl SignedLogsApi {
    /// Of a task with this ARN that has an execution role; `None` of any other.
    #[must_use]
    pub fn new(api: Api, credentials: Arc<Credentials>, signer: Option<String>) -> Self {
        Self {
            api,
            credentials,
            signer,
            began: Instant::now(),
        }
    }

    async fn call<O: Operation>(&self, region: &str, input: &O::Input) -> Result<(), ApiFailure> {
        let known = self.signer.as_ref();
        let known = known.map(|arn| self.credentials.execution(arn));
        let called = match signer(known, self.began.elapsed()) {
            Signer::Host => self.api.call_in::<O>(region, input).await,
            Signer::Role(credentials) => {
                let api = self.api.signing_with(credentials);
                match api.call_in::<O>(region, input).await {
                    Err(error) if OVER.contains(&error.code.as_str()) => {
                        self.api.call_in::<O>(region, input).await
                    }
                    other => other,
                }
            }
            Signer::Awaited => {
                return Err(ApiFailure {
                    code: String::new(),
                    message: "the credentials of the execution role have not come yet".into(),
                });
            }
        };
        called.map(drop).map_err(failure)
    }
}

fn failure(error: CallError) -> ApiFailure {
    ApiFailure {
        code: error.code,
        message: error.message,
    }
}

#[async_trait]
impl LogsApi for SignedLogsApi {
    async fn create_log_group(&self, region: &str, group: &str) -> Result<(), ApiFailure> {
        let input = CreateLogGroupRequest {
            log_group_name: Some(group.into()),
            ..Default::default()
        };
        self.call::<operations::CreateLogGroup>(region, &input)
            .await
    }

    async fn create_log_stream(
        &self,
        region: &str,
        group: &str,
        stream: &str,
    ) -> Result<(), ApiFailure> {
        let input = CreateLogStreamRequest {
            log_group_name: Some(group.into()),
            log_stream_name: Some(stream.into()),
        };
        self.call::<operations::CreateLogStream>(region, &input)
            .await
    }

    async fn put_log_events(
        &self,
        region: &str,
        group: &str,
        stream: &str,
        events: &[OutgoingEvent],
        cursor: u64,
    ) -> Result<(), ApiFailure> {
        let events = events.iter().map(|event| InputLogEvent {
            timestamp: Some(event.timestamp_ms),
            message: Some(event.message.clone()),
        });
        let input = PutLogEventsRequest {
            log_group_name: Some(group.into()),
            log_stream_name: Some(stream.into()),
            log_events: Some(events.collect()),
            sequence_token: Some(format!("{LOG_CURSOR_PREFIX}{cursor}")),
            ..Default::default()
        };
        self.call::<operations::PutLogEvents>(region, &input).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_signs_once_its_credentials_are_there_and_the_host_where_there_is_none() {
        let (soon, late) = (Duration::from_secs(1), CREDENTIALS_PATIENCE);
        for (known, waited, expected) in [
            (None, soon, Signer::Host),
            (Some(Some("role")), soon, Signer::Role("role")),
            (Some(Some("role")), late, Signer::Role("role")),
            (Some(None), soon, Signer::Awaited),
            (Some(None), late, Signer::Host),
        ] {
            assert_eq!(signer(known, waited), expected, "{known:?} {waited:?}");
        }
    }
}
