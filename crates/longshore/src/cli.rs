//! The command line as a person types it.

mod hosts;

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
    /// Print tasks as DescribeTasks answers them, with the labels of this machine's containers
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

#[derive(Args, Debug)]
pub struct BenchOptions {
    #[command(subcommand)]
    pub what: BenchCommand,
    /// Print one JSON object in place of a table
    #[arg(long, global = true)]
    pub json: bool,
}

/// Each starts a Longshore of its own in a temporary directory, unless --data names a running one.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// RunTask to RUNNING, tasks a second, stops, memory; beside runc where it is installed
    Launch(LaunchBench),
    /// Signed reads and durable writes a second
    Api(ApiBench),
    /// Start to first answer, and restart with many task records
    State(StateBench),
    /// Placement decisions a second, alone and committed; starts no task
    Placement(PlacementBench),
    /// The service scheduler: quiet ticks, one change, hosts lost; starts no task
    Services(ServicesBench),
    /// Pulls from a registry on loopback, beside skopeo where it is installed
    Pull(PullBench),
    /// Log lines a second from a container to GetLogEvents
    Logs(LogsBench),
    /// Processor time of health checks, beside the same containers without any
    Health(HealthBench),
    /// A service's container killed until its replacement is RUNNING
    Replace(ReplaceBench),
    /// A rolling update on one host; beside a shell loop over runc where it is installed
    Deploy(DeployBench),
    /// Interfaces of a VPC: traffic beside ways without rules, changes, many at once; starts no task
    Network(NetworkBench),
}

#[derive(Args, Debug)]
pub struct LaunchBench {
    /// Launches of each network mode, one after the other
    #[arg(long, default_value_t = 100)]
    pub samples: usize,
    /// Tasks at once of each network mode
    #[arg(long, default_value_t = 200)]
    pub count: usize,
}

#[derive(Args, Debug)]
pub struct ApiBench {
    /// Connections at once
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Seconds of each load
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
}

#[derive(Args, Debug)]
pub struct StateBench {
    /// Task records
    #[arg(long, default_value_t = 100_000)]
    pub tasks: usize,
    /// Starts of each kind
    #[arg(long, default_value_t = 5)]
    pub samples: usize,
}

#[derive(Args, Debug)]
pub struct PlacementBench {
    /// Container instances
    #[arg(long, default_value_t = 5000)]
    pub instances: usize,
    /// Decisions
    #[arg(long, default_value_t = 1_000_000)]
    pub tasks: usize,
    /// How instances are preferred
    #[arg(long, value_enum, default_value_t = PlacementStrategy::Binpack)]
    pub strategy: PlacementStrategy,
    /// Tasks placed by RunTask and committed, as a figure of its own; 0 leaves it out
    #[arg(long, default_value_t = 20_000)]
    pub committed: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PlacementStrategy {
    /// The least memory left
    Binpack,
    /// Over zones, then over instances
    Spread,
}

impl PlacementStrategy {
    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binpack => "binpack",
            Self::Spread => "spread",
        }
    }
}

#[derive(Args, Debug)]
pub struct ServicesBench {
    /// Services of the quiet tick; one change is measured with 10, 100 and this many
    #[arg(long, default_value_t = 1000)]
    pub services: usize,
    /// Tasks of each service
    #[arg(long, default_value_t = 10)]
    pub tasks: usize,
    /// Times that a tick or a change is measured
    #[arg(long, default_value_t = 100)]
    pub samples: usize,
    /// Services of which one host in ten is lost at once; 0 leaves it out
    #[arg(long, default_value_t = 10_000)]
    pub converge: usize,
}

#[derive(Args, Debug)]
pub struct PullBench {
    /// Layers of the image
    #[arg(long, default_value_t = 5)]
    pub layers: usize,
    /// MiB of each layer, compressed
    #[arg(long, default_value_t = 32)]
    pub mib: usize,
}

#[derive(Args, Debug)]
pub struct LogsBench {
    /// Lines, written as fast as they are taken
    #[arg(long, default_value_t = 500_000)]
    pub lines: u64,
    /// Bytes of each line, its end included
    #[arg(long, default_value_t = 100)]
    pub bytes: u64,
}

#[derive(Args, Debug)]
pub struct HealthBench {
    /// Containers, each a task
    #[arg(long, default_value_t = 300)]
    pub containers: usize,
    /// Seconds between two checks of a container
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(5..=300))]
    pub interval: u32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
}

#[derive(Args, Debug)]
pub struct ReplaceBench {
    /// Tasks of the service
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub tasks: u8,
    /// Kills of each network mode, one after the other
    #[arg(long, default_value_t = 50)]
    pub count: usize,
}

#[derive(Args, Debug)]
pub struct DeployBench {
    /// Tasks of the service
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..))]
    pub tasks: u8,
}

#[derive(Args, Debug)]
pub struct NetworkBench {
    /// Times that each way is measured, in turn; two seconds each
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Members of a group, and as many rules, of which one more comes and goes
    #[arg(long, value_delimiter = ',', default_value = "10,1000,10000")]
    pub members: Vec<u32>,
    /// Interfaces on one host, once one after another and once more at once
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub interfaces: u32,
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
