//! What was decided, and why, as data.

use std::fmt;

/// A decision with its reasons: plain values, which are told in words only when somebody asks.
/// A service hands it over through [`Ctx::decided`](crate::Ctx::decided).
pub trait Decision: fmt::Debug + Send + Sync + 'static {
    /// Whether it is about the thing of this id (a task's, a container instance's).
    fn concerns(&self, id: &str) -> bool;
    /// About how many bytes it holds.
    fn bytes(&self) -> usize;
    /// The values, with `kind` saying which they are.
    fn facts(&self) -> serde_json::Value;
}
