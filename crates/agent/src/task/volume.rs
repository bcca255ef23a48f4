//! The volumes of a task as a payload has them, and which of them can be had here.

use super::definition::{InvalidTask, null_as_default};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A volume shown in a container.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MountPoint {
    /// Name of a volume of the task.
    pub source_volume: String,
    /// Absolute path in the container.
    pub container_path: String,
    /// Refuse writes.
    #[serde(default, deserialize_with = "null_as_default")]
    pub read_only: bool,
}

/// All volumes of another container.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeFrom {
    /// The other container.
    pub source_container: String,
    /// Refuse writes, whatever the other may do.
    #[serde(default, deserialize_with = "null_as_default")]
    pub read_only: bool,
}

/// A volume of a task.
#[derive(Debug, Clone, Deserialize)]
pub struct VolumeDefinition {
    /// Its name in the task.
    pub name: String,
    /// `host` when absent.
    #[serde(default, rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
    /// A directory of the host.
    #[serde(default)]
    pub host: Option<HostVolume>,
    /// A volume that outlives its containers.
    #[serde(default, rename = "dockerVolumeConfiguration")]
    pub docker: Option<DockerVolume>,
}

/// A volume by Docker's rules.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DockerVolume {
    /// `task` (also when empty), or `shared`: kept on the host for every task that names it.
    #[serde(deserialize_with = "null_as_default")]
    pub scope: String,
    /// Whether a shared volume that is not there is made as the definition says.
    #[serde(deserialize_with = "null_as_default")]
    pub autoprovision: bool,
    /// `local`, also when empty.
    #[serde(deserialize_with = "null_as_default")]
    pub driver: String,
    /// None, or those of a bind: `type=none`, `o=bind`, `device=PATH`.
    #[serde(deserialize_with = "null_as_default")]
    pub driver_opts: BTreeMap<String, String>,
    /// Kept with the volume (`volume_labels`).
    #[serde(deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
}

/// A directory of the host.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostVolume {
    /// Absolute path; absent or empty is a directory of the task's own.
    #[serde(default, deserialize_with = "null_as_default")]
    pub source_path: String,
}

impl VolumeDefinition {
    pub(super) fn check(&self) -> Result<(), InvalidTask> {
        let Some(docker) = self.docker.as_ref().filter(|_| self.kind == "docker") else {
            return match self.kind.as_str() {
                "" | "host" | "docker" => Ok(()),
                other => Err(InvalidTask(format!("unsupported type {other}"))),
            };
        };
        if !matches!(docker.driver.as_str(), "" | "local") {
            return Err(InvalidTask(format!("unsupported driver {}", docker.driver)));
        }
        if docker.driver_opts.is_empty() || docker.bind_source().is_some() {
            return Ok(());
        }
        Err(InvalidTask("unsupported driver options".into()))
    }
}

impl DockerVolume {
    /// Whether the agent makes it, with options and labels. A shared volume that it may not make is
    /// Docker's to make when a container names it: with neither (the public agent's
    /// `autoprovision`).
    pub fn is_made_as_stated(&self) -> bool {
        self.scope != "shared" || self.autoprovision
    }

    /// The directory of the host that a volume of `type=none`, `o=bind` is.
    pub fn bind_source(&self) -> Option<&str> {
        let option = |name| self.driver_opts.get(name).map(String::as_str);
        let binds = option("o").is_some_and(|all| all.split(',').any(|one| one.ends_with("bind")));
        let is_plain = matches!(option("type"), None | Some("" | "none" | "bind"));
        option("device").filter(|_| binds && is_plain)
    }
}
