//! The command line as a person types it.

mod bench;
mod hosts;

pub use bench::{
    ApiBench, BenchCommand, BenchOptions, ConnectBench, DeployBench, HealthBench, InterfacesBench,
    LaunchBench, LogsBench, NetworkBench, PlacementBench, PlacementStrategy, PullBench,
    ReplaceBench, ServicesBench, StateBench,
};
pub use hosts::{AgentOptions, Fargate, ServerCommand, ServerSubcommand, TlsOptions, TokenOptions};

use crate::duration::Duration;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Amazon ECS on machines you own.
///
/// Every option may also be set in the environment (named beside it) or in `longshore.toml`
/// (in the data directory, or named by --config); a flag wins over the environment, the
/// environment over the file. The file alone has `[[registry]]` tables (host, ca, insecure),
/// `[[target]]` tables (name, and url or task: what lifecycle hooks may call) and a table `[agent]`: reserved_memory_mib, attributes,
/// image_pull_behavior, resolvers, fargate and fargate_user_namespace (`false`: this machine is not lent; its FARGATE
/// tasks have no ids of their own), and `without`: a list of newer kernel calls to do without
/// (`lowerdir-plus`, `layer-fd`, `pidfd-info-exit`, `idmapped-layers`).
#[derive(Debug, Parser)]
#[command(name = "longshore", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Directory of everything of one Longshore: state, keys, images, logs
    #[arg(long, global = true, value_name = "DIR", env = "LONGSHORE_DATA")]
    pub data: Option<PathBuf>,
    /// Address of the API; beyond loopback it speaks TLS [default: 127.0.0.1:4566]
    #[arg(long, global = true, value_name = "ADDR", env = "LONGSHORE_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// AWS's waits as they are (`aws`) or shortened (`fast`); see `longshore doctor`
    #[arg(long, global = true, value_name = "MODE", env = "LONGSHORE_TIMING")]
    pub timing: Option<Timing>,
    /// Regions that are served, the first being the default
    #[arg(
        long,
        global = true,
        value_name = "REGION,…",
        value_delimiter = ',',
        env = "LONGSHORE_REGIONS"
    )]
    pub regions: Vec<String>,
    /// Account id of this Longshore, twelve digits [default: 000000000000]
    #[arg(long, global = true, value_name = "ID", env = "LONGSHORE_ACCOUNT")]
    pub account: Option<String>,
    /// An agent that is away so long is lost, and its tasks are replaced [default: 60s]
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        env = "LONGSHORE_HOST_LOST_AFTER"
    )]
    pub host_lost_after: Option<Duration>,
    /// How long stopped tasks are described, e.g. `24h`; AWS's hour at least [default: 1h]
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        env = "LONGSHORE_STOPPED_TASKS_VISIBLE"
    )]
    pub stopped_tasks_visible: Option<Duration>,
    /// Configuration file [default: DATA/longshore.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "LONGSHORE_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Which table of waits is in force (`longshore doctor` prints both).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Timing {
    /// AWS's own waits.
    Aws,
    /// Every rule kept, the waits shortened.
    Fast,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a server and an agent on this machine and look after them
    Up(UpOptions),
    /// Stop all tasks and remove every process, namespace, mount, cgroup and rule
    Down(DownOptions),
    /// Run the control plane (started by `up`, or alone for machines that join)
    Server(ServerCommand),
    /// Run this host's agent (started by `up`, or alone on a machine that joins a server)
    Agent(AgentOptions),
    /// Print the exports for the AWS CLI and SDKs: eval "$(longshore env)"
    Env,
    /// Check this machine and name the mend of what it lacks
    Doctor,
    /// List tasks
    Ps(PsOptions),
    /// Print or follow a task's logs
    Logs(LogsOptions),
    /// Tell why a task, a container instance, a service or a request went as it did
    Why(crate::why::Options),
    /// Show what ECS emitted: tasks, instances, deployments and services as they change
    Events(crate::events::Options),
    /// Watch clusters, services, deployments, tasks and events
    Top(crate::top::Options),
    /// Images of this host
    #[command(subcommand)]
    Image(ImageCommand),
    /// The control plane's records
    #[command(subcommand)]
    State(StateCommand),
    /// Measure this build on this machine
    Bench(BenchOptions),
    /// Simulate clusters with faults on a virtual clock and look for what must never happen
    Sim(crate::sim::SimOptions),
    /// Serve Service Connect for this host's tasks (started by the agent)
    #[command(hide = true)]
    Proxy,
    /// Print docs/compatibility.md, made from the tables of this build
    #[command(hide = true)]
    Compatibility,
    /// Print shell completions
    Completions { shell: clap_complete::Shell },
    /// Print the version
    Version,
}

#[derive(Args, Debug)]
pub struct UpOptions {
    #[command(flatten)]
    pub tls: TlsOptions,
    /// Run the built-in image as a first task and show the AWS CLI lines for it
    #[arg(long)]
    pub demo: bool,
}

#[derive(Args, Debug)]
pub struct DownOptions {
    /// Leave containers running for the next `up`
    #[arg(long, conflicts_with = "purge")]
    pub keep: bool,
    /// Delete the data directory as well: state, keys, images, logs
    #[arg(long)]
    pub purge: bool,
}

#[derive(Args, Debug)]
pub struct PsOptions {
    /// Cluster
    #[arg(long, default_value = "default")]
    pub cluster: String,
    /// Stopped tasks too
    #[arg(long, short)]
    pub all: bool,
    /// Print tasks as DescribeTasks answers them, with the labels of this machine's containers and
    /// of the Docker volumes that they see
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct LogsOptions {
    /// Task id (or the first digits of one)
    pub task: String,
    /// Container [default: the only one, or all]
    pub container: Option<String>,
    /// Cluster
    #[arg(long, default_value = "default")]
    pub cluster: String,
    /// Go on printing new lines
    #[arg(long, short)]
    pub follow: bool,
}

#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Load a `docker save` archive or an OCI layout
    Load {
        /// Archive (tar, tar.gz) or OCI layout directory
        file: PathBuf,
    },
    /// List images
    List,
    /// Remove an image
    Remove {
        /// Name, e.g. `web:1`
        reference: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Print records as JSON: all tables, one table, or one record
    Get {
        /// Table name, e.g. `ecs.tasks`
        table: Option<String>,
        /// First components of the key, joined by `/`
        key: Option<String>,
    },
    /// Write every record as JSON lines to standard output
    Export,
    /// Read an export from standard input into an empty state (no server running)
    Import,
}

/// Writes the completion script of a shell to standard output.
pub fn completions(shell: clap_complete::Shell) {
    clap_complete::generate(
        shell,
        &mut Cli::command(),
        "longshore",
        &mut std::io::stdout(),
    );
}
