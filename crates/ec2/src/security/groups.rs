//! Groups, looked up.

use crate::errors::GROUP;
use crate::records::{GROUPS, GroupRecord, ResourceKey};
use aws_types::{AwsError, Scope};
use std::sync::Arc;
use store::World;

/// The group of this id.
///
/// # Errors
/// `InvalidGroup.NotFound`.
pub fn require(world: &World, scope: &Scope, id: &str) -> Result<Arc<GroupRecord>, AwsError> {
    let found = world.get(&GROUPS, &ResourceKey::new(scope, id));
    found.cloned().ok_or_else(|| GROUP.missing(id))
}
