//! The launch type FARGATE: tasks on hosts that lend capacity, without a container instance to be seen.
//!
//! A host lends capacity by a registration in a cluster of its own, which has no record and whose name no
//! caller can make: whatever requires a cluster finds none there, so that nothing of it is shown.
//! Rule: developer guide, "Fargate platform versions"; docs/decisions/0009-fargate.md.

use crate::place::feed::PLACEMENT;
use crate::place::index::Cluster;
use crate::records::ClusterKey;
use aws_types::{Ctx, Scope};
use store::{TableKey, World};

/// The launch type's name.
pub const LAUNCH_TYPE: &str = "FARGATE";
/// Where hosts that lend capacity are registered. A cluster's name has no colon.
pub const CLUSTER: &str = "aws:fargate";
/// The version that `LATEST` means.
pub const LATEST: &str = "1.4.0";
/// `platformFamily` of everything that runs here.
pub const FAMILY: &str = "Linux";
/// GiB of a task's own disk where it asks for none.
pub const EPHEMERAL_GIB: u32 = 20;

/// Whether a launch type is this one.
#[must_use]
pub fn is(launch_type: &str) -> bool {
    launch_type == LAUNCH_TYPE
}

/// Whether a registration lends capacity: only a host's own key makes one.
#[must_use]
pub fn is_lent(ctx: &Ctx, cluster: Option<&str>) -> bool {
    cluster == Some(CLUSTER) && ctx.caller.host().is_some()
}

/// The version that a service or task of this asked-for version runs on.
#[must_use]
pub fn resolved(asked: &str) -> String {
    match asked {
        "LATEST" => LATEST.into(),
        version => version.into(),
    }
}

/// The hosts that lend capacity; `None` where none ever did.
#[must_use]
pub fn hosts<'w>(world: &'w World, scope: &Scope) -> Option<&'w Cluster> {
    let key = ClusterKey::new(scope, CLUSTER).encode();
    world.view(&PLACEMENT).cluster(&key)
}
