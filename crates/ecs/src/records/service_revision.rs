//! Service revisions: what a service ran or runs, immutable, readable after it was replaced.

use super::connect::{Endpoint, of_namespace};
use super::service::{ServiceKey, Workload};
use super::task_table::definition_parts;
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Index, Key, Table, TableKey};

/// A revision of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RevisionKey {
    /// The service.
    pub service: ServiceKey,
    /// Up to 19 digits, the last part of its ARN.
    pub number: u64,
}

impl RevisionKey {
    /// `arn:PARTITION:ecs:REGION:ACCOUNT:service-revision/CLUSTER/SERVICE/NUMBER`.
    #[must_use]
    pub fn arn(&self) -> String {
        let ServiceKey { cluster, name, .. } = &self.service;
        let resource = format!("service-revision/{cluster}/{name}/{}", self.number);
        self.service.scope.arn("ecs", &resource).to_string()
    }
}

impl TableKey for RevisionKey {
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

/// One revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceRevisionRecord {
    /// Its service and number.
    pub key: RevisionKey,
    /// `createdAt`.
    pub created: Timestamp,
    /// What its tasks are made from.
    pub workload: Workload,
    /// The images as the first task of the revision resolved them, in the definition's order.
    #[serde(default)]
    pub images: Vec<ResolvedImage>,
    /// The endpoints that its tasks reach by name: those of their namespace when it was made.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// A container's image as it was resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedImage {
    /// The container's name.
    pub container: String,
    /// The image's name in the definition.
    pub image: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
}

/// By definition, so that a definition is not deleted under a service that runs it.
pub static BY_DEFINITION: Index<ServiceRevisionRecord> = Index {
    name: "by_definition",
    keys: |record| {
        let Workload {
            family, revision, ..
        } = &record.workload;
        vec![definition_parts(
            &record.key.service.scope,
            family,
            *revision,
        )]
    },
};

/// By the Service Connect namespace of its tasks.
pub static BY_NAMESPACE: Index<ServiceRevisionRecord> = Index {
    name: "by_namespace",
    keys: |record| {
        let connect = record.workload.connect.iter();
        let scope = &record.key.service.scope;
        connect
            .map(|connect| of_namespace(scope, &connect.namespace))
            .collect()
    },
};

/// All revisions of services that still exist.
pub static SERVICE_REVISIONS: Table<RevisionKey, ServiceRevisionRecord> = Table::new(
    "ecs.service_revisions",
    |revision| revision.key.clone(),
    &[&BY_DEFINITION, &BY_NAMESPACE],
);
