//! How an agent runs.

use crate::endpoints::rate::Limit as MetadataLimit;
use crate::images::ImageCleanup;
use crate::part::Part;
use crate::server::Server;
use aws_wire::sigv4::Credentials;
use netdev::NetworkConfig;
use runtime::host::KernelFeature;
use runtime::image::{Credentials as RegistryCredentials, PullBehavior};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Settings of one agent.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The data directory, shared with the server of this machine.
    pub data_dir: PathBuf,
    /// Eight hexadecimal digits that name what lives outside the directory.
    pub tag: String,
    /// Where the control plane is.
    pub server: Server,
    /// Region to sign for.
    pub region: String,
    /// What it serves. The first is the one by which other hosts know it.
    pub parts: Vec<Part>,
    /// How it is lent to tasks of launch type FARGATE.
    pub fargate: FargateConfig,
    /// Cluster to join as a container instance.
    pub cluster: String,
    /// The host's key.
    pub credentials: Credentials,
    /// `ecs.availability-zone` of this host; where none is named, a container instance is in the region's first, and
    /// FARGATE capacity is lent to all.
    pub zone: Option<String>,
    /// Custom attributes of the container instance.
    pub attributes: BTreeMap<String, String>,
    /// Its address in the network between the hosts, where there is one.
    pub underlay: Option<Ipv4Addr>,
    /// The UDP port at which it takes encrypted packets of other hosts; `None`: it does not encrypt.
    pub encrypt_port: Option<u16>,
    /// Memory kept back for the host, MiB.
    pub reserved_memory_mib: u64,
    /// Between stop signal and SIGKILL, for containers that name no time (the public agent's
    /// ECS_CONTAINER_STOP_TIMEOUT).
    pub stop_timeout: Duration,
    /// Registries spoken to over plain HTTP, besides those on loopback.
    pub insecure_registries: Vec<String>,
    /// Certificates (PEM) of registries, trusted besides the system's.
    pub registry_ca_file: Option<PathBuf>,
    /// Certificates (PEM) trusted for one registry alone, by its `name` or `name:port`.
    pub registry_host_ca_files: BTreeMap<String, PathBuf>,
    /// Users at registries (the public agent's ECS_ENGINE_AUTH_DATA).
    pub registry_credentials: RegistryCredentials,
    /// When unused images are removed; `None` is the public agent's ECS_DISABLE_IMAGE_CLEANUP.
    pub image_cleanup: Option<ImageCleanup>,
    /// When a registry is asked (the public agent's ECS_IMAGE_PULL_BEHAVIOR).
    pub image_pull_behavior: PullBehavior,
    /// Directories of the Container Device Interface's files, which say what GPUs there are; the
    /// later, the more it counts.
    pub cdi_dirs: Vec<PathBuf>,
    /// Who is asked for names that are not of a VPC; none: the host's `/etc/resolv.conf` says.
    pub resolvers: Vec<SocketAddr>,
    /// How often a container may ask its endpoints for each path (the public agent's ECS_TASK_METADATA_RPS_LIMIT).
    pub metadata_limit: MetadataLimit,
    /// Whether processes of this host find instance metadata at 169.254.169.254.
    pub instance_metadata: bool,
    /// Whether tasks on the bridge and in VPCs do.
    pub instance_metadata_for_tasks: bool,
    /// Kernel calls that are not used, so that their fallbacks are.
    pub without: Vec<KernelFeature>,
}

/// How a machine is lent to tasks of launch type FARGATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FargateConfig {
    /// The agent ends where the machine cannot keep tasks apart; else it is then not lent.
    pub is_required: bool,
    /// Each task has ids of its own. Without, root in a container is the host's root without its powers.
    pub user_namespace: bool,
}

impl AgentConfig {
    /// The Availability Zone of this host.
    #[must_use]
    pub fn zone(&self) -> String {
        let first = || format!("{}a", self.region);
        self.zone.clone().unwrap_or_else(first)
    }

    /// What its networks are made of.
    #[must_use]
    pub fn networks(&self) -> NetworkConfig {
        NetworkConfig {
            underlay: self.underlay,
            has_instance_metadata: self.instance_metadata_for_tasks,
            ..NetworkConfig::new(self.tag.clone(), self.run_dir().join("net"))
        }
    }

    /// The agent's own records.
    #[must_use]
    pub fn agent_dir(&self) -> PathBuf {
        self.data_dir.join("agent")
    }

    /// Layers and image records.
    #[must_use]
    pub fn images_dir(&self) -> PathBuf {
        self.data_dir.join("images")
    }

    /// Sockets and namespaces.
    #[must_use]
    pub fn run_dir(&self) -> PathBuf {
        self.data_dir.join("run")
    }
}
