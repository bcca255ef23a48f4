//! A file of the Container Device Interface: devices by name, and what a container gets with each.
//!
//! Rule: CDI specification 1.0, SPEC.md. Of its formats the JSON one is read.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Specification {
    cdi_version: String,
    /// `VENDOR/CLASS` of all its devices.
    pub kind: String,
    #[serde(default)]
    #[allow(dead_code, reason = "said by the vendor, of no effect")]
    annotations: BTreeMap<String, String>,
    /// Its devices.
    #[serde(default)]
    pub devices: Vec<NamedDevice>,
    /// What comes with each of them.
    #[serde(default)]
    pub container_edits: ContainerEdits,
}

/// A device.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedDevice {
    /// Unique in its kind.
    pub name: String,
    #[serde(default)]
    #[allow(dead_code, reason = "said by the vendor, of no effect")]
    annotations: BTreeMap<String, String>,
    /// What a container gets with it.
    #[serde(default)]
    pub container_edits: ContainerEdits,
}

/// What a container gets.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerEdits {
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// Nodes of the host.
    pub device_nodes: Vec<DeviceNode>,
    /// Files and directories of the host.
    pub mounts: Vec<Mount>,
    hooks: Vec<serde_json::Value>,
    net_devices: Vec<serde_json::Value>,
    #[serde(rename = "additionalGids")]
    additional_gids: Vec<u32>,
    intel_rdt: Option<serde_json::Value>,
}

/// A device node.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceNode {
    /// Its path in the container.
    pub path: PathBuf,
    /// Its path on the host, where that is another.
    pub host_path: Option<PathBuf>,
    /// `b`, `c` or `u`; the host's node says it, too.
    r#type: String,
    /// As the host's node says it.
    #[allow(dead_code, reason = "the node itself is asked")]
    major: Option<i64>,
    /// As the host's node says it.
    #[allow(dead_code, reason = "the node itself is asked")]
    minor: Option<i64>,
    /// Permission bits in place of the host's.
    pub file_mode: Option<u32>,
    /// Of `r`, `w`, `m`; all when empty.
    pub permissions: String,
    /// Owner in place of the host's.
    pub uid: Option<u32>,
    /// Group in place of the host's.
    pub gid: Option<u32>,
}

/// A file or directory of the host.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// Its path on the host.
    pub host_path: PathBuf,
    /// Its path in the container.
    pub container_path: String,
    r#type: String,
    /// As of `mount`.
    pub options: Vec<String>,
}

/// Options of a mount that say what a bind mount is anyway.
const PLAIN: [&str; 6] = ["bind", "rbind", "rw", "private", "rprivate", "async"];
/// Options that have an effect.
const RESTRICTING: [&str; 4] = ["ro", "nosuid", "nodev", "noexec"];

impl Specification {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Why it is no specification that is understood here.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let version = &read.cdi_version;
        if !version.starts_with("0.") && !version.starts_with("1.") {
            return Err(format!("cdiVersion {version:?} is not known"));
        }
        let parts = read.kind.split_once('/');
        if parts.is_none_or(|(vendor, class)| vendor.is_empty() || class.is_empty()) {
            return Err(format!("kind {:?} is no VENDOR/CLASS", read.kind));
        }
        Ok(read)
    }

    /// Whether its devices are GPUs.
    pub fn is_of_gpus(&self) -> bool {
        self.kind.ends_with("/gpu")
    }
}

impl ContainerEdits {
    /// What of it cannot be had here; then none of it is.
    pub fn lacking(&self) -> Option<String> {
        let what = if !self.hooks.is_empty() {
            "hooks"
        } else if !self.net_devices.is_empty() {
            "netDevices"
        } else if !self.additional_gids.is_empty() {
            "additionalGids"
        } else if self.intel_rdt.is_some() {
            "intelRdt"
        } else {
            let nodes = self.device_nodes.iter().find_map(DeviceNode::lacking);
            return nodes.or_else(|| self.mounts.iter().find_map(Mount::lacking));
        };
        Some(what.into())
    }

    /// Both, this one first.
    pub fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.env.extend_from_slice(&other.env);
        both.device_nodes.extend_from_slice(&other.device_nodes);
        both.mounts.extend_from_slice(&other.mounts);
        both
    }
}

impl DeviceNode {
    /// Where it is on the host.
    pub fn source(&self) -> &PathBuf {
        self.host_path.as_ref().unwrap_or(&self.path)
    }

    fn lacking(&self) -> Option<String> {
        let known = matches!(self.r#type.as_str(), "" | "b" | "c" | "u");
        (!known).then(|| format!("deviceNodes of type {}", self.r#type))
    }
}

impl Mount {
    fn lacking(&self) -> Option<String> {
        if !matches!(self.r#type.as_str(), "" | "none" | "bind") {
            return Some(format!("mounts of type {}", self.r#type));
        }
        let is_known = |option: &&String| {
            PLAIN.contains(&option.as_str()) || RESTRICTING.contains(&option.as_str())
        };
        let unknown = self.options.iter().find(|option| !is_known(option));
        unknown.map(|option| format!("mounts with the option {option}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file(edits: serde_json::Value) -> String {
        json!({"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
               "devices": [{"name": "0", "annotations": {"a": "b"}, "containerEdits": edits}]})
        .to_string()
    }

    #[test]
    fn a_file_is_read_and_what_cannot_be_had_is_named() {
        for (edits, lacking) in [
            (json!({"env": ["A=b"]}), None),
            (
                json!({"deviceNodes": [{"path": "/dev/a", "hostPath": "/dev/b", "type": "c", "major": 1, "minor": 2,
                    "fileMode": 438, "permissions": "rw", "uid": 0, "gid": 44}]}),
                None,
            ),
            (
                json!({"mounts": [{"hostPath": "/a", "containerPath": "/b", "options": ["ro", "nosuid", "nodev", "rbind", "rprivate"]}]}),
                None,
            ),
            (
                json!({"hooks": [{"hookName": "createContainer", "path": "/x"}]}),
                Some("hooks"),
            ),
            (json!({"additionalGids": [44]}), Some("additionalGids")),
            (json!({"intelRdt": {}}), Some("intelRdt")),
            (json!({"netDevices": [{}]}), Some("netDevices")),
            (
                json!({"deviceNodes": [{"path": "/dev/a", "type": "p"}]}),
                Some("deviceNodes of type p"),
            ),
            (
                json!({"mounts": [{"hostPath": "x", "containerPath": "/b", "type": "tmpfs"}]}),
                Some("mounts of type tmpfs"),
            ),
            (
                json!({"mounts": [{"hostPath": "/a", "containerPath": "/b", "options": ["rshared"]}]}),
                Some("mounts with the option rshared"),
            ),
        ] {
            let read = Specification::parse(&file(edits.clone())).unwrap();
            assert!(read.is_of_gpus());
            let found = read.devices[0].container_edits.lacking();
            assert_eq!(found.as_deref(), lacking, "{edits}");
        }
    }

    #[test]
    fn a_file_that_is_not_understood_is_refused() {
        for (text, words) in [
            ("kind: nvidia.com/gpu".to_owned(), "expected value"),
            (
                json!({"cdiVersion": "2.0.0", "kind": "a/gpu"}).to_string(),
                "cdiVersion",
            ),
            (
                json!({"cdiVersion": "1.0.0", "kind": "gpu"}).to_string(),
                "VENDOR/CLASS",
            ),
            (file(json!({"news": []})), "unknown field"),
        ] {
            let error = Specification::parse(&text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
