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

/// Every table of this service.
#[must_use]
pub fn tables() -> Vec<&'static dyn TableDefinition> {
    vec![&ACCESS_KEYS]
}
