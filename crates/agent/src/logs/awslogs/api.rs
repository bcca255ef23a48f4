//! What the driver needs of CloudWatch Logs.

use std::fmt;

/// An event to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingEvent {
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Its text.
    pub message: String,
}

/// A call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiFailure {
    /// The service's error code; empty where no answer came.
    pub code: String,
    /// Its words.
    pub message: String,
}

impl ApiFailure {
    /// Whether nobody was there to judge the call.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(
            self.code.as_str(),
            "" | "ServiceUnavailable" | "ServiceUnavailableException" | "ThrottlingException"
        )
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        // A refused batch would be refused again; anything else is tried until it goes through.
        !matches!(
            self.code.as_str(),
            "InvalidParameterException" | "ValidationException" | "SerializationException"
        )
    }
}

impl fmt::Display for ApiFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.code, self.message)
        }
    }
}

/// The calls, each tried once.
#[async_trait::async_trait]
pub trait LogsApi: Send + Sync + fmt::Debug {
    /// CreateLogGroup.
    async fn create_log_group(&self, region: &str, group: &str) -> Result<(), ApiFailure>;
    /// CreateLogStream.
    async fn create_log_stream(
        &self,
        region: &str,
        group: &str,
        stream: &str,
    ) -> Result<(), ApiFailure>;
    /// PutLogEvents with a cursor: a batch whose cursor the stream has already is dropped there.
    async fn put_log_events(
        &self,
        region: &str,
        group: &str,
        stream: &str,
        events: &[OutgoingEvent],
        cursor: u64,
    ) -> Result<(), ApiFailure>;
}
