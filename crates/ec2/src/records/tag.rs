//! Tags, each a row beside what it tags.

use super::{ResourceKey, within};
use aws_types::Scope;
use serde::{Deserialize, Serialize};
use store::{Key, Table, TableKey};

/// A tag of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagKey {
    /// Whose it is.
    pub resource: ResourceKey,
    /// Its key.
    pub key: String,
}

impl TableKey for TagKey {
    fn encode(&self) -> Key {
        let Scope {
            account, region, ..
        } = &self.resource.scope;
        Key::of(&[account, region, &self.resource.id, &self.key])
    }
}

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRecord {
    /// Whose, and its key.
    pub key: TagKey,
    /// Its value.
    pub value: String,
}

/// All tags.
pub static TAGS: Table<TagKey, TagRecord> =
    Table::new("ec2.tags", |tag: &TagRecord| tag.key.clone(), &[]);

/// What the keys of a resource's tags begin with.
#[must_use]
pub fn of_resource(resource: &ResourceKey) -> Key {
    within(&resource.scope, &resource.id)
}
