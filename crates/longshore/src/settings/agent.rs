//! The `[agent]` table of `longshore.toml`.

use crate::duration::Duration;
use anyhow::{Context, bail};
use ec2::launch_template::Reference;
use ecs::instance::{interfaces, launch_template};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

const DNS_PORT: u16 = 53;
/// Of the CDI specification.
const CDI_DIRS: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];
const IMAGE_CLEANUP_INTERVAL: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// The `[agent]` table of `longshore.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentSettings {
    /// Memory kept back for the host, MiB.
    pub reserved_memory_mib: u64,
    /// Whether the machine of `longshore up` is lent to tasks of launch type FARGATE [default: true].
    pub fargate: Option<bool>,
    /// Whether what goes between this host and others is encrypted, as by `longshore agent --encrypt`.
    pub encrypt: bool,
    /// The UDP port at which it takes encrypted packets [default: 51820].
    pub encrypt_port: Option<u16>,
    /// Whether each task of launch type FARGATE has a user namespace, so that its root is nobody on this machine
    /// [default: true]. For kernels older than 5.19, which cannot.
    pub fargate_user_namespace: Option<bool>,
    /// Custom attributes of the container instance.
    pub attributes: BTreeMap<String, String>,
    /// `default`, `always`, `once` or `prefer-cached` (the agent's ECS_IMAGE_PULL_BEHAVIOR).
    pub image_pull_behavior: Option<PullBehavior>,
    /// Registries spoken to over plain HTTP, besides those on loopback.
    pub insecure_registries: Vec<String>,
    /// Certificates (PEM) of registries, trusted besides the system's.
    pub registry_ca_file: Option<PathBuf>,
    /// Docker's `config.json`, for its `auths`; read anew for each pull. The variables
    /// ECS_ENGINE_AUTH_TYPE and ECS_ENGINE_AUTH_DATA win over it.
    pub docker_config: Option<PathBuf>,
    /// The agent's ECS_IMAGE_CLEANUP_INTERVAL [default: 30m].
    pub image_cleanup_interval: Option<Duration>,
    /// The agent's ECS_IMAGE_MINIMUM_CLEANUP_AGE [default: 1h].
    pub image_minimum_cleanup_age: Option<Duration>,
    /// The agent's ECS_NUM_IMAGES_DELETE_PER_CYCLE [default: 5].
    pub images_deleted_per_cycle: Option<usize>,
    /// The agent's ECS_DISABLE_IMAGE_CLEANUP.
    pub disable_image_cleanup: bool,
    /// Directories of the Container Device Interface's files, which say what GPUs there are; the
    /// later, the more it counts [default: /etc/cdi, /var/run/cdi].
    pub cdi_dirs: Option<Vec<PathBuf>>,
    /// Who is asked for names that are not of a VPC: addresses, with a port where it is not 53 [default: those of
    /// /etc/resolv.conf].
    pub resolvers: Vec<String>,
    /// What EC2 instance type the machine counts as, for its number of network interfaces.
    pub instance_type: Option<String>,
    /// The launch template that the machine counts as launched from, `TEMPLATE` or `TEMPLATE:VERSION`: by id or name, and
    /// a number, `$Latest` or `$Default`; its type is then the template's.
    pub launch_template: Option<String>,
    /// How many network interfaces it may have, its own among them [default: as its type, else without limit].
    pub max_interfaces: Option<u32>,
    /// How often a container may ask its metadata endpoint for each path: requests a second, and at once (the agent's
    /// ECS_TASK_METADATA_RPS_LIMIT) [default: 40,60].
    pub task_metadata_rps_limit: Option<String>,
    /// Whether processes of this machine find instance metadata at 169.254.169.254.
    pub instance_metadata: bool,
    /// Whether tasks do, in network modes `bridge` and `awsvpc`.
    pub instance_metadata_for_tasks: bool,
    /// Kernel calls that are not used though they be there, so that their fallbacks are: `lowerdir-plus`, `layer-fd`,
    /// `pidfd-info-exit`, `idmapped-layers` (which has none). For tests, and for a kernel whose call misbehaves.
    pub without: Vec<agent::KernelFeature>,
}

