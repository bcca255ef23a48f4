//! Events of services, the last hundred of each.
//!
//! Rule: developer guide, "Amazon ECS service event messages": the 100 newest are shown.

use super::service::ServiceKey;
use crate::service::action::Action;
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Key, Table, TableKey};

/// As many events of a service are kept.
pub const EVENTS_LEN_MAX: u64 = 100;

/// An event of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceEventKey {
    /// The service.
    pub service: ServiceKey,
    /// Counts its events from 1.
    pub number: u64,
}

impl TableKey for ServiceEventKey {
    fn encode(&self) -> Key {
        let ServiceKey {
            scope,
            cluster,
            name,
        } = &self.service;
        Key::build()
            .text(&scope.account)
            .text(&scope.region)
            .text(cluster)
            .text(name)
            .number(self.number)
            .finish()
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEventRecord {
    /// Its service and number.
    pub key: ServiceEventKey,
    /// A uuid.
    pub id: String,
    /// `createdAt`.
    pub at: Timestamp,
    /// `message`.
    pub text: String,
    /// What it is called in the service's action events, if it has a name there.
    #[serde(default)]
    pub action: Option<Action>,
}

/// The kept events of all services.
pub static SERVICE_EVENTS: Table<ServiceEventKey, ServiceEventRecord> =
    Table::new("ecs.service_events", |event| event.key.clone(), &[]);
