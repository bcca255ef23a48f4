//! Who or what ended a task.

use crate::records::task::TaskId;
use crate::task::stop_reason::StopReason;
use aws_types::Decision;
use serde_json::{Value, json};

/// Somebody asked a task to stop.
#[derive(Clone, Debug)]
pub struct StopAsked {
    /// The task.
    pub task: TaskId,
    /// With what reason.
    pub reason: StopReason,
    /// Whether this call was the one: a task that is to stop already keeps its reason.
    pub is_first: bool,
}

impl Decision for StopAsked {
    fn concerns(&self, id: &str) -> bool {
        self.task.0 == id
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.task.0.len() + self.reason.text.len()
    }

    fn facts(&self) -> Value {
        json!({
            "kind": "stop-asked", "task": self.task.0, "code": self.reason.code.name(),
            "reason": self.reason.text, "is_first": self.is_first,
        })
    }
}

/// A task's host said that it is over.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// The task.
    pub task: TaskId,
    /// What that counts as.
    pub reason: StopReason,
}

impl Decision for Stopped {
    fn concerns(&self, id: &str) -> bool {
        self.task.0 == id
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.task.0.len() + self.reason.text.len()
    }

    fn facts(&self) -> Value {
        json!({
            "kind": "stopped", "task": self.task.0, "code": self.reason.code.name(),
            "reason": self.reason.text,
        })
    }
}
