//! Service Connect as it is stored: what a service asked for, the endpoints of a namespace, and what ties a
//! task to them.
//!
//! Invariants: an endpoint's Cloud Map service exists; no two endpoints of a namespace have one discovery
//! name, or one name and port. A revision's endpoints are those that its namespace had when it was made.
//! Rule: semantics 6.12; API reference, ServiceConnectConfiguration.

use super::registration::RegistrationRecord;
use super::service::ServiceKey;
use aws_api::Stored;
use aws_api::ecs::ServiceConnectConfiguration;
use aws_types::Scope;
use serde::{Deserialize, Serialize};
use servicediscovery::records::ItemKey;
use store::{Index, Key, Table, TableKey};

/// `appProtocol` of a port mapping; `TCP` where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppProtocol {
    /// Bytes.
    Tcp,
    /// HTTP/1.1.
    Http,
    /// HTTP/2 without TLS.
    Http2,
    /// gRPC over HTTP/2 without TLS.
    Grpc,
}

/// An endpoint as clients use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `discoveryName`.
    pub discovery: String,
    /// Its Cloud Map service, `srv-…`, whose instances are its targets.
    pub service: String,
    /// `dnsName` of its alias, with the default filled in.
    pub name: String,
    /// `port` of its alias.
    pub port: u16,
    /// What is spoken.
    pub protocol: AppProtocol,
    /// `idleTimeoutSeconds`; 0 is none.
    pub idle_seconds: u32,
    /// `perRequestTimeoutSeconds`; 0 is none.
    pub request_seconds: u32,
}

/// A port of a service's tasks behind an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposed {
    /// What clients see of it.
    pub endpoint: Endpoint,
    /// `portName`.
    pub port_name: String,
    /// The container with that port mapping.
    pub container: String,
    /// Its port.
    pub container_port: u16,
    /// `ingressPortOverride`: where the task's proxy takes what is for that port.
    #[serde(default)]
    pub ingress: Option<u16>,
}

/// `serviceConnectConfiguration` of a service with `enabled`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectRecord {
    /// As it was given.
    pub given: Stored<ServiceConnectConfiguration>,
    /// `ns-…`.
    pub namespace: String,
    /// `services`, with every default.
    pub exposed: Vec<Exposed>,
}

/// What ties a task to Service Connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskConnect {
    /// The id of its attachment, a uuid.
    pub id: String,
    /// The revision of its service that says which endpoints it reaches.
    pub revision: u64,
    /// What it is registered as, for each port that its service exposes.
    pub registrations: Vec<RegistrationRecord>,
}

/// An endpoint within its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EndpointKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// `ns-…`.
    pub namespace: String,
    /// `discoveryName`.
    pub discovery: String,
}

impl TableKey for EndpointKey {
    fn encode(&self) -> Key {
        let Scope {
            account, region, ..
        } = &self.scope;
        Key::of(&[account, region, &self.namespace, &self.discovery])
    }
}

/// What the keys of a namespace's endpoints begin with.
#[must_use]
pub fn of_namespace(scope: &Scope, namespace: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, namespace])
}

/// An endpoint of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRecord {
    /// Its namespace and discovery name.
    pub key: EndpointKey,
    /// The service whose tasks are behind it.
    pub owner: ServiceKey,
    /// What clients see of it.
    pub endpoint: Endpoint,
}

impl EndpointRecord {
    /// Its Cloud Map service.
    #[must_use]
    pub fn map_service(&self) -> ItemKey {
        ItemKey::new(&self.key.scope, &self.endpoint.service)
    }
}

/// By the service whose tasks are behind it.
pub static BY_OWNER: Index<EndpointRecord> = Index {
    name: "by_owner",
    keys: |endpoint| vec![endpoint.owner.encode()],
};

/// All endpoints.
pub static ENDPOINTS: Table<EndpointKey, EndpointRecord> = Table::new(
    "ecs.endpoints",
    |endpoint: &EndpointRecord| endpoint.key.clone(),
    &[&BY_OWNER],
);
