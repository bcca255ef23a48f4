//! What is stored: one file per table, with its key and its indexes.
//!
//! Every key starts with account and region, so that a scan by prefix stays in one scope.

pub mod account_setting;
pub mod cluster;
pub mod container_instance;
pub mod overrides;
pub mod run_token;
pub mod tags;
pub mod task;
pub mod task_definition;
pub mod task_table;

pub use account_setting::ACCOUNT_SETTINGS;
pub use cluster::{CLUSTERS, ClusterKey, ClusterRecord, ClusterStatus};
pub use container_instance::{
    CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceId, InstanceKey, InstanceStatus,
    SERVER_ENDPOINT,
};
pub use run_token::RUN_TOKENS;
pub use tags::Tags;
pub use task::{TASKS, TaskId, TaskKey, TaskRecord};
pub use task_definition::{
    FAMILIES, FamilyKey, FamilyRecord, TASK_DEFINITIONS, TaskDefinitionKey, TaskDefinitionRecord,
    TaskDefinitionStatus,
};

use store::TableDefinition;

/// Every table of this crate, for `store::Schema::new`.
#[must_use]
pub fn tables() -> Vec<&'static dyn TableDefinition> {
    vec![
        &ACCOUNT_SETTINGS,
        &CLUSTERS,
        &FAMILIES,
        &TASK_DEFINITIONS,
        &TASKS,
        &CONTAINER_INSTANCES,
        &RUN_TOKENS,
        &SERVER_ENDPOINT,
    ]
}
