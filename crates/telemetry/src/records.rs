//! What is stored: log groups and log streams.

use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, LogStreamId, Table, TableDefinition, TableKey};

/// A log group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGroupRecord {
    /// Account and region.
    pub scope: Scope,
    /// Its name, e.g. `/ecs/web`.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Days that events are kept; for ever when absent.
    #[serde(default)]
    pub retention_days: Option<u32>,
    /// `STANDARD`, `INFREQUENT_ACCESS` or `DELIVERY`.
    pub class: String,
    /// Tags by key.
    #[serde(default)]
    pub tags: std::collections::BTreeMap<String, String>,
}

/// A log stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStreamRecord {
    /// Account and region.
    pub scope: Scope,
    /// Its group's name.
    pub group: String,
    /// Its own name, e.g. `web/app/0123…`.
    pub name: String,
    /// Names its events in the log store.
    pub id: [u8; 16],
    /// When it was made.
    pub created_at: Timestamp,
}

/// Key of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupKey<'a> {
    /// Account and region.
    pub scope: &'a Scope,
    /// The group's name.
    pub name: &'a str,
}

/// Key of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamKey<'a> {
    /// Account and region.
    pub scope: &'a Scope,
    /// The group's name.
    pub group: &'a str,
    /// The stream's name.
    pub name: &'a str,
}

impl TableKey for GroupKey<'_> {
    fn encode(&self) -> Key {
        Key::of(&[&self.scope.account, &self.scope.region, self.name])
    }
}

impl TableKey for StreamKey<'_> {
    fn encode(&self) -> Key {
        Key::of(&[
            &self.scope.account,
            &self.scope.region,
            self.group,
            self.name,
        ])
    }
}

/// All log groups.
pub static LOG_GROUPS: Table<Key, LogGroupRecord> = Table::new(
    "logs.groups",
    |group| {
        GroupKey {
            scope: &group.scope,
            name: &group.name,
        }
        .encode()
    },
    &[],
);

/// All log streams.
pub static LOG_STREAMS: Table<Key, LogStreamRecord> = Table::new(
    "logs.streams",
    |stream| {
        StreamKey {
            scope: &stream.scope,
            group: &stream.group,
            name: &stream.name,
        }
        .encode()
    },
    &[],
);

/// The tables of this crate.
#[must_use]
pub fn tables() -> Vec<&'static dyn TableDefinition> {
    let mut all: Vec<&'static dyn TableDefinition> = vec![&LOG_GROUPS, &LOG_STREAMS];
    all.extend(crate::alarms::records::tables());
    all
}

impl LogGroupRecord {
    /// `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`; older members add `:*`.
    #[must_use]
    pub fn arn(&self) -> String {
        self.scope
            .arn("logs", &format!("log-group:{}", self.name))
            .to_string()
    }
}

impl LogStreamRecord {
    /// `arn:aws:logs:REGION:ACCOUNT:log-group:GROUP:log-stream:NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        stream_arn(&self.scope, &self.group, &self.name)
    }

    /// The name of its events in the log store.
    #[must_use]
    pub fn log_stream_id(&self) -> LogStreamId {
        LogStreamId(self.id)
    }
}

/// The ARN of a stream, there or not.
#[must_use]
pub fn stream_arn(scope: &Scope, group: &str, stream: &str) -> String {
    scope
        .arn("logs", &format!("log-group:{group}:log-stream:{stream}"))
        .to_string()
}
