//! What may be removed from the log store: events past their group's retention, and events of
//! streams that no record names any more.
//!
//! Pure: a controller asks, and removes in bounded steps.

use crate::records::{GroupKey, LOG_GROUPS, LOG_STREAMS};
use aws_types::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;
use store::{LogStreamId, TableKey, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// One thing to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// A stream's events before a moment.
    Before(LogStreamId, Timestamp),
    /// A stream with all its events.
    Stream(LogStreamId),
}

/// What to remove, given the streams that the log store knows.
#[must_use]
pub fn plan(world: &World, stored: &[LogStreamId], now: Timestamp) -> Vec<Removal> {
    let mut removals = Vec::new();
    let mut named = BTreeSet::new();
    for stream in world.scan(&LOG_STREAMS) {
        named.insert(stream.log_stream_id());
        let group = GroupKey {
            scope: &stream.scope,
            name: &stream.group,
        }
        .encode();
        let days = world
            .get(&LOG_GROUPS, &group)
            .and_then(|group| group.retention_days);
        if let Some(days) = days {
            removals.push(Removal::Before(
                stream.log_stream_id(),
                now.minus(DAY * days),
            ));
        }
    }
    let unnamed = stored.iter().filter(|id| !named.contains(id));
    removals.extend(unnamed.copied().map(Removal::Stream));
    removals
}
