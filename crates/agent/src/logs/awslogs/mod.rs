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
mod events;
mod options;
mod progress;
mod pump;
mod source;
mod spool;

pub use api::{ApiFailure, LogsApi, OutgoingEvent};
pub use options::{AwslogsOptions, Mode};
pub use pump::{Delivery, StreamTarget, start};

use std::io;

/// Makes the group (where asked to) and the stream.
///
/// # Errors
/// The text that stands in the container's reason, as Docker words it.
pub async fn prepare(
    api: &dyn LogsApi,
    options: &AwslogsOptions,
    stream: &str,
) -> Result<(), String> {
    let failed = |failure: ApiFailure| {
        format!(
            "failed to initialize logging driver: failed to create Cloudwatch log stream: {failure}"
        )
    };
    match api
        .create_log_stream(&options.region, &options.group, stream)
        .await
    {
        Ok(()) => Ok(()),
        Err(failure) if failure.code == "ResourceAlreadyExistsException" => Ok(()),
        Err(failure) if failure.code == "ResourceNotFoundException" && options.create_group => {
            match api.create_log_group(&options.region, &options.group).await {
                Err(failure) if failure.code != "ResourceAlreadyExistsException" => {
                    return Err(format!(
                        "failed to initialize logging driver: failed to create Cloudwatch log group: {failure}"
                    ));
                }
                _ => {}
            }
            match api
                .create_log_stream(&options.region, &options.group, stream)
                .await
            {
                Err(failure) if failure.code != "ResourceAlreadyExistsException" => {
                    Err(failed(failure))
                }
                _ => Ok(()),
            }
        }
        Err(failure) => Err(failed(failure)),
    }
}

/// An I/O error with the path it is about.
fn at(path: &std::path::Path, error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
