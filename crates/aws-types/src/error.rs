//! The error that travels: AWS's code and wording for the caller, a detail for the log alone.
//!
//! Pure code builds it beside the rule it states, `control` alone logs it, `aws-wire` alone
//! encodes it, each protocol in its own way.

use std::fmt;

/// Whose fault an error is; the query protocols say so in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller's.
    Sender,
    /// Ours.
    Receiver,
}

/// One of AWS's error codes. Those of a service's model are generated (`aws_api::SERVICE::errors`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The name that clients match on, e.g. `ClusterNotFoundException`.
    pub name: &'static str,
    /// HTTP status of the answer.
    pub status: u16,
    /// Whose fault it is.
    pub fault: Fault,
}

impl ErrorCode {
    /// A code for the caller's fault.
    #[must_use]
    pub const fn sender(name: &'static str, status: u16) -> Self {
        Self {
            name,
            status,
            fault: Fault::Sender,
        }
    }

    /// A code for our own fault.
    #[must_use]
    pub const fn receiver(name: &'static str, status: u16) -> Self {
        Self {
            name,
            status,
            fault: Fault::Receiver,
        }
    }

    /// An error of this code with AWS's wording.
    #[must_use]
    pub fn with(self, message: impl Into<String>) -> AwsError {
        AwsError::new(self, message)
    }
}

/// Codes that belong to no single service's model.
pub mod codes {
    use super::ErrorCode;

    /// The caller may not do this.
    pub const ACCESS_DENIED: ErrorCode = ErrorCode::sender("AccessDeniedException", 400);
    /// Overload; SDKs retry it with backoff.
    pub const THROTTLING: ErrorCode = ErrorCode::sender("ThrottlingException", 400);
    /// The body could not be read as the operation's input.
    pub const SERIALIZATION: ErrorCode = ErrorCode::sender("SerializationException", 400);
    /// The operation is not one of the service, or not served.
    pub const UNKNOWN_OPERATION: ErrorCode = ErrorCode::sender("UnknownOperationException", 400);
    /// Something failed on our side; SDKs retry it.
    pub const INTERNAL_FAILURE: ErrorCode = ErrorCode::receiver("InternalFailure", 500);
    /// We cannot serve now; SDKs retry it.
    pub const SERVICE_UNAVAILABLE: ErrorCode = ErrorCode::receiver("ServiceUnavailable", 503);
}

/// A refusal or failure, boxed so that `Result`s stay small.
#[derive(Clone)]
pub struct AwsError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    code: ErrorCode,
    message: String,
    detail: Option<String>,
    members: Vec<(&'static str, Vec<String>)>,
}

impl AwsError {
    /// An error with AWS's code and AWS's wording.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            detail: None,
            members: Vec::new(),
        }))
    }

    /// The same error with words for the log; the caller never sees them.
    #[must_use]
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.0.detail = Some(detail.to_string());
        self
    }

    /// The same error with one more list member of its shape, e.g. `resourceIds` of
    /// `ConflictException`.
    #[must_use]
    pub fn list_member(mut self, name: &'static str, values: Vec<String>) -> Self {
        self.0.members.push((name, values));
        self
    }

    /// AWS's code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The wording for the caller.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The words for the log.
    #[must_use]
    pub fn log_detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Further list members of the error's shape.
    #[must_use]
    pub fn list_members(&self) -> &[(&'static str, Vec<String>)] {
        &self.0.members
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.name, self.0.message)
    }
}

impl fmt::Debug for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for AwsError {}
