//! `crates/aws-api/operations.toml`: which operations are served. Everything else is made from it.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One service's part of the allow-list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Whether the model's constraints are checked before the operation runs.
    #[serde(default)]
    pub validate: bool,
    /// Members (`Shape.Member`, both as the model has them) that are neither read nor written: answers
    /// about what Longshore has none of. What only they reach is left out too.
    #[serde(default)]
    pub omit: Vec<String>,
    /// Names of the operations served.
    pub operations: Vec<String>,
}

/// The whole list, by the service's folder name in botocore.
pub fn read() -> Result<BTreeMap<String, Service>> {
    let path = crate::api_crate().join("operations.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}
