//! `{"type": …, "message": …}`: every frame's outside.

use super::{acs, tcs};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The text was no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameError(String);

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a frame: {}", self.0)
    }
}

impl std::error::Error for FrameError {}

impl From<serde_json::Error> for FrameError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    r#type: &'a str,
    message: &'a T,
}

#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

#[derive(Deserialize)]
struct Incoming<T> {
    message: Option<T>,
}

/// An enum of frames with both directions of its envelope.
macro_rules! envelope {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident($type:ty) = $wire:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant($type),)*
            /// A type that this version does not know: to be dropped.
            Unknown(String),
        }

        impl $name {
            /// The frame's type on the wire.
            #[must_use]
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $wire,)*
                    Self::Unknown(kind) => kind,
                }
            }

            /// The frame's text. An unknown one has no message.
            pub fn to_text(&self) -> Result<String, FrameError> {
                let r#type = self.kind();
                Ok(match self {
                    $(Self::$variant(message) => {
                        serde_json::to_string(&Outgoing { r#type, message })?
                    })*
                    Self::Unknown(_) => serde_json::to_string(&Outgoing { r#type, message: &() })?,
                })
            }

            fn from_json(text: &str) -> Result<Self, FrameError> {
                let kind: Kind = serde_json::from_str(text)?;
                Ok(match kind.r#type.as_str() {
                    $($wire => {
                        let frame: Incoming<$type> = serde_json::from_str(text)?;
                        Self::$variant(frame.message.unwrap_or_default())
                    })*
                    _ => Self::Unknown(kind.r#type),
                })
            }
        }
    };
}

envelope! {
    /// A frame of ACS.
    AcsMessage {
        /// Server to agent.
        Heartbeat(acs::HeartbeatMessage) = "HeartbeatMessage",
        /// Agent to server.
        HeartbeatAck(acs::HeartbeatAckRequest) = "HeartbeatAckRequest",
        /// Server to agent.
        Payload(acs::PayloadMessage) = "PayloadMessage",
        /// Agent to server.
        Ack(acs::AckRequest) = "AckRequest",
        /// Agent to server.
        Nack(acs::NackRequest) = "NackRequest",
        /// Server to agent.
        TaskManifest(acs::TaskManifestMessage) = "TaskManifestMessage",
        /// Agent to server.
        TaskStopVerification(acs::TaskStopVerificationMessage) = "TaskStopVerificationMessage",
        /// Server to agent.
        TaskStopVerificationAck(acs::TaskStopVerificationAck) = "TaskStopVerificationAck",
        /// Server to agent.
        Credentials(acs::IamRoleCredentialsMessage) = "IAMRoleCredentialsMessage",
        /// Agent to server.
        CredentialsAck(acs::IamRoleCredentialsAckRequest) = "IAMRoleCredentialsAckRequest",
        /// Server to agent: the session ends.
        Close(acs::TextMessage) = "CloseMessage",
        /// Server to agent.
        Error(acs::TextMessage) = "ErrorMessage",
        /// Server to agent.
        ServerException(acs::TextMessage) = "ServerException",
        /// Server to agent.
        BadRequest(acs::TextMessage) = "BadRequestException",
        /// Server to agent.
        InvalidCluster(acs::TextMessage) = "InvalidClusterException",
        /// Server to agent.
        InvalidInstance(acs::TextMessage) = "InvalidInstanceException",
        /// Server to agent.
        AccessDenied(acs::TextMessage) = "AccessDeniedException",
        /// Server to agent: the instance was deregistered.
        InactiveInstance(acs::TextMessage) = "InactiveInstanceException",
    }
}

envelope! {
    /// A frame of TCS.
    TcsMessage {
        /// Agent to server.
        PublishMetrics(tcs::PublishMetricsRequest) = "PublishMetricsRequest",
        /// Agent to server.
        PublishHealth(tcs::PublishHealthRequest) = "PublishHealthRequest",
        /// Agent to server.
        PublishInstanceStatus(tcs::PublishInstanceStatusRequest) = "PublishInstanceStatusRequest",
        /// Server to agent.
        AckPublishMetric(tcs::AckPublishMetric) = "AckPublishMetric",
        /// Server to agent.
        AckPublishHealth(tcs::AckPublishHealth) = "AckPublishHealth",
        /// Server to agent.
        AckPublishInstanceStatus(tcs::AckPublishInstanceStatus) = "AckPublishInstanceStatus",
        /// Server to agent.
        Heartbeat(acs::HeartbeatMessage) = "HeartbeatMessage",
        /// Server to agent: the session ends.
        StopTelemetrySession(acs::TextMessage) = "StopTelemetrySessionMessage",
    }
}

impl AcsMessage {
    /// Reads a frame's text.
    pub fn from_text(text: &str) -> Result<Self, FrameError> {
        Self::from_json(text)
    }
}

impl TcsMessage {
    /// Reads a frame's text. The public agent puts signed headers and an empty line before the
    /// JSON; our own sends the JSON alone. Both are read.
    pub fn from_text(text: &str) -> Result<Self, FrameError> {
        let json = text.split_once("\r\n\r\n").map_or(text, |(_, json)| json);
        Self::from_json(if text.starts_with('{') { text } else { json })
    }
}
