//! Launch templates and their versions.

use super::{ResourceKey, within};
use aws_api::Stored;
use aws_api::ec2::RequestLaunchTemplateData;
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Index, Key, KeyWriter, Table, TableKey};

/// A launch template. It has one version at least, its default one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchTemplateRecord {
    /// Its scope and id, `lt-…`.
    pub key: ResourceKey,
    /// `LaunchTemplateName`: no other template of its scope has it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom: an ARN.
    pub created_by: String,
    /// `DefaultVersionNumber`: of a version that is there.
    pub default_version: u64,
    /// `LatestVersionNumber`: the greatest of those that are there.
    pub latest_version: u64,
    /// How many were made: no number is given twice.
    pub versions_made: u64,
}

/// By name.
pub static BY_NAME: Index<LaunchTemplateRecord> = Index {
    name: "by_name",
    keys: |template| vec![within(&template.key.scope, &template.name)],
};

/// All launch templates.
pub static LAUNCH_TEMPLATES: Table<ResourceKey, LaunchTemplateRecord> = Table::new(
    "ec2.launch_templates",
    |template: &LaunchTemplateRecord| template.key.clone(),
    &[&BY_NAME],
);

/// A version of a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VersionKey {
    /// The template.
    pub template: ResourceKey,
    /// From 1.
    pub number: u64,
}

impl TableKey for VersionKey {
    fn encode(&self) -> Key {
        of_template(&self.template).number(self.number).finish()
    }
}

/// What the keys of all versions of a template begin with.
#[must_use]
pub fn versions_of(template: &ResourceKey) -> Key {
    of_template(template).finish()
}

fn of_template(template: &ResourceKey) -> KeyWriter {
    let ResourceKey { scope, id } = template;
    Key::build()
        .text(&scope.account)
        .text(&scope.region)
        .text(id)
}

/// A version, which never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplateVersionRecord {
    /// Of which template, and its number.
    pub key: VersionKey,
    /// `VersionDescription`.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom: an ARN.
    pub created_by: String,
    /// `LaunchTemplateData`, with what it took from its source version.
    pub data: Stored<RequestLaunchTemplateData>,
}

/// All versions.
pub static LAUNCH_TEMPLATE_VERSIONS: Table<VersionKey, LaunchTemplateVersionRecord> = Table::new(
    "ec2.launch_template_versions",
    |version: &LaunchTemplateVersionRecord| version.key.clone(),
    &[],
);
