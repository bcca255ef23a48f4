//! What is stored: one file per table, with its key and its indexes.
//!
//! Every key starts with account and region, so that a scan by prefix stays in one scope.

pub mod account_setting;
pub mod attachment;
pub mod cluster;
pub mod connect;
pub mod container_instance;
pub mod deployment;
pub mod deployment_alarms;
pub mod deployment_stage;
pub mod instance_load;
pub mod overrides;
pub mod registration;
pub mod run_token;
pub mod service;
pub mod service_deployment;
pub mod service_event;
pub mod service_revision;
pub mod tags;
pub mod target;
pub mod task;
pub mod task_definition;
pub mod task_set;
pub mod task_table;
pub mod traffic;
pub mod uneven;
pub mod workload;

pub use account_setting::ACCOUNT_SETTINGS;
pub use cluster::{CLUSTERS, ClusterKey, ClusterRecord, ClusterStatus};
pub use connect::ENDPOINTS;
pub use container_instance::{
    CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceId, InstanceKey, InstanceStatus,
    SERVER_ENDPOINT,
};
pub use instance_load::INSTANCE_LOADS;
pub use run_token::RUN_TOKENS;
pub use service::{SERVICES, ServiceKey, ServiceRecord, ServiceStatus};
pub use service_deployment::SERVICE_DEPLOYMENTS;
pub use service_event::SERVICE_EVENTS;
pub use service_revision::SERVICE_REVISIONS;
pub use tags::Tags;
pub use target::TARGETS;
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
        &INSTANCE_LOADS,
        &RUN_TOKENS,
        &SERVER_ENDPOINT,
        &TARGETS,
        &SERVICES,
        &SERVICE_REVISIONS,
        &SERVICE_DEPLOYMENTS,
        &SERVICE_EVENTS,
        &ENDPOINTS,
    ]
}
