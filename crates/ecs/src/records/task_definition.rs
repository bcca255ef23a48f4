//! Task definitions, and the families that count their revisions.
//!
//! A family's record outlives its revisions: it keeps the counter, so that no revision is ever
//! used twice (API reference, RegisterTaskDefinition: `family`).

use super::Tags;
use aws_api::Stored;
use aws_api::ecs::TaskDefinition;
use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Index, Key, Table, TableKey};

/// Account, region, family, revision: a listing in order of key is in AWS's order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskDefinitionKey(Key);

impl TaskDefinitionKey {
    /// The key of `family:revision`.
    #[must_use]
    pub fn new(scope: &Scope, family: &str, revision: u32) -> Self {
        Self(
            Key::build()
                .text(&scope.account)
                .text(&scope.region)
                .text(family)
                .number(u64::from(revision))
                .finish(),
        )
    }

    /// What the keys of all task definitions of `scope` start with.
    #[must_use]
    pub fn prefix(scope: &Scope) -> Key {
        Key::of(&[&scope.account, &scope.region])
    }

    /// What the keys of a family's revisions start with.
    #[must_use]
    pub fn family_prefix(scope: &Scope, family: &str) -> Key {
        Key::of(&[&scope.account, &scope.region, family])
    }
}

impl TableKey for TaskDefinitionKey {
    fn encode(&self) -> Key {
        self.0.clone()
    }
}

/// The life of a revision: ACTIVE, then INACTIVE, then DELETE_IN_PROGRESS, then gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskDefinitionStatus {
    /// May be run.
    Active,
    /// Deregistered: what runs keeps running, nothing new starts.
    Inactive,
    /// To be removed as soon as nothing uses it.
    DeleteInProgress,
}

impl TaskDefinitionStatus {
    /// AWS's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
        }
    }
}

/// One revision of a family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskDefinitionRecord {
    /// Partition, account and region.
    pub scope: Scope,
    /// 1 to 255 of `[A-Za-z0-9_-]`.
    pub family: String,
    /// From 1, unique in the family for ever.
    pub revision: u32,
    /// Where it is in its life.
    pub status: TaskDefinitionStatus,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// The ARN of who registered it.
    pub registered_by: String,
    /// When it was deregistered last.
    #[serde(default)]
    pub deregistered_at: Option<Timestamp>,
    /// When its deletion was asked for.
    #[serde(default)]
    pub delete_requested_at: Option<Timestamp>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// What was registered, in normal form, with `compatibilities` and `requiresAttributes`. The
    /// members that this record has itself (ARN, status, dates) are left out here.
    pub definition: Stored<TaskDefinition>,
}

impl TaskDefinitionRecord {
    /// The record's key.
    #[must_use]
    pub fn key(&self) -> TaskDefinitionKey {
        TaskDefinitionKey::new(&self.scope, &self.family, self.revision)
    }

    /// The whole as answers show it.
    #[must_use]
    pub fn shape(&self) -> TaskDefinition {
        TaskDefinition {
            task_definition_arn: Some(self.arn()),
            family: Some(self.family.clone()),
            revision: i32::try_from(self.revision).ok(),
            status: Some(self.status.as_str().into()),
            registered_at: Some(self.registered_at),
            registered_by: Some(self.registered_by.clone()),
            deregistered_at: self.deregistered_at,
            delete_requested_at: self.delete_requested_at,
            ..self.definition.0.clone()
        }
    }

    /// `arn:PARTITION:ecs:REGION:ACCOUNT:task-definition/FAMILY:REVISION`.
    #[must_use]
    pub fn arn(&self) -> String {
        task_definition_arn(&self.scope, &self.family, self.revision)
    }
}

/// The ARN that this revision has or would have.
#[must_use]
pub fn task_definition_arn(scope: &Scope, family: &str, revision: u32) -> String {
    scope
        .arn("ecs", &format!("task-definition/{family}:{revision}"))
        .to_string()
}

/// By key, only revisions whose deletion was asked for.
pub static DELETING: Index<TaskDefinitionRecord> = Index {
    name: "deleting",
    keys: |record| match record.status {
        TaskDefinitionStatus::DeleteInProgress => vec![record.key().encode()],
        TaskDefinitionStatus::Active | TaskDefinitionStatus::Inactive => Vec::new(),
    },
};

/// All revisions of all families.
pub static TASK_DEFINITIONS: Table<TaskDefinitionKey, TaskDefinitionRecord> = Table::new(
    "ecs.task_definitions",
    TaskDefinitionRecord::key,
    &[&DELETING],
);

/// Account, region, family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FamilyKey(Key);

impl FamilyKey {
    /// What the keys of all families of `scope` start with.
    #[must_use]
    pub fn scope_prefix(scope: &Scope) -> Key {
        Key::of(&[&scope.account, &scope.region])
    }

    /// The key of a family.
    #[must_use]
    pub fn new(scope: &Scope, name: &str) -> Self {
        Self(TaskDefinitionKey::family_prefix(scope, name))
    }
}

impl TableKey for FamilyKey {
    fn encode(&self) -> Key {
        self.0.clone()
    }
}

/// A family: the counter of its revisions and its newest ACTIVE one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FamilyRecord {
    /// Partition, account and region.
    pub scope: Scope,
    /// The family's name.
    pub name: String,
    /// The highest revision ever given; the next is one more.
    pub last_revision: u32,
    /// The highest ACTIVE revision: what `family` alone means.
    pub latest_active: Option<u32>,
    /// How many revisions exist, in any status.
    pub revisions: u32,
}

impl FamilyRecord {
    /// The record's key.
    #[must_use]
    pub fn key(&self) -> FamilyKey {
        FamilyKey::new(&self.scope, &self.name)
    }
}

/// All families that ever had a revision.
pub static FAMILIES: Table<FamilyKey, FamilyRecord> =
    Table::new("ecs.task_definition_families", FamilyRecord::key, &[]);
