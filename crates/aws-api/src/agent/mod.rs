//! The frames between the control plane and a host's agent: ACS (what to run) and TCS (how it
//! fares), by the names of the public Amazon ECS agent.
//!
//! What always holds: every member is optional, an unknown member is skipped, null is absent, and
//! an unknown type of frame is [`AcsMessage::Unknown`], never an error.
//! Facts: the public agent's protocol (agent-protocol.md sections 2 and 3).

mod acs;
mod docker;
mod envelope;
pub mod host_sync;
mod task;
mod tcs;

pub use acs::*;
pub use docker::*;
pub use envelope::{AcsMessage, FrameError, TcsMessage};
pub use task::*;
pub use tcs::*;

/// What stands before a batch's cursor in PutLogEvents' `sequenceToken`, which AWS accepts and
/// ignores. Honoured from a host's key only (docs/decisions/0003).
pub const LOG_CURSOR_PREFIX: &str = "longshore-cursor-";

/// `frame! { /// doc; Name { /// doc; member: Type, … } }`: a struct whose members are all optional
/// and written in camel case, absent ones not at all.
macro_rules! frame {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$member_doc:meta])* $member:ident: $type:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
            #[serde(default, rename_all = "camelCase")]
            pub struct $name {
                $(
                    $(#[$member_doc])*
                    #[serde(skip_serializing_if = "Option::is_none")]
                    pub $member: Option<$type>,
                )*
            }
        )*
    };
}
use frame;

/// Serde form of TCS's moments: epoch seconds with a fraction.
mod epoch_seconds {
    use aws_types::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(moment) => serializer.serialize_f64(moment.seconds_f64()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        Ok(seconds.map(Timestamp::from_seconds_f64))
    }
}

#[cfg(test)]
mod tests;
