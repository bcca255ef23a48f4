//! Groups, looked up.

use crate::records::GroupRecord;
use crate::resource::lookup;
use aws_types::{AwsError, Scope};
use std::sync::Arc;
use store::World;

/// The group of this id.
///
/// # Errors
/// `InvalidGroup.NotFound`, `InvalidGroupId.Malformed`.
pub fn require(world: &World, scope: &Scope, id: &str) -> Result<Arc<GroupRecord>, AwsError> {
    lookup::<GroupRecord>(world, scope, id).cloned()
}
