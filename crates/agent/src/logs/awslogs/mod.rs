//! The `awslogs` driver: a container's output to a stream of CloudWatch Logs.
//!
//! ```text
//! pipe ──splice──► spool segments ──read──► lines ─► events ─► batch ──PutLogEvents──► server
//!                  (task's directory)                  │ written down before it is sent
//!                                                      ▼
//!                                                   progress file (acknowledged, pending)
//! ```
//! What always holds: a byte is in the pipe or in the spool, never only in our memory, so that a
//! killed agent loses none; a batch's ends are on disk before it is sent, so that the next agent
//! sends the very same batch under the same cursor, and the server drops the repeat. In mode
//! `blocking` a full spool leaves bytes in the pipe, which is the backpressure; in mode
//! `non-blocking` it drops them, counted.
//! Rule: ECS developer guide, "awslogs log driver"; Docker's documentation of the driver's options.

mod api;
mod datetime;
mod delivery;
mod events;
mod options;
mod progress;
mod pump;
mod source;
mod spool;

pub use api::{ApiFailure, LogsApi, OutgoingEvent};
pub use delivery::{Delivery, start};
pub use options::{AwslogsOptions, Mode};
pub use pump::StreamTarget;

use super::not_initialized;
use std::io;
use std::time::Duration;

/// Makes the group (where asked to) and the stream. A server that does not answer is asked again: a
/// container does not fail because the server starts anew.
///
/// # Errors
/// The text that stands in the container's reason, as Docker words it.
pub async fn prepare(
    api: &dyn LogsApi,
    options: &AwslogsOptions,
    stream: &str,
) -> Result<(), String> {
    let failed = |what: &str, failure: ApiFailure| {
        not_initialized(format!("failed to create Cloudwatch log {what}: {failure}"))
    };
    let make_stream =
        || answered(|| api.create_log_stream(&options.region, &options.group, stream));
    match make_stream().await {
        Err(failure) if failure.code == NOT_FOUND && options.create_group => {}
        outcome => return there(outcome).map_err(|failure| failed("stream", failure)),
    }
    let group = answered(|| api.create_log_group(&options.region, &options.group)).await;
    there(group).map_err(|failure| failed("group", failure))?;
    there(make_stream().await).map_err(|failure| failed("stream", failure))
}

const NOT_FOUND: &str = "ResourceNotFoundException";
const EXISTS: &str = "ResourceAlreadyExistsException";
/// Waits between tries of a call that nobody answered, and how often it is tried: about a minute.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
const TRIES: usize = 35;

/// What is there already is as good as made.
fn there(outcome: Result<(), ApiFailure>) -> Result<(), ApiFailure> {
    match outcome {
        Err(failure) if failure.code == EXISTS => Ok(()),
        other => other,
    }
}

/// Calls until somebody answers.
async fn answered<F>(call: impl Fn() -> F) -> Result<(), ApiFailure>
where
    F: Future<Output = Result<(), ApiFailure>>,
{
    let mut wait = RETRY.0;
    for _ in 1..TRIES {
        match call().await {
            Err(failure) if failure.is_absence() => {}
            answer => return answer,
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY.1);
    }
    call().await
}

/// An I/O error with the path it is about.
fn at(path: &std::path::Path, error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
