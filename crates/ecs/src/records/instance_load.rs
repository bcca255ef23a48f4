//! How often tasks took or freed an instance's resources. Beside the instance's record, so that a task
//! that starts or ends writes a few bytes and wakes nothing that the instance itself concerns.

use super::container_instance::InstanceKey;
use serde::{Deserialize, Serialize};
use store::Table;

/// The changes of one instance's resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceLoadRecord {
    /// The instance.
    pub key: InstanceKey,
    /// How many there were; never less. With the instance's own, the `version` that is shown.
    pub changes: u64,
}

/// Of each instance that had a task.
pub static INSTANCE_LOADS: Table<InstanceKey, InstanceLoadRecord> =
    Table::new("ecs.instance_loads", |load| load.key.clone(), &[]);