impl AgentSettings {
    /// Where the Container Device Interface's files are.
    pub fn cdi_dirs(&self) -> Vec<PathBuf> {
        let default = || CDI_DIRS.map(PathBuf::from).to_vec();
        self.cdi_dirs.clone().unwrap_or_else(default)
    }

    /// Who is asked for names that are not of a VPC.
    ///
    /// # Errors
    /// One is no address.
    pub fn resolvers(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let one = |text: &String| {
            let whole = text.parse();
            let alone = || {
                text.parse()
                    .map(|address: IpAddr| SocketAddr::new(address, DNS_PORT))
            };
            whole
                .or_else(|_| alone())
                .with_context(|| format!("resolver {text:?}: ADDRESS or ADDRESS:PORT is expected"))
        };
        self.resolvers.iter().map(one).collect()
    }

    /// How often a container may ask its metadata endpoint.
    ///
    /// # Errors
    /// Not `RATE,BURST`.
    pub fn metadata_limit(&self) -> anyhow::Result<agent::MetadataLimit> {
        let Some(text) = &self.task_metadata_rps_limit else {
            return Ok(agent::MetadataLimit::default());
        };
        text.parse()
            .with_context(|| format!("task_metadata_rps_limit {text:?}"))
    }

    /// The attributes that say how many interfaces the machine may have.
    ///
    /// # Errors
    /// Its type is not known and no number is given, or the number is 0; it has a type and a launch template, or
    /// the latter is not written as one is.
    pub fn interfaces(&self) -> anyhow::Result<Vec<(String, String)>> {
        let known = |name: &String| interfaces::limits(name).is_some();
        if let Some(name) = self.instance_type.as_ref().filter(|name| !known(name))
            && self.max_interfaces.is_none()
        {
            bail!("instance_type {name:?} is not in Longshore's table: say max_interfaces too");
        }
        if self.max_interfaces == Some(0) {
            bail!("max_interfaces: the machine itself has one; use 1 or more");
        }
        if let Some(text) = &self.launch_template {
            if self.instance_type.is_some() {
                bail!(
                    "instance_type and launch_template: the template's type is the machine's; use one of them"
                );
            }
            Reference::parse(text).with_context(|| format!("launch_template {text:?}"))?;
        }
        let kind = self.instance_type.clone();
        let most = self.max_interfaces.map(|most| most.to_string());
        let kind = kind.map(|kind| (interfaces::INSTANCE_TYPE.to_owned(), kind));
        let most = most.map(|most| (interfaces::MAX_INTERFACES.to_owned(), most));
        let template = self.launch_template.clone();
        let template = template.map(|text| (launch_template::LAUNCH_TEMPLATE.to_owned(), text));
        Ok([kind, most, template].into_iter().flatten().collect())
    }

    /// When unused images go; never where images of the past are preferred, as with the public agent.
    pub fn image_cleanup(&self) -> Option<agent::ImageCleanup> {
        let preserved = self.image_pull_behavior == Some(PullBehavior::PreferCached);
        if self.disable_image_cleanup || preserved {
            return None;
        }
        let seconds = |given: Option<Duration>, default: std::time::Duration| {
            given.map_or(default, |given| given.0)
        };
        let default = agent::CleanupPolicy::default();
        Some(agent::ImageCleanup {
            interval: seconds(self.image_cleanup_interval, IMAGE_CLEANUP_INTERVAL),
            policy: agent::CleanupPolicy {
                minimum_age: seconds(self.image_minimum_cleanup_age, default.minimum_age),
                images_max: self.images_deleted_per_cycle.unwrap_or(default.images_max),
            },
        })
    }
}

/// When a registry is asked for an image (the public agent's ECS_IMAGE_PULL_BEHAVIOR).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullBehavior {
    /// Always; what is here serves when the registry fails.
    #[default]
    Default,
    /// Always; a registry that fails is an error.
    Always,
    /// Only if it was never pulled.
    Once,
    /// Only if it is not here.
    PreferCached,
}

impl From<PullBehavior> for agent::PullBehavior {
    fn from(behavior: PullBehavior) -> Self {
        match behavior {
            PullBehavior::Default => Self::Default,
            PullBehavior::Always => Self::Always,
            PullBehavior::Once => Self::Once,
            PullBehavior::PreferCached => Self::PreferCached,
        }
    }
}
