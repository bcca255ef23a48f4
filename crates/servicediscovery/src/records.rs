//! What is stored: namespaces, services, instances, and the operations that were asked for.

use crate::dns::Dns;
use aws_types::{Ctx, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Index, Key, Table, TableDefinition, TableKey, Tally};

/// A namespace or a service within account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// `ns-…` or `srv-…`.
    pub id: String,
}

impl ItemKey {
    /// The key of the namespace or service of this id.
    #[must_use]
    pub fn new(scope: &Scope, id: &str) -> Self {
        Self {
            scope: scope.clone(),
            id: id.into(),
        }
    }

    /// A fresh one: `PREFIX-` and 16 of `a` to `z` and `0` to `9`.
    #[must_use]
    pub fn fresh(ctx: &mut Ctx, prefix: &str) -> Self {
        let id = format!("{prefix}-{}", base36(ctx, 16));
        Self::new(&ctx.scope, &id)
    }

    /// `arn:PARTITION:servicediscovery:REGION:ACCOUNT:KIND/ID`.
    #[must_use]
    pub fn arn(&self) -> String {
        let kind = match self.id.starts_with("ns-") {
            true => "namespace",
            false => "service",
        };
        let resource = format!("{kind}/{}", self.id);
        self.scope.arn("servicediscovery", &resource).to_string()
    }
}

/// Fresh characters of `a` to `z` and `0` to `9`, at most 32.
pub(crate) fn base36(ctx: &mut Ctx, len: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let bytes = ctx.ids.bytes();
    let digits = bytes.iter().take(len);
    digits
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}

impl TableKey for ItemKey {
    fn encode(&self) -> Key {
        within(&self.scope, &self.id)
    }
}

/// What the keys of all rows of a scope begin with.
#[must_use]
pub fn prefix(scope: &Scope) -> Key {
    Key::of(&[&scope.account, &scope.region])
}

/// The key of something within a scope: of a row, or of an index.
#[must_use]
pub fn within(scope: &Scope, name: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, name])
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceRecord {
    /// Its scope and id.
    pub key: ItemKey,
    /// `Name`, as it was given.
    pub name: String,
    /// What it is called in calls of DiscoverInstances; unique in the scope.
    pub http_name: String,
    /// The zone in a VPC; `None` for an HTTP namespace.
    #[serde(default)]
    pub zone: Option<Zone>,
    /// `Description`.
    #[serde(default)]
    pub description: Option<String>,
    /// `CreatorRequestId`.
    #[serde(default)]
    pub creator_request_id: Option<String>,
    /// `CreateDate`.
    pub created: Timestamp,
    /// Tags by key.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// The private zone of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// `vpc-…`, whose resolver answers it.
    pub vpc: String,
    /// `HostedZoneId`.
    pub hosted_zone: String,
    /// `SOA.TTL`, seconds.
    pub soa_ttl: i64,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// Its scope and id.
    pub key: ItemKey,
    /// `ns-…`.
    pub namespace: String,
    /// `Name`, as it was given.
    pub name: String,
    /// `Description`.
    #[serde(default)]
    pub description: Option<String>,
    /// Its records; `None` for a service that is found by calls alone.
    #[serde(default)]
    pub dns: Option<Dns>,
    /// Whether instances have a custom health status (`HealthCheckCustomConfig`).
    pub custom_health: bool,
    /// `InstancesRevision`: grows whenever an instance changes.
    pub revision: i64,
    /// `CreatorRequestId`.
    #[serde(default)]
    pub creator_request_id: Option<String>,
    /// `CreateDate`.
    pub created: Timestamp,
    /// Tags by key.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// An instance of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceKey {
    /// The service.
    pub service: ItemKey,
    /// Unique in the service.
    pub id: String,
}

impl TableKey for InstanceKey {
    fn encode(&self) -> Key {
        let ItemKey { scope, id } = &self.service;
        Key::of(&[&scope.account, &scope.region, id, &self.id])
    }
}

/// `Status` of an instance's custom health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// It answers.
    Healthy,
    /// It does not.
    Unhealthy,
}

impl Health {
    /// AWS's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// Its service and id.
    pub key: InstanceKey,
    /// `Attributes`.
    pub attributes: BTreeMap<String, String>,
    /// `CreatorRequestId`.
    #[serde(default)]
    pub creator_request_id: Option<String>,
    /// The custom status, which counts where the service has such.
    pub health: Health,
}

