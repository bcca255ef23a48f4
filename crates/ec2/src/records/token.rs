//! Client tokens of requests that made something.

use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Index, Key, Table, TableKey};

/// A token, of requests that make one kind of thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TokenKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// The kind: what its ids begin with, where it has ids of its own.
    pub kind: String,
    /// `ClientToken`.
    pub token: String,
}

impl TableKey for TokenKey {
    fn encode(&self) -> Key {
        let (account, region) = (&self.scope.account, &self.scope.region);
        Key::of(&[account, region, &self.kind, &self.token])
    }
}

/// What a token was used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The token.
    pub key: TokenKey,
    /// The digest of what the request asked for, in hexadecimal.
    pub fingerprint: String,
    /// The id of what it made.
    pub made: String,
    /// When.
    pub used_at: Timestamp,
}

/// By when they were used, oldest first.
pub static BY_USE: Index<TokenRecord> = Index {
    name: "by_use",
    keys: |token| {
        let millis = u64::try_from(token.used_at.millis()).unwrap_or_default();
        vec![Key::build().number(millis).finish()]
    },
};

/// All tokens that are remembered.
pub static TOKENS: Table<TokenKey, TokenRecord> = Table::new(
    "ec2.client_tokens",
    |token: &TokenRecord| token.key.clone(),
    &[&BY_USE],
);
