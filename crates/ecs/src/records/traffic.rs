//! How far load balancers are with a task.

use serde::{Deserialize, Serialize};

/// What a task is to the load balancers of its service, in order of its life; in all its target groups together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Traffic {
    /// To be registered once its containers run.
    Joining,
    /// Registered; not yet known to be well.
    Initial,
    /// Gets requests.
    Healthy,
    /// Fails the checks of a target group.
    Unhealthy,
    /// Asked to stop: deregistered, and the requests under way end. Its host is not told before that.
    Leaving,
    /// No longer a target.
    Left,
}

impl Traffic {
    /// Whether a target group has it.
    #[must_use]
    pub fn is_registered(self) -> bool {
        match self {
            Self::Initial | Self::Healthy | Self::Unhealthy => true,
            Self::Joining | Self::Leaving | Self::Left => false,
        }
    }
}
