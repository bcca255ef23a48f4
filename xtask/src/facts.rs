//! The fact files under `crates/aws-api/models/`: what a model states, without its documentation.
//!
//! A file holds every operation name of the service, and the shapes that the listed operations
//! reach. `models` writes it, `codegen` reads it.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One service.
#[derive(Debug, Serialize, Deserialize)]
pub struct Facts {
    /// The botocore release it was taken from.
    pub source: String,
    pub api_version: String,
    pub signing_name: String,
    /// `json-1.0`, `json-1.1`, `query`, `ec2`.
    pub protocols: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml_namespace: Option<String>,
    /// Whether it was a query service once: errors then also carry the code of that time
    /// (`awsQueryCompatible`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub query_compatible: bool,
    /// Every operation AWS has.
    pub names: Vec<String>,
    /// The listed ones.
    pub operations: BTreeMap<String, Operation>,
    /// Every error the model names.
    pub errors: BTreeMap<String, ErrorFacts>,
    pub shapes: BTreeMap<String, Shape>,
}

/// One operation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Operation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapper: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// One error: the code clients match on, and how it is answered.
#[derive(Debug, Serialize, Deserialize)]
pub struct ErrorFacts {
    pub code: String,
    pub status: u16,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub server_fault: bool,
}

/// One type.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: String,
    /// Of a structure, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// Of a list: its elements' type; of a map: its values'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// The element's name in XML and query, where it is not `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_name: Option<String>,
    /// Of a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flattened: bool,
    /// Least length, count or value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Greatest length, count or value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// One member of a structure.
#[derive(Debug, Serialize, Deserialize)]
pub struct Member {
    /// As the wire has it.
    pub name: String,
    /// As the form of a request has it, where the protocol tells the two apart (ec2Query).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// As the model has it, where the field is called after that and not after the wire (ec2Query).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    pub shape: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

impl Facts {
    /// Reads a service's file and what `additions.json` adds to it.
    pub fn read(service: &str) -> Result<Self> {
        let folder = crate::api_crate().join("models");
        let path = folder.join(format!("{service}.json"));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut facts: Self =
            serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let additions = std::fs::read_to_string(folder.join("additions.json"))?;
        let mut additions: BTreeMap<String, BTreeMap<String, Vec<Member>>> =
            serde_json::from_str(&additions).context("additions.json")?;
        for (shape, members) in additions.remove(service).unwrap_or_default() {
            let shape = facts
                .shapes
                .get_mut(&shape)
                .with_context(|| format!("no {shape}"))?;
            shape.members.extend(members);
        }
        Ok(facts)
    }

    /// The file's text: one line for each operation, error and shape, so that a diff is readable.
    pub fn to_text(&self) -> Result<String> {
        let value = serde_json::to_value(self)?;
        let mut lines = Vec::new();
        for (key, value) in value.as_object().context("facts are an object")? {
            let key = serde_json::to_string(key)?;
            match value {
                serde_json::Value::Object(entries) => {
                    let entries: Result<Vec<String>> = entries
                        .iter()
                        .map(|(k, v)| Ok(format!("{}:{}", serde_json::to_string(k)?, v)))
                        .collect();
                    lines.push(format!("{key}:{{\n{}}}", entries?.join(",\n")));
                }
                other => lines.push(format!("{key}:{other}")),
            }
        }
        Ok(format!("{{{}}}\n", lines.join(",\n")))
    }
}
