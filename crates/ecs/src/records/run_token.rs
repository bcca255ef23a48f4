//! Client tokens of RunTask and StartTask, so that a repeated call gets the tasks of the first.

use crate::records::task::{TaskId, named_parts};
use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Index, Key, Table, TableKey};

/// What a `clientToken` was used for, so that a repeat gets the same tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The cluster and the token.
    pub key: TokenKey,
    /// A digest of the call's parameters.
    pub fingerprint: String,
    /// The tasks that the call started.
    pub tasks: Vec<TaskId>,
    /// When it was used.
    pub used_at: Timestamp,
}

/// A token within its cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// The name of the call's cluster.
    pub cluster: String,
    /// The token.
    pub token: String,
}

impl TableKey for TokenKey {
    fn encode(&self) -> Key {
        named_parts(&self.scope, &self.cluster, &self.token)
    }
}

/// By the moment of use, for removal.
pub static TOKENS_BY_USE: Index<TokenRecord> = Index {
    name: "by_use",
    keys: |token| {
        let at = u64::try_from(token.used_at.millis()).unwrap_or(0);
        vec![Key::build().number(at).finish()]
    },
};

/// All remembered client tokens of RunTask and StartTask.
pub static RUN_TOKENS: Table<TokenKey, TokenRecord> = Table::new(
    "ecs.run_tokens",
    |token| token.key.clone(),
    &[&TOKENS_BY_USE],
);
