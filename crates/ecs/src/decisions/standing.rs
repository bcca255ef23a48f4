//! What made an instance take tasks, or no more.

use crate::records::container_instance::InstanceId;
use aws_types::{Decision, Timestamp};
use serde_json::{Value, json};

/// An instance takes tasks from now on, or no more.
#[derive(Clone, Debug)]
pub struct StandingChanged {
    /// The instance.
    pub instance: InstanceId,
    /// What it is now.
    pub standing: Standing,
}

/// What an instance became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It takes tasks again.
    Active,
    /// It takes no new task.
    Draining,
    /// It is registered no more.
    Deregistered,
    /// Its agent was away too long, since this moment: its tasks count as stopped.
    Lost(Timestamp),
}

impl Standing {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Deregistered => "INACTIVE",
            Self::Lost(_) => "LOST",
        }
    }
}

impl Decision for StandingChanged {
    fn concerns(&self, id: &str) -> bool {
        self.instance.0 == id
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.instance.0.len()
    }

    fn facts(&self) -> Value {
        let away_since = match self.standing {
            Standing::Lost(since) => Some(since.iso8601()),
            Standing::Active | Standing::Draining | Standing::Deregistered => None,
        };
        json!({
            "kind": "standing", "instance": self.instance.0, "standing": self.standing.name(),
            "away_since": away_since,
        })
    }
}
