//! What IAM stores.

use aws_types::{Principal, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use store::{Key, Table, TableDefinition};

/// An access key. Its secret is kept as it is: SigV4 needs it to sign again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA` and 16 characters.
    pub access_key_id: String,
    /// 40 characters.
    pub secret: String,
    /// Who signs with it.
    pub principal: Principal,
    /// The account it belongs to.
    pub account: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The token that must come with temporary credentials.
    #[serde(default)]
    pub session_token: Option<String>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secret and token stay out of logs.
        f.debug_struct("AccessKey")
            .field("access_key_id", &self.access_key_id)
            .field("principal", &self.principal)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Access keys by their id.
pub static ACCESS_KEYS: Table<Key, AccessKey> = Table::new(
    "iam.access_keys",
    |key| access_key_key(&key.access_key_id),
    &[],
);

/// The key of an access key's row.
#[must_use]
pub fn access_key_key(access_key_id: &str) -> Key {
    Key::of(&[access_key_id])
}

/// A one-time token with which a new host joins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JoinToken {
    /// Its public half.
    pub id: String,
    /// SHA-256 of its secret half.
    pub secret_hash: Vec<u8>,
    /// Afterwards it is good for nothing.
    pub expires_at: Timestamp,
    /// Which host used it.
    #[serde(default)]
    pub spent: Option<Spent>,
}

/// The one use of a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Spent {
    /// SHA-256 of the host's nonce.
    pub nonce_hash: Vec<u8>,
    /// The key that it got.
    pub access_key_id: String,
}

/// Join tokens by their id, until they expire.
pub static JOIN_TOKENS: Table<Key, JoinToken> =
    Table::new("iam.join_tokens", |token| Key::of(&[&token.id]), &[]);

/// Every table of this service.
#[must_use]
pub fn tables() -> Vec<&'static dyn TableDefinition> {
    vec![&ACCESS_KEYS, &JOIN_TOKENS]
}
