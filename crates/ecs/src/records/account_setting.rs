//! Account settings: what a principal set; what nobody set is not stored.
//!
//! The root user's row is the account's default.

use aws_types::Scope;
use serde::{Deserialize, Serialize};
use store::{Key, Table, TableKey};

/// Account, region, principal, name of the setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountSettingKey(Key);

impl AccountSettingKey {
    /// The key of what the principal of this ARN set for `name`.
    #[must_use]
    pub fn new(scope: &Scope, principal_arn: &str, name: &str) -> Self {
        let parts = [&scope.account, &scope.region, principal_arn, name];
        Self(Key::of(&parts))
    }
}

impl TableKey for AccountSettingKey {
    fn encode(&self) -> Key {
        self.0.clone()
    }
}

/// One setting of one principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSettingRecord {
    /// Partition, account and region: settings hold for one region.
    pub scope: Scope,
    /// The ARN of a user, a role or the root user.
    pub principal_arn: String,
    /// For example `containerInsights`.
    pub name: String,
    /// One of the values that the setting knows.
    pub value: String,
}

/// All settings that somebody made.
pub static ACCOUNT_SETTINGS: Table<AccountSettingKey, AccountSettingRecord> = Table::new(
    "ecs.account_settings",
    |setting| AccountSettingKey::new(&setting.scope, &setting.principal_arn, &setting.name),
    &[],
);
