//! A task as the control plane sends it in a PayloadMessage, read and checked once.
//!
//! Field names are those of the wire (agent-protocol 2.4). An unknown member is ignored, as the
//! public agent does; a member whose effect this agent lacks and whose absence would change what
//! the user asked for makes the task invalid.

pub use super::association::Association;
use super::docker::{DockerConfig, HostConfig};
use super::interface;
pub use super::interface::Interface;
use super::pinned::Longshore;
pub use super::port::PortMapping;
pub use super::volume::{DockerVolume, HostVolume, MountPoint, VolumeDefinition, VolumeFrom};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a task of a payload cannot be run here; becomes the reason after `UnrecogniedTaskError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTask(pub String);

/// What the control plane wants of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Desired {
    /// Start it, keep it.
    Running,
    /// Stop it.
    Stopped,
}

/// Which network a task's containers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkMode {
    /// A namespace per container on the host's bridge.
    Bridge,
    /// The host's own.
    Host,
    /// Loopback only.
    None,
    /// One namespace for the task, with an interface of a VPC.
    Awsvpc,
}

/// A task of a payload. Kept as it came (`task.json`), so that a restarted agent reads it again.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinition {
    /// The task's ARN.
    pub arn: String,
    /// Family of the task definition.
    #[serde(default)]
    pub family: String,
    /// Its revision.
    #[serde(default)]
    pub version: String,
    /// What is wanted.
    pub desired_status: Desired,
    /// `FARGATE`, or another that means a container instance.
    #[serde(default, deserialize_with = "null_as_default")]
    pub launch_type: String,
    /// Containers, in the definition's order.
    #[serde(default, deserialize_with = "null_as_default")]
    pub containers: Vec<ContainerDefinition>,
    /// Volumes by name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub volumes: Vec<VolumeDefinition>,
    /// vCPUs of the whole task; 0.25 is a quarter.
    #[serde(default, deserialize_with = "null_as_default")]
    pub cpu: f64,
    /// MiB of the whole task.
    #[serde(default, deserialize_with = "null_as_default")]
    pub memory: u64,
    /// `bridge`, `host`, `none`, `awsvpc`, or empty for `bridge`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub network_mode: String,
    /// `host`, `task`, or empty for a namespace of each container's own.
    #[serde(default, deserialize_with = "null_as_default")]
    pub pid_mode: String,
    /// `host`, `task`, `none`, or empty for a namespace of each container's own.
    #[serde(default, deserialize_with = "null_as_default")]
    pub ipc_mode: String,
    /// Devices of the host that it was given.
    #[serde(default, deserialize_with = "null_as_default")]
    pub associations: Vec<Association>,
    /// Its interface, where it has one: exactly one in network mode `awsvpc`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub elastic_network_interfaces: Vec<Interface>,
    /// Of a service's task.
    #[serde(default, deserialize_with = "null_as_default")]
    pub service_name: String,
    /// Its Availability Zone, where that is not the host's own.
    #[serde(default, deserialize_with = "null_as_default")]
    pub zone: String,
    /// Where the keys of the task's role are fetched, where it has one.
    #[serde(default)]
    pub role_credentials: Option<RoleCredentials>,
    /// The same of its execution role, with which the agent acts on its behalf.
    #[serde(default)]
    pub execution_role_credentials: Option<RoleCredentials>,
    /// What our own control plane adds.
    #[serde(default, deserialize_with = "null_as_default")]
    pub longshore: Longshore,
}

/// What is kept of the credentials of a role: not the keys.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RoleCredentials {
    /// The unguessable part of the path where they are fetched.
    #[serde(deserialize_with = "null_as_default")]
    pub credentials_id: String,
}

/// A container of a task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerDefinition {
    /// Its name, unique in the task.
    pub name: String,
    /// Its ARN.
    #[serde(default)]
    pub container_arn: Option<String>,
    /// Image reference.
    #[serde(default)]
    pub image: String,
    /// Replaces the image's command.
    #[serde(default, deserialize_with = "null_as_default")]
    pub command: Vec<String>,
    /// Replaces the image's entry point.
    #[serde(default, deserialize_with = "null_as_default")]
    pub entry_point: Vec<String>,
    /// CPU shares.
    #[serde(default, deserialize_with = "null_as_default")]
    pub cpu: u32,
    /// Hard memory limit in MiB; 0 is none.
    #[serde(default, deserialize_with = "null_as_default")]
    pub memory: u64,
    /// Its end is the task's end.
    #[serde(default, deserialize_with = "null_as_default")]
    pub essential: bool,
    /// Wins over the image's environment.
    #[serde(default, deserialize_with = "null_as_default")]
    pub environment: BTreeMap<String, String>,
    /// A JSON string; only `command` is understood.
    #[serde(default, deserialize_with = "null_as_default")]
    pub overrides: String,
    /// Ports.
    #[serde(default, deserialize_with = "null_as_default")]
    pub port_mappings: Vec<PortMapping>,
    /// Volumes shown in the container.
    #[serde(default, deserialize_with = "null_as_default")]
    pub mount_points: Vec<MountPoint>,
    /// Containers whose volumes are shown here too.
    #[serde(default, deserialize_with = "null_as_default")]
    pub volumes_from: Vec<VolumeFrom>,
    /// `container` or `container:alias`: containers known here by name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub links: Vec<String>,
    /// Docker's own settings.
    #[serde(default, deserialize_with = "null_as_default")]
    pub docker_config: DockerStrings,
    /// Seconds between the stop signal and SIGKILL; absent or 0 is the host's default.
    #[serde(default, deserialize_with = "null_as_default")]
    pub stop_timeout: u64,
    /// What of other containers it waits for.
    #[serde(default, deserialize_with = "null_as_default")]
    pub depends_on: Vec<Dependency>,
    /// Seconds for which others wait for it, from its start; absent or 0 is for ever.
    #[serde(default, deserialize_with = "null_as_default")]
    pub start_timeout: u64,
    /// Whether it is started again.
    #[serde(default, deserialize_with = "null_as_default")]
    pub restart_policy: RestartPolicy,
    /// `docker` where its health is tracked.
    #[serde(default, deserialize_with = "null_as_default")]
    pub health_check_type: String,
}

/// What a container waits for before it starts.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// A container of the task.
    pub container_name: String,
    /// What must be true of it.
    pub condition: Condition,
}

/// What must be true of a container that another waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Condition {
    /// It has started.
    Start,
    /// It has ended.
    Complete,
    /// It has ended with exit code 0.
    Success,
    /// Its health check passed.
    Healthy,
}

/// Whether a container whose program ended is started again in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RestartPolicy {
    /// It is.
    #[serde(deserialize_with = "null_as_default")]
    pub enabled: bool,
    /// But not after these exit codes.
    #[serde(deserialize_with = "null_as_default")]
    pub ignored_exit_codes: Vec<i32>,
    /// And only when it ran for so many seconds; absent or 0 is 300.
    #[serde(deserialize_with = "null_as_default")]
    pub restart_attempt_period: u64,
}

/// Docker's settings as JSON in strings.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct DockerStrings {
    #[serde(default, deserialize_with = "null_as_default")]
    config: String,
    #[serde(default, rename = "hostConfig", deserialize_with = "null_as_default")]
    host_config: String,
}

impl TaskDefinition {
    /// Reads a task that is to run. The error names the container and the member.
    pub fn parse(json: &serde_json::Value) -> Result<Self, InvalidTask> {
        let task: Self = serde::Deserialize::deserialize(json)
            .map_err(|error| InvalidTask(error.to_string()))?;
        task.id()?;
        interface::check(&task)?;
        for volume in &task.volumes {
            volume.check().map_err(|InvalidTask(why)| {
                InvalidTask(format!("volume {}: {why}", volume.name))
            })?;
        }
        for container in &task.containers {
            container.check(&task.volumes).map_err(|InvalidTask(why)| {
                InvalidTask(format!("container {}: {why}", container.name))
            })?;
        }
        super::relations::check(&task)?;
        super::association::check(&task)?;
        super::fargate::check(&task)?;
        let mut names: Vec<&str> = task.containers.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(InvalidTask("two containers have one name".into()));
        }
        for container in &task.containers {
            let on = container.depends_on.iter().map(|d| &d.container_name);
            if let Some(missing) = on.into_iter().find(|on| !names.contains(&on.as_str())) {
                return Err(InvalidTask(format!(
                    "container {}: depends on {missing}, which does not exist",
                    container.name
                )));
            }
        }
        Ok(task)
    }

    /// The last part of the ARN; names directories and cgroups, so it is one safe path component.
    pub fn id(&self) -> Result<&str, InvalidTask> {
        task_id(&self.arn)
    }

    /// The cluster that it is of.
    pub fn cluster(&self) -> &str {
        cluster_of(&self.arn)
    }

    /// Its network mode.
    pub fn mode(&self) -> Result<NetworkMode, InvalidTask> {
        match self.network_mode.as_str() {
            "" | "bridge" => Ok(NetworkMode::Bridge),
            "host" => Ok(NetworkMode::Host),
            "none" => Ok(NetworkMode::None),
            "awsvpc" => Ok(NetworkMode::Awsvpc),
            other => Err(InvalidTask(format!("unsupported network mode {other}"))),
        }
    }

    /// The name of its interface, which its containers share.
    pub fn interface_name(&self) -> Option<String> {
        let interface = self.elastic_network_interfaces.first()?;
        let name = Some(interface.private_dns_name.clone());
        name.filter(|name| !name.is_empty())
    }

    /// Something must hold namespaces that its containers share.
    pub fn needs_holder(&self) -> bool {
        self.pid_mode == "task" || self.ipc_mode == "task"
    }

    /// Hard CPU quota of the task, 1,024 to a CPU; `None` without one.
    pub fn cpu_units(&self) -> Option<u32> {
        (self.cpu > 0.0).then_some((self.cpu * 1024.0).round() as u32)
    }
}

impl ContainerDefinition {
    fn check(&self, volumes: &[VolumeDefinition]) -> Result<(), InvalidTask> {
        check_name(&self.name)?;
        if self.image.is_empty() {
            return Err(InvalidTask("no image".into()));
        }
        self.docker()?;
        self.host_config()?;
        self.command()?;
        for mount in &self.mount_points {
            if !volumes
                .iter()
                .any(|volume| volume.name == mount.source_volume)
            {
                return Err(InvalidTask(format!("no volume {}", mount.source_volume)));
            }
            if !mount.container_path.starts_with('/') {
                return Err(InvalidTask(format!("{} is no path", mount.container_path)));
            }
        }
        for port in &self.port_mappings {
            port.check()?;
        }
        Ok(())
    }

    /// Docker's container settings.
    pub fn docker(&self) -> Result<DockerConfig, InvalidTask> {
        json_string("dockerConfig.config", &self.docker_config.config)
    }

    /// Docker's host settings.
    pub fn host_config(&self) -> Result<HostConfig, InvalidTask> {
        json_string("dockerConfig.hostConfig", &self.docker_config.host_config)
    }

    /// The command, overridden where `overrides` says so; empty means the image's.
    pub fn command(&self) -> Result<Vec<String>, InvalidTask> {
        #[derive(Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Overrides {
            command: Option<Vec<String>>,
        }
        let overrides: Overrides = json_string("overrides", &self.overrides)?;
        Ok(overrides.command.unwrap_or_else(|| self.command.clone()))
    }
}

/// The last part of a task's ARN.
pub fn task_id(arn: &str) -> Result<&str, InvalidTask> {
    let id = arn.rsplit('/').next().unwrap_or_default();
    let safe = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !arn.starts_with("arn:") || id.is_empty() || !safe {
        return Err(InvalidTask(format!("{arn:?} is no task ARN")));
    }
    Ok(id)
}

/// The cluster in a task's ARN; `default` where it names none, as in the short form of long ago.
pub fn cluster_of(arn: &str) -> &str {
    let mut parts = arn.rsplit('/').skip(1);
    parts
        .next()
        .filter(|part| !part.starts_with("arn:"))
        .unwrap_or("default")
}

/// A container's name is a directory of ours: ECS allows letters, digits, `_` and `-`.
fn check_name(name: &str) -> Result<(), InvalidTask> {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if name.is_empty() || name.len() > 255 || !name.bytes().all(safe) {
        return Err(InvalidTask(format!("{name:?} is no container name")));
    }
    Ok(())
}

fn json_string<T: Default + for<'de> Deserialize<'de>>(
    member: &str,
    text: &str,
) -> Result<T, InvalidTask> {
    if text.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|error| InvalidTask(format!("{member}: {error}")))
}

/// JSON `null` and an absent member mean the same (agent-protocol 2.2).
pub(super) fn null_as_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(container: serde_json::Value) -> serde_json::Value {
        json!({"arn": "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef",
               "desiredStatus": "RUNNING", "networkMode": "host",
               "volumes": [{"name": "data"}], "containers": [container]})
    }

    #[test]
    fn a_task_is_read_with_nulls_and_unknown_members() {
        let task = TaskDefinition::parse(&with(json!({
            "name": "app", "image": "busybox", "essential": true, "command": null, "cpu": 10,
            "overrides": "{\"command\":[\"true\"]}", "whoKnows": {},
            "dockerConfig": {"version": "1.21", "hostConfig": "{\"CapAdd\":null}"},
        })))
        .unwrap();
        assert_eq!(task.id().unwrap(), "0123456789abcdef");
        assert_eq!(task.containers[0].command().unwrap(), ["true"]);
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_its_name() {
        for (container, words) in [
            (json!({"name": "../x", "image": "i"}), "no container name"),
            (json!({"name": "a"}), "no image"),
            (
                json!({"name": "a", "image": "i", "overrides": "{\"cpu\":1}"}),
                "unknown field",
            ),
            (
                json!({"name": "a", "image": "i", "dockerConfig": {"hostConfig": "{"}}),
                "hostConfig",
            ),
            (
                json!({"name": "a", "image": "i",
                       "dependsOn": [{"containerName": "b", "condition": "START"}]}),
                "depends on b, which does not exist",
            ),
            (
                json!({"name": "a", "image": "i",
                       "dependsOn": [{"containerName": "a", "condition": "SOON"}]}),
                "unknown variant",
            ),
            (
                json!({"name": "a", "image": "i",
                       "mountPoints": [{"sourceVolume": "no", "containerPath": "/x"}]}),
                "no volume no",
            ),
            (
                json!({"name": "a", "image": "i",
                       "portMappings": [{"containerPort": 1, "protocol": "sctp"}]}),
                "unsupported protocol",
            ),
        ] {
            let error = TaskDefinition::parse(&with(container)).unwrap_err();
            assert!(error.0.contains(words), "{error} lacks {words}");
        }
        assert!(task_id("arn:aws:ecs:r:1:task/c/..").is_err());
    }
}