/// An operation: all that is asked for is done at once, and told here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// Its scope and id.
    pub key: OperationKey,
    /// `Type`: `CREATE_NAMESPACE` and so on.
    pub kind: String,
    /// `Targets`: ids by `NAMESPACE`, `SERVICE`, `INSTANCE`.
    pub targets: BTreeMap<String, String>,
    /// When it was asked for, and done.
    pub at: Timestamp,
}

/// An operation within account and region; in order of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OperationKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// 32 characters, `-`, and the moment.
    pub id: String,
}

impl TableKey for OperationKey {
    fn encode(&self) -> Key {
        let at = self.id.rsplit('-').next().unwrap_or_default();
        let Scope {
            account, region, ..
        } = &self.scope;
        Key::of(&[account, region, at, &self.id])
    }
}

/// By the VPC whose resolver answers: hosts know no scope.
pub static BY_VPC: Index<NamespaceRecord> = Index {
    name: "by_vpc",
    keys: |namespace| {
        let zone = namespace.zone.iter();
        zone.map(|zone| Key::of(&[&zone.vpc])).collect()
    },
};

/// By `http_name`.
pub static BY_HTTP_NAME: Index<NamespaceRecord> = Index {
    name: "by_http_name",
    keys: |namespace| vec![within(&namespace.key.scope, &namespace.http_name)],
};

/// All namespaces.
pub static NAMESPACES: Table<ItemKey, NamespaceRecord> = Table::new(
    "servicediscovery.namespaces",
    |namespace| namespace.key.clone(),
    &[&BY_VPC, &BY_HTTP_NAME],
);

/// By namespace.
pub static BY_NAMESPACE: Index<ServiceRecord> = Index {
    name: "by_namespace",
    keys: |service| vec![within(&service.key.scope, &service.namespace)],
};

/// By namespace and name, in lower case: `Web` and `web` are one name.
pub static BY_NAME: Index<ServiceRecord> = Index {
    name: "by_name",
    keys: |service| {
        vec![name_parts(
            &service.key.scope,
            &service.namespace,
            &service.name,
        )]
    },
};

/// The key of [`BY_NAME`].
#[must_use]
pub fn name_parts(scope: &Scope, namespace: &str, name: &str) -> Key {
    let name = name.to_lowercase();
    Key::of(&[&scope.account, &scope.region, namespace, &name])
}

/// Services of a namespace.
pub static OF_NAMESPACE: Tally<ServiceRecord> = Tally {
    name: "of_namespace",
    of: |service| vec![(within(&service.key.scope, &service.namespace), 1)],
};

/// All services.
pub static SERVICES: Table<ItemKey, ServiceRecord> = Table::new(
    "servicediscovery.services",
    |service| service.key.clone(),
    &[&BY_NAMESPACE, &BY_NAME],
)
.with_tallies(&[&OF_NAMESPACE]);

/// Instances of a service.
pub static OF_SERVICE: Tally<InstanceRecord> = Tally {
    name: "of_service",
    of: |instance| vec![(instance.key.service.encode(), 1)],
};

/// By service.
pub static BY_SERVICE: Index<InstanceRecord> = Index {
    name: "by_service",
    keys: |instance| vec![instance.key.service.encode()],
};

/// All instances.
pub static INSTANCES: Table<InstanceKey, InstanceRecord> = Table::new(
    "servicediscovery.instances",
    |instance: &InstanceRecord| instance.key.clone(),
    &[&BY_SERVICE],
)
.with_tallies(&[&OF_SERVICE]);

/// By account and region; in order of time.
pub static BY_SCOPE: Index<OperationRecord> = Index {
    name: "by_scope",
    keys: |operation| vec![prefix(&operation.key.scope)],
};

/// The newest operations.
pub static OPERATIONS: Table<OperationKey, OperationRecord> = Table::new(
    "servicediscovery.operations",
    |operation: &OperationRecord| operation.key.clone(),
    &[&BY_SCOPE],
);

/// The tables of this crate.
#[must_use]
pub fn tables() -> Vec<&'static dyn TableDefinition> {
    vec![&NAMESPACES, &SERVICES, &INSTANCES, &OPERATIONS]
}
